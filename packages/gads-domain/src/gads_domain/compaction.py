"""Ledgers that give back the space that they do not use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Compaction:
    """How many bytes a ledger takes before and after its compaction; an estimate if it was not performed."""

    bytes_before: int
    bytes_after: int
    is_estimate: bool = False

    def to_document(self) -> dict[str, int | bool]:
        """As JSON."""
        return {
            "version": 1,
            "compacted": not self.is_estimate,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "bytes_freed": max(self.bytes_before - self.bytes_after, 0),
        }


@runtime_checkable
class CompactableLedgerAdapter(Protocol):
    """A `LedgerAdapter` whose ledgers keep space that they do not use, or hold what an earlier version wrote larger."""

    def compact(self, url: str, base: Path, *, dry_run: bool, say: Callable[[str], None]) -> Compaction:
        """Take no more space than the ledger needs; a compaction that is stopped loses nothing and can be repeated.

        What is on record stays as it is for every reader, also meanwhile. With `dry_run` nothing is written. `say` gets
        a line for people now and then. Raises what opening for the validator raises.
        """
