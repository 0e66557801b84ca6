"""Gaps: the expected partitions that are not authoritative, and the reason of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from gads_domain.account_days import LAST_TO_END, DayRange, last_complete_day
from gads_domain.control import Mark
from gads_domain.errors import InvalidValueError
from gads_domain.expectations import Expectations
from gads_domain.partition_key import Keyed, PartitionKey
from gads_domain.state import PartitionStatus

NEVER_ATTEMPTED = "never attempted"
RETRY_ORDERED = "a retry is ordered"
HELD = "its rows vanished, and the run is held for a decision"

ACCOUNTS_MAX_AGE = timedelta(hours=36)
"""How old an account list may be before what is expected is unknown."""

DUE = timedelta(hours=6)
"""How long after its end, in the account's zone, a day is due."""

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Gap(Keyed):
    """An expected partition that is `pending` or `failed`, or whose newest run is held; `reason` is for people."""

    key: PartitionKey
    status: PartitionStatus
    reason: str

    def __str__(self) -> str:
        return f"{self.key} is {self.status}" + ("" if self.reason == self.status else f" ({self.reason})")


@dataclass(frozen=True, slots=True)
class GapRange:
    """Gaps of adjacent days of one report of one account, with one status and one reason."""

    first: Gap
    until: date

    @property
    def days(self) -> int:
        """How many partitions it stands for."""
        return (self.until - self.first.logical_date).days + 1


class Answer(StrEnum):
    """Whether all that is expected is authoritative."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"
    """Nothing that is known is missing, but which accounts are expected is not known. This is not complete."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is missing of what is expected; true in a condition exactly if the answer is `COMPLETE`.

    - `gaps`: what is expected and not authoritative, by account, report and day.
    - `not_due`: how many partitions are of days that are not over or not due yet; they are no gaps.
    - `unknown`: why it is not known which accounts are expected; empty if it is.
    """

    gaps: tuple[Gap, ...]
    not_due: int = 0
    unknown: str = ""

    @property
    def answer(self) -> Answer:
        """Incomplete where a gap is known, or else unknown where the accounts are not known."""
        if self.gaps:
            return Answer.INCOMPLETE
        return Answer.UNKNOWN if self.unknown else Answer.COMPLETE

    def __bool__(self) -> bool:
        return self.answer is Answer.COMPLETE


def why_unknown(expectations: Expectations, now: datetime, max_age: timedelta = ACCOUNTS_MAX_AGE) -> str:
    """Why it is not known which accounts are expected at `now`; empty if it is."""
    if expectations.drawn_at is None:
        return "no list of accounts was ever drawn"
    age = now - expectations.drawn_at
    if age > max_age:
        return f"the list of accounts is {age // timedelta(hours=1)} hours old"
    return ""


@dataclass(frozen=True, slots=True)
class Expected:
    """The partitions that are expected and due, by account, report and day, and how many are not due yet."""

    keys: tuple[PartitionKey, ...]
    not_due: int


def expected_at(
    expectations: Expectations,
    reports: Iterable[str],
    days: DayRange | Mapping[tuple[str, str], DayRange] | None,
    now: datetime,
    *,
    customers: Iterable[str] = (),
    due: timedelta = DUE,
) -> Expected:
    """What is expected at `now` of `reports` on `days`.

    `days` mean every selected account and every report on each of them, and what was expected before it was closed;
    None means each report's days from its first expected one on; a mapping has the days of each account and report, and
    nothing else is meant. Only the accounts of `customers` are meant if there are any: with `days`, whether or not a
    list has them.
    """
    names, named = sorted(set(reports)), sorted(set(customers))
    periods: dict[tuple[str, str], list[DayRange]] = {}
    for one in expectations.expected:
        last = one.last_day or date.max
        if one.first_day <= last:
            periods.setdefault((one.customer_id, one.report), []).append(DayRange(one.first_day, last))
    whole = named or [account.customer_id for account in expectations.selected]
    if not whole and expectations.drawn_at is None:
        whole = sorted({customer_id for customer_id, _ in periods})
    wholly = set(whole)
    meant = named or sorted(wholly | {customer_id for customer_id, _ in periods})
    keys: list[PartitionKey] = []
    not_due = 0
    for customer_id in meant:
        last_due = _last_due(expectations, customer_id, now - due)
        for report in names:
            found = periods.get((customer_id, report), [])
            if isinstance(days, DayRange):
                found = [days] if customer_id in wholly else [day for one in found if (day := _both(one, days))]
            elif days is not None:
                found = [days[pair]] if (pair := (customer_id, report)) in days else []
            for ordinal in sorted(_ordinals(found, last_due)):
                keys.append(PartitionKey(expectations.source, customer_id, report, date.fromordinal(ordinal)))
            if days is not None:
                not_due += sum(max(0, (one.last - max(one.first - _A_DAY, last_due)).days) for one in found)
    return Expected(tuple(keys), not_due)


def _ordinals(ranges: Iterable[DayRange], last: date) -> set[int]:
    return {ordinal for one in ranges for ordinal in range(one.first.toordinal(), min(one.last, last).toordinal() + 1)}


def _both(one: DayRange, other: DayRange) -> DayRange | None:
    first, last = max(one.first, other.first), min(one.last, other.last)
    return DayRange(first, last) if first <= last else None


def _last_due(expectations: Expectations, customer_id: str, moment: datetime) -> date:
    account = expectations.account(customer_id)
    try:
        return last_complete_day((account and account.time_zone) or LAST_TO_END, moment)
    except InvalidValueError:
        return last_complete_day(LAST_TO_END, moment)


def expected_keys(
    source: str, customer_ids: Iterable[str], reports: Iterable[str], since: date, until: date
) -> Iterator[PartitionKey]:
    """Every partition of the accounts, reports and days (both ends included), by account, report and day."""
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    names = sorted(set(reports))
    return (
        PartitionKey(source, customer_id, report, day)
        for customer_id in sorted(set(customer_ids))
        for report in names
        for day in days
    )


def find_gaps(
    expected: Iterable[PartitionKey],
    status: Mapping[PartitionKey, PartitionStatus],
    reasons: Mapping[PartitionKey, str] | None = None,
    held: Collection[PartitionKey] = (),
) -> list[Gap]:
    """The partitions of `expected` that are not `success`, or whose newest run is `held` for a decision, in order.

    `status` holds those that the ledger knows; what is not in it was never attempted. `reasons` holds what `gap_reason`
    says of them, where more is known than the status.
    """
    known = reasons or {}
    return [
        Gap(key, found or PartitionStatus.PENDING, known.get(key) or (HELD if key in held else gap_reason(found)))
        for key in expected
        if (found := status.get(key)) is not PartitionStatus.SUCCESS or key in held
    ]


def gap_reason(status: PartitionStatus | None, marks: Iterable[Mark] = (), failure: str = "") -> str:
    """Why a partition is a gap: its marks and its last `failure`, or else what its status says.

    `status` is None for a partition that was never attempted.
    """
    found = sorted(mark.value for mark in marks)
    if failure:
        found.append(failure)
    elif status is PartitionStatus.PENDING:
        found.append(RETRY_ORDERED)
    elif status is PartitionStatus.FAILED and not found:
        found.append(status.value)
    return "; ".join(found) or NEVER_ATTEMPTED


def gap_ranges(gaps: Iterable[Gap]) -> list[GapRange]:
    """Join the gaps of adjacent days, given by account, report and day, that have one status and one reason."""
    found: list[GapRange] = []
    for gap in gaps:
        last = found[-1] if found else None
        if last is not None and _continues(last, gap):
            found[-1] = GapRange(last.first, gap.logical_date)
        else:
            found.append(GapRange(gap, gap.logical_date))
    return found


def _continues(last: GapRange, gap: Gap) -> bool:
    first = last.first
    return gap.logical_date == last.until + timedelta(days=1) and (
        (gap.customer_id, gap.report, gap.status, gap.reason)
        == (first.customer_id, first.report, first.status, first.reason)
    )
