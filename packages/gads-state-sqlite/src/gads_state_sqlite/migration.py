"""Brings a ledger's tables up to date: in one transaction, but for the conversion of all rows to the compact tables.

The conversion copies a range of rows in a transaction. Until it is whole, readers read the former tables and no process
writes them, so that a process that is killed loses nothing, and the next one to open the ledger goes on; several that
open it at once share the work.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

from gads_domain.package_data import statements_of
from gads_state_sqlite.rows import compact_checks, microseconds, moment_of, sum_bytes
from gads_state_sqlite.schema import COMPACT_VERSION, FORMER, MIGRATIONS, Migration, has_table, version_of

RANGE = 2_000
"""Partitions, and a fifth of the log's entries, that one transaction converts: a fraction of a second."""

_T = TypeVar("_T")

Progress = Callable[[int, int | None], None]
"""Called with the partitions that are converted and all of them; then with the former rows that are gone, and None."""

_SQL = statements_of("gads_state_sqlite", "conversion.sql")
_END = (b"", "", "", "")
"""Above every key: a blob follows every text."""

_SECONDS = 2.0
"""How often a conversion without an observer reports."""


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS, progress: Progress | None = None
) -> None:
    """Bring the tables up to the last of `migrations`; safe to be run by several at once, and to be killed.

    A conversion that takes longer than a moment is reported to `progress`, or else as a warning of the logger
    `gads_state_sqlite`.
    """
    _apply(connection, migrations[: COMPACT_VERSION - 1])
    if len(migrations) >= COMPACT_VERSION:
        progress = progress or Reported(logging.getLogger("gads_state_sqlite").warning)
        _convert(connection, progress)
        _apply(connection, migrations[:COMPACT_VERSION])
        _empty_former_tables(connection, progress)
    _apply(connection, migrations)


def _empty_former_tables(connection: sqlite3.Connection, progress: Progress) -> None:
    """Drop the tables whose rows were converted, a range of rows at a time; their pages are used again."""
    secure = int(connection.execute("PRAGMA secure_delete").fetchone()[0])
    connection.execute("PRAGMA secure_delete = OFF")  # overwriting what was copied would take several times as long
    gone = 0
    for table, key in FORMER.items():
        while has_table(connection, table) and _in_transaction(connection, partial(_empty, connection, table, key)):
            gone += RANGE
            progress(gone, None)
    connection.execute(f"PRAGMA secure_delete = {secure}")


def _empty(connection: sqlite3.Connection, table: str, key: str) -> bool:
    """Delete a range of the table's rows, and the table with its last ones; whether it has more."""
    if not has_table(connection, table):
        return False  # another process has dropped it
    last = connection.execute(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET ?", (RANGE,)).fetchone()
    if last is None:
        connection.execute(f"DROP TABLE {table}")
        return False
    connection.execute(f"DELETE FROM {table} WHERE ({key}) < ({', '.join('?' * len(last))})", last)
    return True


def _apply(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    if version_of(connection) >= len(migrations):
        return

    def work() -> None:
        for number in range(version_of(connection), len(migrations)):
            for statement in migrations[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")

    _in_transaction(connection, work)


def _in_transaction(connection: sqlite3.Connection, work: Callable[[], _T]) -> _T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _convert(connection: sqlite3.Connection, progress: Progress) -> None:
    if version_of(connection) >= COMPACT_VERSION:
        return
    for name, function in (("microseconds", _microseconds), ("sum_bytes", sum_bytes), ("compact", _compact)):
        connection.create_function(name, 1, function, deterministic=True)
    while _in_transaction(connection, lambda: _convert_range(connection, progress)):
        pass


def _convert_range(connection: sqlite3.Connection, progress: Progress) -> bool:
    """Convert the next partitions and entries of the log; whether there may be more."""
    if version_of(connection) != COMPACT_VERSION - 1:
        return False  # another process has ended the conversion
    total, converted, *state = connection.execute(_SQL["state"]).fetchone()
    first, sequence = tuple(state[:4]), state[4]
    is_open = first[0] != _END[0]
    if is_open:
        until = connection.execute(_SQL["last_of_range"], (*first, RANGE - 1)).fetchone() or _END
        for name in ("account_reports", "runs", "check_lists", "partitions", "results"):
            count = connection.execute(_SQL[name].format(range=_SQL["range"]), (*first, *until)).rowcount
            converted += count if name == "partitions" else 0
        connection.execute(_SQL["converted"], (*until, converted))
        is_open = until != _END
    last = connection.execute("SELECT coalesce(max(sequence), 0) FROM authority_log").fetchone()[0]
    until_sequence = min(last, sequence + 5 * RANGE)
    for name in ("log_account_reports", "log_runs", "authority_changes"):
        connection.execute(_SQL[name], (sequence, until_sequence))
    connection.execute(_SQL["log_converted"], (until_sequence,))
    progress(converted, total)
    return bool(is_open or until_sequence < last)


class Reported:
    """Says by `say` how far the conversion is, once it has taken a while."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._next = time.monotonic() + _SECONDS

    def __call__(self, done: int, total: int | None) -> None:
        """Say it if it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            to_go = "former rows removed" if total is None else f"of {total:,} partitions"
            self._say(f"converting the ledger to smaller tables, once: {done:,} {to_go}")


def _microseconds(text: str | None) -> int | None:
    return None if text is None else microseconds(moment_of(text), "a time")


_compact = lru_cache(maxsize=4 * RANGE)(compact_checks)
