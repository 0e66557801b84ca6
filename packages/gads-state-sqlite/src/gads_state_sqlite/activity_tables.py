"""Heartbeats, rounds and alerts as rows, and what of them names an erased account."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from gads_domain.activity import AlertState, Heartbeat, Round, Severity
from gads_domain.ports.activity import CLAIM_LASTS, KEPT_PROCESSES, KEPT_RESOLVED, KEPT_ROUNDS, LONGEST_TEXT
from gads_state_sqlite.rows import Conversion, Record, microseconds, moment_of
from gads_state_sqlite.schema import ACTIVITY_VERSION, version_of

ACTIVITY = frozenset({"heartbeats", "rounds", "alerts"})
"""The tables."""

_MICROSECOND = timedelta(microseconds=1)
_AS_IT_IS: tuple[Conversion, Conversion] = (lambda value: value, lambda value: value)


def _at(name: str) -> tuple[Conversion, Conversion]:
    return moment_of, lambda moment: None if moment is None else microseconds(moment, name)


_TIMES = ("started_at", "beat_at", "active_at", "ended_at", "raised_at", "claimed_at", "notified_at", "resolved_at")
_OWN: dict[str, tuple[Conversion, Conversion]] = {
    **{name: _at(name) for name in _TIMES},
    "interval": (lambda count: count * _MICROSECOND, lambda length: length // _MICROSECOND),
    "severity": (Severity, str),
    "run_id": _AS_IT_IS,
}
_HEARTBEAT = Record(
    Heartbeat,
    "process, host, pid, command, version, started_at, beat_at, interval, doing, active_at, ended_at",
    **_OWN,
)
_ROUND = Record(
    Round,
    "process, command, run_id, started_at, planned, ended_at, ended, succeeded, unchanged, failed, deferred, rows, "
    "operations, message, number",
    **_OWN,
)
_ALERT = Record(AlertState, "rule, subject, raised_at, text, severity, claimed_at, notified_at, resolved_at", **_OWN)
_ONE_ALERT = "rule = ? AND subject = ?"

_TEXTS = {"heartbeats": ("command", "doing"), "rounds": ("command", "message"), "alerts": ("subject", "text")}
"""Columns of people's words, which may name an account."""

_ERASED = "[erased]"


def has_activity(connection: sqlite3.Connection) -> bool:
    """Whether the file is a ledger with these tables."""
    return _has_tables(connection) and connection.execute("SELECT 1 FROM ledger_meta").fetchone() is not None


def _has_tables(connection: sqlite3.Connection) -> bool:
    return version_of(connection) >= ACTIVITY_VERSION


def heartbeats_in(connection: sqlite3.Connection, limit: int) -> list[Heartbeat]:
    """The latest heartbeats, newest first."""
    if not _has_tables(connection):
        return []
    statement = f"SELECT {_HEARTBEAT.columns} FROM heartbeats ORDER BY beat_at DESC, process LIMIT ?"
    return list(map(_HEARTBEAT.read, connection.execute(statement, (max(limit, 0),))))


def rounds_in(connection: sqlite3.Connection, limit: int, before: int | None) -> list[Round]:
    """The rounds below `before`, newest first."""
    if not _has_tables(connection):
        return []
    statement = f"SELECT {_ROUND.columns} FROM rounds WHERE ? IS NULL OR number < ? ORDER BY number DESC LIMIT ?"
    return list(map(_ROUND.read, connection.execute(statement, (before, before, max(limit, 0)))))


def alerts_in(connection: sqlite3.Connection, limit: int, *, open_only: bool) -> list[AlertState]:
    """The alerts, newest first."""
    if not _has_tables(connection):
        return []
    condition = "resolved_at IS NULL" if open_only else "TRUE"
    order = "raised_at DESC, rule, subject"
    statement = f"SELECT {_ALERT.columns} FROM alerts WHERE {condition} ORDER BY {order} LIMIT ?"
    return list(map(_ALERT.read, connection.execute(statement, (max(limit, 0),))))


def record(connection: sqlite3.Connection, heartbeat: Heartbeat, rounds: Sequence[Round]) -> list[int]:
    """Keep the heartbeat if it is news, and the rounds; the numbers of these."""
    fit = _fitter(connection)
    beat = replace(heartbeat, host=fit(heartbeat.host), command=fit(heartbeat.command), doing=fit(heartbeat.doing))
    values = _HEARTBEAT.write(beat)
    changed = connection.execute(
        "UPDATE heartbeats SET beat_at = ?, interval = ?, doing = ?, active_at = ?, ended_at = ? "
        "WHERE process = ? AND beat_at <= ? AND ended_at IS NULL",
        (*values[6:], beat.process, values[6]),
    ).rowcount
    if (
        not changed
        and connection.execute(
            f"INSERT INTO heartbeats ({_HEARTBEAT.columns}) VALUES ({_places(values)}) ON CONFLICT DO NOTHING", values
        ).rowcount
    ):
        connection.execute(
            "DELETE FROM heartbeats WHERE process NOT IN "
            "(SELECT process FROM heartbeats ORDER BY beat_at DESC, process LIMIT ?)",
            (KEPT_PROCESSES,),
        )
    return [_put_round(connection, replace(one, command=fit(one.command), message=fit(one.message))) for one in rounds]


def _put_round(connection: sqlite3.Connection, one: Round) -> int:
    *values, number = _ROUND.write(one)
    columns = _ROUND.columns.removesuffix(", number")
    if number:
        is_mine = "number = ? AND process = ? AND ended_at IS NULL"
        connection.execute(
            f"UPDATE rounds SET ({columns}) = ({_places(values)}) WHERE {is_mine}", (*values, number, one.process)
        )
        return one.number
    begun = connection.execute(f"INSERT INTO rounds ({columns}) VALUES ({_places(values)})", values).lastrowid
    assert begun is not None
    connection.execute("DELETE FROM rounds WHERE number <= ?", (begun - KEPT_ROUNDS,))
    return begun


def claim_alert(connection: sqlite3.Connection, state: AlertState, repeat_before: datetime | None) -> bool:
    """Keep what was seen; whether the caller is the one to notify."""
    fit = _fitter(connection)
    if fit(state.subject, len(state.subject)) != state.subject or _ERASED in fit(state.text):
        return False
    now = state.raised_at
    seen = AlertState(fit(state.rule), fit(state.subject), now, fit(state.text), state.severity, claimed_at=now)
    known = _alert(connection, seen.rule, seen.subject)
    if known is None or known.resolved_at is not None:
        if known is not None and known.resolved_at is not None and now <= known.resolved_at:
            return False
        values = _ALERT.write(seen)
        connection.execute(f"REPLACE INTO alerts ({_ALERT.columns}) VALUES ({_places(values)})", values)
        return True
    if now < (known.claimed_at or known.raised_at):
        return False
    rises = known.severity is Severity.WARNING and seen.severity is Severity.CRITICAL
    due = rises or _is_due(known, now, repeat_before)
    values = _ALERT.write(replace(seen, raised_at=known.raised_at, claimed_at=now if due else known.claimed_at))
    connection.execute(
        f"UPDATE alerts SET text = ?, severity = ?, claimed_at = ? WHERE {_ONE_ALERT}", (*values[3:6], *values[:2])
    )
    return due


def _is_due(known: AlertState, now: datetime, repeat_before: datetime | None) -> bool:
    assert known.claimed_at is not None
    if known.notified_at is None or known.notified_at < known.claimed_at:
        return now >= known.claimed_at + CLAIM_LASTS
    return repeat_before is not None and known.notified_at < repeat_before


def alert_delivered(connection: sqlite3.Connection, rule: str, subject: str, now: datetime) -> None:
    """Put on record that people know of it."""
    at = microseconds(now, "notified_at")
    connection.execute(f"UPDATE alerts SET notified_at = max(?, claimed_at) WHERE {_ONE_ALERT}", (at, rule, subject))


def resolve_alert(connection: sqlite3.Connection, rule: str, subject: str, now: datetime) -> bool:
    """End it; whether people know of it and are to know that it ended."""
    known = _alert(connection, rule, subject)
    if known is None or known.resolved_at is not None or now < known.raised_at:
        return False
    at = microseconds(now, "resolved_at")
    connection.execute(f"UPDATE alerts SET resolved_at = ? WHERE {_ONE_ALERT}", (at, rule, subject))
    connection.execute(
        "DELETE FROM alerts WHERE resolved_at < "
        "(SELECT resolved_at FROM alerts WHERE resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT 1 OFFSET ?)",
        (KEPT_RESOLVED - 1,),
    )
    return known.notified_at is not None


def named_in(connection: sqlite3.Connection, customer_id: str) -> dict[str, int]:
    """How many rows of each table name the account; only tables with any."""
    if not _has_tables(connection):
        return {}
    counts = {table: len(_naming(connection, table, [_pattern(customer_id)])) for table in sorted(ACTIVITY)}
    return {table: count for table, count in counts.items() if count}


def erase_names(connection: sqlite3.Connection, customer_id: str, name: str) -> None:
    """Drop the alerts that name the account, and its id and name from what processes say."""
    patterns = [_pattern(customer_id), *([re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")] if name else [])]
    keys = _naming(connection, "alerts", patterns)
    connection.executemany(f"DELETE FROM alerts WHERE {_ONE_ALERT}", keys)
    for table, key in (("heartbeats", "process"), ("rounds", "number")):
        first, second = _TEXTS[table]
        for (found,) in _naming(connection, table, patterns):
            texts = connection.execute(f"SELECT {first}, {second} FROM {table} WHERE {key} = ?", (found,)).fetchone()
            connection.execute(
                f"UPDATE {table} SET {first} = ?, {second} = ? WHERE {key} = ?",
                (*(_without(text, patterns) for text in texts), found),
            )


def _naming(
    connection: sqlite3.Connection, table: str, patterns: Sequence[re.Pattern[str]]
) -> list[tuple[object, ...]]:
    """The keys of the rows of a table whose words match."""
    key = {"heartbeats": "process", "rounds": "number", "alerts": "rule, subject"}[table]
    rows = connection.execute(f"SELECT {', '.join(_TEXTS[table])}, {key} FROM {table}")
    return [tuple(row[2:]) for row in rows if any(one.search(text) for one in patterns for text in row[:2])]


def _fitter(connection: sqlite3.Connection) -> Callable[..., str]:
    """What makes a text fit to be recorded: of bounded length, and without the ids of erased accounts."""
    rows = connection.execute("SELECT DISTINCT customer_id FROM erasures WHERE readmitted_at IS NULL")
    return partial(_fit, [_pattern(customer_id) for (customer_id,) in rows])


def _fit(patterns: Sequence[re.Pattern[str]], text: str, longest: int = LONGEST_TEXT) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _without(text if len(text) <= longest else f"{text[: longest - 1]}…", patterns)


def _without(text: str, patterns: Iterable[re.Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub(_ERASED, text)
    return text


def _pattern(customer_id: str) -> re.Pattern[str]:
    """The id as it is, or as the user interface of the API writes it."""
    dashed = f"{customer_id[:3]}-{customer_id[3:6]}-{customer_id[6:]}"
    return re.compile(rf"(?<!\d)(?:{re.escape(customer_id)}|{re.escape(dashed)})(?!\d)")


def _alert(connection: sqlite3.Connection, rule: str, subject: str) -> AlertState | None:
    row = connection.execute(f"SELECT {_ALERT.columns} FROM alerts WHERE {_ONE_ALERT}", (rule, subject)).fetchone()
    return None if row is None else _ALERT.read(row)


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
