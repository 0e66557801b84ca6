"""The ledger as it stood at a position of its log, as SQL along the indexes of the present tables."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import Any

from gads_domain.state import StateFilter
from gads_state_sqlite.filter_sql import select_of
from gads_state_sqlite.rows import KEY, LOG, moment_text

_KEYS = KEY.split(", ")


def as_of_statement(connection: sqlite3.Connection, wanted: StateFilter, position: int) -> tuple[str, list[Any]]:
    """The statement and its values for the last move at or below `position` of each partition that matches.

    The present rows lead, in key order: every partition that ever moved has one. A seek in the log's index for each
    finds its move, so that the cost hangs on the partitions asked for and not on the length of the log.
    """
    rows, values = select_of(connection, replace(wanted, statuses=()), None)
    same_key = " AND ".join(f"{column} = held.{column}" for column in _KEYS)
    statement = (
        f"SELECT {', '.join(f'log.{column}' for column in LOG.split(', '))} FROM ({rows}) AS held "
        f"JOIN authority_log AS log ON log.sequence = "
        f"(SELECT max(sequence) FROM authority_log WHERE {same_key} AND sequence <= ?)"
    )
    values.append(position)
    if wanted.statuses:
        statement += f" WHERE log.status_after IN ({', '.join('?' * len(wanted.statuses))})"
        values += [status.value for status in wanted.statuses]
    return f"{statement} ORDER BY {', '.join(f'held.{column}' for column in _KEYS)}", values


def position_at(connection: sqlite3.Connection, moment: datetime) -> int:
    """The number of the last move at or before `moment`: a search by halves, since times along the log never fall."""
    text = moment_text(moment, "the moment")
    low, high = 0, int(connection.execute("SELECT coalesce(max(sequence), 0) FROM authority_log").fetchone()[0])
    while low < high:
        middle = (low + high + 1) // 2
        # Numbers may have holes; the entry at or below the middle speaks for it.
        row = connection.execute(
            "SELECT sequence, at FROM authority_log WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1", (middle,)
        ).fetchone()
        if row is None or row[1] <= text:
            low = middle
        else:
            high = row[0] - 1
    row = connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM authority_log WHERE sequence <= ?", (low,)
    ).fetchone()
    return int(row[0])


def reports_of(connection: sqlite3.Connection, source: str) -> list[str]:
    """The reports of `source` that have a row, by steps down the primary key: one or two for each account's report."""
    found: set[str] = set()
    key: tuple[str, str] | None = ("", "")
    while key is not None:
        key = connection.execute(
            "SELECT customer_id, report FROM partition_state "
            "WHERE source = ? AND (customer_id, report) > (?, ?) ORDER BY customer_id, report LIMIT 1",
            (source, *key),
        ).fetchone()
        if key is not None:
            found.add(key[1])
    return sorted(found)
