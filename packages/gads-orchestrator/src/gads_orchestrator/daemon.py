"""The daemon: plans, carries out, waits, for as long as nobody stops it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as Flag

from gads_domain.backoff import Backoff
from gads_domain.errors import FailureReason, QuotaExhaustedError
from gads_domain.run import RunContext
from gads_orchestrator.execution import Control, WorkResult, execute_plan
from gads_orchestrator.plan import WorkRequest, plan_work
from gads_orchestrator.worker_pool import Workers

_LONGEST_PAUSE = 600.0

LOOKING_SHARE = 0.1
"""How much of its time a daemon with nothing to do may spend on looking for something."""


def pause_between_looks(look_seconds: float, planning_seconds: float, troubles: int) -> float:
    """How long to wait, in seconds, after a look that took `planning_seconds` to plan and `troubles` in a row.

    Troubles double the wait, up to ten minutes. A ledger of millions of rows is looked at less often.
    """
    backoff = Backoff(look_seconds, max(_LONGEST_PAUSE, look_seconds))
    return max(backoff.delay(troubles + 1), planning_seconds * (1 / LOOKING_SHARE - 1))


@dataclass(slots=True)
class Daemon:
    """Repeats plan and run until `stop` is set.

    `request_at` says what is wanted at a moment, `new_run` names each run. Between two looks it waits `look_seconds`,
    and after trouble that a look would only meet again (refused credentials, a sink that cannot be read) twice as long
    each time, up to ten minutes; and longer where a look itself takes long (`pause_between_looks`). While work is
    plentiful it plans anew every `replan_seconds`, so that a day that has become due waits for slices in hand and
    never for a backfill.

    Several daemons on one ledger share the work by leases; each may be killed at any moment, and none has anything to
    remember.
    """

    request_at: Callable[[datetime], WorkRequest]
    new_run: Callable[[], RunContext]
    control: Control
    workers: Workers
    stop: Flag
    look_seconds: float = 30.0
    replan_seconds: float = 120.0
    ended: Callable[[WorkResult], None] = lambda _result: None
    _troubles: int = field(default=0, init=False)
    _planning_seconds: float = field(default=0.0, init=False)

    def serve(self) -> None:
        """Until `stop` is set; raises what no waiting can cure, such as a ledger that is damaged."""
        try:
            while not self.stop.is_set():
                result = self.look()
                if result is None or result.reason != "enough":
                    self.stop.wait(self._pause(result))
        finally:
            self.workers.close()

    def look(self) -> WorkResult | None:
        """One plan, carried out; None if there was nothing to do. With a spent budget nothing is begun: `quota`."""
        now = self.control.clock.now()
        request = self.request_at(now)
        began = time.monotonic()
        plan = plan_work(request, self.control.ledger, self.stop.is_set)
        self._planning_seconds = time.monotonic() - began
        if self.stop.is_set():
            return WorkResult(self.new_run(), "stopped")
        budget = self.control.budget
        quota = self.control.ledger.quota(budget.name, budget.day_of(now))
        if plan.operations == 0 and not plan.give_up:
            return None
        if quota.exhausted or (budget.limit is not None and quota.spent >= budget.limit):
            spent = QuotaExhaustedError(f"the operations of {budget.day_of(now)} are spent")
            deferred = Counter(quota=plan.operations)
            return WorkResult(self.new_run(), "quota", FailureReason.of(spent), deferred=deferred)
        replan_at = time.monotonic() + pause_between_looks(self.replan_seconds, self._planning_seconds, 0)
        result = execute_plan(
            plan,
            self.new_run(),
            self.control,
            self.workers,
            stopping=self.stop.is_set,
            enough=lambda: time.monotonic() >= replan_at,
        )
        self.ended(result)
        return result

    def _pause(self, result: WorkResult | None) -> float:
        is_trouble = result is not None and (result.reason == "credentials" or bool(result.interrupted))
        self._troubles = self._troubles + 1 if is_trouble else 0
        return pause_between_looks(self.look_seconds, self._planning_seconds, self._troubles)
