"""An account: what is missing of it and why, and each of its reports by day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.figures import counted
from gads_domain.partition_key import require_customer_id
from gads_domain.standing import AccountFilter
from gads_domain.state import PartitionStatus
from gads_ui.rendering import count
from gads_ui.site import STATE_NAMES, asked_number
from gads_ui.views.calendar import Row, account_cell, columns_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_domain.gaps import GapRange
    from gads_domain.standing import AccountStanding
    from gads_ui.commands import Command
    from gads_ui.site import Site

_DAYS = 30
_MOST_DAYS = 90
_GAPS = 50
_STATE = {PartitionStatus.FAILED: "failed", PartitionStatus.SUCCESS: "held", PartitionStatus.PENDING: "pending"}


def show(site: Site, request: Request) -> Response:
    """One account."""
    customer = require_customer_id(request.path_params["customer"])
    found = site.pipeline.account_standing(customer)
    until = SystemClock().now().date()
    days = asked_number(request, "days", _DAYS, _MOST_DAYS) or 1
    since = until - timedelta(days=days - 1)
    alone = AccountFilter(first=customer, last=customer)
    rows = []
    for one in found.reports:
        heat = site.pipeline.heat_map(one.report, since, until, alone)
        for group in heat.groups:
            cells = [account_cell(day, f"/partitions/{customer}/{one.report}/{day.day}") for day in group.days]
            rows.append(Row(one.report, "", f"/calendar?report={one.report}", cells))
    gaps = [
        (gap, _STATE[gap.first.status], _commands_for(site, gap, _STATE[gap.first.status]))
        for gap in found.gaps[:_GAPS]
    ]
    commands = [
        site.commands.of("Extract what is missing of it", "run", customer=customer),
        site.commands.of("Try again what failed of it", "run", customer=customer, retry_failed=True),
        site.commands.of("List what is missing of it", "state", "gaps", customer=customer),
    ]
    if found.account is not None and not found.account.selected:
        commands.append(site.commands.of("Expect it no more", "accounts", "forget", customer, reason="…"))
    values = {
        "customer": customer,
        "found": found,
        "sentence": sentence(found),
        "answer": "incomplete" if found.gaps else "unknown" if found.unknown or not found.reports else "complete",
        "gaps": gaps,
        "more_gaps": len(found.gaps) - len(gaps),
        "rows": rows,
        "columns": columns_of(since, until),
        "states": list(STATE_NAMES),
        "days": days,
    }
    return site.page("account.html", f"Account {customer}", "/calendar", values, commands)


def sentence(found: AccountStanding) -> str:
    """The answer for the account in one sentence."""
    missing, expected = sum(gap.days for gap in found.gaps), sum(one.expected for one in found.reports)
    if missing:
        reports = len({gap.first.report for gap in found.gaps})
        are = "is" if missing == 1 else "are"
        return f"{count(missing)} of {count(expected)} partitions {are} missing, of {counted(reports, 'report')}."
    if found.account is not None and not found.account.selected:
        return f"It is not extracted: {found.account.skipped or 'the last account list does not select it'}."
    if not found.reports:
        return "Nothing is expected of this account, and nothing of it is on record."
    if found.unknown:
        return "Nothing that is known is missing, but what is expected is not known."
    return f"Nothing is missing: all {count(expected)} partitions that are expected and due are authoritative."


def _commands_for(site: Site, gap: GapRange, state: str) -> list[Command]:
    first = gap.first
    return site.commands.of_days(state, first.customer_id, first.report, first.logical_date, gap.until)
