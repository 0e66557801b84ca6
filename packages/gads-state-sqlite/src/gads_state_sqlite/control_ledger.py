"""The ledger as the control plane may use it: marks, retries, revocations, leases and quota; never a validation."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from gads_domain.control import MARKING, UNMARKING, ActKind, Lease, Mark, RetentionPolicy, scheduling_text
from gads_domain.erasure import Erasure, in_force, require_none_erased
from gads_domain.errors import InvalidValueError
from gads_domain.expectations import DrawnList, Expectations, without
from gads_domain.partition_key import PartitionKey
from gads_domain.quota import CallScope, Rest, RestAsked, Spending
from gads_domain.run import RunId
from gads_domain.state import OperatorAct, PartitionState, PartitionStatus, PrunedRun
from gads_domain.state_machine import retry
from gads_state_sqlite import erasure_tables, prune_tables
from gads_state_sqlite.erasure_tables import OF_ACCOUNTS, OF_PARTITIONS, erasures_in, is_erased
from gads_state_sqlite.expectation_tables import forget, record_list
from gads_state_sqlite.ledger_file import BUSY_SECONDS
from gads_state_sqlite.queries import SQL, decided_in, marks_in, states_in
from gads_state_sqlite.quota_tables import rest, spend
from gads_state_sqlite.reader import SqliteStateReader
from gads_state_sqlite.rows import BY_KEY, BY_NUMBER, KEY, LEASE, key_columns, microseconds, moment_text
from gads_state_sqlite.write_connection import WriteConnection, allowing, append_changes

_Item = TypeVar("_Item")

_MAY = allowing(
    inserts=frozenset({"operator_acts", "authority_changes", "revocations", "acceptances", "prune_acts"}),
    updates=frozenset({"status", "updated_at", "version"}),
    owned=frozenset(
        {
            *("marks", "leases", "spent_operations", "rests", "pruned_runs"),
            *("account_lists", "listed_accounts", "expectations"),
        }
    ),
    deletes=frozenset({"expectations"}),
)

_MAY_ERASE = allowing(
    inserts=frozenset({"authority_changes", "erased_changes"}),
    updates=frozenset(),
    owned=frozenset({"erasures", "heartbeats", "rounds"}),
    # Triggers see to it that an erasure of the account is in force.
    deletes=frozenset({*OF_ACCOUNTS, *OF_PARTITIONS, "account_reports", "authority_log", "leases", "rests", "alerts"}),
)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""When a lease ended that was given back."""


class SqliteControlPlaneLedger(SqliteStateReader):
    """Implements `gads_domain.ports.ledger.ControlPlaneLedger`, whose laws bind it."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = WriteConnection(path, busy_seconds, _MAY)
        super().__init__(self._file)

    def retry(self, keys: Sequence[PartitionKey], act: OperatorAct) -> list[bool]:
        """Set each failed key back to `pending`; for each, in order, whether it was failed."""
        return self._each(keys, act, lambda connection, key: _retry(connection, key, act))

    def mark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Put `mark` on each key; for each, in order, whether it was not there before."""
        return self._each(keys, act, lambda connection, key: _mark(connection, key, mark, True, act))

    def unmark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Take `mark` off each key; for each, in order, whether it was there."""
        return self._each(keys, act, lambda connection, key: _mark(connection, key, mark, False, act))

    def revoke(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Put on record that each run is revoked for its key; for each, in order, whether that is new."""
        return self._each(runs, act, lambda connection, pair: _decide(connection, *pair, ActKind.REVOKE, act))

    def accept(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Put on record that each run which its key holds for a decision is accepted; for each, whether that is new."""
        return self._each(runs, act, lambda connection, pair: _decide(connection, *pair, ActKind.ACCEPT, act))

    def take_leases(
        self, scopes: Sequence[str], owner: str, now: datetime, until: datetime, giving_back: Sequence[Lease] = ()
    ) -> list[Lease | None]:
        """Release `giving_back`, then lease each scope that no other owner holds at `now`; None for another scope."""

        def work(connection: sqlite3.Connection) -> list[Lease | None]:
            for scope in scopes:
                require_none_erased(*_erasures_of(connection, scope))
            _release(connection, giving_back)
            return [_take_lease(connection, scope, owner, now, until) for scope in scopes]

        return self._file.write(work)

    def renew_leases(self, leases: Sequence[Lease], now: datetime, until: datetime) -> list[Lease | None]:
        """Hold each lease until `until`; for each, in order, the lease as it is now, or None if it was lost."""
        return self._file.write(lambda connection: [_renew_lease(connection, held, now, until) for held in leases])

    def release_leases(self, leases: Sequence[Lease]) -> None:
        """Give back each lease that its owner still holds; the others are left alone."""
        self._file.write(lambda connection: _release(connection, leases))

    def break_lease(self, lease: Lease, act: OperatorAct) -> bool:
        """Take `lease` from its holder; whether it was still held at the time of the act."""

        def work(connection: sqlite3.Connection) -> bool:
            if not _holds(connection, lease, act.at):
                return False
            connection.execute("UPDATE leases SET expires_at = ? WHERE scope = ?", (_time_of(act), lease.scope))
            key = PartitionKey.parse(f"{lease.scope}/{act.at.date()}")
            (state,), marks = states_in(connection, [key]), marks_in(connection, key)
            unchanged = (state, marks, *_decided(connection, key))
            _record_act(connection, ActKind.BREAK_LEASE, act, unchanged, unchanged)
            return True

        _time_of(act)
        return self._file.write(work)

    def spend(
        self, call: CallScope, operations: int, limit: int | None, lease: Lease | None, now: datetime
    ) -> Spending:
        """Count `operations` for `call` if it does not rest and `limit` allows them; with a `lease`, if it holds."""
        if operations < 1:
            raise InvalidValueError(f"{operations} is not a number of operations to spend")

        def work(connection: sqlite3.Connection) -> Spending:
            if lease is not None and not _holds(connection, lease, now):
                return Spending.LEASE_LOST
            return spend(connection, call, operations, limit, now)

        return self._file.write(work)

    def rest(self, call: CallScope, asked: RestAsked, now: datetime) -> Rest:
        """Put on record what the API asked after `call`; returns the rest as it holds now."""
        if asked.length <= timedelta():
            raise InvalidValueError(f"a rest of {asked.length} is not longer than nothing")
        return self._file.write(lambda connection: rest(connection, call, asked, now))

    def record_list(self, drawn: DrawnList) -> Expectations:
        """Put an account list that was drawn on record; returns what is expected from now on."""

        def work(connection: sqlite3.Connection) -> Expectations:
            return record_list(connection, without(drawn, in_force(erasures_in(connection, drawn.source))))

        return self._file.write(work)

    def forget(self, source: str, customer_id: str, act: OperatorAct) -> bool:
        """Take an account that the last list does not select out of what is expected; whether anything was."""

        def work(connection: sqlite3.Connection) -> bool:
            found = forget(connection, source, customer_id, act.actor, act.reason)
            for report, day in {one.report: one.first_day for one in reversed(found)}.items():
                key = PartitionKey(source, customer_id, report, day)
                (state,), marks = states_in(connection, [key]), marks_in(connection, key)
                unchanged = (state, marks, *_decided(connection, key))
                _record_act(connection, ActKind.FORGET, act, unchanged, unchanged)
            return bool(found)

        _time_of(act)
        return self._file.write(work)

    def order_erasure(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Put the erasure of an account on record, and withdraw all its authority; returns the one in force."""
        return self._file.write_under(
            _MAY_ERASE, lambda connection: erasure_tables.order_erasure(connection, source, customer_id, act)
        )

    def erase(self, source: str, customer_id: str, now: datetime, limit: int) -> Erasure:
        """Remove what is kept of an erased account, of up to `limit` partitions; returns the erasure as it is now."""
        return self._file.write_under(
            _MAY_ERASE, lambda connection: erasure_tables.erase(connection, source, customer_id, now, limit)
        )

    def count_erased(self, source: str, customer_id: str, counts: Mapping[str, int]) -> Erasure:
        """Add to what went elsewhere by the erasure in force."""
        return self._file.write_under(
            _MAY_ERASE, lambda connection: erasure_tables.count_erased(connection, source, customer_id, counts)
        )

    def end_erasure(self, source: str, customer_id: str, now: datetime) -> Erasure:
        """Put on record that nothing of the account is left anywhere."""
        return self._file.write_under(
            _MAY_ERASE, lambda connection: erasure_tables.end_erasure(connection, source, customer_id, now)
        )

    def readmit(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Lift the erasure of an account, and return it."""
        return self._file.write_under(
            _MAY_ERASE, lambda connection: erasure_tables.readmit(connection, source, customer_id, act)
        )

    def prune(
        self, runs: Sequence[tuple[PartitionKey, RunId]], policy: RetentionPolicy, act: OperatorAct
    ) -> list[PrunedRun | None]:
        """Put on record that runs are to be removed from the sink; for each, in order, None if it has to stay."""

        def work(connection: sqlite3.Connection) -> list[PrunedRun | None]:
            return [prune_tables.prune(connection, key, run_id, policy, act) for key, run_id in runs]

        _time_of(act)
        return self._file.write(work) if runs else []

    def end_prunes(self, removed: Sequence[PrunedRun]) -> None:
        """Put on record when the sink had removed these runs, and how many bytes each of them freed."""
        self._file.write(lambda connection: prune_tables.end_prunes(connection, removed))

    def _each(
        self, items: Sequence[_Item], act: OperatorAct, work: Callable[[sqlite3.Connection, _Item], bool]
    ) -> list[bool]:
        _time_of(act)
        return self._file.write(lambda connection: [work(connection, item) for item in items]) if items else []


def _time_of(act: OperatorAct) -> str:
    return moment_text(act.at, "the time of the act")


def _retry(connection: sqlite3.Connection, key: PartitionKey, act: OperatorAct) -> bool:
    (before,) = states_in(connection, [key])
    marks = marks_in(connection, key)
    if before.status is not PartitionStatus.FAILED or (act.by_policy and marks):
        return False
    after = retry(before, act.at)
    connection.execute(
        f"UPDATE partitions SET status = ?, updated_at = ?, version = ? WHERE {BY_NUMBER}",
        (after.status.value, microseconds(after.updated_at, "updated_at"), after.version, *key_columns(key)),
    )
    decided = _decided(connection, key)
    _record_act(connection, ActKind.RETRY, act, (before, marks, *decided), (after, marks, *decided))
    append_changes(connection, [(before, after, "retry")])
    return True


def _mark(connection: sqlite3.Connection, key: PartitionKey, mark: Mark, on: bool, act: OperatorAct) -> bool:
    before = marks_in(connection, key)
    if (mark in before) is on or is_erased(connection, key.source, key.customer_id):
        return False
    after = before | {mark} if on else before - {mark}
    connection.execute(SQL["put_marks"], (*key_columns(key), int(Mark.HELD in after), int(Mark.TERMINAL in after)))
    (state,), decided = states_in(connection, [key]), _decided(connection, key)
    kind = (MARKING if on else UNMARKING)[mark]
    _record_act(connection, kind, act, (state, before, *decided), (state, after, *decided))
    return True


def _decide(connection: sqlite3.Connection, key: PartitionKey, run_id: RunId, kind: ActKind, act: OperatorAct) -> bool:
    """Put a revocation or an acceptance of a run on record, unless it is or does not apply."""
    before = _decided(connection, key)
    accepts = kind is ActKind.ACCEPT
    if accepts:
        (held,) = states_in(connection, [key])
        applies = held.held_run_id == run_id
    else:
        statement = f"SELECT 1 FROM attempts WHERE {BY_KEY} AND run_id = ?"
        applies = connection.execute(statement, (*key_columns(key), run_id.value)).fetchone() is not None
    if run_id in before[accepts] or not applies or is_erased(connection, key.source, key.customer_id):
        return False
    table, at = ("acceptances", "accepted_at") if accepts else ("revocations", "ordered_at")
    connection.execute(
        f"INSERT INTO {table} ({KEY}, run_id, {at}) VALUES (?, ?, ?, ?, ?, ?)",
        (*key_columns(key), run_id.value, _time_of(act)),
    )
    # A validator that read the row before must read it again, or it would decide without this.
    connection.execute(
        f"UPDATE partitions SET updated_at = ?, version = version + 1 WHERE {BY_NUMBER}",
        (microseconds(act.at, "the time of the act"), *key_columns(key)),
    )
    (state,), marks = states_in(connection, [key]), marks_in(connection, key)
    _record_act(connection, kind, act, (state, marks, *before), (state, marks, *_decided(connection, key)))
    return True


def _decided(connection: sqlite3.Connection, key: PartitionKey) -> tuple[frozenset[RunId], frozenset[RunId]]:
    """The revoked and the accepted runs of `key`."""
    return decided_in(connection, key, "revocations"), decided_in(connection, key, "acceptances")


_Scheduling = tuple[PartitionState, Iterable[Mark], Iterable[RunId], Iterable[RunId]]


def _record_act(
    connection: sqlite3.Connection, kind: ActKind, act: OperatorAct, before: _Scheduling, after: _Scheduling
) -> None:
    columns = {
        "kind": kind.value,
        "at": _time_of(act),
        "actor": act.actor,
        "command": act.command,
        "reason": act.reason,
        "status_before": before[0].status.value,
        "status_after": after[0].status.value,
        "filter": act.filter,
        "by_policy": int(act.by_policy),
        "before": scheduling_text(before[0].status, *before[1:]),
        "after": scheduling_text(after[0].status, *after[1:]),
        "row_version": after[0].version,
    }
    connection.execute(
        f"INSERT INTO operator_acts ({KEY}, {', '.join(columns)}) VALUES ({', '.join('?' * (4 + len(columns)))})",
        (*key_columns(after[0].key), *columns.values()),
    )


def _take_lease(connection: sqlite3.Connection, scope: str, owner: str, now: datetime, until: datetime) -> Lease | None:
    _require_future(now, until)
    held = _held(connection, scope)
    if held is not None and held.owner != owner and held.expires_at > now:
        return None
    number = int(connection.execute("SELECT coalesce(max(number), 0) + 1 FROM leases").fetchone()[0])
    connection.execute(SQL["put_lease"], (scope, owner, number, moment_text(until, "until")))
    return Lease(scope, owner, number, until, left_behind=held is not None and held.expires_at != _LONG_AGO)


def _renew_lease(connection: sqlite3.Connection, lease: Lease, now: datetime, until: datetime) -> Lease | None:
    _require_future(now, until)
    if not _holds(connection, lease, now):
        return None
    connection.execute("UPDATE leases SET expires_at = ? WHERE scope = ?", (moment_text(until, "until"), lease.scope))
    return Lease(lease.scope, lease.owner, lease.number, until)


def _release(connection: sqlite3.Connection, leases: Iterable[Lease]) -> None:
    """End each lease now, unless the scope was taken since."""
    connection.executemany(
        "UPDATE leases SET expires_at = ? WHERE scope = ? AND number = ?",
        [(moment_text(_LONG_AGO, "the end"), lease.scope, lease.number) for lease in leases],
    )


def _erasures_of(connection: sqlite3.Connection, scope: str) -> tuple[list[Erasure], list[str]]:
    """The erasures of the account that a lease is of, and its number; nothing for a scope that is of none."""
    source, _, account = scope.partition("/")
    customer_id = account.partition("/")[0]
    return erasures_in(connection, source, customer_id), [customer_id]


def _holds(connection: sqlite3.Connection, lease: Lease, now: datetime) -> bool:
    if in_force(_erasures_of(connection, lease.scope)[0]):
        return False
    held = _held(connection, lease.scope)
    return held is not None and held.number == lease.number and held.expires_at > now


def _held(connection: sqlite3.Connection, scope: str) -> Lease | None:
    row = connection.execute(f"SELECT {LEASE.columns} FROM leases WHERE scope = ?", (scope,)).fetchone()
    return None if row is None else LEASE.read(row)


def _require_future(now: datetime, until: datetime) -> None:
    if until <= now:
        raise InvalidValueError(f"a lease from {now} until {until} would never be held")
