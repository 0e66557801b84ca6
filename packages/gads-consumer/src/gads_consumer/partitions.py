"""The authoritative partition after an entry of the ledger's log."""

from __future__ import annotations

from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import LedgerError
from gads_domain.ports.ledger import StateReader
from gads_domain.state import AuthorityChange


def vouched_for(entry: AuthorityChange) -> CurrentPartition | None:
    """The partition that is to be believed after `entry`, None if no run is; raises `LedgerError` if it is damaged."""
    if entry.to_run is None:
        return None
    if entry.record_count is None or entry.schema_version is None or entry.seal_sha256 is None:
        raise LedgerError(
            f"move {entry.sequence} of the ledger vouches for {entry.key} without naming its seal",
            hint="restore the ledger from a backup",
        )
    return CurrentPartition(entry.key, entry.to_run, entry.record_count, entry.schema_version, entry.seal_sha256)


_MOST_MOVES = 2**63
"""No ledger numbers further than a signed 64-bit integer does."""


def last_entry(ledger: StateReader, position: int) -> AuthorityChange | None:
    """The move with the number `position`, if the log has one."""
    if not 1 <= position < _MOST_MOVES:
        return None
    found = ledger.authority_changes(after=position - 1, limit=1)
    return found[0] if found and found[0].sequence == position else None
