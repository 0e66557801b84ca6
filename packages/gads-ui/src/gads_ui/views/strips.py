"""The strip of a report, its last days, of all accounts: an image, which the overview does not wait for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import Response

from gads_ui.drawing import Bar, strip

if TYPE_CHECKING:
    from starlette.requests import Request

    from gads_domain.standing import DayStanding
    from gads_ui.site import Site

STRIP_DAYS = 90
"""How many days a strip has."""

_STATES = ("authoritative", "not_due", "pending", "held", "failed")
_BROWSER_KEEPS = {"Cache-Control": "private, max-age=30"}


def show(site: Site, request: Request) -> Response:
    """The strip as SVG."""
    days = site.days(request.path_params["report"], STRIP_DAYS)
    return Response(strip(bars(days)), media_type="image/svg+xml", headers=_BROWSER_KEEPS)


def bars(days: Sequence[DayStanding]) -> list[Bar]:
    """A bar for each of the last days, up to the last one given."""
    known = {one.day: one for one in days}
    last = max(known)
    return [
        Bar(day, [(name, getattr(known[day], name) if day in known else 0) for name in _STATES])
        for day in (last - timedelta(days=number) for number in reversed(range(STRIP_DAYS)))
    ]
