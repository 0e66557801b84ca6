"""Gives a ledger's unused space back to the disk."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gads_domain.compaction import Compaction
from gads_state_sqlite.errors import translate
from gads_state_sqlite.ledger_file import open_for_writing
from gads_state_sqlite.migration import Reported
from gads_state_sqlite.read_only_file import ReadOnlyFile
from gads_state_sqlite.schema import COMPACT_VERSION, version_of

_BYTES_A_RESULT = 350
"""What a result is in the compact tables, with its share of all others."""


def compact(path: Path, busy_seconds: float, *, dry_run: bool, say: Callable[[str], None]) -> Compaction:
    """Convert the ledger at `path` if an earlier version wrote it, then build its file anew without unused pages.

    The conversion goes on where one was stopped. The new build takes as long as copying what is in use, holds other
    writers off meanwhile, and happens whole or not at all.
    """
    if not path.exists():
        return Compaction(0, 0)
    with closing(ReadOnlyFile(path, busy_seconds)) as file:
        found = file.read(_estimated)
    if dry_run:
        return found
    connection = open_for_writing(path, busy_seconds, _anything, progress=Reported(say))
    with closing(connection), translate(path):
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        if unused:
            say(f"building the ledger anew, without {unused * _page_size(connection):,} unused bytes")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return Compaction(found.bytes_before, _bytes(connection))


def _anything(*_: object) -> int:
    return sqlite3.SQLITE_OK


def _estimated(connection: sqlite3.Connection) -> Compaction:
    before = _bytes(connection)
    (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
    after = before - unused * _page_size(connection)
    if version_of(connection) < COMPACT_VERSION:
        (results,) = connection.execute("SELECT coalesce(sum(attempt_count), 0) FROM partition_state").fetchone()
        after = min(after, results * _BYTES_A_RESULT)
    return Compaction(before, after, is_estimate=True)


def _bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_count").fetchone()[0]) * _page_size(connection)


def _page_size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])
