"""A logical partition and the run of it that is authoritative."""

from dataclasses import dataclass

from gads_domain.partition_key import Keyed, PartitionKey
from gads_domain.run import RunId


@dataclass(frozen=True, slots=True, order=True)
class CurrentPartition(Keyed):
    """The one run of a logical partition that may be read, with the sha256 of the very seal that was validated."""

    key: PartitionKey
    run_id: RunId
    record_count: int
    schema_version: int
    seal_sha256: str

    def __str__(self) -> str:
        return f"{self.key} of run {self.run_id}"
