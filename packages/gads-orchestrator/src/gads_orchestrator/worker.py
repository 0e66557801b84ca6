"""What is done with one slice, in whatever process: recover, extract, have it judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gads_domain.clock import Clock
from gads_domain.control import Lease, Spending
from gads_domain.errors import ApiError, CredentialsError, FailureReason, GadsError, StorageError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, ReportSource, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.ports.validation import PartitionValidation, PartitionValidator, UnsealedRun
from gads_domain.report import ReportSlice, slices
from gads_domain.run import RunContext
from gads_domain.state import PartitionStatus, ValidationOutcome
from gads_orchestrator.budget import QuotaGate
from gads_orchestrator.events import (
    AuthorityChanged,
    Event,
    PartitionEvent,
    PartitionRecovered,
    PartitionSealed,
    PartitionUnsealed,
    PartitionValidated,
    RowsReceived,
)

_QUOTA = "api_quota"


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The ports that a worker drives. `gate` is called before each call that `source` makes."""

    source: ReportSource
    sink: RawSink
    validator: PartitionValidator
    gate: QuotaGate
    clock: Clock


@dataclass(frozen=True, slots=True)
class Task:
    """A slice to be worked on under a lease.

    `recover` has what earlier runs sealed judged first, and not asked for again; `restates` says that the days are
    good already, so that only a run that was not judged yet counts as theirs. With `give_up` nothing is asked: what is
    not sealed is put on record with this reason.
    """

    slice_: ReportSlice
    run: RunContext
    lease: Lease | None
    recover: bool = True
    restates: bool = False
    give_up: FailureReason | None = None


class Ending(StrEnum):
    """How work on a slice ended."""

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


def work_on(task: Task, context: WorkerContext, tell: Tell) -> TaskResult:
    """Bring the task's slice to a good end, as far as that is possible; a partition that fails is no exception."""
    spent = 0
    try:
        if task.give_up is not None:
            _judge(
                task, context, task.slice_.keys, _unsealed(task, dict.fromkeys(task.slice_.keys, task.give_up)), tell
            )
            return TaskResult(Ending.DONE, 0, task.give_up)
        missing = _recovered(task, context, tell) if task.recover else list(task.slice_.keys)
        for slice_ in _joined(task.slice_, missing):
            result = _attempt(task, slice_, context, tell)
            spent += result.operations
            if result.ending is not Ending.DONE:
                return TaskResult(result.ending, spent, result.failure)
    except GadsError as error:
        if not isinstance(error, ApiError | StorageError) and not error.retryable:
            raise
        return TaskResult(Ending.INTERRUPTED, spent + context.gate.granted, FailureReason.of(error))
    return TaskResult(Ending.DONE, spent)


def _attempt(task: Task, slice_: ReportSlice, context: WorkerContext, tell: Tell) -> TaskResult:
    context.gate.begin(task.lease)
    try:
        outcomes = list(
            context.source.extract(
                slice_, task.run, context.sink, lambda rows: tell([_received(task, context, slice_, rows)])
            )
        )
    except CredentialsError as error:
        reason = FailureReason.of(error)
        _judge(task, context, slice_.keys, _unsealed(task, dict.fromkeys(slice_.keys, reason)), tell)
        return TaskResult(Ending.CREDENTIALS, context.gate.granted, reason)
    granted = context.gate.granted
    failed = {outcome.key: outcome.reason for outcome in outcomes if isinstance(outcome, Unsealed)}
    if granted == 0 and context.gate.refused is not None:
        ending = Ending.QUOTA if context.gate.refused is Spending.EXHAUSTED else Ending.LEASED
        return TaskResult(ending, 0, next(iter(failed.values()), None))
    tell([_told(task, context, outcome) for outcome in outcomes])
    _judge(task, context, slice_.keys, _unsealed(task, failed), tell)
    if any(reason.code == _QUOTA for reason in failed.values()):
        by_us = context.gate.refused is Spending.EXHAUSTED
        return TaskResult(Ending.QUOTA if by_us else Ending.API_QUOTA, granted, next(iter(failed.values())))
    return TaskResult(Ending.DONE, granted)


def _recovered(task: Task, context: WorkerContext, tell: Tell) -> list[PartitionKey]:
    """Have judged what is sealed; the keys that are still to be asked for."""
    sealed = [key for key in task.slice_.keys if context.sink.runs(key)]
    if not sealed:
        return list(task.slice_.keys)
    validations = context.validator.validate(sealed)
    tell(_validation_events(task, context, validations))
    good = {
        validation.after.key
        for validation in validations
        if any(attempt.outcome is ValidationOutcome.PASSED for attempt in validation.results)
        or (not task.restates and validation.after.status is PartitionStatus.SUCCESS)
        or _ran_already(task, context, validation)
    }
    now = context.clock.now()
    tell([PartitionRecovered(now, task.run.run_id.value, *_of_key(key)) for key in sorted(good)])
    return [key for key in task.slice_.keys if key not in good]


def _ran_already(task: Task, context: WorkerContext, validation: PartitionValidation) -> bool:
    """Whether this very run sealed the partition before its worker died."""
    return task.run.run_id in context.sink.runs(validation.after.key)


def _judge(
    task: Task,
    context: WorkerContext,
    keys: Sequence[PartitionKey],
    unsealed: Mapping[PartitionKey, UnsealedRun],
    tell: Tell,
) -> None:
    tell(_validation_events(task, context, context.validator.validate(keys, unsealed=unsealed)))


def _unsealed(task: Task, reasons: Mapping[PartitionKey, FailureReason]) -> dict[PartitionKey, UnsealedRun]:
    return {key: UnsealedRun(task.run.run_id, reason) for key, reason in reasons.items()}


def _joined(slice_: ReportSlice, keys: Sequence[PartitionKey]) -> list[ReportSlice]:
    days = [key.logical_date for key in keys]
    return slices(slice_.customer_id, slice_.report, days, len(slice_.days))


def _received(task: Task, context: WorkerContext, slice_: ReportSlice, rows: int) -> Event:
    span = (slice_.customer_id, slice_.report.name, slice_.first, slice_.last)
    return RowsReceived(context.clock.now(), task.run.run_id.value, *span, rows)


def _told(task: Task, context: WorkerContext, outcome: DayOutcome) -> PartitionEvent:
    begin = (context.clock.now(), task.run.run_id.value, *_of_key(outcome.key))
    if isinstance(outcome, Unsealed):
        return PartitionUnsealed(*begin, str(outcome.reason))
    return PartitionSealed(*begin, outcome.metadata.facts.record_count)


def validation_events(now: datetime, run_id: str, validations: Sequence[PartitionValidation]) -> list[Event]:
    """What the validator has judged and moved, as facts; `run_id` is that of the run that had it judge, or empty."""
    events: list[Event] = []
    for validation in validations:
        key = _of_key(validation.after.key)
        events += [
            PartitionValidated(now, run_id, *key, attempt.run_id.value, attempt.outcome.value)
            for attempt in validation.results
        ]
        if validation.moved:
            before, after = validation.before, validation.after
            runs = (str(before.current_run_id or ""), str(after.current_run_id or ""))
            events.append(AuthorityChanged(now, run_id, *key, before.status.value, after.status.value, *runs))
    return events


def _validation_events(task: Task, context: WorkerContext, validations: Sequence[PartitionValidation]) -> list[Event]:
    return validation_events(context.clock.now(), task.run.run_id.value, validations)


def _of_key(key: PartitionKey) -> tuple[str, str, date]:
    return key.customer_id, key.report, key.logical_date
