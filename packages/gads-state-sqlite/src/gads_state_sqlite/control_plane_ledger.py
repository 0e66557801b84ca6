"""The ledger in the control plane's hands: orders on record, and never `success` or `failed`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from gads_domain.control import MARKING, UNMARKING, ActKind, Lease, Mark, Spending, told
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import OperatorAct, PartitionState, PartitionStatus
from gads_domain.state_machine import retry
from gads_state_sqlite import lease_rows, quota_rows
from gads_state_sqlite.bulk_queries import states_in
from gads_state_sqlite.control_reader import marks_in, revoked_in
from gads_state_sqlite.ledger_file import BUSY_SECONDS
from gads_state_sqlite.repository import BY_KEY, PartitionStateRepository
from gads_state_sqlite.rows import KEY, key_columns, moment_text
from gads_state_sqlite.write_transaction import WritingFile, allowing, append_moves

_MAY = allowing(
    inserts=frozenset({"operator_acts", "authority_log", "revocations"}),
    updates=frozenset({"status", "updated_at", "version"}),
    owned=frozenset({"marks", "leases", "quota_days"}),
)


class ControlPlanePartitionStateRepository(PartitionStateRepository):
    """Implements `gads_domain.ports.ledger.ControlPlaneLedger`, whose laws bind it."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = WritingFile(path, busy_seconds, _MAY)
        super().__init__(self._file)

    def retry(self, keys: Sequence[PartitionKey], act: OperatorAct) -> list[bool]:
        """Move each failed key back to `pending`; for each, in order, whether it was moved."""
        return self._each(keys, act, lambda connection, key: _retried(connection, key, act))

    def mark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Put `mark` on each key; for each, in order, whether it was not there before."""
        return self._each(keys, act, lambda connection, key: _marked(connection, key, mark, True, act))

    def unmark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Take `mark` off each key; for each, in order, whether it was there."""
        return self._each(keys, act, lambda connection, key: _marked(connection, key, mark, False, act))

    def revoke(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Order each run withdrawn from its key; for each, in order, whether the order is new."""
        moment_text(act.at, "the time of the act")
        if not runs:
            return []
        return self._file.write(lambda connection: [_revoked(connection, key, run, act) for key, run in runs])

    def take_leases(
        self, scopes: Sequence[str], owner: str, now: datetime, until: datetime, giving_back: Sequence[Lease] = ()
    ) -> list[Lease | None]:
        """Release `giving_back`, then lease each scope that nobody else holds at `now`; for each the lease or None."""

        def work(connection: sqlite3.Connection) -> list[Lease | None]:
            for held in giving_back:
                lease_rows.release(connection, held)
            return [lease_rows.taken(connection, scope, owner, now, until) for scope in scopes]

        return self._file.write(work)

    def renew_leases(self, leases: Sequence[Lease], now: datetime, until: datetime) -> list[Lease | None]:
        """Hold each lease until `until`; for each, in order, the lease as it is now, or None if it was lost."""
        return self._file.write(
            lambda connection: [lease_rows.renewed(connection, held, now, until) for held in leases]
        )

    def release_leases(self, leases: Sequence[Lease]) -> None:
        """Give back each lease that is still held by its owner; the others are left alone."""

        def work(connection: sqlite3.Connection) -> None:
            for held in leases:
                lease_rows.release(connection, held)

        self._file.write(work)

    def spend(
        self, budget: str, day: date, operations: int, limit: int | None, lease: Lease | None, now: datetime
    ) -> Spending:
        """Count `operations` of `budget` on `day`, of which there are `limit`; with a `lease`, only if it holds."""
        return self._file.write(
            lambda connection: quota_rows.spent(connection, budget, day, operations, limit, lease, now)
        )

    def exhaust(self, budget: str, day: date) -> None:
        """Put on record that the API grants no more of `budget` on `day`."""
        self._file.write(lambda connection: quota_rows.exhaust(connection, budget, day))

    def _each(
        self, keys: Sequence[PartitionKey], act: OperatorAct, work: Callable[[sqlite3.Connection, PartitionKey], bool]
    ) -> list[bool]:
        moment_text(act.at, "the time of the act")
        if not keys:
            return []
        return self._file.write(lambda connection: [work(connection, key) for key in keys])


def _retried(connection: sqlite3.Connection, key: PartitionKey, act: OperatorAct) -> bool:
    (before,) = states_in(connection, [key])
    marks = marks_in(connection, key)
    if before.status is not PartitionStatus.FAILED or (act.by_policy and marks):
        return False
    after = retry(before, act.at)
    connection.execute(
        f"UPDATE partition_state SET status = ?, updated_at = ?, version = ? WHERE {BY_KEY}",
        (after.status.value, moment_text(after.updated_at, "updated_at"), after.version, *key_columns(key)),
    )
    revoked = revoked_in(connection, key)
    _put_on_record(
        connection,
        ActKind.RETRY,
        act,
        before,
        after,
        told(before.status, marks, revoked),
        told(after.status, marks, revoked),
    )
    append_moves(connection, [(before, after, "retry")])
    return True


def _marked(connection: sqlite3.Connection, key: PartitionKey, mark: Mark, on: bool, act: OperatorAct) -> bool:
    before = marks_in(connection, key)
    if (mark in before) is on:
        return False
    after = before | {mark} if on else before - {mark}
    connection.execute(
        f"INSERT INTO marks ({KEY}, held, terminal) VALUES (?, ?, ?, ?, ?, ?) "
        f"ON CONFLICT ({KEY}) DO UPDATE SET held = excluded.held, terminal = excluded.terminal",
        (*key_columns(key), int(Mark.HELD in after), int(Mark.TERMINAL in after)),
    )
    (state,), revoked = states_in(connection, [key]), revoked_in(connection, key)
    kind = (MARKING if on else UNMARKING)[mark]
    _put_on_record(
        connection, kind, act, state, state, told(state.status, before, revoked), told(state.status, after, revoked)
    )
    return True


def _revoked(connection: sqlite3.Connection, key: PartitionKey, run_id: RunId, act: OperatorAct) -> bool:
    revoked = revoked_in(connection, key)
    judged = connection.execute(
        f"SELECT 1 FROM attempts WHERE {BY_KEY} AND run_id = ?", (*key_columns(key), run_id.value)
    )
    if run_id in revoked or judged.fetchone() is None:
        return False
    connection.execute(
        f"INSERT INTO revocations ({KEY}, run_id, ordered_at) VALUES (?, ?, ?, ?, ?, ?)",
        (*key_columns(key), run_id.value, moment_text(act.at, "the time of the act")),
    )
    # A validator that looked before the order must look again, or it could yet move authority to this run.
    connection.execute(
        f"UPDATE partition_state SET updated_at = ?, version = version + 1 WHERE {BY_KEY}",
        (moment_text(act.at, "the time of the act"), *key_columns(key)),
    )
    (state,), marks = states_in(connection, [key]), marks_in(connection, key)
    _put_on_record(
        connection,
        ActKind.REVOKE,
        act,
        state,
        state,
        told(state.status, marks, revoked),
        told(state.status, marks, revoked | {run_id}),
    )
    return True


def _put_on_record(
    connection: sqlite3.Connection,
    kind: ActKind,
    act: OperatorAct,
    before: PartitionState,
    after: PartitionState,
    told_before: str,
    told_after: str,
) -> None:
    connection.execute(
        "INSERT INTO operator_acts (source, customer_id, report, logical_date, kind, at, actor, command, reason, "
        "status_before, status_after, filter, by_policy, before, after, row_version) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *key_columns(after.key),
            kind.value,
            moment_text(act.at, "the time of the act"),
            act.actor,
            act.command,
            act.reason,
            before.status.value,
            after.status.value,
            act.filter,
            int(act.by_policy),
            told_before,
            told_after,
            after.version,
        ),
    )
