"""SQLite's errors as errors that a user can act on."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gads_domain.errors import GadsError, HeldElsewhereError, LedgerError, LedgerFullError, UnsupportedContractError

_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DENIED = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}

RESTORE = "restore it from a backup, or move it away and validate the sealed runs into a new one"


def primary_code(error: Exception) -> int:
    """SQLite's primary result code; 0 for an error that is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translated(error: sqlite3.Error, path: Path) -> GadsError | None:
    """The error to raise in place of SQLite's; None for a bug of this software."""
    code = primary_code(error)
    if code in _HELD:
        return HeldElsewhereError(
            f"another process holds the ledger {path}", hint="run again when the other command has ended"
        )
    if code in _DENIED:
        return LedgerError(
            f"the ledger {path} cannot be opened or written: {error}",
            hint="check the permissions of the file and of its folder",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return not_a_ledger(path)
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return LedgerFullError(f"no space is left for the ledger {path}; it keeps what it had recorded")
    if code == sqlite3.SQLITE_IOERR:
        return LedgerError(f"the disk failed under the ledger {path}: {error}", hint="check the disk, then run again")
    return None


@contextmanager
def translate(path: Path) -> Iterator[None]:
    """Raise the user's errors in place of SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        known = translated(error, path)
        if known is None:
            raise
        raise known from error


def not_a_ledger(path: Path) -> LedgerError:
    """The error of a file that is something else."""
    return LedgerError(f"{path} is not a ledger", hint="point storage.state at a ledger, or at a path that is free")


def damaged(path: Path, detail: str) -> LedgerError:
    """The error of a ledger that cannot be read any more."""
    return LedgerError(f"the ledger {path} is damaged: {detail}", hint=RESTORE)


def unreadable(path: Path, error: OSError) -> LedgerError:
    """The error of a file that the operating system does not let us look at."""
    return LedgerError(
        f"the ledger {path} cannot be opened: {error.strerror}", hint="check the permissions of its folder"
    )


def closed(path: Path) -> LedgerError:
    """The error of a ledger that is used after `close`."""
    return LedgerError(f"the ledger {path} was closed", hint="open it again to read or write")


def too_new(path: Path, found: int, known: int) -> UnsupportedContractError:
    """The error of a ledger that a later version of this software has written."""
    return UnsupportedContractError(
        f"the ledger {path} has tables of version {found}; this version reads up to {known}"
    )
