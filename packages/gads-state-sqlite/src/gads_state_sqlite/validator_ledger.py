"""The ledger as the validator may use it: the only writer of `success` and `failed`."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from gads_domain.errors import InvalidValueError, UsageError
from gads_domain.run import RunId
from gads_domain.state import Confirmation, PartitionState, PartitionStatus, SchemaPin, StateChange
from gads_state_sqlite.erasure_tables import require_no_erasure
from gads_state_sqlite.ledger_file import BUSY_SECONDS
from gads_state_sqlite.queries import SQL, states_in
from gads_state_sqlite.reader import SqliteStateReader
from gads_state_sqlite.rows import PIN, RESULT, STATE, Row, checks_text, key_columns, microseconds
from gads_state_sqlite.write_connection import Step, WriteConnection, allowing, append_changes

_MAY = allowing(
    inserts=frozenset(
        {"account_reports", "runs", "check_lists", "partitions", "results", "schema_pins", "authority_changes"}
    ),
    updates=frozenset(
        {
            *("status", "current_run", "schema_version", "record_count", "seal_sha256", "attempt_count", "updated_at"),
            *("last_error", "version", "held_run", "confirmed_run", "confirmed_at"),
        }
    ),
)


class SqliteValidatorLedger(SqliteStateReader):
    """Implements `gads_domain.ports.ledger.ValidatorLedger`, whose laws bind it."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = WriteConnection(path, busy_seconds, _MAY)
        super().__init__(self._file)

    def record(self, changes: Sequence[StateChange]) -> list[bool]:
        """Write the changes in one transaction; for each, in order, whether it was recorded or met a conflict.

        Raises `UsageError` for a change back to `pending` and `InvalidValueError` for a change that contradicts
        itself, `AccountErasedError` for a partition of an erased account; then nothing of the call is written.
        """
        for change in changes:
            _require_sound(change)
        if not changes:
            return []
        return self._file.write(lambda connection: _recorded(connection, changes))

    def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
        """Put on record that the rows of runs came again, by a statement each; for each, in order, whether it was."""
        if not confirmations:
            return []
        rows = [
            (
                one.by.value,
                microseconds(one.at, "confirmed_at"),
                *key_columns(one.key),
                one.of.value,
                one.content_sha256,
            )
            for one in confirmations
        ]

        def work(connection: sqlite3.Connection) -> list[bool]:
            require_no_erasure(connection, (one.key for one in confirmations))
            _put_runs(connection, {one.by for one in confirmations})
            return [connection.execute(SQL["confirm"], row).rowcount == 1 for row in rows]

        return self._file.write(work)


def _recorded(connection: sqlite3.Connection, changes: Sequence[StateChange]) -> list[bool]:
    """Decide on the changes in order, each on top of those before it; then write the accepted ones, table by table."""
    keys = [change.after.key for change in changes]
    require_no_erasure(connection, keys)
    held = dict(zip(keys, states_in(connection, keys), strict=True))
    recorded: list[bool] = []
    steps: list[Step] = []
    states: list[Row] = []
    results: list[Row] = []
    for change in changes:
        before, after = held[change.after.key], change.after
        recorded.append(_is_current(connection, before, change))
        if not recorded[-1]:
            continue
        held[after.key] = after
        states.append(STATE.write(after))
        if change.attempt is not None:
            results.append((*RESULT.write(change.attempt), after.version))
        steps.append((before, after, change.cause))
    _put_names(connection, [change for change, was in zip(changes, recorded, strict=True) if was])
    connection.executemany(SQL["put_state"], states)
    connection.executemany(SQL["put_result"], results)
    append_changes(connection, steps)
    return recorded


def _put_names(connection: sqlite3.Connection, changes: Sequence[StateChange]) -> None:
    """Number what the rows of `changes` name by its number: accounts' reports, runs, lists of checks that held."""
    keys = {(key.source, key.customer_id, key.report) for key in (change.after.key for change in changes)}
    connection.executemany(SQL["put_account_report"], sorted(keys))
    results = [change.attempt for change in changes if change.attempt is not None]
    runs = {run for one in results for run in (one.run_id, one.confirmed_by)}
    states = [state for change in changes for state in (change.before, change.after)]
    runs |= {run for one in states for run in (one.current_run_id, one.held_run_id, one.confirmed_run_id)}
    _put_runs(connection, runs)
    held = {checks_text(one.checks) for one in results if all(check.passed for check in one.checks)}
    connection.executemany(SQL["put_check_list"], [(checks,) for checks in sorted(held)])


def _put_runs(connection: sqlite3.Connection, runs: Iterable[RunId | None]) -> None:
    connection.executemany(SQL["put_run"], sorted((run.value,) for run in runs if run is not None))


def _is_current(connection: sqlite3.Connection, held: PartitionState, change: StateChange) -> bool:
    """Whether the row is still the one that the change was decided on, and its schema the fixed one."""
    if held.version != change.before.version:
        return False
    _require_no_way_back(held, change.after)
    return change.pin is None or _pinned(connection, change.pin)


def _pinned(connection: sqlite3.Connection, pin: SchemaPin) -> bool:
    connection.execute(SQL["put_pin"], (*PIN.write(pin), pin.schema.fingerprint))
    fixed = connection.execute(
        "SELECT fingerprint FROM schema_pins WHERE source = ? AND report = ? AND schema_version = ?",
        (pin.source, pin.report, pin.schema_version),
    ).fetchone()
    return bool(fixed[0] == pin.schema.fingerprint)


def _require_sound(change: StateChange) -> None:
    before, after, attempt, pin = change.before, change.after, change.attempt, change.pin
    key = after.key
    if before.key != key or (attempt is not None and attempt.key != key):
        raise InvalidValueError(f"a change of {key} names another partition")
    if pin is not None and (pin.source, pin.report) != (key.source, key.report):
        raise InvalidValueError(f"a change of {key} would fix the schema of another report")
    if after.version != before.version + 1:
        raise InvalidValueError(f"a change of {key} leads from version {before.version} to {after.version}")
    if (after.status is PartitionStatus.SUCCESS) != (after.current_run_id is not None):
        raise InvalidValueError(f"{key} would be {after.status} with {after.current_run_id or 'no'} authoritative run")
    _require_no_way_back(before, after)


def _require_no_way_back(before: PartitionState, after: PartitionState) -> None:
    if after.status is PartitionStatus.PENDING and before.status is not PartitionStatus.PENDING:
        raise UsageError(
            f"a validation cannot set {after.key} from {before.status} to pending",
            hint="a failed partition is retried by the control plane; nothing was changed",
        )
