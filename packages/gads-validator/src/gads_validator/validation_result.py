"""The validation result of a run, from what its inspection found."""

from dataclasses import replace
from datetime import datetime

from gads_domain.errors import CHECK_FAILED, DamagedPartitionError, FailureReason
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader
from gads_domain.ports.validation import UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import CheckResult, KeyHistory, ValidationOutcome, ValidationResult
from gads_domain.state_machine import effective_results
from gads_validator.checks.payload import PAYLOAD_SHA256, PAYLOAD_SIZE, READABLE, SCHEMA_FINGERPRINT, check_drift
from gads_validator.checks.seal import IDENTITY, SEAL
from gads_validator.inspection import Inspection, rows_of
from gads_validator.restatement import differences

_DAMAGE = frozenset({SEAL, IDENTITY, PAYLOAD_SIZE, PAYLOAD_SHA256, READABLE})
_DAMAGE_HINT = "what is stored is not what was sealed; check the storage and reprocess the partition with a new run"
_DRIFT_HINT = "raise the report's schema_version if the new shape is meant; then reprocess the partition"
_ROWS_HINT = "reprocess the partition with a new run; if it fails again, the report or its declared checks are wrong"


def validation_result(
    key: PartitionKey,
    run_id: RunId,
    inspection: Inspection,
    pinned: TableSchema | None,
    validated_at: datetime,
    vanished_rows: float,
) -> ValidationResult:
    """The result of `inspection`, with the schema fixed for its version (None: none is yet)."""
    results = _with_drift(inspection, pinned)
    failed = [result for result in results if not result.passed]
    facts = inspection.metadata.facts if inspection.metadata else None
    return ValidationResult(
        key=key,
        run_id=run_id,
        outcome=ValidationOutcome.REJECTED if failed else ValidationOutcome.PASSED,
        validated_at=validated_at,
        checks=results,
        failure=_reason(failed, inspection.grain_hint) if failed else None,
        schema_version=facts.schema_version if facts else None,
        record_count=facts.record_count if facts else None,
        seal_sha256=inspection.seal_sha256,
        content_sha256=None if failed else inspection.content_sha256,
        vanished_rows=None if failed else vanished_rows,
    )


def unsealed_result(key: PartitionKey, run: UnsealedRun, validated_at: datetime) -> ValidationResult:
    """The result of a run that was started and did not seal."""
    return ValidationResult(key, run.run_id, ValidationOutcome.UNSEALED, validated_at, failure=run.reason)


def with_changes(
    result: ValidationResult, inspection: Inspection, history: KeyHistory, reader: RawReader
) -> ValidationResult:
    """`result` with what the run changes against the one that is authoritative now; as it is if it restates nothing.

    Raises `StorageError` if the storage fails while the authoritative run is read.
    """
    current = history.state.current_run_id
    if result.outcome is not ValidationOutcome.PASSED or current is None or current >= result.run_id:
        return result
    against = str(current)
    known = next((one for one in effective_results(history.results) if one.run_id == current), None)
    mine = (result.content_sha256, result.schema_version)
    if known is not None and (known.content_sha256, known.schema_version) == mine:
        return replace(result, changes={"against_run": against, "equal": True})
    try:
        metadata, rows = (
            (inspection.metadata, inspection.table)
            if inspection.metadata and inspection.table is not None
            else rows_of(reader, result.key, result.run_id)
        )
        before, before_rows = rows_of(reader, result.key, current)
    except DamagedPartitionError as error:
        return replace(result, changes={"against_run": against, "not_compared": error.message})
    found = differences(before_rows, before.facts.schema, rows, metadata.facts.schema)
    return replace(result, changes={"against_run": against, **found})


def _with_drift(inspection: Inspection, pinned: TableSchema | None) -> tuple[CheckResult, ...]:
    """The check results with the comparison to the ledger's schema in its place among them."""
    if inspection.metadata is None or pinned is None:
        return inspection.results
    drift = check_drift(inspection.metadata, pinned)
    if drift.passed:
        return inspection.results
    merged = []
    for result in inspection.results:
        if result.name != SCHEMA_FINGERPRINT:
            merged.append(result)
        elif result.passed:
            merged.append(drift)
        else:
            merged.append(replace(result, detail=f"{result.detail}; {drift.detail}"))
    if all(result.name != SCHEMA_FINGERPRINT for result in merged):
        merged.append(drift)
    return tuple(merged)


def _reason(failed: list[CheckResult], grain_hint: str) -> FailureReason:
    message = "; ".join(f"{result.name}: {result.detail}" for result in failed)
    names = {result.name for result in failed}
    if names & _DAMAGE:
        hint = _DAMAGE_HINT
    elif SCHEMA_FINGERPRINT in names:
        hint = _DRIFT_HINT
    else:
        hint = grain_hint or _ROWS_HINT
    return FailureReason(CHECK_FAILED, message, retryable=False, hint=hint)
