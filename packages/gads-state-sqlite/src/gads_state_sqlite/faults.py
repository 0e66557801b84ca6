"""What SQLite says when something is wrong, as errors that a user can act on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gads_domain.errors import GadsError, HeldElsewhereError, LedgerError, UnsupportedContractError

_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DENIED = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}


def translated(error: sqlite3.Error, path: Path) -> GadsError | None:
    """The error to raise instead of SQLite's; None if it is a fault of this software and should be seen as one."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _HELD:
        return HeldElsewhereError(
            f"another process holds the ledger {path}",
            hint="run again when the other command has ended",
        )
    if primary in _DENIED:
        return LedgerError(
            f"the ledger {path} cannot be opened or written: {error}",
            hint="check the permissions of the file and of its folder",
        )
    if primary == sqlite3.SQLITE_NOTADB:
        return not_a_ledger(path)
    if primary in _DAMAGED:
        return damaged(path, str(error))
    if primary == sqlite3.SQLITE_FULL:
        return LedgerError(
            f"no space is left for the ledger {path}; it keeps what it had recorded",
            hint="free space, then run the command again: what is sealed and not recorded is judged then",
        )
    if primary == sqlite3.SQLITE_IOERR:
        return LedgerError(f"the disk failed under the ledger {path}: {error}", hint="check the disk, then run again")
    return None


def not_a_ledger(path: Path) -> LedgerError:
    """`path` is something else."""
    return LedgerError(f"{path} is not a ledger", hint="point storage.state at a ledger, or at a path that is free")


def damaged(path: Path, detail: str) -> LedgerError:
    """`path` was a ledger once."""
    return LedgerError(
        f"the ledger {path} is damaged: {detail}",
        hint="restore it from a backup, or move it away and validate the sealed runs into a new one",
    )


def too_new(path: Path, found: int, known: int) -> UnsupportedContractError:
    """`path` was written by a later version of this software."""
    return UnsupportedContractError(f"the ledger {path} has tables of version {found}; this reads up to {known}")
