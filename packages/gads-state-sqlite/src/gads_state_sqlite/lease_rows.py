"""Leases: one holder a scope at a time, each with a higher number than any before."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from gads_domain.control import Lease
from gads_domain.errors import InvalidValueError
from gads_state_sqlite.control_reader import lease_of
from gads_state_sqlite.rows import moment_text

_LONG_AGO = "0001-01-01T00:00:00.000000Z"


def taken(connection: sqlite3.Connection, scope: str, owner: str, now: datetime, until: datetime) -> Lease | None:
    """The new lease of `scope`, unless somebody else holds it at `now`."""
    _require_future(now, until)
    held = _held(connection, scope)
    if held is not None and held.owner != owner and held.expires_at > now:
        return None
    number = int(connection.execute("SELECT coalesce(max(number), 0) + 1 FROM leases").fetchone()[0])
    connection.execute(
        "INSERT INTO leases (scope, owner, number, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (scope) DO UPDATE SET "
        "owner = excluded.owner, number = excluded.number, expires_at = excluded.expires_at",
        (scope, owner, number, moment_text(until, "until")),
    )
    return Lease(scope, owner, number, until)


def holds(connection: sqlite3.Connection, lease: Lease, now: datetime) -> bool:
    """Whether `lease` is still its owner's at `now`."""
    held = _held(connection, lease.scope)
    return held is not None and held.number == lease.number and held.expires_at > now


def renewed(connection: sqlite3.Connection, lease: Lease, now: datetime, until: datetime) -> Lease | None:
    """The lease as it is now, or None if it was lost."""
    _require_future(now, until)
    if not holds(connection, lease, now):
        return None
    connection.execute("UPDATE leases SET expires_at = ? WHERE scope = ?", (moment_text(until, "until"), lease.scope))
    return Lease(lease.scope, lease.owner, lease.number, until)


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """End `lease` now, if nobody has taken the scope since."""
    connection.execute(
        "UPDATE leases SET expires_at = ? WHERE scope = ? AND number = ?", (_LONG_AGO, lease.scope, lease.number)
    )


def _held(connection: sqlite3.Connection, scope: str) -> Lease | None:
    row = connection.execute("SELECT scope, owner, number, expires_at FROM leases WHERE scope = ?", (scope,)).fetchone()
    return None if row is None else lease_of(row)


def _require_future(now: datetime, until: datetime) -> None:
    if until <= now:
        raise InvalidValueError(f"a lease from {now} until {until} is none")
