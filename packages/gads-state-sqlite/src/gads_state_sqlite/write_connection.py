"""The one connection of a writer: its rights, its transactions, and its own reads between them."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from gads_domain.errors import InvalidValueError
from gads_domain.state import PartitionState
from gads_state_sqlite.errors import closed, translate
from gads_state_sqlite.ledger_file import Authorizer, open_as_it_is, open_for_writing, require_creatable
from gads_state_sqlite.queries import SQL, Statement
from gads_state_sqlite.read_only_file import ReadOnlyFile, make_way_for_a_writer, writer_left
from gads_state_sqlite.rows import key_columns, microseconds, sum_bytes
from gads_state_sqlite.schema import TRIGGERS

_T = TypeVar("_T")

_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_PRAGMA,
    sqlite3.SQLITE_RECURSIVE,
}


def allowing(
    inserts: frozenset[str],
    updates: frozenset[str],
    owned: frozenset[str] = frozenset(),
    deletes: frozenset[str] = frozenset(),
) -> Authorizer:
    """An authorizer under which SQLite itself refuses every other write.

    `inserts` are tables, `updates` columns of partitions, `owned` tables whose rows may be inserted and changed,
    `deletes` those whose rows may also go.
    """

    def authorize(action: int, first: str | None, second: str | None, _file: str | None, inner: str | None) -> int:
        if action in _READS:
            return sqlite3.SQLITE_OK
        by_trigger = (first, inner) in TRIGGERS
        if action == sqlite3.SQLITE_INSERT:
            allowed = by_trigger or first in inserts or first in owned
        elif action == sqlite3.SQLITE_UPDATE:
            own_column = first == "partitions" and second in updates
            allowed = by_trigger or own_column or first in owned or first == "sqlite_sequence"
        else:
            allowed = action == sqlite3.SQLITE_DELETE and (by_trigger or first in deletes)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


class WriteConnection:
    """A ledger file opened for writing, created if it is absent. Threads take turns."""

    def __init__(self, path: Path, busy_seconds: float, authorizer: Authorizer) -> None:
        self._path = path
        self._authorizer = authorizer
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = make_way_for_a_writer(
            path, lambda: open_for_writing(path, busy_seconds, authorizer)
        )
        self._streams = ReadOnlyFile(path, busy_seconds)

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in one consistent moment of the ledger."""
        return self._transaction("BEGIN", work)

    def stream(self, plan: Callable[[sqlite3.Connection], Statement]) -> Iterator[tuple[Any, ...]]:
        """The rows of the statement that `plan` makes, of the moment of the call, whatever is written meanwhile."""
        with self._lock:
            self._require_open()
            return self._streams.stream(plan)

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` as the only writer; all that it wrote is durable when this returns, or none of it happened."""
        with self._lock:
            try:
                result = self._transaction("BEGIN IMMEDIATE", work)
            except (UnicodeEncodeError, OverflowError) as error:
                raise InvalidValueError(f"the ledger cannot hold a value: {error}") from None
            # Marks the new end of the log in shared memory, from where readers that may not write there can start.
            self.read(lambda connection: connection.execute("SELECT 1 FROM ledger_meta").fetchone())
            return result

    def write_under(self, authorizer: Authorizer, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """As `write`, with other rights for this one transaction."""
        with self._lock:
            connection = self._require_open()
            connection.set_authorizer(authorizer)
            try:
                return self.write(work)
            finally:
                connection.set_authorizer(self._authorizer)

    def close(self) -> None:
        """Let go of the file; the last one to do so leaves it as a single file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._streams.close()
                writer_left(self._path)

    def _transaction(self, begin: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._lock, translate(self._path):
            connection = self._require_open()
            connection.execute(begin)
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

    def _require_open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise closed(self._path)
        return self._connection


def require_writable(path: Path, busy_seconds: float) -> None:
    """Make sure that the ledger at `path` could be written, or created if it is absent, and leave nothing behind.

    Raises `LedgerError`, `UnsupportedContractError`, `HeldElsewhereError`.
    """
    if not path.exists():
        require_creatable(path, busy_seconds)
        return
    connection = make_way_for_a_writer(path, lambda: open_as_it_is(path, busy_seconds))
    try:
        with translate(path), closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    finally:
        writer_left(path)


Step = tuple[PartitionState, PartitionState, str]
"""A row before and after, and the cause."""


def append_changes(connection: sqlite3.Connection, steps: Iterable[Step]) -> None:
    """Append each step that changed status or authority. Along the log `at` never goes back, even if a clock does."""
    changes = [
        (before, after, cause)
        for before, after, cause in steps
        if (before.status, before.current_run_id) != (after.status, after.current_run_id)
    ]
    if not changes:
        return
    newest = connection.execute("SELECT at FROM authority_changes ORDER BY sequence DESC LIMIT 1").fetchone()
    at = 0 if newest is None else int(newest[0])
    entries = []
    for before, after, cause in changes:
        at = max(at, microseconds(after.updated_at, "updated_at"))
        entries.append(
            (
                *key_columns(after.key),
                before.current_run_id and before.current_run_id.value,
                after.current_run_id and after.current_run_id.value,
                before.status.value,
                after.status.value,
                after.schema_version,
                after.record_count,
                sum_bytes(after.seal_sha256),
                cause,
                at,
            )
        )
    connection.executemany(SQL["append_change"], entries)
