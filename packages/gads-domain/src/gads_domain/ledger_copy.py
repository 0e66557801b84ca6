"""Copies of a ledger in a file: for a backup, for another machine, and back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from gads_domain.documents import members_of


@dataclass(frozen=True, slots=True)
class LedgerCopy:
    """A ledger in one file: which ledger at which position of its log, how many bytes, and their sha256."""

    path: Path
    ledger_id: str
    position: int
    bytes: int
    sha256: str

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        return {"version": 1, "path": str(self.path), **members_of(self, ("ledger_id", "position", "bytes", "sha256"))}


@dataclass(frozen=True, slots=True)
class Restoration:
    """What a copy took the place of.

    - `replaced` is the position of the ledger that was there; None if there was none, or it could not be read.
    - `kept` is where that ledger lies now; None if there was none, and in a dry run.
    """

    copy: LedgerCopy
    replaced: int | None
    kept: Path | None

    @property
    def lost(self) -> int | None:
        """How many authority changes came after the copy and are on record no more; None if that is not known."""
        return None if self.replaced is None else max(self.replaced - self.copy.position, 0)

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **self.copy.to_document(),
            **members_of(self, ("replaced", "lost")),
            "kept": self.kept and str(self.kept),
        }


@runtime_checkable
class CopiedLedgerAdapter(Protocol):
    """A ledger's adapter that can put the whole ledger into a file and take it from there.

    - A copy is the ledger of one moment, whatever is written meanwhile, and no writer or reader waits for it.
    - No file is overwritten by `back_up`. What has the copy's name is whole, was read back, and survives a crash of
      the machine; at whatever moment the process dies, there is no half of one.
    - `restore` refuses a ledger that another process has open, and a copy that is damaged, of another ledger than the
      one that is there, or from a later version: then nothing has changed.
    - At whatever moment a `restore` dies, the ledger is the former one or the copy, whole. The former one is kept
      beside it, and the copy stays as it is.
    - A dry run refuses what a restoration would refuse, and changes nothing.
    """

    def back_up(self, url: str, base: Path, copy: Path) -> LedgerCopy:
        """Write the ledger to `copy`; raises `UsageError` if that exists, `LedgerError` if there is no ledger."""

    def restore(self, url: str, base: Path, copy: Path, *, dry_run: bool) -> Restoration:
        """Put the ledger in `copy` in its place.

        Raises `UsageError`, `LedgerError`, `UnsupportedContractError`, `HeldElsewhereError`.
        """
