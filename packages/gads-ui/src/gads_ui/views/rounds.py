"""Rounds: what each execution of a plan did, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_ui.site import asked_number

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_ui.site import Site

_PAGE = 50


def show(site: Site, request: Request) -> Response:
    """A page of rounds, newest first, and the processes that execute them."""
    before = asked_number(request, "before", 0, 2**62) or None
    now = SystemClock().now()
    with site.pipeline.activity() as activity:
        heartbeats = activity.heartbeats()
        rounds = activity.rounds(_PAGE + 1, before)
        known = activity.has_activity()
    values = {
        "rounds": [(one, one.is_cut_short(heartbeats, now)) for one in rounds[:_PAGE]],
        "older": rounds[_PAGE - 1].number if len(rounds) > _PAGE else None,
        "first_page": before is None,
        "processes": [(one, one.liveness(now).value) for one in heartbeats[:20]],
        "known": known,
    }
    commands = [
        site.commands.of("Do what is due now, then end", "serve", once=True),
        site.commands.of("See what is due and what it costs", "plan"),
        site.commands.of("See which process holds what", "state", "leases"),
    ]
    return site.page("rounds.html", "Runs", "/rounds", values, commands)
