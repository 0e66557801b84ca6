"""Events of the application itself, beside those of the orchestrator."""

from dataclasses import dataclass
from datetime import date

from gads_orchestrator.events import Event
from gads_pipeline.command_completeness import counts_line


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something that an operator should know and that ends nothing, such as an unknown time zone."""

    message: str


@dataclass(frozen=True, slots=True)
class DaysFailed(Event):
    """Adjacent days of one report of one account that a round attempted, and that are not well for `reason`."""

    customer_id: str
    name: str
    report: str
    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True)
class CompletenessRead(Event):
    """How a round left what is expected; the numbers are those of `completeness` in contracts/outcome/v1."""

    answer: str
    expected: int
    authoritative: int
    failed: int
    held: int
    pending: int
    not_due: int
    attempted_again: int
    unknown: str

    def __str__(self) -> str:
        counts = self.expected, self.authoritative, self.failed, self.held, self.pending, self.not_due
        unknown = f"; unknown which accounts are expected: {self.unknown}" if self.unknown else ""
        return counts_line(self.answer, *counts) + unknown


@dataclass(frozen=True, slots=True)
class ValidationEnded(Event):
    """What is sealed was validated, which took `seconds` up to `at`; the counts are those of `ValidationTally`.

    `by_report` has the partitions that were looked at, by report. `code` and `reason` are of the error that ended it
    early, empty if none did.
    """

    seconds: float
    looked_at: int
    validated_runs: int
    rejected_runs: int
    not_success: int
    authority_changed: int
    by_report: dict[str, int]
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class WarehouseLoaded(Event):
    """The warehouse was brought to `position` of the ledger's change feed, which took `seconds` up to `at`.

    `rows_by_report` has the rows that were added or replaced of each report.
    """

    position: int
    added: int
    replaced: int
    removed: int
    rows: int
    seconds: float
    rows_by_report: dict[str, int]


@dataclass(frozen=True, slots=True)
class WarehouseLoadFailed(Event):
    """A load of the warehouse failed after `seconds`; its tables are those of the last step that was committed.

    A daemon tries again, and emits it once for each kind of failure.
    """

    code: str
    message: str
    hint: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SinkPruned(Event):
    """Superseded runs were removed from the sink, `freed` bytes of them."""

    runs: int
    freed: int
