"""The file on disk: creates it whole or not at all, opens it for writing, checks that it is a ledger."""

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gads_domain.clock import SystemClock, iso_utc
from gads_domain.errors import LedgerError
from gads_state_sqlite.errors import damaged, not_a_ledger, too_new, translate, unreadable
from gads_state_sqlite.migration import Progress, migrate
from gads_state_sqlite.schema import APPLICATION_ID, MIGRATIONS, Migration, version_of

BUSY_SECONDS = 30.0
"""How long to wait for another process before `HeldElsewhereError`."""

Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]


def uri_of(path: Path, **parameters: str) -> str:
    """The file as SQLite's URI with open parameters such as `mode`."""
    options = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"{path.absolute().as_uri()}?{options}"


def connect(uri: str, busy_seconds: float) -> sqlite3.Connection:
    """A connection without Python's own transactions; several threads may use it if they take turns."""
    return sqlite3.connect(
        uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=64
    )


def open_for_writing(
    path: Path,
    busy_seconds: float,
    authorizer: Authorizer,
    migrations: Sequence[Migration] = MIGRATIONS,
    progress: Progress | None = None,
) -> sqlite3.Connection:
    """Open the ledger, create it if it is absent, and bring its tables up to date, which `progress` follows.

    Raises `LedgerError`, `UnsupportedContractError`, `HeldElsewhereError`.
    """
    if not path.exists():
        create(path, busy_seconds, migrations)
    require_file(path)
    with translate(path):
        connection = connect(uri_of(path, mode="rw"), busy_seconds)
        try:
            require_ledger(connection, path, len(migrations))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection, migrations, progress)
            # The first use declares the function's table, which no writer has the right to do.
            connection.execute("SELECT value FROM json_each('[]')").fetchall()
            connection.set_authorizer(authorizer)
        except BaseException:
            connection.close()
            raise
    return connection


def create(path: Path, busy_seconds: float, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make an empty ledger at `path` unless another process has made one meanwhile.

    It is built beside its place and then linked into it, so that no half-made ledger ever has the name.
    """
    with _built(path, busy_seconds, migrations) as building:
        try:
            os.link(building, path)
        except FileExistsError:
            return
        sync_folder(path.parent)


def open_as_it_is(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open the ledger for writing, with its tables as they are; raises as `open_for_writing` does."""
    require_file(path)
    with translate(path):
        connection = connect(uri_of(path, mode="rw"), busy_seconds)
        try:
            require_ledger(connection, path, len(MIGRATIONS))
        except BaseException:
            connection.close()
            raise
    return connection


def require_creatable(path: Path, busy_seconds: float) -> None:
    """Make sure that a ledger could be created at `path`, and leave nothing behind; raises `LedgerError`."""
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        with _built(path, busy_seconds, MIGRATIONS) as building:
            linked = building.with_suffix(".check")
            os.link(building, linked)
            linked.unlink()
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _built(path: Path, busy_seconds: float, migrations: Sequence[Migration]) -> Iterator[Path]:
    """An empty ledger beside `path`, gone at the end; an `OSError` of the block means that no ledger can be created."""
    with beside(path) as building:
        with translate(path), closing(connect(uri_of(building, mode="rwc"), busy_seconds)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection, migrations)
            connection.execute(
                "INSERT INTO ledger_meta (only_row, ledger_id, created_at) VALUES (1, ?, ?)",
                (str(uuid.uuid4()), iso_utc(SystemClock().now())),
            )
        yield building


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A hidden name beside `path`, gone at the end; an `OSError` of the block means that no ledger can be created."""
    building = path.with_name(f".{path.name}.{uuid.uuid4().hex}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield building
    except OSError as error:
        raise LedgerError(
            f"no ledger can be created at {path}: {error.strerror}",
            hint="check that the folder can be written and that its file system has hard links",
        ) from error
    finally:
        for leftover in (building, Path(f"{building}-wal"), Path(f"{building}-shm"), Path(f"{building}-journal")):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def require_file(path: Path) -> None:
    """Raise `LedgerError` for what cannot be a database: a folder, or an empty file."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            raise not_a_ledger(path)
    except OSError as error:
        raise unreadable(path, error) from error


def require_ledger(connection: sqlite3.Connection, path: Path, known_version: int) -> None:
    """Raise `LedgerError` if the open file is not a ledger, `UnsupportedContractError` if it is too new."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise not_a_ledger(path)
    version = version_of(connection)
    if version > known_version:
        raise too_new(path, version, known_version)
    if connection.execute("SELECT count(*) FROM ledger_meta").fetchone()[0] != 1:
        raise damaged(path, "it has lost its id")


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
