"""Values for the laws of the ledger: keys, runs, validation results and the changes that they lead to."""

import hashlib
from datetime import UTC, date, datetime, timedelta

from gads_domain.errors import FailureReason
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader, ValidatorLedger
from gads_domain.run import RunId
from gads_domain.state import (
    CheckResult,
    Confirmation,
    KeyHistory,
    OperatorAct,
    PartitionStatus,
    SchemaPin,
    StateChange,
    StateFilter,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import effective_results, settle

PASSED, REJECTED, UNSEALED = ValidationOutcome.PASSED, ValidationOutcome.REJECTED, ValidationOutcome.UNSEALED
EPOCH = datetime(2024, 6, 1, 3, 4, 5, 678901, tzinfo=UTC)
FIRST_DAY = date(2024, 1, 1)


def key_of(customer: int = 1, day: int = 0, report: str = "campaign", source: str = GOOGLE_ADS) -> PartitionKey:
    """A key; `day` counts from the first of January 2024."""
    return PartitionKey(source, str(customer), report, FIRST_DAY + timedelta(days=day))


def moment(second: int) -> datetime:
    """The time `second` seconds after the first one of the samples."""
    return EPOCH + timedelta(seconds=second)


def run_of(number: int, entropy: int = 0) -> RunId:
    """The `number`-th run; later numbers are later runs."""
    return RunId.compose(moment(number), entropy.to_bytes(4, "big"))


def result_of(
    key: PartitionKey,
    run: int,
    outcome: ValidationOutcome = ValidationOutcome.PASSED,
    *,
    rows: str = "",
    second: int | None = None,
    entropy: int = 0,
    schema_version: int = 1,
    count: int | None = None,
    vanished_rows: float | None = None,
) -> ValidationResult:
    """A validation result of the `run`-th run of `key`; equal `rows` stand for equal content.

    It has `count` rows, or else as many as the number of the run.
    """
    sealed = outcome is not ValidationOutcome.UNSEALED
    run_id = run_of(run, entropy)
    content = hashlib.sha256((rows or run_id.value).encode()).hexdigest()
    failure = FailureReason("rows_differ", f"run {run} ü \u2028 lost", retryable=False, hint="ask again")
    return ValidationResult(
        key=key,
        run_id=run_id,
        outcome=outcome,
        validated_at=moment(run if second is None else second),
        checks=(
            CheckResult("size", passed=True),
            CheckResult.of("rows", "" if outcome is ValidationOutcome.PASSED else "“lost”", n=3, share=0.5, of="x"),
        ),
        failure=None if outcome is ValidationOutcome.PASSED else failure,
        schema_version=schema_version if sealed else None,
        record_count=(run if count is None else count) if sealed else None,
        seal_sha256=hashlib.sha256(run_id.value.encode()).hexdigest() if sealed else None,
        content_sha256=content if outcome is ValidationOutcome.PASSED else None,
        changes={"rows": {"added": run, "removed": 0}} if sealed else None,
        vanished_rows=vanished_rows if outcome is ValidationOutcome.PASSED else None,
    )


def confirmation_of(history: KeyHistory, by: int) -> Confirmation:
    """The `by`-th run found the rows of the run that is authoritative in `history`."""
    key, of = history.state.key, history.state.current_run_id
    content = next((one.content_sha256 for one in effective_results(history.results) if one.run_id == of), None)
    return Confirmation(key, of or run_of(1), run_of(by), content or "", moment(by))


def change_of(history: KeyHistory, result: ValidationResult, pin: SchemaPin | None = None) -> StateChange:
    """The change that `result` leads to on top of `history`."""
    return StateChange(history.state, settle(history, result, result.validated_at), result, pin)


def record_one(ledger: ValidatorLedger, result: ValidationResult, pin: SchemaPin | None = None) -> StateChange:
    """Record `result` on top of what the ledger holds; it has to succeed."""
    change = change_of(ledger.history(result.key), result, pin)
    assert ledger.record([change]) == [True]
    return change


def pin_of(key: PartitionKey, *columns: str, schema_version: int = 1) -> SchemaPin:
    """A pin of the key's report with these columns, all of type int64."""
    schema = TableSchema(tuple(ColumnSpec(name, f"metrics.{name}", "int64") for name in columns))
    return SchemaPin(key.source, key.report, schema_version, schema)


def act_of(second: int = 100, actor: str = "operator") -> OperatorAct:
    """An operator's act."""
    return OperatorAct(moment(second), actor, "run --retry-failed", "the account came back, “again”")


def everything(ledger: StateReader, keys: list[PartitionKey]) -> object:
    """All that the ledger holds of `keys`, and all authority changes, to be compared before and after."""
    return (
        [ledger.history(key) for key in keys],
        ledger.histories(keys),
        [ledger.acts(key) for key in keys],
        ledger.authority_changes(),
        ledger.position(),
        ledger.newest_run(),
    )


FILTERS = [
    StateFilter(),
    StateFilter(source="other"),
    StateFilter(source="nowhere"),
    StateFilter(customer_ids=("2", "1")),
    StateFilter(customer_ids=("200", "9", "9", "77")),
    StateFilter(customer_ids=("9", "10", "77"), reports=("campaign",)),
    StateFilter(reports=("campaign",), since=FIRST_DAY + timedelta(days=1)),
    StateFilter(until=FIRST_DAY),
    StateFilter(since=FIRST_DAY + timedelta(days=1), until=FIRST_DAY + timedelta(days=1)),
    StateFilter(since=FIRST_DAY + timedelta(days=2), until=FIRST_DAY),
    StateFilter("google_ads", ("1", "10"), ("campaign", "keyword"), FIRST_DAY, FIRST_DAY + timedelta(days=1)),
    StateFilter(statuses=(PartitionStatus.FAILED,)),
    StateFilter(statuses=(PartitionStatus.PENDING,)),
    StateFilter(statuses=(PartitionStatus.SUCCESS,), since=FIRST_DAY, until=FIRST_DAY),
    StateFilter(statuses=tuple(PartitionStatus)),
    StateFilter(statuses=(PartitionStatus.FAILED, PartitionStatus.PENDING), customer_ids=("9", "10")),
    StateFilter(reports=("keyword",), statuses=(PartitionStatus.SUCCESS,)),
    StateFilter("google_ads", ("10", "9"), ("ad_group",), FIRST_DAY, FIRST_DAY, (PartitionStatus.FAILED,)),
]


def matches(key: PartitionKey, status: PartitionStatus, wanted: StateFilter) -> bool:
    """Whether a partition with this status is one that `wanted` selects."""
    return wanted.selects(key) and (not wanted.statuses or status in wanted.statuses)
