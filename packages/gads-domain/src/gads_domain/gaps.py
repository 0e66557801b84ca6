"""Gaps: the expected partitions that are not authoritative, and the reason of each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Self

from gads_domain.account_days import DayRange
from gads_domain.control import Mark, SchedulingState
from gads_domain.day_ranges import DayRanges, common, each_day, of_days, without
from gads_domain.partition_key import Keyed, PartitionKey
from gads_domain.state import PartitionStatus

NEVER_ATTEMPTED = "never attempted"
NEVER_ASKED_FOR = "never asked for"
RETRY_ORDERED = "a retry is ordered"
NO_LONGER_KEPT = "never taken, and the API no longer has it"
HELD = "its rows vanished, and the run is held for a decision"

Pair = tuple[str, str]
"""A customer id and the name of a report."""

_A_DAY = timedelta(days=1)

_SHORTEST_HISTORY = timedelta(days=28)
"""No rows are kept for fewer days."""


@dataclass(frozen=True, slots=True)
class AuthoritativeDays:
    """The days that are authoritative as of a `position` of the ledger's log, by account and report."""

    position: int
    days: Mapping[Pair, DayRanges]

    @classmethod
    def of(cls, position: int, keys: Iterable[PartitionKey]) -> Self:
        """Those of these partitions."""
        found: dict[Pair, list[date]] = {}
        for key in keys:
            found.setdefault((key.customer_id, key.report), []).append(key.logical_date)
        return cls(position, {pair: of_days(days) for pair, days in found.items()})

    def but(self, keys: Iterable[PartitionKey]) -> Self:
        """The days without those of these partitions."""
        left_out = self.of(self.position, keys).days
        return replace(self, days={pair: without(days, left_out.get(pair, ())) for pair, days in self.days.items()})


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

    @property
    def span(self) -> DayRange:
        """The days themselves."""
        return DayRange(self.first.logical_date, self.until)

    def __iter__(self) -> Iterator[Gap]:
        key = self.first.key
        for number in range(self.days):
            day = key.logical_date + number * _A_DAY
            yield Gap(PartitionKey(key.source, key.customer_id, key.report, day), self.first.status, self.first.reason)


def find_gaps(
    source: str,
    missing: Mapping[Pair, DayRanges],
    rows: Mapping[PartitionKey, tuple[PartitionStatus, str]],
    asked_for: Mapping[Pair, DayRanges] | None = None,
) -> list[GapRange]:
    """The days that are `missing` as gaps, by account, report and day; adjacent ones with one reason are joined.

    `rows` has status and reason of those that the ledger knows. Of the others those in `asked_for` were never
    attempted, and the rest was never asked for; None means that all were asked for.
    """
    known: dict[Pair, dict[date, tuple[PartitionStatus, str]]] = {}
    for key, row in rows.items():
        known.setdefault((key.customer_id, key.report), {})[key.logical_date] = row
    found: list[GapRange] = []
    for pair in sorted(missing):
        own, attempted = known.get(pair, {}), of_days(known.get(pair, ()))
        never = without(missing[pair], attempted)
        asked = never if asked_for is None else asked_for.get(pair, ())
        parts = [(day, day, *own[day]) for day in each_day(common(missing[pair], attempted))]
        for days, reason in ((common(never, asked), NEVER_ATTEMPTED), (without(never, asked), NEVER_ASKED_FOR)):
            parts += [(one.first, one.last, PartitionStatus.PENDING, reason) for one in days]
        for first, until, status, reason in sorted(parts):
            last = found[-1] if found else None
            if last is not None and _continues(last, pair, first, status, reason):
                found[-1] = GapRange(last.first, until)
            else:
                found.append(GapRange(Gap(PartitionKey(source, *pair, first), status, reason), until))
    return found


def surely_kept(now: datetime) -> date:
    """The first day of which the API still has rows whatever the report: of a younger gap no report has to be read."""
    return now.date() - _SHORTEST_HISTORY + _A_DAY


def with_history(gaps: Iterable[GapRange], now: datetime, first_kept: Callable[[Gap], date]) -> Iterator[GapRange]:
    """`gaps`, saying of the days that were never attempted which of them the API no longer has.

    `first_kept` gives the first day that it has of a gap's account and report.
    """
    for gap in gaps:
        first, day = gap.first, gap.first.logical_date
        if first.reason not in (NEVER_ATTEMPTED, NEVER_ASKED_FOR) or day >= surely_kept(now):
            yield gap
            continue
        kept = min(first_kept(first), surely_kept(now))
        if day < kept:
            yield GapRange(replace(first, reason=NO_LONGER_KEPT), min(gap.until, kept - _A_DAY))
        if gap.until >= kept:
            yield GapRange(replace(first, key=replace(first.key, logical_date=max(day, kept))), gap.until)


def _continues(last: GapRange, pair: Pair, day: date, status: PartitionStatus, reason: str) -> bool:
    before = last.first
    return day == last.until + _A_DAY and (
        ((before.customer_id, before.report), before.status, before.reason) == (pair, status, reason)
    )


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


def scheduled_reason(state: SchedulingState, *, with_tries: bool = True) -> str:
    """Why a partition with this scheduling state is a gap; without tries it is the same for all that failed alike."""
    tries = f" (tries: {state.tries})" if with_tries else ""
    failure = f"{state.failure}{tries}" if state.failure else ""
    if state.held_run is not None:
        failure = "; ".join(filter(None, [HELD, failure]))
    return gap_reason(state.status if state.last_tried_at else None, state.marks, failure)
