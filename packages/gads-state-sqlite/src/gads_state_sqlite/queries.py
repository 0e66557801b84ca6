"""What is asked of the ledger's tables: lookups of many keys at once, and filters as SQL along the best index."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from gads_domain.account_days import DayRange
from gads_domain.control import Mark
from gads_domain.day_ranges import united
from gads_domain.gaps import AuthoritativeDays
from gads_domain.metadata import KnownContent
from gads_domain.package_data import statements_of
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import (
    KeyHistory,
    OperatorAct,
    PartitionState,
    PartitionStatus,
    PrunedRun,
    StateFilter,
    ValidationResult,
)
from gads_domain.state_machine import confirmed
from gads_state_sqlite.rows import (
    BY_KEY,
    KEY,
    KNOWN,
    LOG,
    RESULT,
    STATE,
    Row,
    key_columns,
    key_of,
    marks_of,
    moment_of,
    moment_text,
)
from gads_state_sqlite.schema import (
    COMPACT_VERSION,
    CONFIRMED_VERSION,
    ERASURES_VERSION,
    HELD_VERSION,
    PRUNED_VERSION,
    RANGES_VERSION,
    RUNS_VERSION,
    version_of,
)

SQL = statements_of("gads_state_sqlite", "queries.sql")

Statement = tuple[str, Sequence[Any]]
"""SQL and the values of its parameters."""

_Range = tuple[str, str, str, str, str]
"""Source, customer, report, the first day and the last."""

_IN_RANGE = "source = ? AND customer_id = ? AND report = ? AND logical_date BETWEEN ? AND ?"
_STATES = f"SELECT {STATE.columns} FROM partition_state WHERE {_IN_RANGE}"
_RESULTS = f"SELECT {RESULT.columns} FROM attempts WHERE {_IN_RANGE} ORDER BY logical_date, version"
_REVOKED = f"SELECT {KEY}, run_id FROM revocations WHERE {_IN_RANGE}"
_ACCEPTED = f"SELECT {KEY}, run_id FROM acceptances WHERE {_IN_RANGE}"
_LATER_COLUMNS = {
    HELD_VERSION: re.compile(r"(s\.)?\b(held_run_id|vanished_rows)\b"),
    CONFIRMED_VERSION: re.compile(r"\b(confirmed_run_id|confirmed_by|confirmed_at)\b"),
}


def states_in(connection: sqlite3.Connection, keys: Sequence[PartitionKey]) -> list[PartitionState]:
    """The row of each key, in order; the pending state of one that has none."""
    rows = _rows_by_key(connection, as_known(connection, _STATES), ranges_of(keys))
    return [_state(key, rows) for key in keys]


def histories_in(connection: sqlite3.Connection, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
    """The row, the validation results, the revoked, accepted and pruned runs of each key, in order."""
    ranges = ranges_of(keys)
    states, results, revoked = (
        _rows_by_key(connection, as_known(connection, statement), ranges) for statement in (_STATES, _RESULTS, _REVOKED)
    )
    accepted = _rows_by_key(connection, _ACCEPTED, ranges) if _knows_held(connection) else {}
    pruned = _rows_by_key(connection, SQL["pruned"], ranges) if version_of(connection) >= PRUNED_VERSION else {}
    return [
        KeyHistory(
            state := _state(key, states),
            _confirmed(state, map(RESULT.read, results.get(key_columns(key), ()))),
            frozenset(RunId(row[4]) for row in revoked.get(key_columns(key), ())),
            frozenset(RunId(row[4]) for row in accepted.get(key_columns(key), ())),
            tuple(map(pruned_of, pruned.get(key_columns(key), ()))),
        )
        for key in keys
    ]


def pruned_of(row: Row) -> PrunedRun:
    """From the columns of the statement `pruned`."""
    at, *stated = row[5:9]
    seal = None if row[9] is None else row[9].hex()
    removed = None if row[10] is None else moment_of(row[10])
    return PrunedRun(key_of(row), RunId(row[4]), OperatorAct(moment_of(at), *stated), seal, removed, row[11])


def _confirmed(state: PartitionState, results: Iterable[ValidationResult]) -> tuple[ValidationResult, ...]:
    """`results` with the confirmation of the authoritative run, which is in its row."""
    if state.current_run_id is None or state.confirmed_run_id is None or state.confirmed_at is None:
        return tuple(results)
    return confirmed(results, state.current_run_id, state.confirmed_run_id, state.confirmed_at)


def as_known(connection: sqlite3.Connection, statement: str) -> str:
    """`statement` for the tables as they are: what no writer has migrated yet has null in columns that came later."""
    known = version_of(connection)
    for version, columns in _LATER_COLUMNS.items():
        statement = statement if known >= version else columns.sub("NULL", statement)
    return statement


def _knows_held(connection: sqlite3.Connection) -> bool:
    return version_of(connection) >= HELD_VERSION


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
    return PartitionState(key) if found is None else STATE.read(found[0])


def _rows_by_key(connection: sqlite3.Connection, statement: str, ranges: list[_Range]) -> dict[Row, list[Row]]:
    found: dict[Row, list[Row]] = {}
    for wanted in ranges:
        for row in connection.execute(statement, wanted):
            found.setdefault(row[:4], []).append(row)
    return found


def marks_in(connection: sqlite3.Connection, key: PartitionKey) -> frozenset[Mark]:
    """The marks on `key`."""
    row = connection.execute(SQL["marks"], key_columns(key)).fetchone()
    return frozenset() if row is None else marks_of(row[0])


def decided_in(connection: sqlite3.Connection, key: PartitionKey, table: str) -> frozenset[RunId]:
    """The runs of `key` in `table`, which is `revocations` or `acceptances`."""
    rows = connection.execute(f"SELECT run_id FROM {table} WHERE {BY_KEY}", key_columns(key))
    return frozenset(RunId(row[0]) for row in rows)


def newest_run_in(connection: sqlite3.Connection) -> RunId | None:
    """The latest run with a result that is not revoked; by a scan where no writer has migrated the tables yet."""
    has_runs = version_of(connection) >= RUNS_VERSION
    row = connection.execute(SQL["newest_run" if has_runs else "newest_run_by_scan"]).fetchone()
    return None if row is None else RunId(row[0])


def position_in(connection: sqlite3.Connection, at_most: int | None = None) -> int:
    """The sequence number of the last authority change, or of the last one up to `at_most`; 0 if there is none."""
    if at_most is not None:
        row = connection.execute(SQL["change_at_or_below"], (at_most,)).fetchone()
        return 0 if row is None else int(row[0])
    # The last one may have gone with its account; its number stays the end.
    statement = SQL["position" if version_of(connection) >= ERASURES_VERSION else "position_of_all"]
    return int(connection.execute(statement).fetchone()[0])


def position_at(connection: sqlite3.Connection, moment: datetime) -> int:
    """The position at `moment`, found by bisection, since times along the log never go back."""
    moment_text(moment, "the moment")
    low, high = 0, position_in(connection)
    while low < high:
        middle = (low + high + 1) // 2
        # Numbers may have holes; the entry at or below the middle stands for it.
        row = connection.execute(SQL["change_at_or_below"], (middle,)).fetchone()
        if row is None or moment_of(row[1]) <= moment:
            low = middle
        else:
            high = row[0] - 1
    return position_in(connection, low)


def reports_in(connection: sqlite3.Connection, source: str) -> list[str]:
    """The reports of `source` that have a row, by steps down the primary key: one or two for each account's report."""
    rows, has_row = _account_reports(connection), "1"
    if rows == "account_reports":
        has_row = "EXISTS (SELECT 1 FROM partitions WHERE account_report = account_reports.id)"
    statement = SQL["next_report"].format(rows=rows, has_row=has_row)
    found: set[str] = set()
    key: tuple[str, str] | None = ("", "")
    while key is not None:
        key = connection.execute(statement, (source, *key)).fetchone()
        if key is not None:
            found.add(key[1])
    return sorted(found)


def authoritative_days_in(
    connection: sqlite3.Connection, wanted: StateFilter, position: int | None
) -> AuthoritativeDays | None:
    """The days that are success; None if `position` is not the last one, for which the rows do not answer."""
    last = position_in(connection)
    if position not in (None, last):
        return None
    first_day, last_day = wanted.since or date.min, wanted.until or date.max
    sources = [] if wanted.source is None else [wanted.source]
    if version_of(connection) < RANGES_VERSION:
        conditions, values = conditions_of(wanted, sources)
        rows = connection.execute(SQL["success_days"].format(where=" AND ".join(conditions)), values)
    else:
        conditions, values = conditions_of(replace(wanted, since=None, until=None), sources)
        bounds = [first_day.isoformat(), last_day.isoformat()]
        statement = SQL["success_ranges"].format(where=" AND ".join(conditions))
        rows = connection.execute(statement, [*bounds, *reversed(bounds), *values])
    found: dict[tuple[str, str], list[DayRange]] = {}
    for customer_id, report, first, until in rows:
        if first <= until:
            days = DayRange(date.fromisoformat(first), date.fromisoformat(until))
            found.setdefault((customer_id, report), []).append(days)
    return AuthoritativeDays(last, {pair: united(days) for pair, days in found.items()})


def select_states(connection: sqlite3.Connection, wanted: StateFilter, limit: int | None) -> tuple[str, list[Any]]:
    """The statement for the rows that match, in key order."""
    # Named sources make the primary key usable when the filter names accounts alone.
    sources = [wanted.source] if wanted.source is not None else _sources(connection)
    conditions, values = conditions_of(wanted, sources)
    if wanted.statuses:
        conditions.append(_one_of("status", sorted({status.value for status in wanted.statuses}), values))
        if PartitionStatus.SUCCESS not in wanted.statuses:
            conditions.append("status <> 'success'")  # names the partial index's own condition
    if wanted.held:
        conditions.append("held_run_id IS NOT NULL")
    statement = as_known(
        connection,
        f"SELECT {STATE.columns} FROM {_rows(connection, wanted)} WHERE {' AND '.join(conditions)} ORDER BY {KEY}",
    )
    if limit is not None:
        statement += " LIMIT ?"
        values.append(max(limit, 0))
    return statement, values


def select_as_of(connection: sqlite3.Connection, wanted: StateFilter, position: int) -> Statement:
    """The statement for the last authority change at or below `position` of each partition that matches."""
    rows, values = select_states(connection, replace(wanted, statuses=()), None)
    values.append(position)
    where = ""
    if wanted.statuses:
        where = f"WHERE {_one_of('log.status_after', [status.value for status in wanted.statuses], values)}"
    columns = ", ".join(f"log.{column}" for column in LOG.columns.split(", "))
    return SQL["as_of"].format(columns=columns, rows=rows, where=where), values


def known_contents_in(connection: sqlite3.Connection, wanted: StateFilter) -> dict[PartitionKey, KnownContent]:
    """What the authoritative runs that match have sealed."""
    conditions, values = conditions_of(wanted, [] if wanted.source is None else [wanted.source], "s.")
    statement = as_known(connection, SQL["known_contents"].format(where=" AND ".join(conditions)))
    return {key_of(row): KNOWN.read(row[4:]) for row in connection.execute(statement, values)}


def select_scheduling_states(connection: sqlite3.Connection, wanted: StateFilter) -> Statement:
    """The statement for rows, and the marks of what has no row, merged in key order."""
    conditions, values = conditions_of(wanted, [] if wanted.source is None else [wanted.source], "s.")
    where = " AND ".join(conditions)
    statuses = [status.value for status in wanted.statuses or PartitionStatus]
    parts = {"where": where, "statuses": ", ".join("?" * len(statuses)), "tried": SQL["tried"], "base": SQL["base"]}
    if wanted.held:
        parts["where"] += " AND s.held_run_id IS NOT NULL"
    statement, given = as_known(connection, SQL["scheduling_states"].format(**parts)), [*values, *statuses]
    if PartitionStatus.SUCCESS.value not in statuses:
        statement += " AND s.status <> 'success'"  # names the partial index's own condition
    if PartitionStatus.PENDING.value in statuses and not wanted.held:
        statement += "\n" + SQL["marked_alone"].format(where=where)
        given += values
    return f"{statement} ORDER BY 1, 2, 3, 4", given


def conditions_of(wanted: StateFilter, sources: list[str], table: str = "") -> tuple[list[str], list[Any]]:
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


def _rows(connection: sqlite3.Connection, wanted: StateFilter) -> str:
    """The rows of partitions along the best index; of the compact tables each index has a view."""
    compact = version_of(connection) >= COMPACT_VERSION
    indexed = "" if compact else "partition_state INDEXED BY "
    if wanted.held:
        return f"{indexed}partition_state_held" if _knows_held(connection) else "partition_state"
    if wanted.customer_ids:
        return "partition_state"
    if wanted.statuses and PartitionStatus.SUCCESS not in wanted.statuses:
        return f"{indexed}partition_state_not_success"
    return "partition_state"


def _account_reports(connection: sqlite3.Connection) -> str:
    return "account_reports" if version_of(connection) >= COMPACT_VERSION else "partition_state"


def _sources(connection: sqlite3.Connection) -> list[str]:
    """The sources there are, by one step down the primary key for each."""
    found: list[str] = []
    rows = _account_reports(connection)
    row = connection.execute(f"SELECT min(source) FROM {rows}").fetchone()
    while row[0] is not None:
        found.append(row[0])
        row = connection.execute(f"SELECT min(source) FROM {rows} WHERE source > ?", row).fetchone()
    return found
