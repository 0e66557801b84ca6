"""The budget of operations, and the rests that the API asked for: both bind every process on the ledger."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gads_domain.clock import Clock
from gads_domain.control import Lease
from gads_domain.errors import (
    AccountQuotaError,
    BudgetSpentError,
    FailureReason,
    LeaseLostError,
    QuotaExhaustedError,
    ReportQuotaError,
)
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader
from gads_domain.quota import WINDOW, CallScope, Rest, RestAsked, Spending, last_rest
from gads_domain.report import ReportSlice
from gads_orchestrator.plan import PlannedSlice


@dataclass(frozen=True, slots=True)
class Budget:
    """The operations that may be spent within any 24 hours.

    `limit` None leaves the counting to the API. `name` tells the budgets of one ledger apart, one for each Cloud
    project; it is no secret.
    """

    name: str = "default"
    limit: int | None = None

    def call_of(self, slice_: ReportSlice) -> CallScope:
        """The calls for `slice_`."""
        return CallScope(self.name, slice_.customer_id, slice_.report.name)


def budget_spent(ledger: StateReader, budget: Budget, now: datetime) -> BudgetSpentError | None:
    """The error if no operation is left at `now`, with the time from which there is."""
    if budget.limit is None:
        return None
    spent = ledger.spent(budget.name, now)
    if spent.left(budget.limit) > 0 or (free := spent.free_from(budget.limit)) is None:
        return None
    when, count = free
    hint = f"{count:,} more may be spent from {shown(when)} on; what was not requested is as it was"
    if when - now > WINDOW + timedelta(hours=1):
        hint += "; a clock was ahead when these were counted: give quota.name another name to count anew"
    return BudgetSpentError(
        f"the budget is spent: {budget.limit:,} operations within 24 hours (quota.name {budget.name})", hint=hint
    )


def rest_error(rest: Rest) -> QuotaExhaustedError:
    """The error of a call that `rest` covers."""
    kind, calls = QuotaExhaustedError, "no request is sent"
    if rest.scope.report:
        kind, calls = ReportQuotaError, f"no request for report {rest.scope.report} is sent"
    elif rest.scope.customer_id:
        kind, calls = AccountQuotaError, f"no request for account {rest.scope.customer_id} is sent"
    when = shown(rest.not_before)
    return kind(f"{rest.reason}: {calls} until {when}", hint=f"go on after {when}; what was not requested is as it was")


def shown(moment: datetime) -> str:
    """A time as it is printed: to the second, and never before `moment`."""
    return f"{moment + timedelta(microseconds=999_999):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Operations:
    """Grants the calls of `call` for as long as the lease holds, the budget lasts and no rest covers them.

    The end of a rest is waited for by `sleep` if it comes within `longest_wait`, after `waiting` was called with it.
    """

    control: ControlPlaneLedger
    budget: Budget
    clock: Clock
    call: CallScope
    lease: Lease | None = None
    longest_wait: timedelta = timedelta()
    waiting: Callable[[Rest], None] = lambda _rest: None
    sleep: Callable[[float], None] = field(default=time.sleep)

    def take(self) -> None:
        """Count one operation; raises `QuotaExhaustedError` or `LeaseLostError` before the call is made."""
        while True:
            now = self.clock.now()
            answer = self.control.spend(self.call, 1, self.budget.limit, self.lease, now)
            if answer is Spending.GRANTED:
                return
            if answer is Spending.LEASE_LOST:
                raise LeaseLostError("the lease of this slice was lost; another process may be working on it")
            if answer is Spending.EXHAUSTED:
                raise budget_spent(self.control, self.budget, now) or BudgetSpentError("no operation is left")
            last = last_rest(self.control.rests(self.call.budget, now), self.call, now)
            if last is not None:
                if last.not_before - now > self.longest_wait:
                    raise rest_error(last)
                self.waiting(last)
                self.sleep((last.not_before - now).total_seconds())

    def rest(self, asked: RestAsked) -> None:
        """Put the rest on record, for every process and until its time has come."""
        self.control.rest(self.call, asked, self.clock.now())


def listing(
    control: ControlPlaneLedger,
    budget: Budget,
    clock: Clock,
    longest_wait: timedelta = timedelta(),
    waiting: Callable[[Rest], None] = lambda _rest: None,
) -> Operations:
    """For lists of accounts and checks: counted however much is left, since nothing can be planned without them."""
    unlimited = Budget(budget.name)
    return Operations(control, unlimited, clock, CallScope(budget.name), longest_wait=longest_wait, waiting=waiting)


class QuotaGate:
    """Grants the operations of one budget, slice by slice; the run waits for the end of rests, and no slice does."""

    def __init__(self, control: ControlPlaneLedger, budget: Budget, clock: Clock) -> None:
        self._control = control
        self._budget = budget
        self._clock = clock

    def under(self, lease: Lease | None, slice_: ReportSlice) -> Operations:
        """The operations of `slice_`, which is worked on under `lease`."""
        return Operations(self._control, self._budget, self._clock, self._budget.call_of(slice_), lease)


@dataclass(slots=True)
class Rests:
    """The rests that keep a run from its slices, as last read from the ledger.

    The end of one is waited for if it comes within `longest_wait`; at most `most_waits` in a row without a slice that
    ended well, so that an API which asks for one short rest after another does not hold the run for ever.
    """

    ledger: StateReader
    budget: Budget
    clock: Clock
    longest_wait: timedelta
    most_waits: int = 5
    waits: int = 0
    known: list[Rest] = field(default_factory=list)

    def read(self) -> None:
        """Look at the ledger again."""
        self.known = self.ledger.rests(self.budget.name, self.clock.now())

    def of(self, slice_: ReportSlice | None = None) -> Rest | None:
        """The last rest to end that covers `slice_`; without one, that covers every call."""
        call = CallScope(self.budget.name) if slice_ is None else self.budget.call_of(slice_)
        return last_rest(self.known, call, self.clock.now())

    def is_short(self, rest: Rest) -> bool:
        """Whether the run waits for its end."""
        return self.waits < self.most_waits and rest.not_before - self.clock.now() <= self.longest_wait

    def keeping(self, plan: Iterable[PlannedSlice]) -> list[tuple[ReportSlice, FailureReason]]:
        """The slices of `plan` with their reasons if every one rests for long; empty if there is one to begin with."""
        kept = []
        for planned in plan if self.known else ():
            rest = self.of(planned.slice_)
            if rest is None or self.is_short(rest):
                return []
            kept.append((planned.slice_, FailureReason.of(rest_error(rest))))
        return kept
