"""Where a ledger stands: the values that the screen, the page, the metrics and the alerts show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from gads_domain.activity import AlertState, Heartbeat, Liveness, Round, Severity
from gads_domain.completeness import Answer
from gads_domain.quota import Rest
from gads_domain.standing import GapGroup, ReportStanding


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that a person has to act on; `command` is what to run next, empty if no command helps.

    `code` is of a few, for programs; `subject` is what it is about, and `text` what happened.
    """

    severity: Severity
    subject: str
    text: str
    command: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class AccountsStanding:
    """The account list as last drawn, at `drawn_at`.

    `listed` accounts are on it, of which `selected` are extracted; `erased` ones are on no list. `unknown` is why it is
    not known which accounts are expected; empty if it is.
    """

    listed: int = 0
    selected: int = 0
    erased: int = 0
    drawn_at: datetime | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class NextDue:
    """At `at` the next `partitions` of `report` are due, all of them of `day`."""

    report: str
    day: date
    at: datetime
    partitions: int


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """The operations of a budget: a `limit` of None is none, and `left` is None with it.

    - `spent` count now, and `more` are free from `more_at` on.
    - `forecast` is what all that is due and missing costs at least, `daily` what new days and restatements cost a day
      at most; None if it is not known, for the reason `unknown`.
    - `rests` are the calls that the API asked not to make before a time.
    """

    name: str = "default"
    limit: int | None = None
    spent: int = 0
    left: int | None = None
    more_at: datetime | None = None
    more: int = 0
    forecast: int | None = None
    daily: int | None = None
    unknown: str = ""
    rests: tuple[Rest, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessStanding:
    """A process by its last heartbeat; `lost` if it is silent and no later process has taken its place."""

    heartbeat: Heartbeat
    state: Liveness
    lost: bool = False


@dataclass(frozen=True, slots=True)
class WarehouseStanding:
    """How far the warehouse follows the ledger's log: it has `position`, and `behind` changes are not loaded.

    `unknown` is why that is not known; then both are None. A warehouse that was never loaded is at position 0.
    """

    url: str
    position: int | None = None
    behind: int | None = None
    last_load_at: datetime | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class DiskStanding:
    """Bytes that the ledger takes, that are free where it is, and that are free at the sink.

    None where it is not known, for the reason `ledger_unknown` or `sink_unknown`, such as a ledger that is no file.
    `sink_fault` is why the sink does not show what the ledger says is authoritative; empty if it does.
    """

    ledger_bytes: int | None = None
    ledger_free: int | None = None
    ledger_unknown: str = ""
    sink_free: int | None = None
    sink_unknown: str = ""
    sink_fault: str = ""


@dataclass(frozen=True, slots=True)
class ApiStanding:
    """The version of the API that is configured, and when it ends; None if that is not published."""

    version: str
    ends_on: date | None = None
    days_left: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Where a ledger stands at `at`.

    - `ledger_id` is None while there is no ledger; `version` is that of gads-etl.
    - `answer` is whether all that is expected is authoritative; `unknown` is why that is not known, empty if it is. No
      report is then known to be complete up to a day.
    - `attention` is all that a person has to act on, worst first.
    - `gaps` are grouped, worst first; `names` has the name of each account of their examples that has one.
    - `processes` are the newest ones, `rounds` the last ten, `alerts` those that are open. They are on record only if
      `activity_unknown` is empty; else it says why not.
    - `warehouse` is None if none was ever loaded.
    """

    at: datetime
    source: str
    ledger_id: str | None
    version: str
    answer: Answer
    unknown: str
    attention: tuple[Attention, ...]
    accounts: AccountsStanding
    reports: tuple[ReportStanding, ...]
    gaps: tuple[GapGroup, ...]
    next_due: tuple[NextDue, ...]
    budget: BudgetStanding
    api: ApiStanding
    disk: DiskStanding
    warehouse: WarehouseStanding | None = None
    processes: tuple[ProcessStanding, ...] = ()
    rounds: tuple[Round, ...] = ()
    alerts: tuple[AlertState, ...] = ()
    activity_unknown: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether all that is expected is authoritative, and neither attention nor an open alert is critical."""
        severities = {*(one.severity for one in self.attention), *(one.severity for one in self.alerts)}
        return self.answer is Answer.COMPLETE and Severity.CRITICAL not in severities

    @property
    def lost_processes(self) -> tuple[Heartbeat, ...]:
        """The processes that are silent, and whose place no later one has taken."""
        return tuple(one.heartbeat for one in self.processes if one.lost)
