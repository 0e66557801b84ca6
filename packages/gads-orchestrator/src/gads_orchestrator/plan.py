"""Compares what is requested with the ledger and plans what is to be attempted now, in order, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from gads_domain.account_days import DayRange, report_days, today_in, zone_named
from gads_domain.control import SchedulingState
from gads_domain.errors import InvalidValueError, UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.state import PartitionStatus, StateFilter
from gads_orchestrator.selection import LATE_DAYS, Days, Reason, SelectedDays, SelectionPolicy, Skipped

DEFAULT_DAYS_PER_REQUEST = 31
"""The most days that one request asks for: a month, so that one account's failure costs at most that much again."""

_GOLDEN = 0.6180339887498949
"""Multiples of it fall into each other's largest gaps: whichever days follow, the turns begin everywhere in time."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account to be asked, and the zone whose midnights end its days (an IANA name)."""

    customer_id: str
    time_zone: str = "UTC"

    def today(self, now: datetime) -> date:
        """The day that it is in the account at `now`; raises `UsageError` for a zone that is not known."""
        zone_of(self.time_zone)
        return today_in(self.time_zone, now)


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name; raises `UsageError`."""
    try:
        return zone_named(name)
    except InvalidValueError as error:
        raise UsageError(error.message, hint=error.hint) from None


def always_open(_account: Account, _report: ReportDefinition, _now: datetime) -> datetime | None:
    """Without a schedule, what is due is begun at once."""
    return None


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """What a plan is made for.

    `selection` says what of it is attempted. `since` and `until` bound the days, both included; without them it is the
    days of each report's restatement window, up to the last day that is over in the account's zone. `opened_at` gives
    the last firing of the schedule that begins new days and restatements of a report of an account, None where there is
    none. With `chosen` the days are those that it has for an account's number and a report's name, all of which can be
    asked for; what it does not have is not looked at.
    """

    accounts: tuple[Account, ...]
    reports: tuple[ReportDefinition, ...]
    now: datetime
    selection: SelectionPolicy
    since: date | None = None
    until: date | None = None
    max_days_per_request: int = DEFAULT_DAYS_PER_REQUEST
    opened_at: Callable[[Account, ReportDefinition, datetime], datetime | None] = always_open
    chosen: Mapping[tuple[str, str], DayRange] | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise UsageError(
                f"the days are reversed: {self.since} is after {self.until}", hint="give the earlier day as `since`"
            )

    @property
    def is_bounded(self) -> bool:
        """Whether the days were given; otherwise what is unfinished from long before is of interest too."""
        return self.since is not None or self.chosen is not None

    def days_of(self, account: Account, report: ReportDefinition) -> Days:
        """The days of `report` that are looked at, and which of them are still restated."""
        zone = zone_of(account.time_zone)
        found = report_days(report, account.time_zone, self.now)
        window = found.window
        first = window.first - timedelta(days=LATE_DAYS) if self.since is None else self.since
        last = window.last if self.until is None else min(window.last, self.until)
        if self.chosen is not None:
            chosen = self.chosen.get((account.customer_id, report.name))
            first, last = (chosen.first, chosen.last) if chosen else (date.max, date.min)
        return Days(
            first=first,
            last=last,
            today=found.today,
            window_first=window.first,
            backfill_first=window.first if self.since is None else self.since,
            askable_first=found.first_kept,
            zone=zone,
            opened_at=self.opened_at(account, report, self.now),
        )


@dataclass(frozen=True, slots=True)
class PlannedSlice:
    """A slice with the reason why it is in the plan."""

    account: Account
    slice_: ReportSlice
    reason: Reason


@dataclass(slots=True)
class ReportWork:
    """What a plan attempts of one report: operations, partitions, and how many of these are `success` already."""

    operations: int = 0
    partitions: int = 0
    restated: int = 0


@dataclass(slots=True)
class WorkPlan:
    """What is to be attempted, in order, and what is skipped and why. Iterating makes the slices one by one.

    The order is that of `Reason`; within one reason the accounts take turns, so that none waits for another's whole
    list. What is kept is three numbers a slice: a million partitions take some tens of megabytes.
    """

    request: WorkRequest
    skipped: list[Skipped] = field(default_factory=list)
    give_up: list[Skipped] = field(default_factory=list)
    operations: int = 0
    """How many operations of the daily quota this costs if nothing has to be asked twice: one a slice."""
    partitions: int = 0
    up_to_date: int = 0
    """How many partitions were looked at that are `success` and are not attempted."""
    by_reason: Counter[Reason] = field(default_factory=Counter)
    by_report: defaultdict[str, ReportWork] = field(default_factory=lambda: defaultdict(ReportWork))
    _spans: dict[Reason, dict[int, array[int]]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[PlannedSlice]:
        for reason in Reason:
            spans_of = self._spans.get(reason, {})
            turns = sorted(spans_of, key=lambda number: self._turn(reason, number, spans_of[number]))
            accounts = [(number, iter_spans(spans_of[number])) for number in turns]
            while accounts:
                still = []
                for number, spans in accounts:
                    span = next(spans, None)
                    if span is not None:
                        yield self._slice(number, span, reason)
                        still.append((number, spans))
                accounts = still

    def keys(self) -> Iterator[PartitionKey]:
        """Every partition of the plan in key order, one account's at a time in memory."""
        accounts = self.request.accounts
        for number in sorted(range(len(accounts)), key=lambda number: accounts[number].customer_id):
            spans = [span for spans_of in self._spans.values() for span in iter_spans(spans_of.get(number, array("q")))]
            named = [(self.request.reports[report].name, first, last) for report, first, last in spans]
            for name, first, last in sorted(named):
                for day in range(first, last + 1):
                    yield PartitionKey(GOOGLE_ADS, accounts[number].customer_id, name, date.fromordinal(day))

    def add(self, account: int, reason: Reason, spans: Sequence[tuple[int, int, int]]) -> None:
        """Take up spans `(report, first day, last day)` of one account, by their numbers and ordinals."""
        kept = self._spans.setdefault(reason, {}).setdefault(account, array("q"))
        for report, first, last in spans:
            kept.extend((report, first, last))
            work, days = self.by_report[self.request.reports[report].name], last - first + 1
            self.operations += 1
            self.partitions += days
            self.by_reason[reason] += days
            work.operations += 1
            work.partitions += days

    def operations_of(self, *reasons: Reason) -> int:
        """How many of the operations are for these reasons."""
        return sum(len(spans) // 3 for reason in reasons for spans in self._spans.get(reason, {}).values())

    def _turn(self, reason: Reason, account: int, spans: array[int]) -> tuple[int, int]:
        """Who has waited longest for a new day begins; otherwise the turns begin elsewhere from day to day.

        Were it always the same, a budget that does not suffice would always leave out the same accounts.
        """
        count = len(self.request.accounts)
        start = int(self.request.now.toordinal() * _GOLDEN * count) % count
        oldest = min(spans[1::3]) if reason is Reason.NEW else 0
        return oldest, (account - start) % count

    def _slice(self, account: int, span: tuple[int, int, int], reason: Reason) -> PlannedSlice:
        report, first, last = span
        found = self.request.accounts[account]
        days = date.fromordinal(first), date.fromordinal(last)
        return PlannedSlice(found, ReportSlice(found.customer_id, self.request.reports[report], *days), reason)


def iter_spans(spans: array[int]) -> Iterator[tuple[int, int, int]]:
    """The spans as they were added."""
    for start in range(0, len(spans), 3):
        yield spans[start], spans[start + 1], spans[start + 2]


def plan_work(request: WorkRequest, ledger: StateReader, stopping: Callable[[], bool] = lambda: False) -> WorkPlan:
    """Compare `request` with the ledger, one read an account; nothing is changed.

    Where `stopping` says so, the accounts after this one are not looked at any more.
    """
    plan = WorkPlan(request)
    names = tuple(report.name for report in request.reports)
    for number, account in enumerate(request.accounts):
        if stopping():
            break
        ranges = [request.days_of(account, report) for report in request.reports]
        asked = [days for days in ranges if days.first <= days.last]
        if not asked:
            continue
        by_report: dict[str, list[SchedulingState]] = {name: [] for name in names}
        for scheduling in _states(request, ledger, account, asked):
            by_report[scheduling.key.report].append(scheduling)
        found: dict[Reason, list[tuple[int, int, int]]] = {}
        for position, (report, days) in enumerate(zip(request.reports, ranges, strict=True)):
            known = by_report.pop(report.name)
            if request.is_bounded:
                known = [scheduling for scheduling in known if days.first <= scheduling.key.logical_date <= days.last]
            good = [s.key.logical_date.toordinal() for s in known if s.status is PartitionStatus.SUCCESS]
            for chosen in choose(request.selection, days, known, request.now):
                done = bisect_right(good, chosen.last) - bisect_left(good, chosen.first)
                if chosen.answer is None:
                    plan.up_to_date += done
                elif isinstance(chosen.answer, Reason):
                    plan.by_report[report.name].restated += done
                _note(plan, found, account, position, report, chosen, request.max_days_per_request)
        for reason, spans in found.items():
            spans.sort(key=reason.order_within)
            plan.add(number, reason, spans)
    return plan


def _states(
    request: WorkRequest, ledger: StateReader, account: Account, ranges: Sequence[Days]
) -> Iterator[SchedulingState]:
    """By report in day order; without `since` also what is unfinished from long before."""
    wanted = StateFilter(
        source=GOOGLE_ADS,
        customer_ids=(account.customer_id,),
        reports=tuple(report.name for report in request.reports),
        since=min(days.first for days in ranges),
        until=max(days.last for days in ranges),
    )
    if not request.is_bounded and wanted.since is not None:
        unfinished = (PartitionStatus.PENDING, PartitionStatus.FAILED)
        before = wanted.since - timedelta(days=1)
        yield from ledger.scheduling_states(replace(wanted, since=None, until=before, statuses=unfinished))
    yield from ledger.scheduling_states(wanted)


def daily_operations(reports: Iterable[ReportDefinition], max_days_per_request: int) -> int:
    """What an account costs a day at most: a new day of each report, and the days before it that are restated."""
    total = 0
    for report in reports:
        most = min(max_days_per_request, report.max_days_per_request or max_days_per_request)
        total += 1 + max(-(-(report.restatement_days - 1) // most), 0)
    return total


def still_due(
    request: WorkRequest, planned: PlannedSlice, ledger: StateReader, now: datetime
) -> tuple[list[PartitionKey], list[PartitionKey]]:
    """The days of a planned slice that are still to be attempted, and those of them that are failed."""
    slice_ = planned.slice_
    look = StateFilter(GOOGLE_ADS, (slice_.customer_id,), (slice_.report.name,), slice_.first, slice_.last)
    states = list(ledger.scheduling_states(look))
    days = replace(request.days_of(planned.account, slice_.report), first=slice_.first, last=slice_.last)
    due: set[int] = set()
    for chosen in choose(request.selection, days, states, now):
        if isinstance(chosen.answer, Reason):
            due |= set(range(chosen.first, chosen.last + 1))
    keys = [key for key in slice_.keys if key.logical_date.toordinal() in due]
    failed = {state.key for state in states if state.status is PartitionStatus.FAILED}
    return keys, [key for key in keys if key in failed]


def choose(
    selection: SelectionPolicy, days: Days, scheduling_states: Sequence[SchedulingState], now: datetime
) -> Iterator[SelectedDays]:
    """What to do with each day of `days`, as adjacent days with one answer; `scheduling_states` are in day order."""
    pending: SelectedDays | None = None
    for chosen in _answers(selection, days, scheduling_states, now):
        if pending is not None and pending.joins(chosen):
            pending = SelectedDays(pending.first, chosen.last, pending.answer)
            continue
        if pending is not None:
            yield pending
        pending = chosen
    if pending is not None:
        yield pending


def _answers(
    selection: SelectionPolicy, days: Days, scheduling_states: Sequence[SchedulingState], now: datetime
) -> Iterator[SelectedDays]:
    at, end = days.first.toordinal(), days.last.toordinal()
    for scheduling in scheduling_states:
        day = scheduling.key.logical_date.toordinal()
        if day > end:
            continue
        if day < at:
            yield SelectedDays(day, day, selection.of_state(scheduling, days, now))
            continue
        if at < day:
            yield from _untouched(selection, days, at, day - 1)
        yield SelectedDays(day, day, selection.of_state(scheduling, days, now))
        at = day + 1
    if at <= end:
        yield from _untouched(selection, days, at, end)


def _untouched(selection: SelectionPolicy, days: Days, first: int, last: int) -> Iterator[SelectedDays]:
    """Days of which the ledger knows nothing: the older part and the part inside the window may differ."""
    for low, high in days.parts(first, last):
        yield SelectedDays(low, high, selection.of_untouched(date.fromordinal(low), days))


def _note(
    plan: WorkPlan,
    found: dict[Reason, list[tuple[int, int, int]]],
    account: Account,
    position: int,
    report: ReportDefinition,
    chosen: SelectedDays,
    max_days: int,
) -> None:
    if chosen.answer is None:
        return
    if isinstance(chosen.answer, Reason):
        most = max_days if report.max_days_per_request is None else min(max_days, report.max_days_per_request)
        spans = found.setdefault(chosen.answer, [])
        # Cut from the newest day backwards, so that the odd rest is the oldest.
        last = chosen.last
        while last >= chosen.first:
            first = max(chosen.first, last - most + 1)
            spans.append((position, first, last))
            last = first - 1
        return
    first_day, last_day = date.fromordinal(chosen.first), date.fromordinal(chosen.last)
    left = Skipped(account.customer_id, report.name, first_day, last_day, chosen.answer)
    (plan.give_up if chosen.answer.is_final else plan.skipped).append(left)
