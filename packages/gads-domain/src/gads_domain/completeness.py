"""Completeness: what is expected at a moment, minus what is authoritative; complete, incomplete or unknown."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from gads_domain.account_days import DayRange, last_complete_day
from gads_domain.day_ranges import DayRanges, common, number_of, united, without
from gads_domain.expectations import Expectations, ListedAccount
from gads_domain.gaps import AuthoritativeDays, GapRange, Pair, find_gaps
from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionStatus, StateFilter

_A_DAY = timedelta(days=1)
_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Freshness:
    """`due` is how long after its end, in the account's zone, a day is due; of some reports `by_report` says it.

    With an account list older than `accounts_max_age` it is unknown which accounts are expected.
    """

    due: timedelta = timedelta(hours=6)
    accounts_max_age: timedelta = timedelta(hours=36)
    by_report: Mapping[str, timedelta] = field(default_factory=dict)

    def due_of(self, report: str) -> timedelta:
        """How long after its end a day of `report` is due."""
        return self.by_report.get(report, self.due)


class Answer(StrEnum):
    """Whether all that is expected is authoritative."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"
    """Nothing that is known is missing, but what is expected is not known. This is not complete."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is missing of what is expected; true in a condition exactly if the answer is `COMPLETE`.

    - `gaps`: what is expected, due and not authoritative, by account, report and day.
    - `expected`: how many partitions are expected and due.
    - `not_due`: how many partitions are not authoritative and of days that are not over or not due yet; no gaps.
    - `unknown`: why it is not known what is expected; empty if it is.
    - `names`: the name of each account that a list names.
    """

    gaps: tuple[GapRange, ...]
    expected: int = 0
    not_due: int = 0
    unknown: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def answer(self) -> Answer:
        """Incomplete where a gap is known, or else unknown where it is not known what is expected."""
        if self.gaps:
            return Answer.INCOMPLETE
        return Answer.UNKNOWN if self.unknown else Answer.COMPLETE

    @property
    def days(self) -> int:
        """How many partitions are missing."""
        return sum(gap.days for gap in self.gaps)

    @property
    def failed(self) -> int:
        """How many of the missing partitions are `failed`."""
        return self._count(PartitionStatus.FAILED)

    @property
    def held(self) -> int:
        """How many of them are `success`, and their newest run is held for a decision; the others are pending."""
        return self._count(PartitionStatus.SUCCESS)

    def described(self, customer_id: str) -> str:
        """The account by its number, and its name if a list has one."""
        return str(ListedAccount(customer_id, self.names.get(customer_id, "")))

    def _count(self, status: PartitionStatus) -> int:
        return sum(gap.days for gap in self.gaps if gap.first.status is status)

    def __bool__(self) -> bool:
        return self.answer is Answer.COMPLETE


@dataclass(frozen=True)
class Expected:
    """The days that are expected of each account and report.

    - `days`: all of them, due or not.
    - `asked_for`: those that are on record as expected, and not named by the question alone.
    - `last_due`: the last day that is due, of each account and report.
    - `closed`: the accounts and reports of which no later day will be expected.
    - `lacking`: those of which nothing is on record and the question names no first day.
    - `unknown`: why it is not known what is expected; empty if it is.
    """

    days: Mapping[Pair, DayRanges]
    asked_for: Mapping[Pair, DayRanges]
    last_due: Mapping[Pair, date]
    closed: frozenset[Pair]
    lacking: frozenset[Pair]
    unknown: str

    def missing(self, authoritative: Mapping[Pair, DayRanges]) -> dict[Pair, DayRanges]:
        """The days that are due and not authoritative, of each account and report that has any."""
        found = {pair: without(days, authoritative.get(pair, ())) for pair, days in self.due.items()}
        return {pair: days for pair, days in found.items() if days}

    @cached_property
    def due(self) -> dict[Pair, DayRanges]:
        """The days that are due."""
        return {pair: common(days, (DayRange(date.min, self.last_due[pair]),)) for pair, days in self.days.items()}

    def not_due(self, authoritative: Mapping[Pair, DayRanges]) -> int:
        """How many partitions are neither authoritative nor due; those without a last day are not counted."""
        return sum(
            number_of(without(rest, (DayRange(date.min, self.last_due[pair]),)))
            for pair, days in self.days.items()
            if (rest := without(days, authoritative.get(pair, ()))) and rest[-1].last != date.max
        )

    def complete_up_to(self, authoritative: Mapping[Pair, DayRanges], report: str) -> date | None:
        """The last day up to which each account has all that is expected of `report`; None if one lacks the first.

        Each account counts from its own first expected day and ends at its own last authoritative one; what is closed
        and complete holds nothing back. None also for an account of which nothing is on record.
        """
        if any(pair[1] == report for pair in self.lacking):
            return None
        pairs = [pair for pair in self.days if pair[1] == report]
        ends = []
        for pair in pairs:
            days, own = self.days[pair], authoritative.get(pair, ())
            rest = without(days, own)
            if not rest and pair in self.closed:
                continue
            if rest and rest[0].first == days[0].first:
                return None
            before = common(days, (DayRange(date.min, rest[0].first - _A_DAY),)) if rest else days
            ends.append(before[-1].last)
        return min(ends) if ends else max((self.days[pair][-1].last for pair in pairs), default=None)


def completeness(
    expectations: Expectations,
    expected: Expected,
    authoritative: AuthoritativeDays,
    rows: Callable[[StateFilter], Mapping[PartitionKey, tuple[PartitionStatus, str]]],
) -> Completeness:
    """What is missing of what is expected.

    `authoritative` are the days that count as there: not those whose newest run is held for a decision. `rows` gives
    status and reason of the partitions of a filter that are not success or held; it is asked where any is missing.
    """
    missing = expected.missing(authoritative.days)
    known: Mapping[PartitionKey, tuple[PartitionStatus, str]] = {}
    if missing:
        customers, reports = {pair[0] for pair in missing}, {pair[1] for pair in missing}
        since, until = min(one[0].first for one in missing.values()), max(one[-1].last for one in missing.values())
        known = rows(StateFilter(expectations.source, tuple(sorted(customers)), tuple(sorted(reports)), since, until))
    return Completeness(
        tuple(find_gaps(expectations.source, missing, known, expected.asked_for)),
        sum(map(number_of, expected.due.values())),
        expected.not_due(authoritative.days),
        expected.unknown,
        {account.customer_id: account.name for account in expectations.accounts if account.name},
    )


def why_unknown(expectations: Expectations, now: datetime, freshness: Freshness) -> str:
    """Why it is not known which accounts are expected at `now`; empty if it is."""
    if expectations.drawn_at is None:
        return "no list of accounts was ever drawn"
    age = now - expectations.drawn_at
    if age > freshness.accounts_max_age:
        return f"the list of accounts is {age // timedelta(hours=1)} hours old"
    return ""


def expected_at(
    expectations: Expectations,
    reports: Iterable[str],
    now: datetime,
    freshness: Freshness,
    *,
    since: date | None = None,
    until: date | None = None,
    days: Mapping[Pair, DayRange] | None = None,
    customers: Iterable[str] = (),
) -> Expected:
    """What is expected at `now` of `reports`.

    From `since` on every selected account and every report is expected on each day, and what was expected before it
    was closed; without it, each report's days from its first expected one on. Days after `until` are not meant. Only
    the accounts of `customers` are meant if there are any: with `since`, whether or not a list has them. `days`, in
    place of the two, has those of each account and report, and nothing else is meant.
    """
    names, named = sorted(set(reports)), sorted(set(customers))
    on_record: dict[Pair, list[DayRange]] = {}
    closed: dict[Pair, bool] = {}
    for one in expectations.expected:
        pair, last = (one.customer_id, one.report), one.last_day or date.max
        closed[pair] = bool(one.closed)
        on_record.setdefault(pair, [])
        if one.first_day <= last:
            on_record[pair].append(DayRange(one.first_day, last))
    whole = set(named or [account.customer_id for account in expectations.selected])
    if not whole and expectations.drawn_at is None:
        whole = {customer_id for customer_id, _ in on_record}
    asked_for: dict[Pair, DayRanges] = {}
    found: dict[Pair, DayRanges] = {}
    last_due: dict[Pair, date] = {}
    for customer_id in named or sorted(whole | {customer_id for customer_id, _ in on_record}):
        zone = expectations.zone_of(customer_id)
        for report in names:
            pair = (customer_id, report)
            asked_for[pair] = united(on_record.get(pair, ()))
            if days is not None:
                meant: DayRanges = (days[pair],) if pair in days else ()
            elif since is not None and customer_id in whole:
                meant = _bounds(since, until)
                closed[pair] = False
            else:
                meant = common(asked_for[pair], _bounds(since, until))
            if meant:
                found[pair] = meant
                last_due[pair] = last_complete_day(zone, now - freshness.due_of(report))
    lacking = frozenset((one, name) for one in whole for name in names if (one, name) not in on_record)
    if since is not None or days is not None:
        lacking = frozenset()
    elif not named:
        still = {one.report for one in expectations.expected if one.last_day is None}
        # A report that is not configured any more is not expected of accounts that came later.
        gone = {report for _, report in on_record} - still
        lacking = frozenset(pair for pair in lacking if pair[1] not in gone)
    # Who names accounts and a first day says what is expected.
    unknown = "" if named and (since or days) is not None else why_unknown(expectations, now, freshness)
    if not unknown and not whole:
        unknown = "the list of accounts selects none"
    unknown = unknown or _without_record(expectations, lacking)
    ended = frozenset(pair for pair in found if closed.get(pair))
    return Expected(found, asked_for, last_due, ended, lacking, unknown)


def _bounds(since: date | None, until: date | None) -> DayRanges:
    first, last = since or date.min, until or date.max
    return (DayRange(first, last),) if first <= last else ()


def _without_record(expectations: Expectations, lacking: Collection[Pair]) -> str:
    names = [f"{report} of {expectations.described(customer_id)}" for customer_id, report in sorted(lacking)]
    return nothing_on_record(names, len(names)) if names else ""


def nothing_on_record(names: Sequence[str], number: int) -> str:
    """Why it is not known what is expected: nothing is on record of `number` accounts' reports, such as `names`."""
    more = f" and {number - _NAMED_AT_MOST} more" if number > _NAMED_AT_MOST else ""
    return f"nothing is on record as expected of {', '.join(names[:_NAMED_AT_MOST])}{more}"
