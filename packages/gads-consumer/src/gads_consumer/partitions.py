"""A partition that the ledger vouches for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gads_domain.errors import LedgerError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.run import RunId
from gads_domain.state import AuthorityChange


@dataclass(frozen=True, slots=True, order=True)
class TrustedPartition:
    """The one run of a logical partition that may be read, with the sum of the very seal that was judged."""

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


def vouched_for(entry: AuthorityChange) -> TrustedPartition | None:
    """The partition that is to be believed after `entry`, None if no run is; raises `LedgerError` if it is damaged."""
    if entry.to_run is None:
        return None
    if entry.record_count is None or entry.schema_version is None or entry.seal_sha256 is None:
        raise LedgerError(
            f"move {entry.sequence} of the ledger vouches for {entry.key} without naming its seal",
            hint="restore the ledger from a backup",
        )
    return TrustedPartition(entry.key, entry.to_run, entry.record_count, entry.schema_version, entry.seal_sha256)


_MOST_MOVES = 2**63
"""No ledger numbers further than a signed 64-bit integer does."""


def last_entry(ledger: StateReader, position: int) -> AuthorityChange | None:
    """The move with the number `position`, if the log has one."""
    if not 1 <= position < _MOST_MOVES:
        return None
    found = ledger.authority_changes(after=position - 1, limit=1)
    return found[0] if found and found[0].sequence == position else None
