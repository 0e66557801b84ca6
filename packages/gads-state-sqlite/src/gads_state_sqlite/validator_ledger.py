"""The ledger in the validator's hands: the one place that writes `success` and `failed`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from gads_domain.errors import InvalidValueError, UsageError
from gads_domain.state import PartitionState, PartitionStatus, SchemaPin, StateChange
from gads_state_sqlite.bulk_queries import states_in
from gads_state_sqlite.ledger_file import BUSY_SECONDS
from gads_state_sqlite.repository import PartitionStateRepository
from gads_state_sqlite.rows import ATTEMPT, STATE, Row, attempt_columns, pin_columns, state_columns
from gads_state_sqlite.write_transaction import Step, WritingFile, allowing, append_moves

_STATE_COLUMNS = STATE.split(", ")
_WRITE_STATE = (
    f"INSERT INTO partition_state ({STATE}) VALUES ({', '.join('?' * len(_STATE_COLUMNS))}) "
    "ON CONFLICT (source, customer_id, report, logical_date) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _STATE_COLUMNS[4:])
)
_WRITE_ATTEMPT = f"INSERT INTO attempts ({ATTEMPT}) VALUES ({', '.join('?' * len(ATTEMPT.split(', ')))})"

_MAY = allowing(
    inserts=frozenset({"partition_state", "attempts", "schema_pins", "authority_log"}),
    updates=frozenset(_STATE_COLUMNS[4:]),
)


class ValidatorPartitionStateRepository(PartitionStateRepository):
    """Implements `gads_domain.ports.ledger.ValidatorLedger`, whose laws bind it."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = WritingFile(path, busy_seconds, _MAY)
        super().__init__(self._file)

    def record(self, changes: Sequence[StateChange]) -> list[bool]:
        """Write the changes in one transaction; for each, in order, whether it was recorded or met a conflict.

        Raises `UsageError` for a move to `pending`, `InvalidValueError` for a change that contradicts itself; then
        nothing of the call is written.
        """
        for change in changes:
            _require_sound(change)
        if not changes:
            return []
        return self._file.write(lambda connection: _recorded(connection, changes))


def _recorded(connection: sqlite3.Connection, changes: Sequence[StateChange]) -> list[bool]:
    """Decide on the changes in order, each on top of those before it; then write what stands, table by table."""
    keys = [change.after.key for change in changes]
    held = dict(zip(keys, states_in(connection, keys), strict=True))
    recorded: list[bool] = []
    steps: list[Step] = []
    states: list[Row] = []
    attempts: list[Row] = []
    for change in changes:
        before, after = held[change.after.key], change.after
        stands = _stands(connection, before, change)
        recorded.append(stands)
        if not stands:
            continue
        held[after.key] = after
        states.append(state_columns(after))
        if change.attempt is not None:
            attempts.append(attempt_columns(change.attempt, after.version))
        steps.append((before, after, "order" if change.attempt is None else "validate"))
    connection.executemany(_WRITE_STATE, states)
    connection.executemany(_WRITE_ATTEMPT, attempts)
    append_moves(connection, steps)
    return recorded


def _stands(connection: sqlite3.Connection, held: PartitionState, change: StateChange) -> bool:
    """Whether the row is still what the change was decided on, and its schema the one that is fixed."""
    if held.version != change.before.version:
        return False
    _require_no_way_back(held, change.after)
    return change.pin is None or _pinned(connection, change.pin)


def _pinned(connection: sqlite3.Connection, pin: SchemaPin) -> bool:
    connection.execute(
        "INSERT INTO schema_pins (source, report, schema_version, fingerprint, columns) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        pin_columns(pin),
    )
    fixed = connection.execute(
        "SELECT fingerprint FROM schema_pins WHERE source = ? AND report = ? AND schema_version = ?",
        (pin.source, pin.report, pin.schema_version),
    ).fetchone()
    return bool(fixed[0] == pin.schema.fingerprint)


def _require_sound(change: StateChange) -> None:
    before, after, attempt, pin = change.before, change.after, change.attempt, change.pin
    key = after.key
    if before.key != key or (attempt is not None and attempt.key != key):
        raise InvalidValueError(f"a change of {key} speaks of another partition")
    if pin is not None and (pin.source, pin.report) != (key.source, key.report):
        raise InvalidValueError(f"a change of {key} would fix the schema of another report")
    if after.version != before.version + 1:
        raise InvalidValueError(f"a change of {key} leads from version {before.version} to {after.version}")
    if (after.status is PartitionStatus.SUCCESS) != (after.current_run_id is not None):
        raise InvalidValueError(f"{key} would be {after.status} with {after.current_run_id or 'no'} run to believe")
    _require_no_way_back(before, after)


def _require_no_way_back(before: PartitionState, after: PartitionState) -> None:
    if after.status is PartitionStatus.PENDING and before.status is not PartitionStatus.PENDING:
        raise UsageError(
            f"{after.key} cannot go from {before.status} to pending by validation",
            hint="a failed partition is retried by the control plane; nothing was changed",
        )
