"""Operations counted against the budget of a day."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

from gads_domain.control import Lease, Spending
from gads_domain.errors import InvalidValueError
from gads_state_sqlite.control_reader import quota_in
from gads_state_sqlite.lease_rows import holds


def spent(
    connection: sqlite3.Connection,
    budget: str,
    day: date,
    operations: int,
    limit: int | None,
    lease: Lease | None,
    now: datetime,
) -> Spending:
    """Count the operations, or say why not."""
    if operations < 1:
        raise InvalidValueError(f"{operations} operations are none")
    if lease is not None and not holds(connection, lease, now):
        return Spending.LEASE_LOST
    so_far = quota_in(connection, budget, day)
    if so_far.exhausted or (limit is not None and so_far.spent + operations > limit):
        return Spending.EXHAUSTED
    connection.execute(
        "INSERT INTO quota_days (budget, day, spent) VALUES (?, ?, ?) "
        "ON CONFLICT (budget, day) DO UPDATE SET spent = spent + excluded.spent",
        (budget, day.isoformat(), operations),
    )
    return Spending.GRANTED


def exhaust(connection: sqlite3.Connection, budget: str, day: date) -> None:
    """No more on this day."""
    connection.execute(
        "INSERT INTO quota_days (budget, day, exhausted) VALUES (?, ?, 1) "
        "ON CONFLICT (budget, day) DO UPDATE SET exhausted = 1",
        (budget, day.isoformat()),
    )
