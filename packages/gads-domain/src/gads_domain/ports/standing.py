"""How things stand, counted by the ledger itself: a page of 10,000 accounts cannot read each partition."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from gads_domain.standing import (
    EVERY_ACCOUNT,
    LATELY,
    MOST_COUNTED,
    MOST_GROUPS,
    AccountFilter,
    AccountStanding,
    Drift,
    GapGroup,
    HeatMap,
    Scope,
    Standings,
)


class StandingReader(Protocol):
    """Counts over the whole ledger, of one moment each.

    Laws:

    1. Every number is that of `LedgerStanding` over the same ledger, which counts what
       `gads_domain.completeness` finds.
    2. What is not known is said to be so: `unknown`, `lacking` and None never become 0 or complete.
    3. Reading changes nothing; a ledger that does not exist reads as empty.
    """

    def standings(self, scope: Scope) -> Standings:
        """How each report of `scope` stands, in the order of its reports."""

    def gap_groups(self, scope: Scope) -> tuple[GapGroup, ...]:
        """What is missing, grouped by report, status and reason, the worst first."""

    def heat_map(
        self,
        scope: Scope,
        report: str,
        since: date,
        until: date,
        accounts: AccountFilter = EVERY_ACCOUNT,
        *,
        groups: int = MOST_GROUPS,
        counted: int = MOST_COUNTED,
        lately: timedelta = LATELY,
    ) -> HeatMap:
        """One report on each day from `since` to `until`, of the accounts that `accounts` selects.

        What was restated or unchanged since `lately` ago is counted where they are no more than `counted`.
        """

    def account_standing(self, scope: Scope, customer_id: str) -> AccountStanding:
        """How one account stands, whoever else is in `scope`."""

    def sample(self, scope: Scope, most: int) -> tuple[str, ...]:
        """At most `most` of the accounts that are expected, spread evenly over them by customer id."""

    def restatement_drift(
        self, scope: Scope, report: str, since: date, until: date, customers: Sequence[str], metric: str | None = None
    ) -> tuple[Drift, ...]:
        """How far sums of these days and accounts moved, by metric and age; of all metrics without one.

        A restatement counts if its run passed and was authoritative, also if it was withdrawn later.
        """

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class StandingLedgerAdapter(Protocol):
    """A `LedgerAdapter` whose ledgers count for themselves."""

    def open_standing(self, url: str, base: Path) -> StandingReader:
        """Open read-only. An absent ledger is an empty one, and is not created."""
