"""What the ledger holds of a logical partition."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gads_domain.clock import iso_utc
from gads_domain.errors import FailureReason, InvalidValueError, PrunedRunError
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import Keyed, PartitionKey
from gads_domain.run import RunId


class PartitionStatus(StrEnum):
    """`pending` until a run has been validated; no row in the ledger means `pending`."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"


class ValidationOutcome(StrEnum):
    """How one run of one partition ended."""

    PASSED = "passed"
    """Sealed, and every check held."""
    REJECTED = "rejected"
    """Sealed, and a check failed."""
    UNSEALED = "unsealed"
    """Started, and never sealed."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the validator: its `name`, whether it held, and if not, a line saying why and the figures of that.

    Raises `InvalidValueError` for a check that held and has more than its name.
    """

    name: str
    passed: bool
    detail: str = ""
    figures: Mapping[str, int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.passed and (self.detail or self.figures):
            raise InvalidValueError(f"the check {self.name} held, and has a detail or figures of a failure")

    @classmethod
    def of(cls, name: str, detail: str = "", **figures: int | float | str) -> "CheckResult":
        """The check `name`, which held unless `detail` says why not; `figures` are kept of one that did not."""
        return cls(name, not detail, detail, figures if detail else {})


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What validating one run of one partition found.

    `seal_sha256` is of the metadata that was validated, so that a reader can recognise the very seal;
    `content_sha256` is of the rows regardless of their order, equal for payloads that hold the same rows.
    `failure` is there unless `outcome` is `passed`. `changes` says, for a restatement, what differs from the run that
    was authoritative then. `vanished_rows` is the share of the rows from whose loss on a restatement is held for a
    decision, as it was set when this was validated; None holds none. `confirmed_by` is the last run that found the very
    rows of this one, and sealed none, with the time of that; None if there is none.
    """

    key: PartitionKey
    run_id: RunId
    outcome: ValidationOutcome
    validated_at: datetime
    checks: tuple[CheckResult, ...] = ()
    failure: FailureReason | None = None
    schema_version: int | None = None
    record_count: int | None = None
    seal_sha256: str | None = None
    content_sha256: str | None = None
    changes: Mapping[str, object] | None = None
    vanished_rows: float | None = None
    confirmed_by: RunId | None = None
    confirmed_at: datetime | None = None

    @property
    def has_seal(self) -> bool:
        """Whether there was a seal to validate."""
        return self.outcome is not ValidationOutcome.UNSEALED

    def is_equivalent(self, other: "ValidationResult") -> bool:
        """Whether both say the same of the same seal; times and confirmations do not count."""
        mine = (self.key, self.run_id, self.outcome, self.seal_sha256, self.content_sha256, self.failure)
        return mine == (
            other.key,
            other.run_id,
            other.outcome,
            other.seal_sha256,
            other.content_sha256,
            other.failure,
        )


@dataclass(frozen=True, slots=True)
class PartitionState(Keyed):
    """The ledger's row of one logical partition.

    `current_run_id` is the authoritative run: set exactly when `status` is `success`, together with
    `schema_version`, `record_count` and `seal_sha256` of that run. `attempt_count` is the number of runs with a
    validation result. `last_error` is the newest run's failure if that run is newer than the current one, or why that
    run is held for a decision. `version` counts the writes of the row and is what compare-and-set compares; 0 means
    that there is no row. `held_run_id` is the run that is held for a decision: the newest that passed, which lost rows.
    `confirmed_run_id` is the last run that found the very rows of the authoritative one and sealed none, `confirmed_at`
    when; both are None if there is none.
    """

    key: PartitionKey
    status: PartitionStatus = PartitionStatus.PENDING
    current_run_id: RunId | None = None
    schema_version: int | None = None
    record_count: int | None = None
    seal_sha256: str | None = None
    attempt_count: int = 0
    updated_at: datetime | None = None
    last_error: str | None = None
    version: int = 0
    held_run_id: RunId | None = None
    confirmed_run_id: RunId | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The run `by` extracted `key` and found the very rows, under the same schema version, that the run `of` sealed.

    It counts like a run that sealed these rows, for as long as `of` passes and is not revoked. `content_sha256` is of
    the rows.
    """

    key: PartitionKey
    of: RunId
    by: RunId
    content_sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SchemaPin:
    """The schema that `schema_version` of a report stands for, fixed by the first run that passed with it."""

    source: str
    report: str
    schema_version: int
    schema: TableSchema


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """All that decides a partition's state: its row, its validation results as recorded, its revoked runs.

    `accepted` are the runs whose loss of rows an operator has accepted, `pruned` those that were removed from the sink,
    or are to be, in run order.
    """

    state: PartitionState
    results: tuple[ValidationResult, ...] = ()
    revoked: frozenset[RunId] = frozenset()
    accepted: frozenset[RunId] = frozenset()
    pruned: tuple["PrunedRun", ...] = ()

    @property
    def pruned_runs(self) -> frozenset[RunId]:
        """The runs that were removed from the sink, or are to be."""
        return frozenset(one.run_id for one in self.pruned)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A decision of the validator, to be written if the row is still `before`.

    `attempt` is the new validation result (None when an act of the control plane takes effect), `pin` the schema that
    it would fix.
    """

    before: PartitionState
    after: PartitionState
    attempt: ValidationResult | None
    pin: SchemaPin | None = None

    @property
    def cause(self) -> str:
        """What the log says of it: a run was validated, or an acceptance or a revocation took effect."""
        if self.attempt is not None:
            return "validate"
        held = self.before.held_run_id
        return "accept" if held is not None and held == self.after.current_run_id else "order"


@dataclass(frozen=True, slots=True)
class AuthorityChange(Keyed):
    """One change of status or authority, as appended to the ledger's log in the transaction that made it.

    `sequence` grows by commit: a reader that has read up to a number has missed nothing below it. `from_run` equals
    `to_run` when only the status changed.
    """

    sequence: int
    key: PartitionKey
    from_run: RunId | None
    to_run: RunId | None
    status_before: PartitionStatus
    status_after: PartitionStatus
    schema_version: int | None
    record_count: int | None
    seal_sha256: str | None
    at: datetime
    cause: str

    @property
    def changes_authority(self) -> bool:
        """Whether another run, or none, is authoritative after this."""
        return self.from_run != self.to_run

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that tell it from any other change, also of a log that was rolled back."""
        text = (
            f"{self.sequence}\n{self.key}\n{self.from_run}\n{self.to_run}\n"
            f"{self.status_before}\n{self.status_after}\n{iso_utc(self.at)}\n"
        )
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """An explicit act of the control plane on one partition, as it is put on record.

    `filter` says by what the partition was chosen, as it was given; `by_policy` that no operator but the retry policy
    decided.
    """

    at: datetime
    actor: str
    command: str
    reason: str
    filter: str = ""
    by_policy: bool = False


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """An act with what it did: `kind` such as `retry`, the status before and after.

    `before` and `after` say the whole scheduling state, marks, revoked and accepted runs included; empty where
    the act was recorded before they were kept.
    """

    sequence: int
    key: PartitionKey
    kind: str
    act: OperatorAct
    status_before: PartitionStatus
    status_after: PartitionStatus
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class PrunedRun:
    """A run that is removed from the sink for good: by which act, and which seal it had.

    `removed_at` says when the sink had removed it, None until then; `freed` is how many bytes that freed.
    """

    key: PartitionKey
    run_id: RunId
    act: OperatorAct
    seal_sha256: str | None = None
    removed_at: datetime | None = None
    freed: int | None = None

    def error(self) -> PrunedRunError:
        """What is raised where the run is to be read."""
        return PrunedRunError(
            f"run {self.run_id} of {self.key} was pruned on {self.act.at:%Y-%m-%d}", pruned_at=self.act.at
        )


@dataclass(frozen=True, slots=True)
class StateFilter:
    """Which partitions are meant; an empty tuple or None means all. `since` and `until` are both included.

    With `held`, those alone that have a run which is held for a decision now.
    """

    source: str | None = None
    customer_ids: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    statuses: tuple[PartitionStatus, ...] = ()
    held: bool = False

    def selects(self, key: PartitionKey) -> bool:
        """Whether `key` is meant, as far as a key alone tells; `statuses` and `held` do not count."""
        return (
            self.source in (None, key.source)
            and (not self.customer_ids or key.customer_id in self.customer_ids)
            and (not self.reports or key.report in self.reports)
            and (self.since is None or self.since <= key.logical_date)
            and (self.until is None or key.logical_date <= self.until)
        )
