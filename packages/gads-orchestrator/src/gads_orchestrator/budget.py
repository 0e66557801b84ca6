"""The operations of a day: counted before each call, for all processes that share the budget, and never beyond it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from gads_domain.clock import Clock
from gads_domain.control import Lease, Spending
from gads_domain.errors import BudgetSpentError, LeaseLostError
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_orchestrator.plan import zone_of


@dataclass(frozen=True, slots=True)
class Budget:
    """The operations that may be spent in a day, which begins at midnight in `time_zone`.

    `limit` None leaves the counting to the API. `name` tells the budgets of one ledger apart; it is no secret.
    """

    name: str = "default"
    limit: int | None = None
    time_zone: str = "UTC"

    def day_of(self, moment: datetime) -> date:
        """The day to which an operation at `moment` is counted."""
        return moment.astimezone(zone_of(self.time_zone)).date()


def counting(control: ControlPlaneLedger, budget: Budget, clock: Clock) -> Callable[[], None]:
    """A function that counts a call against the budget, however much is left.

    For calls without which nothing can be planned, such as the list of accounts.
    """

    def count() -> None:
        now = clock.now()
        control.spend(budget.name, budget.day_of(now), 1, None, None, now)

    return count


class QuotaGate:
    """Grants the operations of one budget, slice by slice."""

    def __init__(self, control: ControlPlaneLedger, budget: Budget, clock: Clock) -> None:
        self._control = control
        self._budget = budget
        self._clock = clock

    def under(self, lease: Lease | None) -> LeasedOperations:
        """The operations of a slice that is worked on under `lease`."""
        return LeasedOperations(self._control, self._budget, self._clock, lease)


@dataclass(frozen=True, slots=True)
class LeasedOperations:
    """Grants operations for as long as the lease holds and the budget lasts."""

    control: ControlPlaneLedger
    budget: Budget
    clock: Clock
    lease: Lease | None

    def take(self) -> None:
        """Count one operation; raises `BudgetSpentError` or `LeaseLostError` before the call is made."""
        now = self.clock.now()
        day = self.budget.day_of(now)
        answer = self.control.spend(self.budget.name, day, 1, self.budget.limit, self.lease, now)
        if answer is Spending.EXHAUSTED:
            raise BudgetSpentError(
                f"the operations of {day} are spent (budget {self.budget.name})",
                hint=f"go on when the next day begins in {self.budget.time_zone}; what was not asked for is pending",
            )
        if answer is Spending.LEASE_LOST:
            raise LeaseLostError("the lease of this slice was lost; another process may be working on it")
