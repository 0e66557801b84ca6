"""The calendar of a report: groups of accounts by day, then accounts by day, each cell with its state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from gads_domain.account import AccountStatus
from gads_domain.clock import SystemClock
from gads_domain.errors import UsageError
from gads_domain.standing import EVERY_ACCOUNT, MOST_GROUPS, AccountFilter
from gads_ui.rendering import count
from gads_ui.site import GLYPHS, STATE_NAMES, asked_day, asked_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from gads_domain.standing import AccountGroup, DayStanding, HeatMap
    from gads_ui.site import Site

_DEFAULT_DAYS = 30
_MOST_DAYS = 92
_CELLS = 6_500
"""Of accounts one by one at most; it keeps a page well under a megabyte."""
_MOST_ROWS = 100

_SPANS = (14, 30, 60, 90)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows: its state, a glyph or a number, what is said of it, and where it leads.

    Thousands of cells are as they should be: of those nothing is said but the glyph.
    """

    state: str
    shown: str
    says: str
    leads_to: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether it is a place to stop at for who goes through the cells by keyboard."""
        return self.state in ("failed", "held", "pending")


@dataclass(frozen=True, slots=True)
class Row:
    """A group of accounts or an account, with a cell a day."""

    title: str
    quiet: str
    leads_to: str
    cells: Sequence[Cell]


def show(site: Site, request: Request) -> Response:
    """The calendar."""
    names = [section.name for section in site.pipeline.configuration.report_sections]
    asked = request.query_params
    report = asked.get("report", "") or names[0]
    since, until = _days(request)
    accounts = _filter(request)
    found = _heat_map(site, report, since, until, accounts)
    is_grouped = any(group.accounts > 1 for group in found.groups)
    kept = {name: asked[name] for name in ("q", "manager", "status", "behind") if asked.get(name)}
    days = {"since": since.isoformat(), "until": until.isoformat()}
    rows = [_row(report, group, {"report": report, **kept, **days}) for group in found.groups]
    values = {
        "report": report,
        "reports": names if report in names else [report, *names],
        "since": since,
        "until": until,
        "spans": [(span, urlencode({"report": report, **kept, "days": span})) for span in _SPANS],
        "asked": asked,
        "statuses": [status.value for status in AccountStatus],
        "found": found,
        "rows": rows,
        "total": _total_row(found) if len(rows) > 1 else None,
        "grouped": is_grouped,
        "columns": columns_of(since, until),
        "states": list(STATE_NAMES),
        "narrowed": bool(accounts.first or accounts.last),
        "out": urlencode({"report": report, **kept, **days}),
        "summary": summary(found),
    }
    commands = [
        site.commands.of("Extract what is missing here", "run", report=report, since=since, until=until),
        site.commands.of(
            "Try again what failed here", "run", report=report, since=since, until=until, retry_failed=True
        ),
        site.commands.of("List what is missing here", "state", "gaps", report=report, since=since, until=until),
    ]
    return site.page("calendar.html", f"Calendar of {report}", "/calendar", values, commands)


def _heat_map(site: Site, report: str, since: date, until: date, accounts: AccountFilter) -> HeatMap:
    """The accounts one by one if they fit on a page, or else in groups, each of which opens to a page of accounts."""
    rows = min(_MOST_ROWS, max(_CELLS // ((until - since).days + 1), 1))
    known = site.status.last
    number = known.accounts.listed if known is not None and accounts == EVERY_ACCOUNT else 0
    found = site.pipeline.heat_map(report, since, until, accounts, groups=_groups_of(number, rows))
    largest = max((group.accounts for group in found.groups), default=0)
    if found.accounts <= rows and largest <= 1:
        return found
    if found.accounts > rows and number and rows // 2 < largest <= rows:
        return found
    return site.pipeline.heat_map(report, since, until, accounts, groups=_groups_of(found.accounts, rows))


def _groups_of(number: int, rows: int) -> int:
    """Into how many groups so many accounts are put where so many rows fit on a page."""
    return rows if number <= rows else min(-(-number // rows), MOST_GROUPS)


def _days(request: Request) -> tuple[date, date]:
    today = SystemClock().now().date()
    until = asked_day(request, "until") or today
    span = max(asked_number(request, "days", _DEFAULT_DAYS, _MOST_DAYS), 1)
    since = asked_day(request, "since") or until - timedelta(days=span - 1)
    if since > until:
        raise UsageError(f"the days are reversed: {since} is after {until}")
    return max(since, until - timedelta(days=_MOST_DAYS - 1)), until


def _filter(request: Request) -> AccountFilter:
    asked = request.query_params
    status = asked.get("status", "")
    if status and status not in AccountStatus.__members__:
        raise UsageError(f"no account has the status {status[:40]!r}")
    return AccountFilter(
        search=asked.get("q", "").strip(),
        manager=asked.get("manager", "").replace("-", "").strip(),
        status=AccountStatus(status) if status else None,
        first=asked.get("first", ""),
        last=asked.get("last", ""),
        behind=bool(asked.get("behind")),
    )


def _row(report: str, group: AccountGroup, kept: dict[str, Any]) -> Row:
    if group.accounts == 1:
        cells = [
            account_cell(one, f"/partitions/{group.first}/{report}/{one.day}", group.lacking) for one in group.days
        ]
        title = group.name or group.first
        return Row(title, group.first if group.name else "", f"/accounts/{group.first}", cells)
    inside = urlencode({**kept, "first": group.first, "last": group.last})
    cells = [group_cell(one) for one in group.days]
    return Row(f"{count(group.accounts)} accounts", f"{group.first} – {group.last}", f"/calendar?{inside}", cells)


def _total_row(found: HeatMap) -> Row:
    return Row("all of them", f"{count(found.accounts)} accounts", "", [group_cell(one) for one in found.total])


def state_of(one: DayStanding) -> str:
    """The state of a day, the worst of it first: what is missing is never hidden behind what is there."""
    for name in ("failed", "held", "pending"):
        if getattr(one, name):
            return name
    if one.authoritative or one.early:
        if one.restated:
            return "restated"
        return "unchanged" if one.unchanged else "authoritative"
    return "not_due" if one.not_due else "not_expected"


def account_cell(one: DayStanding, leads_to: str, lacking: int = 0) -> Cell:
    """The cell of one account and day."""
    state = state_of(one)
    if state == "not_expected":
        says = f"{one.day}: {'it is not known whether it is expected' if lacking else STATE_NAMES[state]}"
        return Cell(state, "?" if lacking else "", says if lacking else "")
    is_said = state not in ("authoritative", "unchanged", "not_due")
    return Cell(state, GLYPHS[state], f"{one.day}: {STATE_NAMES[state]}" if is_said else "", leads_to)


def group_cell(one: DayStanding) -> Cell:
    """The cell of several accounts and a day: how many are missing, or that none is."""
    state = state_of(one)
    if state in ("restated", "unchanged"):
        # Some of many are restated every day.
        state = "authoritative"
    missing = one.expected - one.authoritative
    parts = ("authoritative", "failed", "held", "pending", "not_due", "restated", "unchanged")
    said = [f"{count(number)} {STATE_NAMES[name]}" for name in parts if (number := getattr(one, name))]
    says = f"{one.day}: {', '.join(said)}" if missing else ""
    return Cell(state, _short(missing) if missing else GLYPHS[state].strip(), says)


def _short(number: int) -> str:
    return str(number) if number < 1000 else f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1e6:.0f}M"


def columns_of(since: date, until: date) -> list[tuple[date, str, bool]]:
    """Each of the days, with the name of its month where one begins, and whether it is a weekend."""
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    return [(day, day.strftime("%b") if day.day == 1 or day == since else "", day.weekday() >= 5) for day in days]


def summary(found: HeatMap) -> str:
    """What the calendar shows, in a sentence."""
    expected = sum(one.expected for one in found.total)
    missing = expected - sum(one.authoritative for one in found.total)
    what = "nothing is missing" if not missing else f"{count(missing)} of {count(expected)} partitions are missing"
    return f"{count(found.accounts)} {'account' if found.accounts == 1 else 'accounts'}; {what}"
