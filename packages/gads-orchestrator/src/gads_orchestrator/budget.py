"""The operations of a day: counted before each call, for all who share the budget, and never beyond it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from gads_domain.clock import Clock
from gads_domain.control import Lease, Spending
from gads_domain.errors import HeldElsewhereError, QuotaExhaustedError
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_orchestrator.plan import zone_of


@dataclass(frozen=True, slots=True)
class Budget:
    """So many operations a day for one developer token, whose day begins at midnight of `time_zone`.

    `limit` None leaves the counting to the API. `name` tells the budgets of one ledger apart; it is no secret.
    """

    name: str = "default"
    limit: int | None = None
    time_zone: str = "UTC"

    def day_of(self, moment: datetime) -> date:
        """The day to which an operation at `moment` is counted."""
        return moment.astimezone(zone_of(self.time_zone)).date()


def counting(control: ControlPlaneLedger, budget: Budget, clock: Clock) -> Callable[[], None]:
    """What counts a call against the budget and lets it through whatever is left.

    For calls without which nothing can be planned, such as the list of accounts.
    """

    def count() -> None:
        now = clock.now()
        control.spend(budget.name, budget.day_of(now), 1, None, None, now)

    return count


class QuotaGate:
    """Stands before each call to the API; whoever composes a `ReportSource` has it called there, retries included.

    What it raises, it raises before the call is made: `QuotaExhaustedError` if the day's budget is spent,
    `HeldElsewhereError` if the lease of the slice was lost.
    """

    def __init__(self, control: ControlPlaneLedger, budget: Budget, clock: Clock) -> None:
        self._control = control
        self._budget = budget
        self._clock = clock
        self._lease: Lease | None = None
        self.granted = 0
        self.refused: Spending | None = None

    def begin(self, lease: Lease | None) -> None:
        """Count anew, for calls under `lease`."""
        self._lease = lease
        self.granted = 0
        self.refused = None

    def __call__(self) -> None:
        """Ask for one operation."""
        now = self._clock.now()
        day = self._budget.day_of(now)
        answer = self._control.spend(self._budget.name, day, 1, self._budget.limit, self._lease, now)
        if answer is Spending.GRANTED:
            self.granted += 1
            return
        self.refused = answer
        if answer is Spending.EXHAUSTED:
            raise QuotaExhaustedError(
                f"the operations of {day} are spent (budget {self._budget.name})",
                hint=f"go on when the next day begins in {self._budget.time_zone}; what was not asked for is as it was",
            )
        raise HeldElsewhereError("the lease of this slice was lost; somebody else may be at it")
