"""A logical partition and the run of it that is authoritative."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId


@dataclass(frozen=True, slots=True, order=True)
class CurrentPartition:
    """The one run of a logical partition that may be read, with the sha256 of the very seal that was validated."""

    key: PartitionKey
    run_id: RunId
    record_count: int
    schema_version: int
    seal_sha256: str

    @property
    def customer_id(self) -> str:
        """The account."""
        return self.key.customer_id

    @property
    def logical_date(self) -> date:
        """The day, in the account's own time zone."""
        return self.key.logical_date

    def __str__(self) -> str:
        return f"{self.key} of run {self.run_id}"
