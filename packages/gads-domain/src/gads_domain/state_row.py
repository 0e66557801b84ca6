"""A row of the ledger as it is shown to people and programs: contracts/state/v1."""

from typing import Any

from gads_domain.documents import members_of, plain
from gads_domain.partition_key import KEY_MEMBERS
from gads_domain.ports.validation import PartitionValidation
from gads_domain.state import AuthorityChange, PartitionState

ROW_FIELDS = (
    *KEY_MEMBERS,
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
    return members_of(state, ROW_FIELDS)


def authority_change_row(entry: AuthorityChange) -> dict[str, str | int | None]:
    """The document that contracts/state/v1/log-entry.schema.json describes."""
    return {**plain(entry)}


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
