"""The daemon: plans, executes and waits until it is stopped."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as Flag

from gads_domain.backoff import Backoff
from gads_domain.errors import (
    BudgetSpentError,
    ClockSkewError,
    ConfigurationError,
    FailureReason,
    FailureScope,
    GadsError,
    LedgerError,
    QuotaExhaustedError,
    UsageError,
)
from gads_domain.run import RunContext
from gads_orchestrator.budget import Rests, budget_spent, rest_error
from gads_orchestrator.events import ServePaused, ServeResumed
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.outcome import RESTING, Ending, RunOutcome
from gads_orchestrator.plan import WorkRequest, plan_work
from gads_orchestrator.worker_pool import Workers

_LONGEST_PAUSE = 600.0

LOOKING_SHARE = 0.1
"""How much of its time a daemon with nothing to do may spend on looking for something to do."""


def pause_between_looks(look_seconds: float, planning_seconds: float, failures: int) -> float:
    """How long to wait, in seconds, after a look that took `planning_seconds` to plan and `failures` in a row.

    Failures double the wait, up to ten minutes. A ledger of millions of rows is looked at less often.
    """
    delay = Backoff(look_seconds, max(_LONGEST_PAUSE, look_seconds)).delay(failures + 1)
    return max(delay, planning_seconds * (1 / LOOKING_SHARE - 1))


@dataclass(slots=True)
class Daemon:
    """Repeats plan and execution until `stop` is set.

    `request_at` says what is to be planned at a moment, `new_run` names each run. Between two looks it waits
    `look_seconds`, and longer where a look itself takes long (`pause_between_looks`). While work is plentiful it plans
    anew every `replan_seconds`, so that a day that has become due waits for slices under work and never for a backfill.

    It outlives every failure that may pass: a ledger that is busy or full, a full disk, storage or API that refuses
    credentials or cannot be reached. It emits `ServePaused` once for each, waits twice as long after each look, up to
    ten minutes, and emits `ServeResumed` when it works again.

    Several daemons on one ledger share the work by leases. Each may be killed at any moment; none has anything to
    remember. `ended` is called after each execution, `idle` after a look that finds nothing to do; what it returns is
    waited for like a failure of the look. `waiting` is called before each wait, with its seconds and what it is for,
    which is empty if there is nothing to do.
    """

    request_at: Callable[[datetime], WorkRequest]
    new_run: Callable[[], RunContext]
    control: Control
    workers: Workers
    stop: Flag
    look_seconds: float = 30.0
    replan_seconds: float = 120.0
    ended: Callable[[RunOutcome], None] = lambda _outcome: None
    idle: Callable[[], FailureReason | None] = lambda: None
    waiting: Callable[[float, str], None] = lambda _seconds, _why: None
    _failures: int = field(default=0, init=False)
    _paused_by: str = field(default="", init=False)
    _planning_seconds: float = field(default=0.0, init=False)

    def serve(self) -> None:
        """Work until `stop` is set; raises what no waiting mends: a configuration or a ledger that cannot be used."""
        try:
            while not self.stop.is_set():
                failure: FailureReason | None = None
                outcome: RunOutcome | None = None
                try:
                    outcome = self.look()
                    failure = self.idle() if outcome is None else _failure_of(outcome)
                except GadsError as error:
                    if isinstance(error, UsageError | LedgerError) and not _may_pass(error):
                        raise
                    failure = FailureReason.of(error)
                if outcome is None or outcome.ended != Ending.REPLAN:
                    seconds = self._pause(failure)
                    why = outcome.stopped_by if failure is None and outcome is not None else failure
                    self.waiting(seconds, "" if why is None else why.message)
                    self.stop.wait(seconds)
        finally:
            self.workers.close()

    def look(self) -> RunOutcome | None:
        """One plan, executed; None if there was nothing to do. While all rests nothing is begun."""
        now = self.control.clock.now()
        request = self.request_at(now)
        began = time.monotonic()
        plan = plan_work(request, self.control.ledger, self.stop.is_set)
        self._planning_seconds = time.monotonic() - began
        if self.stop.is_set():
            return RunOutcome(plan, ending=Ending.STOPPED)
        if plan.operations == 0 and not plan.give_up:
            return None
        spent = budget_spent(self.control.ledger, self.control.budget, now)
        if spent is not None:
            deferred = Counter({FailureScope.SOURCE.value: plan.operations})
            return RunOutcome(plan, stopped_by=FailureReason.of(spent), deferred=deferred)
        rests = self._rests()
        if (rest := rests.of()) is not None and not rests.is_short(rest):
            deferred = Counter({RESTING: plan.operations})
            return RunOutcome(plan, stopped_by=FailureReason.of(rest_error(rest)), deferred=deferred)
        if plan.operations and (resting := rests.keeping(plan)):
            return RunOutcome(plan, resting=resting, deferred=Counter({RESTING: plan.operations}))
        replan_at = time.monotonic() + pause_between_looks(self.replan_seconds, self._planning_seconds, 0)
        outcome = execute_plan(
            plan,
            self.new_run(),
            self.control,
            self.workers,
            stopping=self.stop.is_set,
            replan=lambda: time.monotonic() >= replan_at,
        )
        self.ended(outcome)
        return outcome

    def _rests(self) -> Rests:
        control = self.control
        rests = Rests(control.ledger, control.budget, control.clock, control.longest_rest)
        rests.read()
        return rests

    def _pause(self, failure: FailureReason | None) -> float:
        self._failures = 0 if failure is None else self._failures + 1
        seconds = pause_between_looks(self.look_seconds, self._planning_seconds, self._failures)
        now = self.control.clock.now()
        if (
            failure is not None
            and failure.code == QuotaExhaustedError.code
            and (rest := self._rests().of()) is not None
        ):
            seconds = min(seconds, (rest.not_before - now).total_seconds())
        if failure is None:
            if self._paused_by:
                self.control.observer.on_events(ServeResumed(now, ""))
            self._paused_by = ""
        elif failure.code != self._paused_by:
            self._paused_by = failure.code
            told = (failure.scope.value, failure.code, failure.message, failure.hint)
            self.control.observer.on_events(ServePaused(now, "", *told, seconds))
        return seconds


def _failure_of(outcome: RunOutcome) -> FailureReason | None:
    """What the next look would only meet again; a spent budget is waited for at the usual pace."""
    stopped_by = outcome.stopped_by
    if stopped_by is not None and stopped_by.code == ConfigurationError.code:
        raise ConfigurationError(stopped_by.message, hint=stopped_by.hint)
    if stopped_by is not None and stopped_by.code != BudgetSpentError.code:
        return stopped_by
    return outcome.interrupted[0][1] if outcome.interrupted else None


def _may_pass(error: GadsError) -> bool:
    return error.retryable or isinstance(error, ClockSkewError)
