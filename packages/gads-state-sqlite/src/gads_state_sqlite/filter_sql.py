"""A `StateFilter` as the SQL that answers it along the best index."""

from __future__ import annotations

import json
import sqlite3
from datetime import date
from typing import Any

from gads_domain.state import PartitionStatus, StateFilter
from gads_state_sqlite.rows import KEY, STATE

_FEW_DAYS = 8
"""A slice below this fraction (1/n) of the ledger's days is looked up by date, a longer one read in key order."""


def select_of(connection: sqlite3.Connection, wanted: StateFilter, limit: int | None) -> tuple[str, list[Any]]:
    """The statement and its values for the rows that match, in key order."""
    conditions: list[str] = []
    values: list[Any] = []

    def one_of(column: str, texts: list[str]) -> None:
        if len(texts) == 1:
            conditions.append(f"{column} = ?")
            values.append(texts[0])
        else:
            conditions.append(f"{column} IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(texts))

    # Named sources make the primary key usable when the filter names accounts alone.
    one_of("source", [wanted.source] if wanted.source is not None else _sources(connection))
    if wanted.customer_ids:
        one_of("customer_id", sorted(set(wanted.customer_ids)))
    if wanted.reports:
        one_of("report", sorted(set(wanted.reports)))
    if wanted.since is not None:
        conditions.append("logical_date >= ?")
        values.append(wanted.since.isoformat())
    if wanted.until is not None:
        conditions.append("logical_date <= ?")
        values.append(wanted.until.isoformat())
    if wanted.statuses:
        one_of("status", sorted({status.value for status in wanted.statuses}))
    statement = f"SELECT {STATE} FROM partition_state {_index(connection, wanted)} WHERE {' AND '.join(conditions)}"
    if wanted.statuses and PartitionStatus.SUCCESS not in wanted.statuses:
        statement += " AND status <> 'success'"
    statement += f" ORDER BY {KEY}"
    if limit is not None:
        statement += " LIMIT ?"
        values.append(max(limit, 0))
    return statement, values


def _index(connection: sqlite3.Connection, wanted: StateFilter) -> str:
    if wanted.customer_ids:
        return ""
    if wanted.statuses and PartitionStatus.SUCCESS not in wanted.statuses:
        return "INDEXED BY partition_state_not_success"
    if (wanted.since is not None or wanted.until is not None) and _are_few_days(connection, wanted):
        return "INDEXED BY partition_state_by_date"
    return ""


def _are_few_days(connection: sqlite3.Connection, wanted: StateFilter) -> bool:
    first = connection.execute("SELECT min(logical_date) FROM partition_state").fetchone()[0]
    last = connection.execute("SELECT max(logical_date) FROM partition_state").fetchone()[0]
    if first is None:
        return False
    held = date.fromisoformat(last).toordinal() - date.fromisoformat(first).toordinal() + 1
    since = max(first, wanted.since.isoformat()) if wanted.since else first
    until = min(last, wanted.until.isoformat()) if wanted.until else last
    asked = date.fromisoformat(until).toordinal() - date.fromisoformat(since).toordinal() + 1
    return asked * _FEW_DAYS <= held


def _sources(connection: sqlite3.Connection) -> list[str]:
    """The sources there are, by one step down the primary key for each."""
    found: list[str] = []
    row = connection.execute("SELECT min(source) FROM partition_state").fetchone()
    while row[0] is not None:
        found.append(row[0])
        row = connection.execute("SELECT min(source) FROM partition_state WHERE source > ?", row).fetchone()
    return found
