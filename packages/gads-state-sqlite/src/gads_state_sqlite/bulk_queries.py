"""What the ledger holds of many keys at once: keys whose days follow each other lie side by side in every table."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import KeyHistory, PartitionState
from gads_state_sqlite.rows import ATTEMPT, KEY, STATE, Row, attempt_of, key_columns, state_of

_IN_RANGE = "source = ? AND customer_id = ? AND report = ? AND logical_date BETWEEN ? AND ?"
_STATES = f"SELECT {STATE} FROM partition_state WHERE {_IN_RANGE}"
_ATTEMPTS = f"SELECT {ATTEMPT} FROM attempts WHERE {_IN_RANGE} ORDER BY logical_date, version"
_REVOKED = f"SELECT {KEY}, run_id FROM revocations WHERE {_IN_RANGE}"

Range = tuple[str, str, str, str, str]
"""Source, customer, report, the first day and the last."""


def states_in(connection: sqlite3.Connection, keys: Sequence[PartitionKey]) -> list[PartitionState]:
    """The row of each key, in order; the pending state of one that has none."""
    rows = _rows_by_key(connection, _STATES, ranges_of(keys))
    return [_state(key, rows) for key in keys]


def histories_in(connection: sqlite3.Connection, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
    """The row, the attempts and the withdrawn runs of each key, in order."""
    ranges = ranges_of(keys)
    states = _rows_by_key(connection, _STATES, ranges)
    attempts = _rows_by_key(connection, _ATTEMPTS, ranges)
    revoked = _rows_by_key(connection, _REVOKED, ranges)
    return [
        KeyHistory(
            _state(key, states),
            tuple(map(attempt_of, attempts.get(key_columns(key), ()))),
            frozenset(RunId(row[4]) for row in revoked.get(key_columns(key), ())),
        )
        for key in keys
    ]


def ranges_of(keys: Sequence[PartitionKey]) -> list[Range]:
    """The keys as ranges in which every day is asked for, so that none reads what nobody wants."""
    found: list[Range] = []
    before, last = None, 0
    for key in sorted(keys, key=lambda key: (key.source, key.customer_id, key.report, key.logical_date)):
        names, day = (key.source, key.customer_id, key.report), key.logical_date.toordinal()
        text = key.logical_date.isoformat()
        first = found.pop()[3] if names == before and day <= last + 1 else text
        found.append((*names, first, text))
        before, last = names, day
    return found


def _state(key: PartitionKey, rows: dict[Row, list[Row]]) -> PartitionState:
    found = rows.get(key_columns(key))
    return PartitionState(key) if found is None else state_of(found[0])


def _rows_by_key(connection: sqlite3.Connection, statement: str, ranges: list[Range]) -> dict[Row, list[Row]]:
    """The rows of the ranges by their first four columns, each key's in the statement's order."""
    found: dict[Row, list[Row]] = {}
    for wanted in ranges:
        for row in connection.execute(statement, wanted):
            found.setdefault(row[:4], []).append(row)
    return found
