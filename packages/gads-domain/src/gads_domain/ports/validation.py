"""Who says what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gads_domain.errors import FailureReason
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import PartitionState, ValidationResult


@dataclass(frozen=True, slots=True)
class UnsealedRun:
    """A run that was started for a partition and did not seal it, with the extractor's reason."""

    run_id: RunId
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class PartitionValidation:
    """What validating one partition came to: the state before and after, and what was newly judged."""

    before: PartitionState
    after: PartitionState
    results: tuple[ValidationResult, ...]

    @property
    def changed(self) -> bool:
        """Whether status or authority is another than before."""
        return (self.before.status, self.before.current_run_id) != (
            self.after.status,
            self.after.current_run_id,
        )


class PartitionValidator(Protocol):
    """Judges what was sealed and moves authority.

    Laws:

    1. The only writer of `success` and `failed`.
    2. Idempotent: validating again what was judged changes nothing. Any number may run at once, in any order, and
       the final state is the same.
    3. A failed restatement leaves the authority where it was.
    4. Every sealed run of a key that was not judged is judged; a damaged one is recorded as rejected, never skipped.
    """

    def validate(
        self,
        keys: Sequence[PartitionKey],
        *,
        unsealed: Mapping[PartitionKey, UnsealedRun] | None = None,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        """Judge `keys`, in order; with `recheck` also the seals that were judged before, to find later damage."""
        ...
