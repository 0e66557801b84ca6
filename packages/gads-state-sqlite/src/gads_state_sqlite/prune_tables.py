"""Pruned runs and pins as rows."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gads_domain.control import RetentionPolicy
from gads_domain.errors import NotSealedError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.pins import Pin, require_pin
from gads_domain.retention import prunable
from gads_domain.run import RunId
from gads_domain.state import OperatorAct, PrunedRun, StateFilter
from gads_state_sqlite.erasure_tables import is_erased, require_no_erasure
from gads_state_sqlite.queries import SQL, conditions_of, histories_in, pruned_of
from gads_state_sqlite.rows import (
    BY_KEY,
    BY_NUMBER,
    KEY,
    LOG,
    key_columns,
    key_of,
    microseconds,
    moment_of,
    moment_text,
    sum_bytes,
)
from gads_state_sqlite.schema import PRUNED_VERSION, version_of

_PINNED = f"SELECT run_id FROM pins WHERE {BY_KEY} AND until > ?"
_CHANGES = f"SELECT {LOG.columns} FROM authority_log WHERE {BY_KEY} ORDER BY sequence"


def superseded_in(connection: sqlite3.Connection, wanted: StateFilter) -> list[PartitionKey]:
    """The partitions that may have a run to let go."""
    if version_of(connection) < PRUNED_VERSION:
        return []
    conditions, values = conditions_of(wanted, [] if wanted.source is None else [wanted.source], "s.")
    statement = SQL["superseded"].format(where=" AND ".join(conditions))
    return [key_of(row) for row in connection.execute(statement, values)]


def open_prunes_in(connection: sqlite3.Connection, limit: int) -> list[PrunedRun]:
    """The pruned runs whose removal is not on record."""
    if version_of(connection) < PRUNED_VERSION:
        return []
    return [pruned_of(row) for row in connection.execute(SQL["open_prunes"], (max(limit, 0),))]


def pinned_in(connection: sqlite3.Connection, now: datetime) -> frozenset[tuple[PartitionKey, RunId]]:
    """The runs of the pins that are not over."""
    if version_of(connection) < PRUNED_VERSION:
        return frozenset()
    rows = connection.execute(f"SELECT {KEY}, run_id FROM pins WHERE until > ?", (moment_text(now, "now"),))
    return frozenset((key_of(row), RunId(row[4])) for row in rows)


def prune(
    connection: sqlite3.Connection, key: PartitionKey, run_id: RunId, policy: RetentionPolicy, act: OperatorAct
) -> PrunedRun | None:
    """Put a run on record as pruned, if it may go."""
    (history,) = histories_in(connection, [key])
    changes = [LOG.read(row) for row in connection.execute(_CHANGES, key_columns(key))]
    at = moment_text(act.at, "the time of the act")
    pinned = {RunId(row[0]) for row in connection.execute(_PINNED, (*key_columns(key), at))}
    if run_id not in prunable(history, changes, pinned, policy, act.at):
        return None
    if is_erased(connection, key.source, key.customer_id):
        return None
    seals = [one.seal_sha256 for one in history.results if one.run_id == run_id]
    stated = (at, act.actor, act.command, act.reason)
    connection.execute(
        "INSERT INTO prune_acts (at, actor, command, reason) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", stated
    )
    connection.execute(
        f"INSERT INTO pruned_runs ({KEY}, run_id, act, seal_sha256) VALUES (?, ?, ?, ?, ?, "
        "(SELECT number FROM prune_acts WHERE at = ? AND actor = ? AND command = ? AND reason = ?), ?)",
        (*key_columns(key), run_id.value, *stated, sum_bytes(seals[-1])),
    )
    # A validator that read the row before must read it again, or it would decide without this.
    connection.execute(f"UPDATE partitions SET version = version + 1 WHERE {BY_NUMBER}", key_columns(key))
    return PrunedRun(key, run_id, OperatorAct(act.at, act.actor, act.command, act.reason), seals[-1])


def end_prunes(connection: sqlite3.Connection, removed: Sequence[PrunedRun]) -> None:
    """Put the removals on record that are not yet."""
    rows = [
        (microseconds(one.removed_at, "removed_at"), one.freed or 0, *key_columns(one.key), one.run_id.value)
        for one in removed
    ]
    connection.executemany(SQL["end_prune"], rows)


def pin(
    connection: sqlite3.Connection,
    name: str,
    runs: Sequence[tuple[PartitionKey, RunId]],
    until: datetime,
    now: datetime,
) -> Pin:
    """Keep all of the runs, or none."""
    require_pin(name, until, now)
    require_no_erasure(connection, (key for key, _ in runs))
    for (key, run_id), history in zip(runs, histories_in(connection, [key for key, _ in runs]), strict=True):
        for pruned in history.pruned:
            if pruned.run_id == run_id:
                raise pruned.error()
        if not any(one.run_id == run_id and one.has_seal for one in history.results):
            raise NotSealedError(f"{key} has no validated run {run_id}")
    connection.execute("DELETE FROM pins WHERE name = ? OR until <= ?", (name, moment_text(now, "now")))
    end = moment_text(until, "until")
    connection.executemany(
        f"INSERT INTO pins ({KEY}, run_id, name, until) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(*key_columns(key), run_id.value, name, end) for key, run_id in runs],
    )
    return Pin(name, len(set(runs)), until)


def pins_in(connection: sqlite3.Connection, now: datetime) -> list[Pin]:
    """The pins that are not over."""
    rows: list[Any] = connection.execute(SQL["pins"], (moment_text(now, "now"),)).fetchall()
    return [Pin(name, runs, moment_of(until)) for name, runs, until in rows]
