"""What a destination is told of: rules with their limits, as one `[[alerts]]` of `gads.toml` sets them."""

from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum

from gads_domain.account_days import zone_named
from gads_domain.activity import Severity


class Rule(StrEnum):
    """What can be watched."""

    DEADLINE = "deadline"
    """Days that are to be complete by a time of day, in each account's zone."""
    GAPS = "gaps"
    """Days that have been due for long and are not there, or it is unknown what is expected."""
    FAILURES = "failures"
    """Partitions that are failed, or held for a decision."""
    BUDGET = "budget"
    """The share of the operations that is spent, and long rests that the API asks for."""
    CREDENTIALS = "credentials"
    """The API or the storage refuses the credentials."""
    DAEMON = "daemon"
    """A process that serves is silent."""
    RESTATEMENT = "restatement"
    """The sum of a metric of days that were restated moved by much."""
    SUNSET = "sunset"
    """The version of the API ends soon, or a report's columns are others than those on record."""
    WAREHOUSE = "warehouse"
    """The warehouse is behind the ledger for long."""
    DISK = "disk"
    """Little space is left where the ledger or the partitions are."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Every account has yesterday of `reports` (all for none) at the time of day `by`, in its own zone.

    `accounts` are patterns of ids and names with `*` and `?`; none means every account.
    """

    by: time
    reports: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.by:%H:%M}" + (f" of {', '.join(self.accounts)}" if self.accounts else "")


@dataclass(frozen=True, slots=True)
class AlertRules:
    """What one destination is told of.

    - `watch`: the rules; `least`: the least severity.
    - `repeat`: after how long an alert that is still open is said again; None: never.
    - `digest`: the time of day, in `time_zone`, of a summary of how everything stands; None: none.
    - `gap`: how long a day has been due before its absence is said.
    - `budget_share`: from which share of the limit the operations spent are said.
    - `restatement_share`: from which share the move of a metric's sum is said.
    - `sunset`: how long before its end a version of the API is said; `warehouse`: how long the warehouse may be behind;
      `disk_bytes`: below which number of free bytes the space is said.
    """

    watch: frozenset[Rule] = frozenset(Rule)
    least: Severity = Severity.WARNING
    repeat: timedelta | None = timedelta(hours=24)
    digest: time | None = None
    time_zone: str = "UTC"
    deadlines: tuple[Deadline, ...] = ()
    gap: timedelta = timedelta(hours=12)
    budget_share: float = 0.9
    restatement_share: float = 0.25
    sunset: timedelta = timedelta(days=60)
    warehouse: timedelta = timedelta(hours=6)
    disk_bytes: int = 5_000_000_000

    def __post_init__(self) -> None:
        zone_named(self.time_zone)
