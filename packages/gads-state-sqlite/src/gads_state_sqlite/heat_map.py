"""One report by account and day, from a census: an array of counts for each group of accounts."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import accumulate
from operator import sub

from gads_domain.account import AccountStatus
from gads_domain.expectations import ListedAccount
from gads_domain.standing import EVERY_ACCOUNT, AccountFilter, AccountGroup, DayStanding, HeatMap, in_groups
from gads_state_sqlite.census import Census
from gads_state_sqlite.rows import microseconds

Span = tuple[int, int]
"""A first and a last day."""


@dataclass(slots=True)
class _Account:
    due: int
    periods: list[Span] = field(default_factory=list)
    ranges: list[Span] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    restated: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)

    def expects(self, day: int) -> bool:
        return any(first <= day <= last for first, last in self.periods)


def heat_map(
    census: Census,
    report: str,
    since: date,
    until: date,
    shown: AccountFilter,
    groups: int,
    counted: int,
    lately: timedelta,
) -> HeatMap:
    """The report on each day, of at most `groups` groups of the accounts shown."""
    between = {"first": shown.first, "last": shown.last or ":"}  # above every digit
    listed = {row[0]: row for row in census.rows("heat_accounts", **between)}
    window = since.toordinal(), until.toordinal()
    accounts: dict[str, _Account] = {}
    for customer_id, first, last in census.rows("heat_periods", report=report, until=until.isoformat(), **between):
        account = accounts.get(customer_id)
        if account is None:
            zone = listed[customer_id][2] if customer_id in listed else ""
            account = accounts[customer_id] = _Account(census.due(zone, report))
        account.periods.append((census.ordinal(first), min(window[1], census.end_of(last))))
    lacking = census.lacking_accounts(report)
    accounts = {
        customer_id: account
        for customer_id, account in accounts.items()
        if any(first <= last for first, last in account.periods)
    } | {customer_id: _Account(0) for customer_id in lacking}
    is_all = replace(shown, behind=False) == EVERY_ACCOUNT
    accounts = {
        one: accounts[one] for one in sorted(accounts) if is_all or shown.selects(_listed(one, listed.get(one)))
    }
    bounds = {"report": report, "since": since.isoformat(), "until": until.isoformat(), "some": json.dumps([*accounts])}
    for customer_id, first, last in census.rows("heat_ranges", **bounds):
        days = max(census.ordinal(first), window[0]), min(census.ordinal(last), window[1])
        accounts[customer_id].ranges.append(days)
    for name, kind in (("heat_failed", "failed"), ("heat_held", "held")):
        for customer_id, day in census.rows(name, **bounds):
            getattr(accounts[customer_id], kind).append(census.ordinal(day))
    if shown.behind:
        accounts = {one: account for one, account in accounts.items() if _is_behind(account, window)}
        bounds["some"] = json.dumps([*accounts])
    is_counted = len(accounts) <= counted
    if is_counted:
        from_then_on = microseconds(census.scope.now - lately, "the moment")
        for customer_id, day, unchanged, restated in census.rows("heat_lately", lately=from_then_on, **bounds):
            account, ordinal = accounts[customer_id], census.ordinal(day)
            if unchanged:
                account.unchanged.append(ordinal)
            if restated:
                account.restated.append(ordinal)
    names = {row[0]: str(row[1]) for row in listed.values()}
    found = [(some, _days(window, (accounts[one] for one in some))) for some in in_groups([*accounts], groups)]
    return HeatMap(
        report,
        since,
        until,
        len(accounts),
        tuple(
            AccountGroup(
                some[0],
                some[-1],
                len(some),
                _standings(since, counts, is_counted),
                "" if len(some) > 1 else names.get(some[0], ""),
                sum(one in lacking for one in some),
            )
            for some, counts in found
        ),
        _standings(since, _sums(window, [counts for _, counts in found]), is_counted),
        census.unknown,
    )


def _listed(customer_id: str, row: Sequence[object] | None) -> ListedAccount:
    if row is None:
        return ListedAccount(customer_id)
    _, name, _, path, status = row
    managers = tuple(json.loads(str(path)))
    return ListedAccount(customer_id, str(name), manager_path=managers, status=AccountStatus.of(str(status)))


def _parts(spans: Iterable[Span], first: int, last: int) -> Iterator[Span]:
    """The parts of `spans` from `first` to `last`."""
    for start, end in spans:
        start, end = max(start, first), min(end, last)
        if start <= end:
            yield start, end


def _is_behind(account: _Account, window: Span) -> bool:
    last = min(window[1], account.due)
    expected = sum(end - start + 1 for start, end in _parts(account.periods, window[0], last))
    there = sum(
        end - start + 1
        for period in _parts(account.periods, window[0], last)
        for start, end in _parts(account.ranges, *period)
    )
    return there - sum(day <= last and account.expects(day) for day in account.held) < expected


_Counts = list[list[int]]
"""By day: expected and due, there and due, failed, held, expected later, there later, restated, unchanged."""


def _days(window: Span, accounts: Iterable[_Account]) -> _Counts:
    """The counts of these accounts, from changes from day to day."""
    since, until = window
    changes = [[0] * (until - since + 2) for _ in range(8)]

    def add(place: int, start: int, end: int, number: int = 1) -> None:
        changes[place][start - since] += number
        changes[place][end - since + 1] -= number

    for one in accounts:
        for place, first, last in ((0, since, min(until, one.due)), (4, max(since, one.due + 1), until)):
            for period in _parts(one.periods, first, last):
                add(place, *period)
                for there in _parts(one.ranges, *period):
                    add(place + 1, *there)
        for day in one.held:
            if one.expects(day):
                is_due = day <= one.due
                add(1 if is_due else 5, day, day, -1)
                if is_due:
                    add(3, day, day)
        for place, days in ((2, [day for day in one.failed if day <= one.due]), (6, one.restated), (7, one.unchanged)):
            for day in days:
                if one.expects(day):
                    add(place, day, day)
    return [list(accumulate(one))[:-1] for one in changes]


def _sums(window: Span, counts: Sequence[_Counts]) -> _Counts:
    days = window[1] - window[0] + 1
    return [
        [sum(column) for column in zip([0] * days, *(one[place] for one in counts), strict=True)] for place in range(8)
    ]


def _standings(since: date, counts: _Counts, is_counted: bool) -> tuple[DayStanding, ...]:
    due, good, failed, held, later, early, restated, unchanged = counts
    pending = map(sub, map(sub, map(sub, due, good), failed), held)
    first = since.toordinal()
    return tuple(
        DayStanding(date.fromordinal(first + place), *values)
        for place, values in enumerate(
            zip(
                due,
                good,
                failed,
                held,
                pending,
                map(sub, later, early),
                early,
                restated if is_counted else [None] * len(due),
                unchanged if is_counted else [None] * len(due),
                strict=True,
            )
        )
    )
