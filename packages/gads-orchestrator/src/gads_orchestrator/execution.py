"""Executes a plan with workers, under leases and a budget; what is true afterwards is on the ledger."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gads_domain.clock import Clock
from gads_domain.control import Lease, scope_of
from gads_domain.errors import (
    WORKER_LOST,
    AccountErasedError,
    BudgetSpentError,
    FailureReason,
    FailureScope,
    LeaseLostError,
    QuotaExhaustedError,
)
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.quota import Rest
from gads_domain.report import ReportSlice, slices
from gads_domain.run import RunContext
from gads_orchestrator.budget import Budget, Rests, rest_error
from gads_orchestrator.dispatcher import Dispatcher
from gads_orchestrator.events import (
    AccountStopped,
    CallsRest,
    NullObserver,
    Observer,
    RunEnded,
    RunPlanned,
    RunStopped,
    SliceDeferred,
    SliceEnded,
    SliceStarted,
    WorkerLost,
)
from gads_orchestrator.leases import LeaseManager
from gads_orchestrator.outcome import LEASED, RESTING, Ending, RunOutcome
from gads_orchestrator.plan import PlannedSlice, WorkPlan, still_due
from gads_orchestrator.restatement_policy import RestatementPolicy
from gads_orchestrator.run_record import RunRecord
from gads_orchestrator.selection import Reason
from gads_orchestrator.worker import Task, TaskResult
from gads_orchestrator.worker_pool import Done, Emitted, Lost, Message, Workers

MAX_LOSSES = 2
"""How many workers a slice may cost before it is put on record as failed."""

LEASE_SECONDS = 60.0
"""How long a lease lasts without being renewed; after a crash other processes wait no longer."""

_LOOK_AT_LEASES_SECONDS = 0.2
_LOOK_AT_STOP_SECONDS = 1.0

GRACE_SECONDS = 4.0
"""How long a run that is stopped waits for the slices under work before it drops them."""


@dataclass(frozen=True, slots=True)
class Control:
    """What a plan is executed with.

    With `awaits_leases` a slice that another process has leased is looked at again until the lease ends or is renewed:
    its holder may be dead, and the user wants the slice now. The end of a rest is waited for by `sleep` if it comes
    within `longest_rest`; other slices go on meanwhile, and those of a longer one stay pending. A daemon comes
    back anyway.
    """

    ledger: ControlPlaneLedger
    clock: Clock
    budget: Budget = field(default_factory=Budget)
    observer: Observer = field(default_factory=NullObserver)
    lease_length: timedelta = timedelta(seconds=LEASE_SECONDS)
    grace_seconds: float = GRACE_SECONDS
    awaits_leases: bool = False
    longest_rest: timedelta = timedelta()
    restatement: RestatementPolicy = field(default_factory=RestatementPolicy)
    sleep: Callable[[float], None] = time.sleep
    seen_leases: dict[str, tuple[Lease, datetime]] = field(default_factory=dict)
    """The leases of others by scope, and since when they are as they are."""


def execute_plan(
    plan: WorkPlan,
    run: RunContext,
    control: Control,
    workers: Workers,
    stopping: Callable[[], bool] = lambda: False,
    replan: Callable[[], bool] = lambda: False,
) -> RunOutcome:
    """Attempt the slices of `plan` in order, until it is done, a failure stops it, or it is asked to end.

    `stopping` ends it within the control's grace: what has not ended by then is dropped, and the workers with it.
    `replan` lets what is under work come to its end and begins nothing more; the workers stay with the caller.

    A failure of a partition is on record and stops nothing. A failure of an account drops the account's other slices. A
    failure of the source, the storage or the ledger ends the execution. What was not tried stays pending, and so does
    what the API asks not to be asked for yet.

    Before a slice is begun its account and report are leased and its days are compared with the ledger once more, so
    that of several processes that execute the same plan one asks for each slice. Raises `UsageError` or `LedgerError`
    for a configuration or ledger that cannot be used. Leases are given back whatever happens.
    """
    execution = _Execution(plan, run, control, workers, stopping, replan)
    try:
        with execution.leases.renewed_meanwhile():
            return execution.run_to_end()
    finally:
        if execution.is_at_work:
            workers.close()
        execution.leases.release_all()


@dataclass(slots=True)
class _UnderWork:
    planned: PlannedSlice
    task: Task
    losses: int = 0


class _Execution:
    def __init__(
        self,
        plan: WorkPlan,
        run: RunContext,
        control: Control,
        workers: Workers,
        stopping: Callable[[], bool],
        replan: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._run = run
        self._control = control
        self._workers = workers
        self._stopping = stopping
        self._replan = replan
        self._dispatcher = Dispatcher(iter(plan), workers=max(1, len(workers.idle())))
        self._under_work: dict[int, _UnderWork] = {}
        self._record = RunRecord(run, control.ledger, control.clock, control.observer, RunOutcome(plan, run))
        self._outcome = self._record.outcome
        self._give_up_at: float | None = None
        self._awaited: list[tuple[PlannedSlice, Lease]] = []
        self._rests = Rests(control.ledger, control.budget, control.clock, control.longest_rest)
        self._resting: list[PlannedSlice] = []
        self.leases = LeaseManager(control.ledger, f"{run.actor} {run.run_id}", control.clock, control.lease_length)

    @property
    def is_at_work(self) -> bool:
        return bool(self._under_work)

    @property
    def _is_ending(self) -> bool:
        return self._outcome.ended != Ending.DONE

    def run_to_end(self) -> RunOutcome:
        plan, outcome = self._plan, self._outcome
        by_reason = {reason.label: count for reason, count in sorted(plan.by_reason.items())}
        begin = self._record.begin()
        self._record.emit(RunPlanned(*begin, plan.operations, plan.partitions, by_reason, len(plan.skipped)))
        self._record.give_up(plan.give_up)
        self._rests.read()
        while True:
            self._check_stop()
            self._hand_out()
            self.leases.give_back()
            if not self._under_work:
                if self._await_leases() or self._await_rests():
                    continue
                break
            if self._give_up_at is not None and time.monotonic() >= self._give_up_at:
                break
            for message in self._workers.wait(0.2 if self._give_up_at else 1.0):
                self._handle(message)
        self._record.emit(RunEnded(*self._record.begin(), outcome.ended, outcome.operations))
        return outcome

    def _check_stop(self) -> None:
        if self._give_up_at is None and self._stopping():
            self._end(Ending.STOPPED)
            self._give_up_at = time.monotonic() + self._control.grace_seconds
        elif not self._is_ending and self._replan():
            self._end(Ending.REPLAN)

    def _end(self, ending: Ending, stopped_by: FailureReason | None = None) -> None:
        """Begin nothing more; what is under work comes to its end."""
        if not self._is_ending:
            self._outcome.ending, self._outcome.stopped_by = ending, stopped_by
        self._dispatcher.drop_all()

    def _hand_out(self) -> None:
        for worker in self._workers.idle():
            if worker in self._under_work:
                continue
            ready = self._next_ready()
            if ready is None:
                return
            self._under_work[worker] = ready
            self._outcome.slices += 1
            self._record.emit(SliceStarted(*self._record.span(ready.task.slice_), ready.planned.reason.label, worker))
            self._workers.give(worker, ready.task)

    def _next_ready(self) -> _UnderWork | None:
        while not self._rests_as_a_whole() and (planned := self._dispatcher.next()) is not None:
            if planned.account.customer_id in self._outcome.stopped_accounts:
                self._record.defer(planned.slice_, FailureScope.ACCOUNT)
            elif self._rests.of(planned.slice_) is not None:
                self._rest(planned)
            elif (task := self._task_of(planned)) is not None:
                return _UnderWork(planned, task)
            self._dispatcher.ended(planned)
            # A plan that another process has executed meanwhile has much to look at and nothing to wait for.
            self._check_stop()
        return None

    def _task_of(self, planned: PlannedSlice) -> Task | None:
        """Lease, look again, retry; None if there is nothing left to do, or another process is doing it."""
        slice_ = planned.slice_
        scope = scope_of(GOOGLE_ADS, slice_.customer_id, slice_.report.name)
        try:
            lease = self.leases.take(scope)
        except AccountErasedError as error:  # since the plan was made
            self._stop_account(slice_, FailureReason.of(error))
            self._record.defer(slice_, FailureScope.ACCOUNT)
            return None
        if lease is None:
            self._leave_or_await(planned, scope)
            return None
        due, failed = still_due(self._plan.request, planned, self._control.ledger, self._control.clock.now())
        if failed:
            refused = self._record.retry(failed, by_policy=planned.reason is not Reason.REQUESTED)
            due = [key for key in due if key not in refused]
        parts = slices(slice_.customer_id, slice_.report, [key.logical_date for key in due], len(slice_.days))
        if not parts:
            self.leases.done(scope)
            self._record.defer(slice_, "done")
            return None
        for part in parts[1:]:
            self._dispatcher.put_back(replace(planned, slice_=part))
        recovers = self._plan.request.selection.recovers
        if not recovers or planned.reason is Reason.RESTATEMENT:
            # Days that are success were validated, and looking for more of them in the sink costs a request each.
            recovers = recovers and self.leases.was_left_behind(scope)
            policy, run_id = self._control.restatement, self._run.run_id
            known = policy.known(self._control.ledger, parts[0], run_id)
            checked = policy.sample(known, run_id)
            return Task(parts[0], self._run, lease, recover=recovers, restates=True, known=known, checked=checked)
        return Task(parts[0], self._run, lease, recover=recovers)

    def _leave_or_await(self, planned: PlannedSlice, scope: str) -> None:
        """Another process has the lease, or a dead process had."""
        now = self._control.clock.now()
        held = next((lease for lease in self._control.ledger.leases(now) if lease.scope == scope), None)
        if held is None or self._is_broken(held):
            self._dispatcher.put_back(planned)
        elif self._control.awaits_leases:
            self._awaited.append((planned, held))
            self._record.emit(SliceDeferred(*self._record.span(planned.slice_), "awaited"))
        else:
            self._record.defer(planned.slice_, LEASED)

    def _await_leases(self) -> bool:
        """Take up what has become free, leave what was renewed to its holder; False if there is nothing to wait for."""
        awaited, self._awaited = self._awaited, []
        if self._is_ending:
            for planned, _ in awaited:
                self._record.defer(planned.slice_, LEASED)
            return False
        leases = {lease.scope: lease for lease in self._control.ledger.leases(self._control.clock.now())}
        for planned, seen in awaited:
            held = leases.get(seen.scope)
            if held is None or self._is_broken(held):
                self._dispatcher.put_back(planned)
            elif held == seen:
                self._awaited.append((planned, seen))
            else:
                self._record.defer(planned.slice_, LEASED)
        if awaited and len(self._awaited) == len(awaited):
            time.sleep(_LOOK_AT_LEASES_SECONDS)
        return bool(awaited)

    def _is_broken(self, held: Lease) -> bool:
        """Break a lease that was not renewed for a lease's length, as a living holder does every third of it.

        Its end is of its holder's clock, which may have been ahead of this one.
        """
        now = self._control.clock.now()
        seen, since = self._control.seen_leases.get(held.scope, (None, now))
        if seen != held:
            self._control.seen_leases[held.scope] = (held, now)
            return False
        if now - since <= self._control.lease_length:
            return False
        seconds = (now - since).total_seconds()
        reason = f"it was not renewed for {seconds:.0f} s: its holder died, and its clock was ahead"
        return self._control.ledger.break_lease(held, self._record.act(reason, by_policy=True))

    def _rests_as_a_whole(self) -> bool:
        """Whether no call is made now; if that lasts, the run ends here and says until when."""
        rest = self._rests.of()
        if rest is not None and not self._is_ending and not self._rests.is_short(rest):
            self._stop(FailureReason.of(rest_error(rest)))
        return rest is not None

    def _rest(self, planned: PlannedSlice) -> None:
        """Put a slice aside for later in this run, or leave it to the next one if its rest is long."""
        rest = self._rests.of(planned.slice_)
        if rest is None or (self._rests.is_short(rest) and not self._is_ending):
            self._resting.append(planned)
            return
        self._outcome.resting.append((planned.slice_, FailureReason.of(rest_error(rest))))
        self._record.defer(planned.slice_, RESTING)

    def _await_rests(self) -> bool:
        """Wait for the rest that ends first and take up its slices; False if there is nothing to wait for."""
        whole, was_ending = self._rests.of(), self._is_ending
        resting, self._resting = self._resting, []
        rests = [rest for planned in resting if (rest := self._rests.of(planned.slice_)) is not None]
        rest = whole or min(rests, key=lambda rest: rest.not_before, default=None)
        if rest is not None and not was_ending:
            self._rests.waits += 1
            named = (rest.scope.customer_id, rest.scope.report)
            self._record.emit(CallsRest(*self._record.begin(), *named, rest.not_before, rest.reason))
            self._wait_for(rest)
        for planned in reversed(resting):
            # What the end of the run meets here is left to the next one.
            (self._rest if self._is_ending else self._dispatcher.put_back)(planned)
        return not was_ending and (whole is not None or bool(resting))

    def _wait_for(self, rest: Rest) -> None:
        while (left := (rest.not_before - self._control.clock.now()).total_seconds()) > 0 and not self._is_ending:
            self._control.sleep(min(left, _LOOK_AT_STOP_SECONDS))
            self._check_stop()
        self._rests.read()

    def _handle(self, message: Message) -> None:
        if isinstance(message, Emitted):
            self._outcome.count(message.events)
            self._record.emit(*message.events)
        elif isinstance(message, Done):
            self._done(self._under_work.pop(message.worker), message.result)
        else:
            self._lost(message)

    def _done(self, under_work: _UnderWork, result: TaskResult) -> None:
        slice_, failure = under_work.task.slice_, result.stopped_by
        self._outcome.operations += result.operations
        self._free(under_work, interrupted=failure is not None)
        self._record.emit(SliceEnded(*self._record.span(slice_), result.operations))
        if failure is None:
            self._rests.waits = 0
        elif failure.code == QuotaExhaustedError.code:
            self._rests.read()
            # A rest that is over by now is not read any more, and the slice is begun again.
            self._rest(under_work.planned)
        elif failure.scope is FailureScope.ACCOUNT:
            self._stop_account(slice_, failure)
        elif failure.scope.stops_the_run:
            if result.operations == 0 or failure.code != BudgetSpentError.code:
                self._record.defer(slice_, failure.scope)
            self._stop(failure)
        elif failure.code == LeaseLostError.code:
            self._record.defer(slice_, LEASED)
        else:
            self._record.interrupt(slice_, failure)

    def _stop_account(self, slice_: ReportSlice, failure: FailureReason) -> None:
        if slice_.customer_id not in self._outcome.stopped_accounts:
            self._outcome.stopped_accounts[slice_.customer_id] = failure
            told = (failure.code, failure.message, failure.hint)
            self._record.emit(AccountStopped(*self._record.begin(), slice_.customer_id, *told))

    def _stop(self, failure: FailureReason) -> None:
        if self._outcome.stopped_by is None:
            told = (failure.scope.value, failure.code, failure.message, failure.hint)
            self._record.emit(RunStopped(*self._record.begin(), *told))
        self._end(Ending.DONE, failure)

    def _lost(self, message: Lost) -> None:
        """The worker died: look at what it sealed and go on from there, unless the slice itself is what kills."""
        self._record.emit(WorkerLost(*self._record.begin(), message.worker))
        under_work = self._under_work.pop(message.worker)
        losses = under_work.losses + 1
        if self._is_ending:
            self._free(under_work, interrupted=True)
            return
        reason = FailureReason(WORKER_LOST, f"{losses} workers died while they worked on this slice", retryable=True)
        task = replace(under_work.task, recover=True, give_up=reason if losses > MAX_LOSSES else None)
        if losses > 2 * MAX_LOSSES:
            self._free(under_work, interrupted=True)
            self._record.interrupt(task.slice_, reason)
            return
        self._under_work[message.worker] = _UnderWork(under_work.planned, task, losses)
        self._workers.give(message.worker, task)

    def _free(self, under_work: _UnderWork, *, interrupted: bool) -> None:
        slice_ = under_work.task.slice_
        scope = scope_of(GOOGLE_ADS, slice_.customer_id, slice_.report.name)
        self._dispatcher.ended(under_work.planned)
        if interrupted:
            self.leases.leave_behind(scope)
        self.leases.done(scope)
