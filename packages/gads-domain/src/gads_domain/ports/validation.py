"""The port of the validator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gads_domain.errors import FailureReason
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import Confirmation, PartitionState, PartitionStatus, ValidationOutcome, ValidationResult


@dataclass(frozen=True, slots=True)
class UnsealedRun:
    """A run that was started for a partition and did not seal it, with the reason."""

    run_id: RunId
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class PartitionValidation:
    """The result of validating one partition: the state before and after, and the new validation results."""

    before: PartitionState
    after: PartitionState
    results: tuple[ValidationResult, ...]

    @property
    def is_success(self) -> bool:
        """Whether the partition is `success` and its newest run was not rejected."""
        return self.after.status is PartitionStatus.SUCCESS and not self.after.last_error

    @property
    def rejected(self) -> list[ValidationResult]:
        """The new results of runs that did not pass."""
        return [result for result in self.results if result.outcome is not ValidationOutcome.PASSED]

    @property
    def changed(self) -> bool:
        """Whether status or authority is another than before."""
        return (self.before.status, self.before.current_run_id) != (
            self.after.status,
            self.after.current_run_id,
        )


class PartitionValidator(Protocol):
    """Validates what was sealed and decides which run is authoritative.

    Laws:

    1. The only writer of `success` and `failed`.
    2. Idempotent: validating again changes nothing. Any number may run at once, in any order, and
       the final state is the same.
    3. A failed restatement leaves the authority where it was.
    4. Every sealed run of a key without a validation result gets one; a damaged one is rejected, never skipped.
    5. A restatement that holds no rows where the run before it held some passes and is held for a decision: the
       authority stays where it was until the run is accepted or a later one holds rows. What takes the authority from
       the run before, such as a revocation, does not give it to the one that is held.
    6. A run is confirmed only while it is authoritative with these very rows; the confirmation of any other is refused,
       and changes nothing. A confirmation moves no authority and adds no validation result; it counts from then on like
       a run that sealed the same rows once more: an older failure or held run no longer shows, and an older run that is
       validated later does not win.
    """

    def validate(
        self,
        keys: Sequence[PartitionKey],
        *,
        unsealed: Mapping[PartitionKey, UnsealedRun] | None = None,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        """Validate `keys`, in order; with `recheck` also what was validated before, to find later damage."""

    def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
        """Confirm runs whose rows came again; for each, in order, whether it is confirmed, and not refused."""
