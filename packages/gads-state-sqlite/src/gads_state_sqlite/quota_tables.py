"""Spent operations and rests as rows, and back."""

import sqlite3
from datetime import datetime

from gads_domain.errors import InvalidValueError
from gads_domain.quota import BUCKET, WINDOW, CallScope, Rest, RestAsked, Spending, Spent, SpentOperations, bucket_of
from gads_state_sqlite.queries import SQL
from gads_state_sqlite.rows import Record, moment_of, moment_text
from gads_state_sqlite.schema import QUOTA_VERSION, version_of

_SPENT = Record(
    lambda span, operations: SpentOperations(operations, span + BUCKET + WINDOW),
    "span, operations",
)
_REST = Record(
    lambda budget, customer_id, report, not_before, reason: Rest(
        CallScope(budget, customer_id, report), not_before, reason
    ),
    "budget, customer_id, report, not_before, reason",
)


def spent_in(connection: sqlite3.Connection, budget: str, now: datetime) -> Spent:
    """What of `budget` still counts at `now`; by days where no writer has migrated the tables yet."""
    statement = SQL["spent" if version_of(connection) >= QUOTA_VERSION else "spent_on_days"]
    rows = connection.execute(statement, (budget, moment_text(now - WINDOW - BUCKET, "now")))
    return Spent(tuple(map(_SPENT.read, rows)))


def rests_in(connection: sqlite3.Connection, budget: str, now: datetime) -> list[Rest]:
    """The rests of `budget` that are not over at `now`."""
    if version_of(connection) < QUOTA_VERSION:
        return []
    return list(map(_REST.read, connection.execute(SQL["rests"], (budget, moment_text(now, "now")))))


def spend(
    connection: sqlite3.Connection, call: CallScope, operations: int, limit: int | None, now: datetime
) -> Spending:
    """Count the operations unless the call rests, or they are more than `limit` allows."""
    if any(rest.scope.covers(call) for rest in rests_in(connection, call.budget, now)):
        return Spending.RESTING
    # Seen by the caller's own clock: one that is behind counts what is older too.
    if limit is not None and spent_in(connection, call.budget, now).count + operations > limit:
        return Spending.EXHAUSTED
    at = _at_or_after_the_last(connection, call.budget, now)
    span = moment_text(bucket_of(at), "the span")
    connection.execute(SQL["put_spent"], (call.budget, span, operations, moment_text(at, "now")))
    return Spending.GRANTED


def rest(connection: sqlite3.Connection, call: CallScope, asked: RestAsked, now: datetime) -> Rest:
    """Put a rest on record unless one of its scope lasts longer; returns the one that holds."""
    scope = asked.scope_of(call)
    until = _at_or_after_the_last(connection, call.budget, now) + asked.length
    values = (scope.budget, scope.customer_id, scope.report, moment_text(until, "the end of the rest"), asked.reason)
    connection.execute(SQL["put_rest"], values)
    (held,) = (rest for rest in rests_in(connection, call.budget, now) if rest.scope == scope)
    return held


def _at_or_after_the_last(connection: sqlite3.Connection, budget: str, now: datetime) -> datetime:
    if now.tzinfo is None:
        raise InvalidValueError("now is not an aware time")
    row = connection.execute(SQL["seen_at"], (budget,)).fetchone()
    return now if row is None else max(now, moment_of(row[0]))
