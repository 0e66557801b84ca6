"""What benchmarks measure of a process and of a ledger."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path


def child_cpu_seconds() -> float:
    """CPU seconds, user and system, of all ended processes that this one, or one of them, has started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ledger_bytes(path: Path) -> int:
    """Bytes of a SQLite ledger without what is free in it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        names = ("page_count", "freelist_count", "page_size")
        pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return int((pages - free) * size)
