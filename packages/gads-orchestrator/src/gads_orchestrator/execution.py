"""A plan carried out by workers, under leases and a budget; what is true afterwards is on the ledger."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from gads_domain.clock import Clock
from gads_domain.control import Lease, Mark, scope_of
from gads_domain.errors import WORKER_LOST, FailureReason
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.report import ReportSlice, slices
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, PartitionStatus, StateFilter
from gads_orchestrator.budget import Budget
from gads_orchestrator.dispatcher import Dispatcher
from gads_orchestrator.events import (
    ActRecorded,
    CredentialsRefused,
    Event,
    NullObserver,
    Observer,
    PartitionGivenUp,
    PartitionRetried,
    QuotaReached,
    RunEnded,
    RunPlanned,
    SliceDeferred,
    SliceEnded,
    SliceInterrupted,
    SliceStarted,
    WorkerLost,
)
from gads_orchestrator.leases import LeaseManager
from gads_orchestrator.plan import PlannedSlice, WorkPlan, choose
from gads_orchestrator.selection import Days, Reason
from gads_orchestrator.worker import Ending, Task, TaskResult
from gads_orchestrator.worker_pool import Done, Lost, Message, Told, Workers

MAX_LOSSES = 2
"""How often a slice may cost a worker its life before it is put on record as failed."""

LEASE_SECONDS = 60.0
"""How long a lease lasts without being renewed; after a crash others wait at most so long."""

_LOOK_AT_LEASES_SECONDS = 0.2

GRACE_SECONDS = 4.0
"""How long a run that is stopped waits for the slices under work before it drops them."""


@dataclass(frozen=True, slots=True)
class Control:
    """What carrying out a plan is done with.

    With `awaits_leases` a slice that somebody else has is looked at again until their lease ends, or is renewed: they
    may be dead, and whoever asked wants to have it now. A daemon comes back anyway.
    """

    ledger: ControlPlaneLedger
    clock: Clock
    budget: Budget = field(default_factory=Budget)
    observer: Observer = field(default_factory=NullObserver)
    lease_length: timedelta = timedelta(seconds=LEASE_SECONDS)
    grace_seconds: float = GRACE_SECONDS
    awaits_leases: bool = False


@dataclass(slots=True)
class WorkResult:
    """How a plan was carried out.

    `reason` is `done`, or why it ended before its end: `stopped`, `enough`, `quota`, `credentials`; `failure` is what
    was said then, where something was. `deferred` counts slices that were not asked for, by code.
    """

    run: RunContext
    reason: str = "done"
    failure: FailureReason | None = None
    operations: int = 0
    slices: int = 0
    deferred: Counter[str] = field(default_factory=Counter)
    interrupted: list[tuple[ReportSlice, FailureReason]] = field(default_factory=list)
    given_up: int = 0

    @property
    def detail(self) -> str:
        """The failure in a line; empty without one."""
        return "" if self.failure is None else self.failure.message


def execute_plan(
    plan: WorkPlan,
    run: RunContext,
    control: Control,
    workers: Workers,
    stopping: Callable[[], bool] = lambda: False,
    enough: Callable[[], bool] = lambda: False,
) -> WorkResult:
    """Attempt the slices of `plan` in order until it is done, or nothing more can be asked, or somebody says so.

    `stopping` ends it within the control's grace: what is not through by then is dropped, and the workers with it.
    `enough` lets what is under work come to its end and begins nothing more; the workers stay with the caller.

    Before a slice is begun its scope is leased and its days are compared with the ledger once more, so that of
    several who carry out the same plan at once each slice is asked for by one. Raises nothing for a partition that
    fails; a ledger or configuration that cannot be used raises its own error. Leases are given back whatever happens.
    """
    carrying = _Carrying(plan, run, control, workers, stopping, enough)
    try:
        with carrying.leases.renewed_meanwhile():
            return carrying.through()
    finally:
        if carrying.is_at_work:
            workers.close()
        carrying.leases.release_all()


@dataclass(slots=True)
class _UnderWork:
    planned: PlannedSlice
    task: Task
    losses: int = 0


class _Carrying:
    def __init__(
        self,
        plan: WorkPlan,
        run: RunContext,
        control: Control,
        workers: Workers,
        stopping: Callable[[], bool],
        enough: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._run = run
        self._control = control
        self._workers = workers
        self._stopping = stopping
        self._enough = enough
        self._dispatcher = Dispatcher(iter(plan), workers=max(1, len(workers.idle())))
        self._under_work: dict[int, _UnderWork] = {}
        self._result = WorkResult(run)
        self._give_up_at: float | None = None
        self._awaited: list[tuple[PlannedSlice, Lease]] = []
        owner = f"{run.actor} {run.run_id}"
        self.leases = LeaseManager(control.ledger, owner, control.clock, control.lease_length)

    @property
    def is_at_work(self) -> bool:
        """Whether a worker has something in hand."""
        return bool(self._under_work)

    def through(self) -> WorkResult:
        plan, result = self._plan, self._result
        labels = {reason.label: count for reason, count in sorted(plan.by_reason.items())}
        self._say(RunPlanned(*self._begin(), plan.operations, plan.partitions, labels, len(plan.skipped)))
        self._give_up()
        while True:
            self._check_stop()
            self._hand_out()
            self.leases.give_back()
            if not self._under_work:
                if self._await_leases():
                    continue
                break
            if self._give_up_at is not None and time.monotonic() >= self._give_up_at:
                break
            for message in self._workers.wait(0.2 if self._give_up_at else 1.0):
                self._hear(message)
        self._say(RunEnded(*self._begin(), result.reason, result.operations))
        return result

    def _check_stop(self) -> None:
        if self._give_up_at is None and self._stopping():
            self._end("stopped")
            self._give_up_at = time.monotonic() + self._control.grace_seconds
        elif self._result.reason == "done" and self._enough():
            self._end("enough")

    def _end(self, reason: str, failure: FailureReason | None = None) -> None:
        """Begin nothing more; what is under work comes to its end."""
        if self._result.reason == "done":
            self._result.reason, self._result.failure = reason, failure
        self._dispatcher.drop_all()

    def _hand_out(self) -> None:
        for worker in self._workers.idle():
            if worker in self._under_work:
                continue
            ready = self._next_ready()
            if ready is None:
                return
            self._under_work[worker] = ready
            self._result.slices += 1
            self._say(SliceStarted(*self._span(ready.task.slice_), ready.planned.reason.label, worker))
            self._workers.give(worker, ready.task)

    def _next_ready(self) -> _UnderWork | None:
        while (planned := self._dispatcher.next()) is not None:
            task = self._task_of(planned)
            if task is not None:
                return _UnderWork(planned, task)
            self._dispatcher.ended(planned)
            # Of a plan that somebody else has carried out meanwhile there is much to look at and nothing to wait for.
            self._check_stop()
        return None

    def _task_of(self, planned: PlannedSlice) -> Task | None:
        """Lease, look again, order retries; None if there is nothing left to do, or somebody else is doing it."""
        slice_ = planned.slice_
        scope = scope_of(GOOGLE_ADS, slice_.customer_id, slice_.report.name)
        lease = self.leases.take(scope)
        if lease is None:
            self._leave_or_await(planned, scope)
            return None
        wanted, failed = self._still_wanted(planned)
        if failed:
            refused = self._retry(planned, failed)
            wanted = [key for key in wanted if key not in refused]
        days = [key.logical_date for key in wanted]
        parts = slices(slice_.customer_id, slice_.report, days, len(slice_.days))
        if not parts:
            self.leases.done(scope)
            self._defer(slice_, "done")
            return None
        for part in parts[1:]:
            self._dispatcher.put_back(replace(planned, slice_=part))
        selection = self._plan.request.selection
        restates = planned.reason is Reason.RESTATEMENT or not selection.recovers
        return Task(parts[0], self._run, lease, recover=selection.recovers, restates=restates)

    def _leave_or_await(self, planned: PlannedSlice, scope: str) -> None:
        """Somebody else has the lease, or a dead process had."""
        now = self._control.clock.now()
        held = next((lease for lease in self._control.ledger.leases(now) if lease.scope == scope), None)
        if held is None:
            self._dispatcher.put_back(planned)
        elif self._control.awaits_leases and held.expires_at - now <= self._control.lease_length:
            self._awaited.append((planned, held))
            self._say(SliceDeferred(*self._span(planned.slice_), "awaited"))
        else:
            self._defer(planned.slice_, "leased")

    def _await_leases(self) -> bool:
        """Take up what has become free, leave what was renewed to its holder; False if there is nothing to wait for."""
        awaited, self._awaited = self._awaited, []
        if self._result.reason != "done":
            for planned, _ in awaited:
                self._defer(planned.slice_, "leased")
            return False
        leases = {lease.scope: lease for lease in self._control.ledger.leases(self._control.clock.now())}
        for planned, seen in awaited:
            held = leases.get(seen.scope)
            if held is None:
                self._dispatcher.put_back(planned)
            elif held == seen:
                self._awaited.append((planned, seen))
            else:
                self._defer(planned.slice_, "leased")
        if awaited and len(self._awaited) == len(awaited):
            time.sleep(_LOOK_AT_LEASES_SECONDS)
        return bool(awaited)

    def _still_wanted(self, planned: PlannedSlice) -> tuple[list[PartitionKey], list[PartitionKey]]:
        """Of the slice's days those that the ledger still wants attempted, and those of them that are failed."""
        slice_, now = planned.slice_, self._control.clock.now()
        look = StateFilter(GOOGLE_ADS, (slice_.customer_id,), (slice_.report.name,), slice_.first, slice_.last)
        scheduling_states = list(self._control.ledger.scheduling_states(look))
        request = self._plan.request
        days: Days = replace(request.days_of(planned.account, slice_.report), first=slice_.first, last=slice_.last)
        wanted: set[int] = set()
        for chosen in choose(request.selection, days, scheduling_states, now):
            if isinstance(chosen.answer, Reason):
                wanted |= set(range(chosen.first, chosen.last + 1))
        keys = [key for key in slice_.keys if key.logical_date.toordinal() in wanted]
        failed = {s.key for s in scheduling_states if s.status is PartitionStatus.FAILED}
        return keys, [key for key in keys if key in failed]

    def _retry(self, planned: PlannedSlice, failed: list[PartitionKey]) -> set[PartitionKey]:
        """Order the retries that the plan implies; the keys that were not moved, since somebody was faster."""
        by_policy = planned.reason is not Reason.REQUESTED
        act = self._act("the retry policy says that it is due" if by_policy else "--retry-failed", by_policy)
        moved = self._control.ledger.retry(failed, act)
        for key, was_moved in zip(failed, moved, strict=True):
            if was_moved:
                self._say(self._acted(PartitionRetried, key, act))
        return {key for key, was_moved in zip(failed, moved, strict=True) if not was_moved}

    def _give_up(self) -> None:
        for left in self._plan.give_up:
            act = self._act(left.why.reason, by_policy=True)
            for key, marked in zip(left.keys, self._control.ledger.mark(left.keys, Mark.TERMINAL, act), strict=True):
                if marked:
                    self._result.given_up += 1
                    self._say(self._acted(PartitionGivenUp, key, act))

    def _defer(self, slice_: ReportSlice, code: str) -> None:
        self._result.deferred[code] += 1
        self._say(SliceDeferred(*self._span(slice_), code))

    def _hear(self, message: Message) -> None:
        if isinstance(message, Told):
            self._say(*message.events)
        elif isinstance(message, Done):
            self._done(self._under_work.pop(message.worker), message.result)
        else:
            self._lost(message)

    def _done(self, under_work: _UnderWork, result: TaskResult) -> None:
        slice_ = under_work.task.slice_
        self._result.operations += result.operations
        self._free(under_work)
        self._say(SliceEnded(*self._span(slice_), result.operations))
        if result.ending is Ending.LEASED:
            self._defer(slice_, "leased")
        elif result.ending is Ending.INTERRUPTED:
            assert result.failure is not None
            self._result.interrupted.append((slice_, result.failure))
            self._say(SliceInterrupted(*self._span(slice_), result.reason))
        elif result.ending is Ending.CREDENTIALS:
            self._say(CredentialsRefused(*self._begin(), result.failure.message if result.failure else ""))
            self._end("credentials", result.failure)
        elif result.ending in (Ending.QUOTA, Ending.API_QUOTA):
            self._quota(under_work.planned, result)

    def _quota(self, planned: PlannedSlice, result: TaskResult) -> None:
        budget, by_api = self._control.budget, result.ending is Ending.API_QUOTA
        day = budget.day_of(self._control.clock.now())
        # Who asks by name may ask again today, and finds out by one call whether the API still refuses.
        if by_api and planned.reason is not Reason.REQUESTED:
            self._control.ledger.exhaust(budget.name, day)
        if result.operations == 0:
            self._defer(planned.slice_, "quota")
        if self._result.reason != "quota":
            self._say(QuotaReached(*self._begin(), budget.name, day, by_api))
        self._end("quota", result.failure)

    def _lost(self, message: Lost) -> None:
        """The worker died: look at what it sealed and go on from there, unless the slice itself is what kills."""
        self._say(WorkerLost(*self._begin(), message.worker))
        under_work = self._under_work.pop(message.worker)
        losses = under_work.losses + 1
        if self._result.reason != "done":
            self._free(under_work)
            return
        reason = FailureReason(WORKER_LOST, f"{losses} workers died over this slice", retryable=True)
        task = replace(under_work.task, recover=True, give_up=reason if losses > MAX_LOSSES else None)
        if losses > 2 * MAX_LOSSES:
            self._free(under_work)
            self._result.interrupted.append((task.slice_, reason))
            self._say(SliceInterrupted(*self._span(task.slice_), str(reason)))
            return
        self._under_work[message.worker] = _UnderWork(under_work.planned, task, losses)
        self._workers.give(message.worker, task)

    def _free(self, under_work: _UnderWork) -> None:
        slice_ = under_work.task.slice_
        self._dispatcher.ended(under_work.planned)
        self.leases.done(scope_of(GOOGLE_ADS, slice_.customer_id, slice_.report.name))

    def _act(self, reason: str, by_policy: bool) -> OperatorAct:
        now = self._control.clock.now()
        return OperatorAct(now, self._run.actor, self._run.command, reason, by_policy=by_policy)

    def _acted(self, kind: type[ActRecorded], key: PartitionKey, act: OperatorAct) -> ActRecorded:
        return kind(*self._begin(), key.customer_id, key.report, key.logical_date, act.actor, act.reason)

    def _begin(self) -> tuple[datetime, str]:
        return self._control.clock.now(), self._run.run_id.value

    def _span(self, slice_: ReportSlice) -> tuple[datetime, str, str, str, date, date]:
        return *self._begin(), slice_.customer_id, slice_.report.name, slice_.first, slice_.last

    def _say(self, *events: Event) -> None:
        self._control.observer.on_events(*events)
