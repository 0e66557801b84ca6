"""The overview: the answer in one sentence, what asks for attention, and how everything stands."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse

from gads_domain.completeness import Answer
from gads_domain.figures import counted
from gads_domain.state import PartitionStatus
from gads_ui.drawing import meter
from gads_ui.rendering import count
from gads_ui.views.strips import STRIP_DAYS

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_domain.standing import GapGroup
    from gads_status.status import BudgetStanding, Status
    from gads_ui.commands import Command
    from gads_ui.site import Site

_STATE = {PartitionStatus.FAILED: "failed", PartitionStatus.SUCCESS: "held", PartitionStatus.PENDING: "pending"}
_ROUNDS = 5
_GAPS = 20


def show(site: Site, _request: Request) -> Response:
    """The overview."""
    status = site.status()
    gaps = [(group, _STATE[group.status], _command(site, group)) for group in status.gaps[:_GAPS]]
    values = {
        "status": status,
        "sentence": sentence(status),
        "then": then(status),
        "gaps": gaps,
        "more_gaps": len(status.gaps) - len(gaps),
        "rounds": status.rounds[:_ROUNDS],
        "meter": budget_meter(status.budget),
        "days": STRIP_DAYS,
    }
    commands = [
        site.commands.of("The same on the terminal", "status"),
        site.commands.of("Do what is due now", "serve", once=True),
        site.commands.of("See what that would cost", "plan"),
    ]
    return site.page("overview.html", "Overview", "/", values, commands)


def find(site: Site, request: Request) -> Response:
    """Leads from what was searched to an account, or to the accounts with such a name."""
    text = request.query_params.get("q", "").strip()
    number = text.replace("-", "")
    if number.isascii() and number.isdecimal() and not number.startswith("0") and len(number) <= 19:
        return RedirectResponse(f"/accounts/{number}", 303)
    report = site.pipeline.configuration.report_sections[0].name
    return RedirectResponse(f"/calendar?{urlencode({'report': report, 'q': text})}", 303)


def sentence(status: Status) -> str:
    """The answer in one sentence."""
    expected = sum(one.expected for one in status.reports)
    missing = {name: sum(getattr(one, name) for one in status.reports) for name in ("failed", "held", "pending")}
    if status.answer is Answer.COMPLETE:
        return f"Complete: all {count(expected)} partitions that are expected and due are authoritative."
    if status.answer is Answer.UNKNOWN:
        return "Unknown: nothing that is known is missing, but what is expected is not known."
    parts = ", ".join(f"{count(number)} {name}" for name, number in missing.items() if number)
    are = "is" if sum(missing.values()) == 1 else "are"
    return f"Incomplete: {count(sum(missing.values()))} of {count(expected)} partitions {are} missing: {parts}."


def then(status: Status) -> str:
    """What else is to be said of the answer."""
    said = [f"What is expected is not known: {status.unknown}"] if status.unknown else []
    days = [one.complete_up_to for one in status.reports]
    known = [day for day in days if day is not None]
    if known and len(known) == len(days):
        said.append(f"Up to {min(known)} nothing is missing of any report")
    accounts = status.accounts
    if accounts.drawn_at is not None:
        said.append(f"{counted(accounts.selected, 'account')} selected of {count(accounts.listed)} listed")
    return "; ".join(said) + "." if said else ""


def budget_meter(budget: BudgetStanding) -> Markup | None:
    """How much of the budget is spent, and what is due now costs; None without a limit."""
    if budget.limit is None:
        return None
    due = "" if budget.forecast is None else f"; what is due now costs at most {count(budget.forecast)}"
    says = f"{count(budget.spent)} of {count(budget.limit)} operations spent in 24 hours{due}"
    return meter(budget.spent, budget.limit, says, budget.forecast or 0)


def _command(site: Site, group: GapGroup) -> Command:
    days = {"report": group.report, "since": group.first, "until": group.last}
    if group.status is PartitionStatus.FAILED:
        return site.commands.of("Try them again now", "run", **days, retry_failed=True)
    if group.status is PartitionStatus.SUCCESS:
        return site.commands.of("Take the runs that lost rows", "state", "accept", **days, reason="…")
    return site.commands.of("Extract them now", "run", **days)
