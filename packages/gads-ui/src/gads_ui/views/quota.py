"""The quota: what is spent, when it becomes free, what is due and what it costs, and what the API asked to rest."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gads_domain.quota import BUCKET, WINDOW
from gads_ui.drawing import Column, column_plot
from gads_ui.rendering import count
from gads_ui.views.overview import budget_meter

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from gads_domain.quota import Spent
    from gads_status.status import BudgetStanding
    from gads_ui.site import Site

_HOURS = 24


def show(site: Site, _request: Request) -> Response:
    """The quota."""
    status = site.status()
    spent = site.pipeline.spent()
    hours = by_hour(spent, status.at)
    columns = [
        Column(f"{moment:%H}", number, f"from {moment:%H:%M}: {count(number)} operations") for moment, number in hours
    ]
    busiest = max(hours, key=lambda one: one[1])
    says = f"Operations spent in each of the last {_HOURS} hours; most of them, {count(busiest[1])}, in one."
    values = {
        "budget": status.budget,
        "meter": budget_meter(status.budget),
        "plot": column_plot(columns, says, "hour, UTC", "operations") if spent.count else None,
        "due": status.next_due,
        "days_to_catch_up": days_to_catch_up(status.budget),
    }
    commands = [
        site.commands.of("See what is due now, in order, and what it costs", "plan"),
        site.commands.of("See what a backfill would cost", "backfill", since="-30d", until="yesterday", dry_run=True),
        site.commands.of("See which process spends by a lease", "state", "leases"),
    ]
    return site.page("quota.html", "Quota", "/quota", values, commands)


def by_hour(spent: Spent, now: datetime) -> list[tuple[datetime, int]]:
    """How many operations were spent in each of the last hours, the oldest first."""
    end = now.replace(minute=0, second=0, microsecond=0)
    starts = [end - timedelta(hours=_HOURS - 1 - number) for number in range(_HOURS)]
    counts = dict.fromkeys(starts, 0)
    for part in spent.parts:
        at = part.free_at - WINDOW - BUCKET
        hour = at.astimezone(end.tzinfo).replace(minute=0, second=0, microsecond=0)
        hour = min(max(hour, starts[0]), end)
        counts[hour] += part.count
    return list(counts.items())


def days_to_catch_up(budget: BudgetStanding) -> float | None:
    """In how many days the budget allows what is due beside the daily operations; None if that is not known."""
    if budget.limit is None or budget.forecast is None:
        return None
    beside = budget.limit - (budget.daily or 0)
    return budget.forecast / beside if beside > 0 else None
