"""A ledger's file as a copy of one moment, and a copy in the place of the ledger."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

from gads_domain.clock import SystemClock
from gads_domain.errors import LedgerError, UsageError
from gads_domain.ledger_copy import LedgerCopy, Restoration
from gads_state_sqlite.errors import damaged, primary_code, translate
from gads_state_sqlite.ledger_file import beside, connect, require_file, require_ledger, sync_folder, uri_of
from gads_state_sqlite.read_only_file import ReadOnlyFile
from gads_state_sqlite.schema import MIGRATIONS

_UNREADABLE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT}


def back_up(path: Path, copy: Path, busy_seconds: float) -> LedgerCopy:
    """Write the ledger at `path` to `copy`, which must not exist, and read it back."""
    if copy.exists():
        raise _taken(copy)
    with beside(copy) as building:
        made = _copied(path, building, busy_seconds)
        try:
            os.link(building, copy)
        except FileExistsError:
            raise _taken(copy) from None
        sync_folder(copy.parent)
    return LedgerCopy(copy, *made)


def restore(path: Path, copy: Path, busy_seconds: float, *, dry_run: bool) -> Restoration:
    """Put the ledger in `copy` in the place of the one at `path`, which no process may have open; that one is kept."""
    if not copy.is_file():
        raise UsageError(f"there is no file {copy}", hint="name a file that `state backup` has written")
    if path.exists() and path.samefile(copy):
        raise UsageError(f"{copy} is the ledger itself", hint="name a file that `state backup` has written")
    with ExitStack() as opened:
        building = None if dry_run else opened.enter_context(beside(path))
        scratch = building or Path(opened.enter_context(TemporaryDirectory()), copy.name)
        found = LedgerCopy(copy, *_copied(copy, scratch, busy_seconds))
        if not path.exists():
            if building is not None:
                os.link(building, path)
                sync_folder(path.parent)
            return Restoration(found, None, None)
        require_file(path)
        replaced = opened.enter_context(_unused(path, found, dry_run=dry_run))
        if building is None:
            return Restoration(found, replaced, None)
        stamp = SystemClock().now().astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        kept = path.with_name(f"{path.name}.replaced-{stamp}")
        os.link(path, kept)
        if replaced is None:  # any other has taken up its log by now
            with suppress(FileNotFoundError):
                Path(f"{path}-wal").replace(f"{kept}-wal")
        building.replace(path)
        sync_folder(path.parent)
        return Restoration(found, replaced, kept)


def _copied(path: Path, building: Path, busy_seconds: float) -> tuple[str, int, int, str]:
    """Copy a ledger to a new file; returns its id, its position, and the bytes and sha256 of the copy."""
    source = ReadOnlyFile(path, busy_seconds)

    def copied(connection: sqlite3.Connection) -> tuple[str, int] | None:
        found = _identity(connection)
        building.unlink(missing_ok=True)  # of a try that a writer's change has made void
        with closing(connect(uri_of(building, mode="rwc"), busy_seconds)) as written:
            connection.backup(written)
        return found

    with translate(path):
        try:
            found = source.read(copied)
        finally:
            source.close()
    if found is None:
        raise LedgerError(f"there is no ledger at {path}", hint="check the path")
    with translate(building), closing(connect(uri_of(building, mode="ro", immutable="1"), busy_seconds)) as written:
        require_ledger(written, path, len(MIGRATIONS))
        problems = [row[0] for row in written.execute("PRAGMA integrity_check(1)")]
        if problems != ["ok"]:
            raise damaged(path, problems[0])
        if _identity(written) != found:
            raise LedgerError(f"the copy of {path} is not what was read", hint="check the disk, then run again")
    with building.open("r+b") as file:
        digest = file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return *found, os.fstat(file.fileno()).st_size, digest


def _identity(connection: sqlite3.Connection) -> tuple[str, int] | None:
    row = connection.execute(
        "SELECT ledger_id, (SELECT coalesce(max(sequence), 0) FROM authority_log) FROM ledger_meta"
    ).fetchone()
    return None if row is None else (str(row[0]), int(row[1]))


@contextmanager
def _unused(path: Path, copy: LedgerCopy, *, dry_run: bool) -> Iterator[int | None]:
    """Keep every other process from opening the ledger; its position, or None if it cannot be read.

    Raises `HeldElsewhereError` if one has it open, and `UsageError` if it is another ledger than the copy's.
    """
    with closing(connect(uri_of(path, mode="rw"), 0)) as held:
        position = None
        with translate(path):
            try:
                held.execute("PRAGMA locking_mode = EXCLUSIVE")
                held.execute("BEGIN EXCLUSIVE")
                require_ledger(held, path, len(MIGRATIONS))
                found = _identity(held)
                held.execute("COMMIT")
                if not dry_run:
                    held.execute("PRAGMA journal_mode = DELETE")  # takes up the log, so that the file is whole alone
            except sqlite3.DatabaseError as error:
                if primary_code(error) not in _UNREADABLE:
                    raise
                found = None
        if found is not None:
            ledger_id, position = found
            if ledger_id != copy.ledger_id:
                raise UsageError(
                    f"{copy.path} is of the ledger {copy.ledger_id}; {path} is {ledger_id}",
                    hint="check storage.state; to replace one ledger by another, move the file away first",
                )
        yield position


def _taken(copy: Path) -> UsageError:
    return UsageError(f"{copy} exists already", hint="name a file that does not exist; a backup never overwrites one")
