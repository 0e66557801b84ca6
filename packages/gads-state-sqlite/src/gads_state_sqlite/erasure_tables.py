"""Erasures as rows, and what of an account goes by them."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gads_domain.control import scope_of
from gads_domain.erasure import Erasure, digest_over, in_force, require_none_erased
from gads_domain.errors import UsageError
from gads_domain.partition_key import PartitionKey
from gads_domain.state import OperatorAct
from gads_state_sqlite.activity_tables import erase_names, named_in
from gads_state_sqlite.queries import SQL, histories_in, ranges_of
from gads_state_sqlite.rows import LOG, key_of, microseconds, moment_of, moment_text
from gads_state_sqlite.schema import ERASURES_VERSION, version_of

OF_PARTITIONS = ("attempts", "revocations", "acceptances", "pruned_runs", "pins", "marks", "operator_acts")
"""Tables with rows of partitions; a result goes before its revocation, so that it is counted as what it was."""

OF_ACCOUNTS = ("partition_state", "listed_accounts", "expectations")
"""Tables whose rows of an account go with the order."""

_ACCOUNT = "source = ? AND customer_id = ?"
_UNNAMED = f"{_ACCOUNT} AND NOT EXISTS (SELECT 1 FROM authority_changes WHERE account_report = account_reports.id)"
"""Names that no change of the erasure has."""

_IN_RANGE = f"{_ACCOUNT} AND report = ? AND logical_date BETWEEN ? AND ?"


def erasures_in(connection: sqlite3.Connection, source: str, customer_id: str | None = None) -> list[Erasure]:
    """The erasures on record, of one account or of all, oldest first."""
    if version_of(connection) < ERASURES_VERSION:
        return []
    return [_erasure(row) for row in connection.execute(SQL["erasures"], (source, customer_id))]


def erased_change_in(connection: sqlite3.Connection, sequence: int) -> str | None:
    """The fingerprint of a change that an erasure has removed."""
    if version_of(connection) < ERASURES_VERSION:
        return None
    row = connection.execute("SELECT fingerprint FROM erased_changes WHERE sequence = ?", (sequence,)).fetchone()
    return None if row is None else str(row[0])


def erased_reports_in(connection: sqlite3.Connection, source: str) -> set[str]:
    """The reports of which an erasure has withdrawn a day: who follows the log has to be able to name them."""
    statement = f"SELECT DISTINCT report FROM authority_log WHERE {_ACCOUNT}"
    accounts = {erasure.customer_id for erasure in erasures_in(connection, source)}
    return {report for one in accounts for (report,) in connection.execute(statement, (source, one))}


def account_rows_in(connection: sqlite3.Connection, source: str, customer_id: str) -> dict[str, int]:
    """How many rows each table has of an account, the leases and rests of it included."""
    scope = scope_of(source, customer_id, "")
    known = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    tables = [name for name in (*OF_ACCOUNTS, *OF_PARTITIONS) if name in known]
    counts = {
        **{name: (f"{name} WHERE {_ACCOUNT}", (source, customer_id)) for name in tables},
        "authority_log": (f"authority_log WHERE {_ACCOUNT} AND cause <> 'erase'", (source, customer_id)),
        "leases": ("leases WHERE substr(scope, 1, ?) = ?", (len(scope), scope)),
        "rests": ("rests WHERE customer_id = ?", (customer_id,)),
    }
    found = named_in(connection, customer_id)
    for name, (rows, values) in counts.items():
        found[name] = int(connection.execute(f"SELECT count(*) FROM {rows}", values).fetchone()[0])
    return {name: count for name, count in found.items() if count}


def is_erased(connection: sqlite3.Connection, source: str, customer_id: str) -> bool:
    """Whether an erasure of the account is in force."""
    return customer_id in in_force(erasures_in(connection, source, customer_id))


def require_no_erasure(connection: sqlite3.Connection, keys: Iterable[PartitionKey]) -> None:
    """Raise `AccountErasedError` if the account of any key is erased."""
    for source, customer_id in {(key.source, key.customer_id) for key in keys}:
        require_none_erased(erasures_in(connection, source, customer_id), [customer_id])


def order_erasure(connection: sqlite3.Connection, source: str, customer_id: str, act: OperatorAct) -> Erasure:
    """Put an erasure on record, unless one is in force, and withdraw all authority of the account."""
    if not is_erased(connection, source, customer_id):
        erasure = Erasure(source, customer_id, act)
        at = moment_text(act.at, "the time of the act")
        connection.execute(
            "INSERT INTO erasures (source, customer_id, at, actor, command, reason, partitions, results, changes, "
            "digest) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, ?)",
            (source, customer_id, at, act.actor, act.command, act.reason, erasure.digest),
        )
        connection.execute(SQL["withdraw_all"], (microseconds(act.at, "the time of the act"), source, customer_id))
        listed = connection.execute(f"SELECT name FROM listed_accounts WHERE {_ACCOUNT}", (source, customer_id))
        erase_names(connection, customer_id, *(listed.fetchone() or ("",)))
        _delete(connection, OF_ACCOUNTS, _ACCOUNT, (source, customer_id))
    return _in_force(connection, source, customer_id)


def erase(connection: sqlite3.Connection, source: str, customer_id: str, now: datetime, limit: int) -> Erasure:
    """Remove what is kept of up to `limit` partitions of an erased account; what is of none goes last."""
    erasure = _in_force(connection, source, customer_id)
    if erasure.cleared_at is not None:
        return erasure
    # What is deleted is overwritten in the file.
    connection.execute("PRAGMA secure_delete = ON")
    account = (source, customer_id)
    keys = [key_of(row) for row in connection.execute(SQL["next_to_erase"], (*account, max(limit, 1)))]
    if keys:
        histories = histories_in(connection, keys)
        changes = 0
        for wanted in ranges_of(keys):
            changes += _erase_changes(connection, _IN_RANGE, wanted)
            _delete(connection, OF_PARTITIONS, _IN_RANGE, wanted)
        results = sum(len(history.results) for history in histories)
        digest = digest_over(erasure.digest, histories)
        connection.execute(SQL["count_erased"], (len(keys), results, changes, digest, *account))
    else:
        _erase_changes(connection, _ACCOUNT, account)
        _delete(connection, (*OF_ACCOUNTS, *OF_PARTITIONS), _ACCOUNT, account)
        _delete(connection, ["account_reports"], _UNNAMED, account)
        scope = scope_of(source, customer_id, "")
        connection.execute("DELETE FROM leases WHERE substr(scope, 1, ?) = ?", (len(scope), scope))
        connection.execute("DELETE FROM rests WHERE customer_id = ?", (customer_id,))
        erase_names(connection, customer_id, "")
        _set(connection, "cleared_at", now, account)
    return _in_force(connection, source, customer_id)


def count_erased(connection: sqlite3.Connection, source: str, customer_id: str, counts: Mapping[str, int]) -> Erasure:
    """Add to what went elsewhere."""
    known = _in_force(connection, source, customer_id).elsewhere
    sums = {name: known.get(name, 0) + counts.get(name, 0) for name in {**known, **counts}}
    connection.execute(
        f"UPDATE erasures SET elsewhere = ? WHERE {_ACCOUNT} AND readmitted_at IS NULL",
        (json.dumps(sums), source, customer_id),
    )
    return _in_force(connection, source, customer_id)


def end_erasure(connection: sqlite3.Connection, source: str, customer_id: str, now: datetime) -> Erasure:
    """Put the end of an erasure on record, once."""
    erasure = _in_force(connection, source, customer_id)
    if erasure.cleared_at is None:
        raise UsageError(f"the ledger still has rows of account {customer_id}", hint="erase it first")
    if erasure.ended_at is None:
        _set(connection, "ended_at", now, (source, customer_id))
    return _in_force(connection, source, customer_id)


def readmit(connection: sqlite3.Connection, source: str, customer_id: str, act: OperatorAct) -> Erasure:
    """Lift an erasure that has ended."""
    if _in_force(connection, source, customer_id).ended_at is None:
        raise UsageError(
            f"the erasure of account {customer_id} has not ended", hint="erase it to its end first, then readmit it"
        )
    connection.execute(
        "UPDATE erasures SET readmitted_at = ?, readmitted_by = ?, readmitted_command = ?, readmitted_reason = ? "
        f"WHERE {_ACCOUNT} AND readmitted_at IS NULL",
        (moment_text(act.at, "the time of the act"), act.actor, act.command, act.reason, source, customer_id),
    )
    return erasures_in(connection, source, customer_id)[-1]


def _in_force(connection: sqlite3.Connection, source: str, customer_id: str) -> Erasure:
    found = in_force(erasures_in(connection, source, customer_id)).get(customer_id)
    if found is None:
        raise UsageError(f"no erasure of account {customer_id} is in force", hint="an erasure is ordered first")
    return found


def _erase_changes(connection: sqlite3.Connection, condition: str, values: Sequence[Any]) -> int:
    """Remove changes, but those that an erasure made, and keep their fingerprints; how many they are."""
    rows = f"FROM authority_log WHERE {condition} AND cause <> 'erase'"
    changes = list(map(LOG.read, connection.execute(f"SELECT {LOG.columns} {rows}", values)))
    connection.executemany(
        "INSERT INTO erased_changes (sequence, fingerprint) VALUES (?, ?)",
        [(change.sequence, change.fingerprint) for change in changes],
    )
    connection.execute(f"DELETE {rows}", values)
    return len(changes)


def _delete(connection: sqlite3.Connection, tables: Iterable[str], condition: str, values: Sequence[Any]) -> None:
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE {condition}", values)


def _set(connection: sqlite3.Connection, column: str, now: datetime, account: tuple[str, str]) -> None:
    connection.execute(
        f"UPDATE erasures SET {column} = ? WHERE {_ACCOUNT} AND readmitted_at IS NULL",
        (moment_text(now, column), *account),
    )


def _erasure(row: Sequence[Any]) -> Erasure:
    source, customer_id, at, actor, command, reason, partitions, results, changes = row[:9]
    digest, elsewhere, cleared, ended, readmitted = row[9:14]
    return Erasure(
        source,
        customer_id,
        OperatorAct(moment_of(at), actor, command, reason),
        partitions,
        results,
        changes,
        digest,
        json.loads(elsewhere),
        None if cleared is None else moment_of(cleared),
        None if ended is None else moment_of(ended),
        None if readmitted is None else OperatorAct(moment_of(readmitted), *row[14:]),
    )
