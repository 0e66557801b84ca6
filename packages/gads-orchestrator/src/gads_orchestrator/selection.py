"""Why a partition is attempted, or skipped: one class per selection policy."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from gads_domain.control import Mark, SchedulingState
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import PartitionStatus
from gads_domain.state_machine import VANISHED_ROWS
from gads_orchestrator.retry_policy import RetryAction, RetryPolicy

LATE_DAYS = 31
"""How long after a day has left its restatement window its last restatement is still made up for."""


class Reason(IntEnum):
    """Why a slice is planned; the numbers are the order of a plan."""

    NEW = 0
    """Days of the restatement window that were never attempted."""
    RECENT_RETRY = 1
    """Days of the window whose attempts failed."""
    RESTATEMENT = 2
    """Days that are `success` and that the API may have changed since."""
    OLD_RETRY = 3
    """Days before the window whose attempts failed."""
    BACKFILL = 4
    """Days before the window that were never attempted."""
    REQUESTED = 5
    """Requested by a user, whatever the ledger says."""

    @property
    def label(self) -> str:
        """In lower case with underscores, as it is printed and put into events."""
        return self.name.lower()

    def order_within(self, span: tuple[int, int, int]) -> tuple[int, int]:
        """Sorts the spans `(report, first, last)` of one account: retries oldest first, all else newest first."""
        report, first, last = span
        oldest_first = self in (Reason.RECENT_RETRY, Reason.OLD_RETRY)
        return (first if oldest_first else -last, report)


@dataclass(frozen=True, slots=True)
class Days:
    """The days of one report of one account that a plan considers.

    From `first` to `last`, both included, as of `today` in `zone`. From `window_first` on a day is still restated;
    before it, never-attempted days are of interest from `backfill_first` on. Of days before `askable_first` the API
    has nothing any more: a snapshot's yesterday, an event's last quarter. Under a schedule new days and restatements
    are begun when it has fired: `opened_at` is its last firing, None without a schedule.
    """

    first: date
    last: date
    today: date
    window_first: date
    backfill_first: date
    askable_first: date
    zone: ZoneInfo
    opened_at: datetime | None = None

    def parts(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Cut a range of ordinals where the window, the backfill and what the API keeps begin."""
        begins = [self.window_first, self.backfill_first, self.askable_first]
        if self.opened_at is not None:
            begins.append(self.local_date(self.opened_at))
        cuts = sorted({first, *(day.toordinal() for day in begins)})
        starts = [cut for cut in cuts if first <= cut <= last]
        for start, after in zip(starts, [*starts[1:], last + 1], strict=True):
            yield start, after - 1

    def is_opened(self, day: date) -> bool:
        """Whether the schedule has fired since `day` could be asked for."""
        if self.opened_at is None:
            return True
        opened_on = self.local_date(self.opened_at)
        return opened_on > day or (opened_on == day == self.askable_first)

    def local_date(self, moment: datetime) -> date:
        """The day that it was in the account."""
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class SkipReason:
    """Why a day is skipped: a stable code, a line for people, and until when, where that is known.

    `is_final` asks for the day to be marked terminal.
    """

    code: str
    reason: str
    until: datetime | None = None
    is_final: bool = False


NOT_RETRIED = "failed"
"""The code of what failed before and is skipped because no retry was requested."""

PAST = SkipReason("past", "the API no longer has this day", is_final=True)
"""Of a day that can never be asked for again."""

VANISHED = SkipReason(VANISHED_ROWS, "its rows vanished, and its newest run is held for a decision")
"""Of a day without an authoritative run whose newest run is held for a decision: policy asks for nothing more."""

Selection = Reason | SkipReason | None
"""None: there is nothing to do."""


@dataclass(frozen=True, slots=True)
class SelectedDays:
    """Adjacent days, as ordinals with both ends included, that have one answer."""

    first: int
    last: int
    answer: Selection

    def joins(self, later: "SelectedDays") -> bool:
        """Whether `later` goes on where this ends, for the same reason."""
        if later.first != self.last + 1:
            return False
        mine, theirs = self.answer, later.answer
        if isinstance(mine, SkipReason) and isinstance(theirs, SkipReason):
            return (mine.code, mine.reason, mine.is_final) == (theirs.code, theirs.reason, theirs.is_final)
        return mine is theirs or (isinstance(mine, Reason) and mine == theirs)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Adjacent days of one report of one account that are skipped, and why."""

    customer_id: str
    report: str
    first: date
    last: date
    why: SkipReason

    @property
    def keys(self) -> list[PartitionKey]:
        """Each of the days as a partition."""
        days = range((self.last - self.first).days + 1)
        return [PartitionKey(GOOGLE_ADS, self.customer_id, self.report, self.first + timedelta(days=n)) for n in days]


class SelectionPolicy(Protocol):
    """Decides for each day; a pure function of the ledger and the clock."""

    @property
    def recovers(self) -> bool:
        """Whether what an earlier run sealed is used, so that its days are not asked for again."""

    def of_untouched(self, day: date, days: Days) -> Selection:
        """For a day that the ledger knows nothing of."""

    def of_state(self, scheduling: SchedulingState, days: Days, now: datetime) -> Selection:
        """For a day that has a row or a mark."""


ALL_BY_POLICY = frozenset(Reason) - {Reason.REQUESTED}


@dataclass(frozen=True, slots=True)
class SelectDue:
    """What is due: new days, retries, restatements and backfills, of which `reasons` are selected."""

    retries: RetryPolicy = field(default_factory=RetryPolicy)
    reasons: frozenset[Reason] = ALL_BY_POLICY

    @property
    def recovers(self) -> bool:
        """Always: its operations are spent."""
        return True

    def of_untouched(self, day: date, days: Days) -> Selection:
        """New inside the window, a backfill before it."""
        if day < days.askable_first:
            return None
        if day >= days.window_first:
            return self._if_wanted(Reason.NEW) if days.is_opened(day) else None
        return self._if_wanted(Reason.BACKFILL) if day >= days.backfill_first else None

    def of_state(self, scheduling: SchedulingState, days: Days, now: datetime) -> Selection:
        """Marks first, then by status."""
        marked = why_marked(scheduling)
        if marked is not None:
            return marked
        day = scheduling.key.logical_date
        if scheduling.status is PartitionStatus.SUCCESS:
            return self._restatement(scheduling, days)
        if day < days.askable_first:
            return PAST if scheduling.last_tried_at is not None else None
        if scheduling.status is PartitionStatus.PENDING:
            return self._retry(day, days) if scheduling.last_tried_at is not None else self.of_untouched(day, days)
        if scheduling.held_run is not None and scheduling.failure is None:
            return VANISHED
        decision = self.retries.decide(scheduling, now, days.today)
        if decision.action is RetryAction.DUE:
            return self._retry(day, days)
        is_final = decision.action is RetryAction.GIVE_UP
        return SkipReason(decision.action.value, decision.reason, decision.due_at, is_final)

    def _restatement(self, scheduling: SchedulingState, days: Days) -> Selection:
        """Due once a calendar day until it was read on the last day of its window, or once after it.

        A last extraction that failed does not count, and is tried again a day later, as often in a row as policy
        allows and for `LATE_DAYS` at most.
        """
        day = scheduling.key.logical_date
        if scheduling.last_tried_at is None or day < days.askable_first or days.window_first == days.today:
            return None
        if days.opened_at is not None and scheduling.last_tried_at >= days.opened_at:
            return None
        last_tried = days.local_date(scheduling.last_tried_at)
        final_on = day + (days.today - days.window_first)
        is_allowed = 0 < scheduling.tries < self.retries.max_attempts
        if is_allowed and days.today <= final_on + timedelta(days=LATE_DAYS):
            final_on = days.today
        return self._if_wanted(Reason.RESTATEMENT) if last_tried < min(days.today, final_on) else None

    def _retry(self, day: date, days: Days) -> Selection:
        return self._if_wanted(Reason.RECENT_RETRY if day >= days.window_first else Reason.OLD_RETRY)

    def _if_wanted(self, reason: Reason) -> Reason | None:
        return reason if reason in self.reasons else None


@dataclass(frozen=True, slots=True)
class SelectRequested:
    """What a user requests: all that is `pending`; with `reprocess` also `success`, with `retry_failed` `failed`."""

    reprocess: bool = False
    retry_failed: bool = False

    @property
    def recovers(self) -> bool:
        """Unless a new run is requested."""
        return not self.reprocess

    def of_untouched(self, day: date, days: Days) -> Selection:
        """Always, unless the API no longer has the day."""
        return replace(PAST, is_final=False) if day < days.askable_first else Reason.REQUESTED

    def of_state(self, scheduling: SchedulingState, days: Days, now: datetime) -> Selection:
        """By status alone, but for marks."""
        marked = why_marked(scheduling)
        if marked is not None:
            return marked
        if scheduling.status is PartitionStatus.SUCCESS and not self.reprocess:
            return None if scheduling.held_run is None else VANISHED
        if scheduling.key.logical_date < days.askable_first:
            return replace(PAST, is_final=False)
        if scheduling.status is PartitionStatus.FAILED and not self.retry_failed:
            if scheduling.held_run is not None and scheduling.failure is None:
                return VANISHED
            code = "unknown" if scheduling.failure is None else scheduling.failure.code
            return SkipReason(NOT_RETRIED, f"failed with {code}, and no retry was requested")
        return Reason.REQUESTED


def why_marked(scheduling: SchedulingState) -> SkipReason | None:
    """Why a marked partition is skipped; None for one without a mark."""
    if Mark.HELD in scheduling.marks:
        return SkipReason(Mark.HELD.value, "held by an operator")
    if Mark.TERMINAL in scheduling.marks:
        return SkipReason(Mark.TERMINAL.value, "marked terminal")
    return None
