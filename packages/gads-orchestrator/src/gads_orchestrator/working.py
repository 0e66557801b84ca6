"""What is done with one stretch, in whatever process: recover, extract, have it judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gads_domain.clock import Clock
from gads_domain.control import Lease, Spending
from gads_domain.errors import CredentialsError, ExitCode, FailureReason, GadsError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, ReportSource, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.ports.validation import PartitionValidator, UnsealedRun, Verdict
from gads_domain.report import Stretch, stretches
from gads_domain.run import RunContext
from gads_domain.state import AttemptOutcome, PartitionStatus
from gads_orchestrator.budget import CallGate
from gads_orchestrator.events import (
    Event,
    PartitionEvent,
    PartitionJudged,
    PartitionMoved,
    PartitionRecovered,
    PartitionSealed,
    PartitionUnsealed,
    RowsReceived,
)

_QUOTA = "api_quota"


@dataclass(frozen=True, slots=True)
class WorkRooms:
    """The ports that a worker drives. `gate` is called before each call that `source` makes."""

    source: ReportSource
    sink: RawSink
    validator: PartitionValidator
    gate: CallGate
    clock: Clock


@dataclass(frozen=True, slots=True)
class Task:
    """A stretch to be worked on under a lease.

    `recover` has what earlier runs sealed judged first, and not asked for again; `restates` says that the days are
    good already, so that only a run that was not judged yet counts as theirs. With `give_up` nothing is asked: what is
    not sealed is put on record with this reason.
    """

    stretch: Stretch
    run: RunContext
    lease: Lease | None
    recover: bool = True
    restates: bool = False
    give_up: FailureReason | None = None


class Ending(StrEnum):
    """How work on a stretch ended."""

    DONE = "done"
    """Every day that was asked for is judged."""
    QUOTA = "quota"
    """No operation is left; days that were not asked for are as they were."""
    API_QUOTA = "api_quota"
    """The API grants no more today; what was asked for is on record."""
    LEASED = "leased"
    """The lease was lost before all was asked for."""
    CREDENTIALS = "credentials"
    """The API does not accept who is asking."""
    INTERRUPTED = "interrupted"
    """What was sealed could not be judged now."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came of a task: how it ended, how many operations it took, why it did not end well."""

    ending: Ending
    operations: int
    failure: FailureReason | None = None

    @property
    def reason(self) -> str:
        """The failure in a line; empty without one."""
        return "" if self.failure is None else str(self.failure)


Tell = Callable[[list[Event]], None]


def work_on(task: Task, rooms: WorkRooms, tell: Tell) -> TaskResult:
    """Bring the task's stretch to a good end, as far as that is possible; a partition that fails is no exception."""
    spent = 0
    try:
        if task.give_up is not None:
            _judge(
                task, rooms, task.stretch.keys, _unsealed(task, dict.fromkeys(task.stretch.keys, task.give_up)), tell
            )
            return TaskResult(Ending.DONE, 0, task.give_up)
        missing = _recovered(task, rooms, tell) if task.recover else list(task.stretch.keys)
        for stretch in _joined(task.stretch, missing):
            result = _attempt(task, stretch, rooms, tell)
            spent += result.operations
            if result.ending is not Ending.DONE:
                return TaskResult(result.ending, spent, result.failure)
    except GadsError as error:
        if error.exit_code is not ExitCode.INCOMPLETE and not error.retryable:
            raise
        return TaskResult(Ending.INTERRUPTED, spent + rooms.gate.granted, FailureReason.of(error))
    return TaskResult(Ending.DONE, spent)


def _attempt(task: Task, stretch: Stretch, rooms: WorkRooms, tell: Tell) -> TaskResult:
    rooms.gate.begin(task.lease)
    try:
        outcomes = list(
            rooms.source.extract(
                stretch, task.run, rooms.sink, lambda rows: tell([_received(task, rooms, stretch, rows)])
            )
        )
    except CredentialsError as error:
        reason = FailureReason.of(error)
        _judge(task, rooms, stretch.keys, _unsealed(task, dict.fromkeys(stretch.keys, reason)), tell)
        return TaskResult(Ending.CREDENTIALS, rooms.gate.granted, reason)
    granted = rooms.gate.granted
    failed = {outcome.key: outcome.reason for outcome in outcomes if isinstance(outcome, Unsealed)}
    if granted == 0 and rooms.gate.refused is not None:
        ending = Ending.QUOTA if rooms.gate.refused is Spending.EXHAUSTED else Ending.LEASED
        return TaskResult(ending, 0, next(iter(failed.values()), None))
    tell([_told(task, rooms, outcome) for outcome in outcomes])
    _judge(task, rooms, stretch.keys, _unsealed(task, failed), tell)
    if any(reason.code == _QUOTA for reason in failed.values()):
        by_us = rooms.gate.refused is Spending.EXHAUSTED
        return TaskResult(Ending.QUOTA if by_us else Ending.API_QUOTA, granted, next(iter(failed.values())))
    return TaskResult(Ending.DONE, granted)


def _recovered(task: Task, rooms: WorkRooms, tell: Tell) -> list[PartitionKey]:
    """Have judged what is sealed; the keys that are still to be asked for."""
    sealed = [key for key in task.stretch.keys if rooms.sink.runs(key)]
    if not sealed:
        return list(task.stretch.keys)
    verdicts = rooms.validator.validate(sealed)
    tell(_verdict_events(task, rooms, verdicts))
    good = {
        verdict.after.key
        for verdict in verdicts
        if any(attempt.outcome is AttemptOutcome.PASSED for attempt in verdict.attempts)
        or (not task.restates and verdict.after.status is PartitionStatus.SUCCESS)
        or _ran_already(task, rooms, verdict)
    }
    now = rooms.clock.now()
    tell([PartitionRecovered(now, task.run.run_id.value, *_of_key(key)) for key in sorted(good)])
    return [key for key in task.stretch.keys if key not in good]


def _ran_already(task: Task, rooms: WorkRooms, verdict: Verdict) -> bool:
    """Whether this very run sealed the partition before its worker died."""
    return task.run.run_id in rooms.sink.runs(verdict.after.key)


def _judge(
    task: Task,
    rooms: WorkRooms,
    keys: Sequence[PartitionKey],
    unsealed: Mapping[PartitionKey, UnsealedRun],
    tell: Tell,
) -> None:
    tell(_verdict_events(task, rooms, rooms.validator.validate(keys, unsealed=unsealed)))


def _unsealed(task: Task, reasons: Mapping[PartitionKey, FailureReason]) -> dict[PartitionKey, UnsealedRun]:
    return {key: UnsealedRun(task.run.run_id, reason) for key, reason in reasons.items()}


def _joined(stretch: Stretch, keys: Sequence[PartitionKey]) -> list[Stretch]:
    days = [key.logical_date for key in keys]
    return stretches(stretch.customer_id, stretch.report, days, len(stretch.days))


def _received(task: Task, rooms: WorkRooms, stretch: Stretch, rows: int) -> Event:
    span = (stretch.customer_id, stretch.report.name, stretch.first, stretch.last)
    return RowsReceived(rooms.clock.now(), task.run.run_id.value, *span, rows)


def _told(task: Task, rooms: WorkRooms, outcome: DayOutcome) -> PartitionEvent:
    begin = (rooms.clock.now(), task.run.run_id.value, *_of_key(outcome.key))
    if isinstance(outcome, Unsealed):
        return PartitionUnsealed(*begin, str(outcome.reason))
    return PartitionSealed(*begin, outcome.metadata.facts.record_count)


def verdict_events(now: datetime, run_id: str, verdicts: Sequence[Verdict]) -> list[Event]:
    """What the validator has judged and moved, as facts; `run_id` is that of the run that had it judge, or empty."""
    events: list[Event] = []
    for verdict in verdicts:
        key = _of_key(verdict.after.key)
        events += [
            PartitionJudged(now, run_id, *key, attempt.run_id.value, attempt.outcome.value)
            for attempt in verdict.attempts
        ]
        if verdict.moved:
            before, after = verdict.before, verdict.after
            runs = (str(before.current_run_id or ""), str(after.current_run_id or ""))
            events.append(PartitionMoved(now, run_id, *key, before.status.value, after.status.value, *runs))
    return events


def _verdict_events(task: Task, rooms: WorkRooms, verdicts: Sequence[Verdict]) -> list[Event]:
    return verdict_events(rooms.clock.now(), task.run.run_id.value, verdicts)


def _of_key(key: PartitionKey) -> tuple[str, str, date]:
    return key.customer_id, key.report, key.logical_date
