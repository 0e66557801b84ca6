"""What is asked of the ledger's tables: lookups of many keys at once, and filters as SQL along the best index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from gads_domain.control import Mark, QuotaDay
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import KeyHistory, PartitionState, PartitionStatus, StateFilter
from gads_state_sqlite.rows import (
    BY_KEY,
    KEY,
    LOG,
    RESULT,
    STATE,
    Row,
    key_columns,
    marks_of,
    moment_text,
    result_of,
    same_columns,
    state_of,
)
from gads_state_sqlite.schema import RUNS_VERSION, version_of

Statement = tuple[str, Sequence[Any]]
"""SQL and the values of its parameters."""

_Range = tuple[str, str, str, str, str]
"""Source, customer, report, the first day and the last."""

_KEYS = KEY.split(", ")

_FEW_DAYS = 8
"""A span below this fraction (1/n) of the ledger's days is looked up by date, a longer one is read in key order."""

_IN_RANGE = "source = ? AND customer_id = ? AND report = ? AND logical_date BETWEEN ? AND ?"
_STATES = f"SELECT {STATE} FROM partition_state WHERE {_IN_RANGE}"
_RESULTS = f"SELECT {RESULT} FROM attempts WHERE {_IN_RANGE} ORDER BY logical_date, version"
_REVOKED = f"SELECT {KEY}, run_id FROM revocations WHERE {_IN_RANGE}"

NEWEST_RUN = "SELECT run_id FROM runs WHERE results > 0 ORDER BY run_id DESC LIMIT 1"
_NEWEST_RUN_BY_SCAN = (
    "SELECT run_id FROM attempts AS a WHERE NOT EXISTS "
    f"(SELECT 1 FROM revocations AS r WHERE {same_columns('r', 'a')} AND r.run_id = a.run_id) "
    "ORDER BY run_id DESC LIMIT 1"
)

# The last version at which the counting of tries began anew: a run passed, or an operator retried the partition.
_BASE = (
    f"max(coalesce((SELECT max(version) FROM attempts AS a WHERE {same_columns('a', 's')} AND outcome = 'passed'), 0), "
    f"coalesce((SELECT max(row_version) FROM operator_acts AS o WHERE {same_columns('o', 's')} "
    "AND by_policy = 0 AND kind IN ('retry', 'unmark_terminal')), 0))"
)
_TRIED = f"FROM attempts AS a WHERE {same_columns('a', 's')}"


def states_in(connection: sqlite3.Connection, keys: Sequence[PartitionKey]) -> list[PartitionState]:
    """The row of each key, in order; the pending state of one that has none."""
    rows = _rows_by_key(connection, _STATES, ranges_of(keys))
    return [_state(key, rows) for key in keys]


def histories_in(connection: sqlite3.Connection, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
    """The row, the validation results and the revoked runs of each key, in order."""
    ranges = ranges_of(keys)
    states, results, revoked = (
        _rows_by_key(connection, statement, ranges) for statement in (_STATES, _RESULTS, _REVOKED)
    )
    return [
        KeyHistory(
            _state(key, states),
            tuple(map(result_of, results.get(key_columns(key), ()))),
            frozenset(RunId(row[4]) for row in revoked.get(key_columns(key), ())),
        )
        for key in keys
    ]


def ranges_of(keys: Sequence[PartitionKey]) -> list[_Range]:
    """The keys as ranges without holes: days that follow each other lie side by side in every table."""
    found: list[_Range] = []
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


def _rows_by_key(connection: sqlite3.Connection, statement: str, ranges: list[_Range]) -> dict[Row, list[Row]]:
    found: dict[Row, list[Row]] = {}
    for wanted in ranges:
        for row in connection.execute(statement, wanted):
            found.setdefault(row[:4], []).append(row)
    return found


def marks_in(connection: sqlite3.Connection, key: PartitionKey) -> frozenset[Mark]:
    """The marks on `key`."""
    row = connection.execute(f"SELECT held, terminal FROM marks WHERE {BY_KEY}", key_columns(key)).fetchone()
    return frozenset() if row is None else marks_of(row[0], row[1])


def revoked_in(connection: sqlite3.Connection, key: PartitionKey) -> frozenset[RunId]:
    """The revoked runs of `key`."""
    rows = connection.execute(f"SELECT run_id FROM revocations WHERE {BY_KEY}", key_columns(key))
    return frozenset(RunId(row[0]) for row in rows)


def quota_in(connection: sqlite3.Connection, budget: str, day: date) -> QuotaDay:
    """What was spent of `budget` on `day`."""
    row = connection.execute(
        "SELECT spent, exhausted FROM quota_days WHERE budget = ? AND day = ?", (budget, day.isoformat())
    ).fetchone()
    return QuotaDay() if row is None else QuotaDay(row[0], bool(row[1]))


def newest_run_in(connection: sqlite3.Connection) -> RunId | None:
    """The latest run with a result that is not revoked; by a scan where no writer has migrated the tables yet."""
    has_runs = version_of(connection) >= RUNS_VERSION
    row = connection.execute(NEWEST_RUN if has_runs else _NEWEST_RUN_BY_SCAN).fetchone()
    return None if row is None else RunId(row[0])


def position_in(connection: sqlite3.Connection, at_most: int | None = None) -> int:
    """The sequence number of the last authority change, or of the last one up to `at_most`; 0 if there is none."""
    bound, values = ("", ()) if at_most is None else (" WHERE sequence <= ?", (at_most,))
    return int(connection.execute(f"SELECT coalesce(max(sequence), 0) FROM authority_log{bound}", values).fetchone()[0])


def position_at(connection: sqlite3.Connection, moment: datetime) -> int:
    """The position at `moment`, found by bisection, since times along the log never go back."""
    text = moment_text(moment, "the moment")
    low, high = 0, position_in(connection)
    while low < high:
        middle = (low + high + 1) // 2
        # Numbers may have holes; the entry at or below the middle stands for it.
        row = connection.execute(
            "SELECT sequence, at FROM authority_log WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1", (middle,)
        ).fetchone()
        if row is None or row[1] <= text:
            low = middle
        else:
            high = row[0] - 1
    return position_in(connection, low)


def reports_in(connection: sqlite3.Connection, source: str) -> list[str]:
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


def select_states(connection: sqlite3.Connection, wanted: StateFilter, limit: int | None) -> tuple[str, list[Any]]:
    """The statement for the rows that match, in key order."""
    # Named sources make the primary key usable when the filter names accounts alone.
    sources = [wanted.source] if wanted.source is not None else _sources(connection)
    conditions, values = _conditions(wanted, sources)
    if wanted.statuses:
        conditions.append(_one_of("status", sorted({status.value for status in wanted.statuses}), values))
        if PartitionStatus.SUCCESS not in wanted.statuses:
            conditions.append("status <> 'success'")  # names the partial index's own condition
    statement = (
        f"SELECT {STATE} FROM partition_state {_index(connection, wanted)} "
        f"WHERE {' AND '.join(conditions)} ORDER BY {KEY}"
    )
    if limit is not None:
        statement += " LIMIT ?"
        values.append(max(limit, 0))
    return statement, values


def select_as_of(connection: sqlite3.Connection, wanted: StateFilter, position: int) -> Statement:
    """The statement for the last authority change at or below `position` of each partition that matches.

    The present rows come first, in key order: every partition that ever changed has one. A seek in the log's index
    for each finds its change, so that the cost depends on the partitions asked for and not on the log's length.
    """
    rows, values = select_states(connection, replace(wanted, statuses=()), None)
    statement = (
        f"SELECT {', '.join(f'log.{column}' for column in LOG.split(', '))} FROM ({rows}) AS held "
        f"JOIN authority_log AS log ON log.sequence = (SELECT max(sequence) FROM authority_log "
        f"WHERE {' AND '.join(f'{column} = held.{column}' for column in _KEYS)} AND sequence <= ?)"
    )
    values.append(position)
    if wanted.statuses:
        statement += f" WHERE {_one_of('log.status_after', [status.value for status in wanted.statuses], values)}"
    return f"{statement} ORDER BY {', '.join(f'held.{column}' for column in _KEYS)}", values


def select_scheduling_states(wanted: StateFilter) -> Statement:
    """The statement for rows, and the marks of what has no row, merged in key order.

    The figures of a `success` whose newest run passed are in its row; those of the few others are looked up in the
    validation results and the acts.
    """
    conditions, values = _conditions(wanted, [] if wanted.source is None else [wanted.source], "s.")
    where = " AND ".join(conditions)
    statuses = [status.value for status in wanted.statuses or PartitionStatus]
    keys = ", ".join(f"s.{column} AS {column}" for column in _KEYS)
    good = "s.status = 'success'"
    well = f"{good} AND s.last_error IS NULL"
    statement = (
        f"SELECT {keys}, s.status, "
        f"CASE WHEN {good} THEN s.updated_at ELSE (SELECT judged_at {_TRIED} ORDER BY version DESC LIMIT 1) END, "
        f"CASE WHEN {well} THEN 0 ELSE (SELECT count(DISTINCT run_id) {_TRIED} AND a.version > {_BASE}) END, "
        f"CASE WHEN {well} THEN NULL ELSE (SELECT failure {_TRIED} AND a.version > {_BASE} "
        "ORDER BY version DESC LIMIT 1) END, "
        "coalesce(m.held, 0), coalesce(m.terminal, 0) "
        f"FROM partition_state AS s LEFT JOIN marks AS m ON {same_columns('m', 's')} "
        f"WHERE {where} AND s.status IN ({', '.join('?' * len(statuses))})"
    )
    given = [*values, *statuses]
    if PartitionStatus.PENDING.value in statuses:
        statement += (
            f" UNION ALL SELECT {keys}, 'pending', NULL, 0, NULL, s.held, s.terminal FROM marks AS s "
            f"WHERE {where} AND s.held + s.terminal > 0 AND NOT EXISTS "
            f"(SELECT 1 FROM partition_state AS p WHERE {same_columns('p', 's')})"
        )
        given += values
    return f"{statement} ORDER BY 1, 2, 3, 4", given


def _conditions(wanted: StateFilter, sources: list[str], table: str = "") -> tuple[list[str], list[Any]]:
    """All of `wanted` but its statuses, over the columns of `table` (such as `s.`), and the parameters' values."""
    values: list[Any] = []
    conditions = ["1"]
    for column, texts in (("source", sources), ("customer_id", wanted.customer_ids), ("report", wanted.reports)):
        if texts:
            conditions.append(_one_of(f"{table}{column}", sorted(set(texts)), values))
    for operator, day in ((">=", wanted.since), ("<=", wanted.until)):
        if day is not None:
            conditions.append(f"{table}logical_date {operator} ?")
            values.append(day.isoformat())
    return conditions, values


def _one_of(column: str, texts: list[str], values: list[Any]) -> str:
    if len(texts) == 1:
        values.append(texts[0])
        return f"{column} = ?"
    values.append(json.dumps(texts))
    return f"{column} IN (SELECT value FROM json_each(?))"


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
    since = max(first, wanted.since.isoformat()) if wanted.since else first
    until = min(last, wanted.until.isoformat()) if wanted.until else last
    return _days(since, until) * _FEW_DAYS <= _days(first, last)


def _days(since: str, until: str) -> int:
    return date.fromisoformat(until).toordinal() - date.fromisoformat(since).toordinal() + 1


def _sources(connection: sqlite3.Connection) -> list[str]:
    """The sources there are, by one step down the primary key for each."""
    found: list[str] = []
    row = connection.execute("SELECT min(source) FROM partition_state").fetchone()
    while row[0] is not None:
        found.append(row[0])
        row = connection.execute("SELECT min(source) FROM partition_state WHERE source > ?", row).fetchone()
    return found
