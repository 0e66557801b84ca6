"""What anybody may ask of the control plane's tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from gads_domain.control import Lease, Mark, QuotaDay, SchedulingState
from gads_domain.errors import FailureReason, LedgerError
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import AuthorityChange, PartitionStatus, StateFilter
from gads_state_sqlite.rows import KEY, LOG, Row, key_columns, key_of, log_entry_of, moment_of, moment_text
from gads_state_sqlite.state_reader import ReadSource

_BY_KEY = "source = ? AND customer_id = ? AND report = ? AND logical_date = ?"
_SAME_KEY = " AND ".join(f"{{0}}.{column} = {{1}}.{column}" for column in KEY.split(", "))

_STATUSES = {status.value: status for status in PartitionStatus}
_MARKS = {Mark.HELD: "held", Mark.TERMINAL: "terminal"}
_MARK_SETS = {
    (held, terminal): frozenset(mark for mark, on in ((Mark.HELD, held), (Mark.TERMINAL, terminal)) if on)
    for held in (0, 1)
    for terminal in (0, 1)
}

# The last version at which counting of tries began anew: a run passed, or an operator ordered a retry.
_BASE = (
    f"max(coalesce((SELECT max(version) FROM attempts AS a WHERE {_SAME_KEY.format('a', 's')} "
    "AND outcome = 'passed'), 0), "
    f"coalesce((SELECT max(row_version) FROM operator_acts AS o WHERE {_SAME_KEY.format('o', 's')} "
    "AND by_policy = 0 AND kind IN ('retry', 'unmark_terminal')), 0))"
)
_TRIED = f"FROM attempts AS a WHERE {_SAME_KEY.format('a', 's')}"


class ControlReading:
    """The part of `gads_domain.ports.ledger.StateReader` that is about the control plane."""

    _source: ReadSource

    def scheduling_states(self, wanted: StateFilter) -> Iterator[SchedulingState]:
        """How each partition that has a row or a mark stands with the control plane, in key order, of one moment."""
        if len(wanted.customer_ids) == 1:
            # One account's rows fit in memory; a stream would open a connection of its own.
            statement, values = _standings(wanted)
            return map(_standing_of, self._source.read(lambda found: found.execute(statement, values).fetchall()))
        return map(_standing_of, self._source.stream(lambda _connection: _standings(wanted)))

    def marks(self, key: PartitionKey) -> frozenset[Mark]:
        """What the control plane has put on `key` and not taken off."""
        return self._source.read(lambda connection: marks_in(connection, key))

    def authority_changes_of(self, key: PartitionKey) -> list[AuthorityChange]:
        """The moves of `key`, in order: the part of the log that is about it."""
        statement = f"SELECT {LOG} FROM authority_log WHERE {_BY_KEY} ORDER BY sequence"
        return self._source.read(
            lambda connection: [log_entry_of(row) for row in connection.execute(statement, key_columns(key))]
        )

    def leases(self, now: datetime) -> list[Lease]:
        """The leases that are held at `now`, by scope."""
        statement = "SELECT scope, owner, number, expires_at FROM leases WHERE expires_at > ? ORDER BY scope"
        values = (moment_text(now, "now"),)
        return self._source.read(lambda connection: [lease_of(row) for row in connection.execute(statement, values)])

    def quota(self, budget: str, day: date) -> QuotaDay:
        """What was spent of `budget` on `day`."""
        return self._source.read(lambda connection: quota_in(connection, budget, day))


def marks_in(connection: sqlite3.Connection, key: PartitionKey) -> frozenset[Mark]:
    """What is marked of `key`."""
    row = connection.execute(f"SELECT held, terminal FROM marks WHERE {_BY_KEY}", key_columns(key)).fetchone()
    return _MARK_SETS[0, 0] if row is None else _MARK_SETS[row[0], row[1]]


def revoked_in(connection: sqlite3.Connection, key: PartitionKey) -> frozenset[RunId]:
    """The runs withdrawn from `key`."""
    rows = connection.execute(f"SELECT run_id FROM revocations WHERE {_BY_KEY}", key_columns(key))
    return frozenset(RunId(row[0]) for row in rows)


def quota_in(connection: sqlite3.Connection, budget: str, day: date) -> QuotaDay:
    """What was spent."""
    row = connection.execute(
        "SELECT spent, exhausted FROM quota_days WHERE budget = ? AND day = ?", (budget, day.isoformat())
    ).fetchone()
    return QuotaDay() if row is None else QuotaDay(row[0], bool(row[1]))


def lease_of(row: Row) -> Lease:
    """From `scope, owner, number, expires_at`."""
    return Lease(row[0], row[1], row[2], moment_of(row[3]))


def _standings(wanted: StateFilter) -> tuple[str, list[Any]]:
    """Rows and the marks of what has no row, merged in key order.

    The figures of a `success` whose newest run passed are in its row; the few others are looked up in what was
    attempted and ordered.
    """
    conditions, values = _conditions(wanted)
    statuses = [status.value for status in wanted.statuses or PartitionStatus]
    in_statuses = f"s.status IN ({', '.join('?' * len(statuses))})"
    keys = ", ".join(f"s.{column} AS {column}" for column in KEY.split(", "))
    good = "s.status = 'success'"
    well = f"{good} AND s.last_error IS NULL"
    rows = (
        f"SELECT {keys}, s.status, "
        f"CASE WHEN {good} THEN s.updated_at ELSE (SELECT judged_at {_TRIED} ORDER BY version DESC LIMIT 1) END, "
        f"CASE WHEN {well} THEN 0 ELSE (SELECT count(DISTINCT run_id) {_TRIED} AND a.version > {_BASE}) END, "
        f"CASE WHEN {well} THEN NULL ELSE (SELECT failure {_TRIED} AND a.version > {_BASE} "
        "ORDER BY version DESC LIMIT 1) END, "
        "coalesce(m.held, 0), coalesce(m.terminal, 0) "
        f"FROM partition_state AS s LEFT JOIN marks AS m ON {_SAME_KEY.format('m', 's')} "
        f"WHERE {' AND '.join([*conditions, in_statuses])}"
    )
    parts, given = [rows], [*values, *statuses]
    if not wanted.statuses or PartitionStatus.PENDING in wanted.statuses:
        parts.append(
            f"SELECT {keys}, 'pending', NULL, 0, NULL, s.held, s.terminal FROM marks AS s "
            f"WHERE {' AND '.join([*conditions, 's.held + s.terminal > 0'])} AND NOT EXISTS "
            f"(SELECT 1 FROM partition_state AS p WHERE {_SAME_KEY.format('p', 's')})"
        )
        given += values
    return f"{' UNION ALL '.join(parts)} ORDER BY 1, 2, 3, 4", given


def _conditions(wanted: StateFilter) -> tuple[list[str], list[Any]]:
    """Over a table called `s`; the source is named alone where it is given, so that the primary key is of use."""
    conditions, values = ["1"], []
    for column, texts in (("customer_id", wanted.customer_ids), ("report", wanted.reports)):
        if texts:
            chosen = sorted(set(texts))
            conditions.append(f"s.{column} IN ({', '.join('?' * len(chosen))})")
            values += chosen
    if wanted.source is not None:
        conditions.append("s.source = ?")
        values.append(wanted.source)
    for operator, day in ((">=", wanted.since), ("<=", wanted.until)):
        if day is not None:
            conditions.append(f"s.logical_date {operator} ?")
            values.append(day.isoformat())
    return conditions, values


def _standing_of(row: Row) -> SchedulingState:
    try:
        return SchedulingState(
            key=key_of(row),
            status=_STATUSES[row[4]],
            last_tried_at=None if row[5] is None else moment_of(row[5]),
            tries=row[6],
            failure=None if row[7] is None else _failure_of(row[7]),
            marks=_MARK_SETS[row[8], row[9]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(
            f"the ledger is damaged: it holds a row that nobody could have written: {error}",
            hint="restore it from a backup, or move it away and validate the sealed runs into a new one",
        ) from error


@lru_cache(maxsize=1024)
def _failure_of(text: str) -> FailureReason:
    """Days that failed together failed alike."""
    return FailureReason(**json.loads(text))
