"""A row of the ledger as it is shown to people and programs: contracts/state/v1."""

from typing import Any

from gads_domain.clock import iso_utc
from gads_domain.ports.validation import PartitionValidation
from gads_domain.run import RunId
from gads_domain.state import AuthorityChange, PartitionState

ROW_FIELDS = (
    "source",
    "customer_id",
    "report",
    "logical_date",
    "status",
    "current_run_id",
    "schema_version",
    "record_count",
    "attempt_count",
    "updated_at",
    "last_error",
    "held_run_id",
    "confirmed_run_id",
    "confirmed_at",
)
"""The members of a row, in the order in which they are printed."""


def state_row(state: PartitionState) -> dict[str, str | int | None]:
    """The row that contracts/state/v1/state-row.schema.json describes, its members in the order of `ROW_FIELDS`."""
    return {
        "source": state.key.source,
        "customer_id": state.key.customer_id,
        "report": state.key.report,
        "logical_date": state.key.logical_date.isoformat(),
        "status": state.status.value,
        "current_run_id": _run(state.current_run_id),
        "schema_version": state.schema_version,
        "record_count": state.record_count,
        "attempt_count": state.attempt_count,
        "updated_at": None if state.updated_at is None else iso_utc(state.updated_at),
        "last_error": state.last_error,
        "held_run_id": _run(state.held_run_id),
        "confirmed_run_id": _run(state.confirmed_run_id),
        "confirmed_at": None if state.confirmed_at is None else iso_utc(state.confirmed_at),
    }


def authority_change_row(entry: AuthorityChange) -> dict[str, str | int | None]:
    """The document that contracts/state/v1/log-entry.schema.json describes."""
    return {
        "sequence": entry.sequence,
        "source": entry.key.source,
        "customer_id": entry.key.customer_id,
        "report": entry.key.report,
        "logical_date": entry.key.logical_date.isoformat(),
        "from_run": _run(entry.from_run),
        "to_run": _run(entry.to_run),
        "status_before": entry.status_before.value,
        "status_after": entry.status_after.value,
        "schema_version": entry.schema_version,
        "record_count": entry.record_count,
        "seal_sha256": entry.seal_sha256,
        "at": iso_utc(entry.at),
        "cause": entry.cause,
    }


def _run(run_id: RunId | None) -> str | None:
    return None if run_id is None else run_id.value


def validation_row(validation: PartitionValidation) -> dict[str, Any] | None:
    """The row after a validation with the runs that it rejected; None for a partition that is success as before."""
    if validation.is_success and not validation.rejected and not validation.changed:
        return None
    return {
        **state_row(validation.after),
        "authority_changed": validation.changed,
        "rejected_runs": [
            {
                "run_id": str(result.run_id),
                "failed_checks": [check.name for check in result.checks if not check.passed],
                "reason": str(result.failure),
            }
            for result in validation.rejected
        ],
    }
