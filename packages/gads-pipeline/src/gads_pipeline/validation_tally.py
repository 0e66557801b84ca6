"""What a validation of many partitions came to, counted as they go by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gads_domain.documents import members_of
from gads_domain.errors import GadsError
from gads_domain.ports.validation import PartitionValidation


@dataclass(slots=True)
class ValidationTally:
    """What was validated so far; no result is kept."""

    looked_at: int = 0
    validated_runs: int = 0
    rejected_runs: int = 0
    not_success: int = 0
    authority_changed: int = 0
    error: GadsError | None = None

    def count(self, validations: Iterator[PartitionValidation]) -> Iterator[PartitionValidation]:
        """Hand on each of `validations`, counted, and note the error that ends them."""
        try:
            for validation in validations:
                self.looked_at += 1
                self.validated_runs += len(validation.results)
                self.rejected_runs += len(validation.rejected)
                self.not_success += not validation.is_success
                self.authority_changed += validation.changed
                yield validation
        except GadsError as error:
            self.error = error
            raise

    def to_document(self) -> dict[str, Any]:
        """The counts as JSON."""
        names = ("looked_at", "validated_runs", "rejected_runs", "not_success", "authority_changed")
        error = None if self.error is None else members_of(self.error, ("code", "message", "hint"))
        return {**members_of(self, names), "error": error}
