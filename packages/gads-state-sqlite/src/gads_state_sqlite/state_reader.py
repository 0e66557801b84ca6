"""Reading a ledger file so that nothing on disk changes, whoever else is at work.

An idle ledger is one file, read as immutable: SQLite's ordinary way would leave a `-wal` and a `-shm` file beside it.
Immutable means without locks, so what was read counts only if the file is unchanged afterwards; otherwise it is read
again. While a `-wal` file is there, a writer is at work or has crashed, and SQLite's own protocol is followed, with
the shared memory opened read-only.
"""

from __future__ import annotations

import enum
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gads_domain.errors import GadsError, HeldElsewhereError, LedgerError
from gads_state_sqlite.faults import translated
from gads_state_sqlite.ledger_file import connect, require_file, require_ledger, uri_of
from gads_state_sqlite.schema import MIGRATIONS, OLDEST_READABLE, migrate, version_of

_T = TypeVar("_T")
Statement = tuple[str, Sequence[Any]]

CHUNK = 2_000
"""Rows fetched at once from a stream."""

_SETTLED_NS = 20_000_000
"""Longer than the tick of a kernel's file clock: a file older than this shows every later write in its mtime."""

_PAUSE_SECONDS = 0.002

_PASSING = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}
"""What a reader may meet for a moment while a writer opens or leaves the file."""

_OPENING_SECONDS = 2.0


class ReadSource(Protocol):
    """Where the queries of a repository run."""

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in one consistent moment of the ledger; it may be run more than once."""
        ...

    def stream(self, plan: Callable[[sqlite3.Connection], Statement]) -> Iterator[tuple[Any, ...]]:
        """The rows of the statement that `plan` makes, of one consistent moment, in bounded memory."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class _Way(enum.Enum):
    EMPTY = "there is no file"
    IMMUTABLE = "no writer is there"
    SHARED = "there is a write-ahead log"


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is on disk at a moment."""

    way: _Way
    identity: tuple[int, int] | None = None
    stamp: tuple[int, int, int] | None = None
    has_shared_memory: bool = False


@dataclass(slots=True)
class _Opened:
    connection: sqlite3.Connection
    sight: _Sight

    def is_current(self, now: _Sight) -> bool:
        """Whether a new question may be put to the open connection."""
        same = (self.sight.way, self.sight.identity) == (now.way, now.identity)
        return same and (now.way is not _Way.IMMUTABLE or self.sight.stamp == now.stamp)

    def was_sound(self, now: _Sight) -> bool:
        """Whether what was just read is of one moment."""
        if self.sight.way is not _Way.IMMUTABLE:
            return True
        return (self.sight.identity, self.sight.stamp) == (now.identity, now.stamp)


class ReadOnlyFile:
    """A ledger file opened for reading alone; an absent one reads as an empty ledger. Threads take turns."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._opened: _Opened | None = None
        self._closed = False

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
                raise _MovedError
            return result

        with self._lock:
            self._require_open()
            return self._persistently(once)

    def stream(self, plan: Callable[[sqlite3.Connection], Statement]) -> Iterator[tuple[Any, ...]]:
        """The rows of the statement that `plan` makes, of one consistent moment, in bounded memory.

        The moment is that of the call. It has a connection of its own, so that nothing else waits for its end.
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

        return self._persistently(once)

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
        if more and opened.sight.way is _Way.IMMUTABLE:
            # Rows handed out cannot be taken back, so all of them are set aside before the file is looked at again.
            cursor.close()
            connection.execute(f"CREATE TEMP TABLE set_aside AS {statement}", values)
            cursor = connection.execute("SELECT * FROM set_aside ORDER BY rowid")
            first = cursor.fetchmany(CHUNK)
        if not opened.was_sound(self._look()):
            raise _MovedError
        return first, cursor if more else None

    def _persistently(self, once: Callable[[], _T]) -> _T:
        start = time.monotonic()
        while True:
            before = self._look()
            try:
                return once()
            except _MovedError:
                known: GadsError = HeldElsewhereError(
                    f"the ledger {self._path} is being written without a pause", hint="run again in a moment"
                )
                patience = self._busy_seconds
            except (sqlite3.Error, GadsError) as error:
                found = _as_known(error, self._path)
                if found is None:
                    raise
                known = found
                patience = self._patience(error, before)
                if patience == 0:
                    raise known from error
            if time.monotonic() - start >= patience:
                raise known
            time.sleep(_PAUSE_SECONDS)

    def _patience(self, error: Exception, before: _Sight) -> float:
        """For how many seconds to try again: what is read without locks can look damaged while it is in motion."""
        if before != self._look():
            return self._busy_seconds
        if before.way is _Way.SHARED and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _PASSING:
            return min(self._busy_seconds, _OPENING_SECONDS)
        return 0

    def _current(self) -> _Opened:
        sight = self._look()
        if self._opened is not None:
            if self._opened.is_current(sight):
                return self._opened
            self._drop()
        self._opened = self._open(sight)
        return self._opened

    def _open(self, sight: _Sight) -> _Opened:
        if sight.way is _Way.EMPTY:
            connection = connect("file::memory:", self._busy_seconds)
            migrate(connection)
            return _Opened(connection, sight)
        require_file(self._path)
        if sight.way is _Way.IMMUTABLE:
            sight = self._settled(sight)
            uri = uri_of(self._path, mode="ro", immutable="1")
        elif sight.has_shared_memory:
            uri = uri_of(self._path, mode="ro", readonly_shm="1")
        else:
            uri = uri_of(self._path, mode="ro")
        connection = connect(uri, self._busy_seconds)
        try:
            try:
                require_ledger(connection, self._path, len(MIGRATIONS))
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                    raise
                # No writer has yet marked a place in the shared memory from which a read-only reader could read.
                connection.close()
                connection = connect(uri_of(self._path, mode="ro"), self._busy_seconds)
                require_ledger(connection, self._path, len(MIGRATIONS))
            if version_of(connection) < OLDEST_READABLE:
                raise LedgerError(
                    f"the ledger {self._path} has tables of version {version_of(connection)}, which only a writer can "
                    f"bring up to {len(MIGRATIONS)}",
                    hint="run gads-etl validate once",
                )
        except BaseException:
            connection.close()
            raise
        return _Opened(connection, sight)

    def _settled(self, sight: _Sight) -> _Sight:
        if sight.stamp is not None:
            age = time.time_ns() - sight.stamp[0]
            if 0 <= age < _SETTLED_NS:
                time.sleep((_SETTLED_NS - age) / 1e9)
                now = self._look()
                if now != sight:
                    raise _MovedError
        return sight

    def _look(self) -> _Sight:
        try:
            main = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return _Sight(_Way.EMPTY)
        except OSError as error:
            raise LedgerError(
                f"the ledger {self._path} cannot be opened: {error.strerror}",
                hint="check the permissions of its folder",
            ) from error
        identity = (main.st_dev, main.st_ino)
        stamp = (main.st_mtime_ns, main.st_ctime_ns, main.st_size)
        # SQLite keeps both beside the file itself, wherever a symbolic link to it may lie.
        file = os.path.realpath(self._path)
        log_bytes = _size(Path(f"{file}-wal"))
        shared_memory = _size(Path(f"{file}-shm"))
        # An empty log without shared memory is what a writer leaves that died while it was opening the file.
        if log_bytes is None or (log_bytes == 0 and shared_memory is None):
            return _Sight(_Way.IMMUTABLE, identity, stamp)
        return _Sight(_Way.SHARED, identity, None, shared_memory is not None)

    def _require_open(self) -> None:
        if self._closed:
            raise LedgerError(f"the ledger {self._path} was closed", hint="open it again to read or write")

    def _drop(self) -> None:
        if self._opened is not None:
            self._opened.connection.close()
            self._opened = None


class _MovedError(Exception):
    """The file changed under a reading without locks."""


def _as_known(error: sqlite3.Error | GadsError, path: Path) -> GadsError | None:
    return error if isinstance(error, GadsError) else translated(error, path)


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
