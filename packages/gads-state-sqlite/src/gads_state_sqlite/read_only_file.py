"""Reads a ledger file without changing anything on disk, while other processes may write it.

An idle ledger is one file and is read as immutable: SQLite's ordinary way would leave a `-wal` and a `-shm` file beside
it. Immutable means without locks, so a read counts only if the file is unchanged afterwards; otherwise it is repeated.
While there is a `-wal` file, a writer is at work or has crashed, and SQLite's own protocol is followed, with the shared
memory opened read-only.
"""

import enum
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from gads_domain.errors import GadsError, HeldElsewhereError, LedgerError
from gads_state_sqlite.errors import closed, primary_code, translated, unreadable
from gads_state_sqlite.ledger_file import connect, require_file, require_ledger, uri_of
from gads_state_sqlite.migration import migrate
from gads_state_sqlite.queries import Statement
from gads_state_sqlite.schema import MIGRATIONS, OLDEST_READABLE, version_of

_T = TypeVar("_T")

CHUNK = 2_000
"""Rows fetched at once from a stream."""

_SETTLED_NS = 20_000_000
"""Longer than the tick of a kernel's file clock: a file older than this shows every later write in its mtime."""

_PAUSE_SECONDS = 0.002

_PASSING = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}
"""Errors that a reader can meet for a moment while a writer opens or closes the file."""

_OPENING_SECONDS = 2.0


class _Mode(enum.Enum):
    EMPTY = "there is no file"
    IMMUTABLE = "there is no writer"
    SHARED = "there is a write-ahead log"


@dataclass(frozen=True, slots=True)
class _OnDisk:
    """What is on disk at a moment; `stamp` changes with every write and is None where SQLite's locks are used."""

    mode: _Mode
    identity: tuple[int, int] | None = None
    stamp: tuple[int, int, int] | None = None
    has_shared_memory: bool = False


@dataclass(slots=True)
class _Opened:
    connection: sqlite3.Connection
    seen: _OnDisk

    def is_current(self, now: _OnDisk) -> bool:
        """Whether the next query may use the open connection."""
        return (self.seen.mode, self.seen.identity, self.seen.stamp) == (now.mode, now.identity, now.stamp)

    def was_sound(self, now: _OnDisk) -> bool:
        """Whether what was just read is of one moment."""
        if self.seen.mode is not _Mode.IMMUTABLE:
            return True
        return (self.seen.identity, self.seen.stamp) == (now.identity, now.stamp)


class ReadOnlyFile:
    """A ledger file opened for reading alone; an absent one reads as an empty ledger. Threads take turns."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._opened: _Opened | None = None
        self._closed = False
        _open_files.add(self)

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in one consistent moment of the ledger; it may be run more than once."""

        def once() -> _T:
            opened = self._current()
            try:
                result = _in_transaction(opened.connection, work)
            except BaseException:
                self._drop()
                raise
            if not opened.was_sound(self._look()):
                self._drop()
                raise _ChangedError
            return result

        with self._lock:
            self._require_open()
            return self._until_sound(once)

    def stream(self, plan: Callable[[sqlite3.Connection], Statement]) -> Iterator[tuple[Any, ...]]:
        """The rows of the statement that `plan` makes, of one consistent moment, in bounded memory.

        The moment is that of the call. The stream has a connection of its own, so that nothing waits for its end.
        """
        self._require_open()

        def once() -> Iterator[tuple[Any, ...]]:
            opened = self._open(self._look())
            try:
                first, rest = self._begin(opened, plan)
            except BaseException:
                opened.connection.close()
                raise
            if rest is None:
                opened.connection.close()
                return iter(first)
            return _remaining(opened.connection, first, rest)

        return self._until_sound(once)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._closed = True
            self._drop()

    def _begin(
        self, opened: _Opened, plan: Callable[[sqlite3.Connection], Statement]
    ) -> tuple[list[tuple[Any, ...]], sqlite3.Cursor | None]:
        connection = opened.connection
        connection.execute("BEGIN")
        statement, values = plan(connection)
        cursor = connection.execute(statement, values)
        first = cursor.fetchmany(CHUNK)
        more = len(first) == CHUNK
        if more and opened.seen.mode is _Mode.IMMUTABLE:
            # Rows that were handed out cannot be taken back, so all are copied before the file is looked at again.
            cursor.close()
            connection.execute(f"CREATE TEMP TABLE copied AS {statement}", values)
            cursor = connection.execute("SELECT * FROM copied ORDER BY rowid")
            first = cursor.fetchmany(CHUNK)
        if not opened.was_sound(self._look()):
            raise _ChangedError
        return first, cursor if more else None

    def _until_sound(self, once: Callable[[], _T]) -> _T:
        """The result of `once`, repeated while a writer changes the file; raises the last error after a time."""
        start = time.monotonic()
        while True:
            before = self._look()
            try:
                return once()
            except _ChangedError:
                known: GadsError = HeldElsewhereError(
                    f"the ledger {self._path} is written without a pause", hint="run again in a moment"
                )
                seconds = self._busy_seconds
            except (sqlite3.Error, GadsError) as error:
                found = error if isinstance(error, GadsError) else translated(error, self._path)
                if found is None:
                    raise
                known = found
                seconds = self._seconds_to_retry(error, before)
                if seconds == 0:
                    raise known from error
            if time.monotonic() - start >= seconds:
                raise known
            time.sleep(_PAUSE_SECONDS)

    def _seconds_to_retry(self, error: Exception, before: _OnDisk) -> float:
        # What is read without locks can look damaged while it is being written.
        if before != self._look():
            return self._busy_seconds
        if before.mode is _Mode.SHARED and primary_code(error) in _PASSING:
            return min(self._busy_seconds, _OPENING_SECONDS)
        return 0

    def _current(self) -> _Opened:
        seen = self._look()
        if self._opened is not None:
            if self._opened.is_current(seen):
                return self._opened
            self._drop()
        self._opened = self._open(seen)
        return self._opened

    def _open(self, seen: _OnDisk) -> _Opened:
        if seen.mode is _Mode.EMPTY:
            connection = connect("file::memory:", self._busy_seconds)
            migrate(connection)
            return _Opened(connection, seen)
        require_file(self._path)
        if seen.mode is _Mode.IMMUTABLE:
            seen = self._settled(seen)
            uri = uri_of(self._path, mode="ro", immutable="1")
        elif seen.has_shared_memory and not _writers[self._path]:
            uri = uri_of(self._path, mode="ro", readonly_shm="1")
        else:
            uri = uri_of(self._path, mode="ro")
        connection = connect(uri, self._busy_seconds)
        try:
            try:
                require_ledger(connection, self._path, len(MIGRATIONS))
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_READONLY:
                    raise
                # No writer has yet marked a place in the shared memory from which a read-only reader can start.
                connection.close()
                connection = connect(uri_of(self._path, mode="ro"), self._busy_seconds)
                require_ledger(connection, self._path, len(MIGRATIONS))
            if version_of(connection) < OLDEST_READABLE:
                raise LedgerError(
                    f"the ledger {self._path} has tables of version {version_of(connection)}, which only a writer can "
                    f"bring up to {len(MIGRATIONS)}",
                    hint="open it once as a writer, for example by `Pipeline.validate`",
                )
        except BaseException:
            connection.close()
            raise
        return _Opened(connection, seen)

    def _settled(self, seen: _OnDisk) -> _OnDisk:
        if seen.stamp is not None:
            age = time.time_ns() - seen.stamp[0]
            if 0 <= age < _SETTLED_NS:
                time.sleep((_SETTLED_NS - age) / 1e9)
                now = self._look()
                if now != seen:
                    raise _ChangedError
        return seen

    def _look(self) -> _OnDisk:
        try:
            main = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return _OnDisk(_Mode.EMPTY)
        except OSError as error:
            raise unreadable(self._path, error) from error
        identity = (main.st_dev, main.st_ino)
        stamp = (main.st_mtime_ns, main.st_ctime_ns, main.st_size)
        # SQLite keeps both beside the file itself, not beside a symbolic link to it.
        file = os.path.realpath(self._path)
        log_bytes = _size(Path(f"{file}-wal"))
        shared_memory = _size(Path(f"{file}-shm"))
        # A writer that died while it opened the file leaves an empty log without shared memory.
        if log_bytes is None or (log_bytes == 0 and shared_memory is None):
            return _OnDisk(_Mode.IMMUTABLE, identity, stamp)
        return _OnDisk(_Mode.SHARED, identity, None, shared_memory is not None)

    def _require_open(self) -> None:
        if self._closed:
            raise closed(self._path)

    def _drop(self) -> None:
        if self._opened is not None:
            self._opened.connection.close()
            self._opened = None


class _ChangedError(Exception):
    """The file changed during a read without locks."""


_open_files: WeakSet[ReadOnlyFile] = WeakSet()

_writers: Counter[Path] = Counter()
"""How many connections of this process have a file open for writing, or are about to."""


def make_way_for_a_writer(path: Path, open_it: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """Open `path` for writing, where connections of this process may read it.

    SQLite opens the shared memory once a process: while it is read-only for a reader, no connection can write. So
    readers are closed before, and open it as a writer does until `writer_left`. A stream is waited for.
    """
    _writers[path] += 1
    deadline = time.monotonic() + _OPENING_SECONDS
    try:
        while True:
            readers = _closed_at_once(path)
            connection = open_it()
            if not readers or _may_write(connection) or time.monotonic() >= deadline:
                return connection
            connection.close()
            time.sleep(_PAUSE_SECONDS)
    except BaseException:
        writer_left(path)
        raise


def _closed_at_once(path: Path) -> list[ReadOnlyFile]:
    """Close the readers of `path` at one moment: one that opens while another is open shares its shared memory."""
    readers = sorted((file for file in list(_open_files) if file._path == path), key=id)
    with ExitStack() as held:
        for file in readers:
            held.enter_context(file._lock)
        for file in readers:
            file._drop()
    return readers


def _may_write(connection: sqlite3.Connection) -> bool:
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return primary_code(error) != sqlite3.SQLITE_READONLY
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")
    return True


def writer_left(path: Path) -> None:
    """The writer that way was made for has closed the file, or could not open it."""
    _writers[path] -= 1


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        with suppress(sqlite3.Error):
            connection.execute("COMMIT")


def _remaining(
    connection: sqlite3.Connection, first: list[tuple[Any, ...]], cursor: sqlite3.Cursor
) -> Iterator[tuple[Any, ...]]:
    try:
        yield from first
        while rows := cursor.fetchmany(CHUNK):
            yield from rows
    finally:
        connection.close()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
