"""What is done with one slice, in whatever process: recover, extract, validate."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from gads_domain.clock import Clock, require_not_ahead
from gads_domain.control import Lease
from gads_domain.errors import FailureReason, GadsError, LedgerError, StorageError, UsageError
from gads_domain.metadata import KnownContent
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import NOTHING_KNOWN, ApiCall, ReportSource, Sealed, Unchanged, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.ports.validation import PartitionValidation, PartitionValidator, UnsealedRun
from gads_domain.report import ReportSlice, slices
from gads_domain.run import RunContext, RunId
from gads_domain.state import Confirmation, PartitionStatus, ValidationOutcome
from gads_orchestrator.budget import QuotaGate
from gads_orchestrator.events import (
    AuthorityChanged,
    CallEnded,
    Event,
    PartitionOvertaken,
    PartitionRecovered,
    PartitionSealed,
    PartitionUnchanged,
    PartitionUnsealed,
    PartitionValidated,
    RowsReceived,
    RowsVanished,
    SliceValidated,
)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The ports that a worker drives; `quota` grants the operations of each slice."""

    source: ReportSource
    sink: RawSink
    validator: PartitionValidator
    quota: QuotaGate
    clock: Clock


@dataclass(frozen=True, slots=True)
class Task:
    """A slice to be worked on under a lease.

    With `recover`, what earlier runs sealed is validated first and not asked for again. `restates` says that the days
    are `success` already, so that only a run that was not validated yet counts as theirs. `known` is what was sealed of
    them, so that the same rows are not sealed again; what is sealed of the days `checked` is read back before. With
    `give_up` nothing is asked for: what is not sealed is put on record as failed for this reason.
    """

    slice_: ReportSlice
    run: RunContext
    lease: Lease | None
    recover: bool = True
    restates: bool = False
    known: Mapping[PartitionKey, KnownContent] = field(default_factory=dict)
    checked: frozenset[PartitionKey] = frozenset()
    give_up: FailureReason | None = None


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came of a task: the operations that it took, and what kept it from its end, if anything did.

    A failure of single days is on the ledger and not here.
    """

    operations: int = 0
    stopped_by: FailureReason | None = None


Emit = Callable[[list[Event]], None]


def work_on(task: Task, context: WorkerContext, emit: Emit) -> TaskResult:
    """Have each day of the task's slice extracted and validated, as far as that is possible.

    A partition that fails is no exception. Raises `UsageError` or `LedgerError` for a configuration or ledger that
    cannot be used at all.
    """
    work = _Work(task, context, emit)
    try:
        if task.give_up is not None:
            work.validate(task.slice_.keys, dict.fromkeys(task.slice_.keys, task.give_up))
            return TaskResult()
        missing = work.recovered() if task.recover else list(task.slice_.keys)
        stopped_by = work.attempt(missing, work.sound())
        return TaskResult(work.operations, stopped_by)
    except GadsError as error:
        if isinstance(error, UsageError | LedgerError) and not error.retryable:
            raise
        return TaskResult(work.operations, FailureReason.of(error))


class _Work:
    def __init__(self, task: Task, context: WorkerContext, emit: Emit) -> None:
        self._run = task.run.run_id
        self._task = task
        self._context = context
        self._emit = emit
        self.operations = 0

    def attempt(self, keys: Sequence[PartitionKey], known: Mapping[PartitionKey, KnownContent]) -> FailureReason | None:
        """Extract `keys` and validate what was tried of them; what kept the rest from being tried.

        A day that came as it is `known`, and whose run is no longer authoritative, is extracted once more and sealed.
        """
        whole, refused = self._task.slice_, list[PartitionKey]()
        for part in slices(whole.customer_id, whole.report, [key.logical_date for key in keys], len(whole.days)):
            stopped_by = self._attempt(part, known, refused)
            if stopped_by is not None:
                return stopped_by
        return self.attempt(refused, NOTHING_KNOWN) if refused else None

    def _attempt(
        self, part: ReportSlice, known: Mapping[PartitionKey, KnownContent], refused: list[PartitionKey]
    ) -> FailureReason | None:
        context = self._context
        result = context.source.extract(
            part,
            self._task.run,
            context.sink,
            context.quota.under(self._task.lease, part),
            lambda rows: self._emit([self._received(part, rows)]),
            known,
        )
        self.operations += result.operations
        unchanged = [outcome for outcome in result.days if isinstance(outcome, Unchanged)]
        others = [outcome for outcome in result.days if not isinstance(outcome, Unchanged)]
        calls = [self._called(part, call) for call in result.calls]
        self._emit([*calls, *(self._extracted(outcome) for outcome in others)])
        refused += self._confirm(unchanged)
        unsealed = {outcome.key: outcome.reason for outcome in others if isinstance(outcome, Unsealed)}
        for validation in self.validate([outcome.key for outcome in others], unsealed):
            self._require_kept(validation)
        return result.stopped_by

    def _require_kept(self, validation: PartitionValidation) -> None:
        """Of a storage that answers well and keeps nothing, no seal is found when it is validated."""
        key, run_id = validation.after.key, self._run
        if all(result.run_id != run_id for result in validation.results) and run_id not in self._context.sink.runs(key):
            raise StorageError(
                f"the storage took {key} of run {run_id}, and does not have it",
                hint="storage.sink has to name a server that keeps what it answers for, and no proxy in its place",
            )

    def _confirm(self, unchanged: Sequence[Unchanged]) -> list[PartitionKey]:
        """Confirm the runs whose rows came again; the keys of those that are not authoritative any more."""
        if not unchanged:
            return []
        now, began = self._context.clock.now(), time.monotonic()
        confirmed = self._context.validator.confirm(
            [Confirmation(one.key, one.of_run, self._run, one.content_sha256, now) for one in unchanged]
        )
        found = list(zip(unchanged, confirmed, strict=True))
        self._emit(
            [
                *(
                    PartitionUnchanged(*self._begin_of(one.key), one.of_run.value, one.record_count)
                    for one, is_confirmed in found
                    if is_confirmed
                ),
                self._validated([one.key for one in unchanged], began),
            ]
        )
        return [one.key for one, is_confirmed in found if not is_confirmed]

    def sound(self) -> Mapping[PartitionKey, KnownContent]:
        """What is known, but for checked days that are missing or damaged; after one of them all days are checked."""
        known, checked = self._task.known, self._task.checked
        unsound = self._unsound([key for key in known if key in checked])
        if unsound:
            unsound |= self._unsound([key for key in known if key not in checked])
        return {key: one for key, one in known.items() if key not in unsound} if unsound else known

    def _unsound(self, keys: Sequence[PartitionKey]) -> set[PartitionKey]:
        return {
            validation.after.key
            for validation in self.validate(keys, recheck=True)
            if validation.after.current_run_id != self._task.known[validation.after.key].run_id
        }

    def recovered(self) -> list[PartitionKey]:
        """Validate what is sealed; the keys that are still to be asked for."""
        task, sealed = self._task, {key: runs for key in self._task.slice_.keys if (runs := self._runs(key))}
        if not sealed:
            return list(task.slice_.keys)
        good = {
            validation.after.key
            for validation in self.validate(list(sealed))
            if any(result.outcome is ValidationOutcome.PASSED for result in validation.results)
            or (not task.restates and validation.after.status is PartitionStatus.SUCCESS)
            # This very run sealed the partition before its worker died.
            or self._run in sealed[validation.after.key]
        }
        self._emit([PartitionRecovered(*self._begin_of(key)) for key in sorted(good)])
        return [key for key in task.slice_.keys if key not in good]

    def validate(
        self,
        keys: Sequence[PartitionKey],
        unsealed: Mapping[PartitionKey, FailureReason] | None = None,
        *,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        """Validate `keys` and emit what came of it."""
        if not keys:
            return []
        reasons = {key: UnsealedRun(self._run, reason) for key, reason in (unsealed or {}).items()}
        began = time.monotonic()
        validations = self._context.validator.validate(keys, unsealed=reasons, recheck=recheck)
        events = validation_events(self._context.clock.now(), self._run.value, validations)
        self._emit([*events, self._validated(keys, began)])
        # A run whose clock is ahead may have sealed the same day meanwhile: its rows are older and its id is later.
        self._emit(
            [
                PartitionOvertaken(*self._begin_of(validation.after.key), str(current))
                for validation in validations
                if (current := validation.after.current_run_id) is not None
                and current > self._run
                and any(result.run_id == self._run for result in validation.results)
            ]
        )
        return validations

    def _runs(self, key: PartitionKey) -> list[RunId]:
        runs, now = self._context.sink.runs(key), self._context.clock.now()
        for run_id in runs:
            require_not_ahead(run_id, now, "the sink")
        return runs

    def _extracted(self, outcome: Sealed | Unsealed) -> Event:
        if isinstance(outcome, Sealed):
            return PartitionSealed(*self._begin_of(outcome.key), outcome.metadata.facts.record_count)
        return PartitionUnsealed(*self._begin_of(outcome.key), str(outcome.reason))

    def _called(self, part: ReportSlice, call: ApiCall) -> Event:
        begin = (call.ended_at, self._run.value, part.customer_id, part.report.name, call.first, call.last)
        return CallEnded(*begin, call.attempt, call.seconds, call.request_id, 1, call.rows, call.code)

    def _validated(self, keys: Sequence[PartitionKey], began: float) -> Event:
        first, last = min(keys), max(keys)  # of one account and report
        begin = self._begin_of(first)
        return SliceValidated(*begin, last.logical_date, len(keys), time.monotonic() - began)

    def _received(self, part: ReportSlice, rows: int) -> Event:
        now = self._context.clock.now()
        return RowsReceived(now, self._run.value, part.customer_id, part.report.name, part.first, part.last, rows)

    def _begin_of(self, key: PartitionKey) -> tuple[datetime, str, str, str, date]:
        return self._context.clock.now(), self._run.value, *_of_key(key)


def validation_events(now: datetime, run_id: str, validations: Iterable[PartitionValidation]) -> list[Event]:
    """What the validator found and changed; `run_id` is that of the run that had it validate, or empty."""
    events: list[Event] = []
    for validation in validations:
        key, before, after = _of_key(validation.after.key), validation.before, validation.after
        events += [
            PartitionValidated(
                now,
                run_id,
                *key,
                result.run_id.value,
                result.outcome.value,
                "" if result.failure is None else result.failure.code,
            )
            for result in validation.results
        ]
        if validation.changed:
            runs = (str(before.current_run_id or ""), str(after.current_run_id or ""))
            events.append(AuthorityChanged(now, run_id, *key, before.status.value, after.status.value, *runs))
        if after.held_run_id is not None:
            events.append(RowsVanished(now, run_id, *key, after.held_run_id.value))
    return events


def _of_key(key: PartitionKey) -> tuple[str, str, date]:
    return key.customer_id, key.report, key.logical_date
