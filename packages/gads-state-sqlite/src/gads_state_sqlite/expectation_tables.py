"""Account lists and expectations as rows, and back."""

import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from gads_domain.account import AccountStatus
from gads_domain.clock import from_iso_utc
from gads_domain.expectations import (
    DrawnList,
    Expectation,
    Expectations,
    ListedAccount,
    after_drawing,
    after_forgetting,
    inferred,
)
from gads_state_sqlite.rows import Record, moment_text
from gads_state_sqlite.schema import EXPECTATIONS_VERSION, version_of

_ACCOUNT = Record(
    ListedAccount,
    "customer_id, name, currency, time_zone, manager_path, status, selected, skipped, first_listed_at, last_listed_at",
    status=(AccountStatus.of, attrgetter("value")),
)
_SPAN = Record(
    lambda customer_id, report, *days: [(customer_id, report, day) for day in days],
    "customer_id, report, first_day, last_day",
)
_EXPECTED = Record(Expectation, "customer_id, report, first_day, last_day, closed")


def expectations_in(connection: sqlite3.Connection, source: str, customer_id: str | None = None) -> Expectations:
    """What is on record; what the rows show while no list was drawn, or no writer has migrated the tables yet.

    With a `customer_id` of that account alone.
    """
    whose, values = "source = ?", [source]
    if customer_id is not None:
        whose, values = f"{whose} AND customer_id = ?", [source, customer_id]
    drawn = None
    if version_of(connection) >= EXPECTATIONS_VERSION:
        drawn = connection.execute("SELECT drawn_at FROM account_lists WHERE source = ?", (source,)).fetchone()
    if drawn is None:
        rows = connection.execute(
            "SELECT customer_id, report, min(logical_date), max(logical_date) FROM partition_state "
            f"WHERE {whose} GROUP BY customer_id, report",
            values,
        )
        return inferred(source, [pair_and_day for row in rows for pair_and_day in _SPAN.read(row)])
    accounts = connection.execute(
        f"SELECT {_ACCOUNT.columns} FROM listed_accounts WHERE {whose} ORDER BY customer_id", values
    )
    expected = connection.execute(
        f"SELECT {_EXPECTED.columns} FROM expectations WHERE {whose} ORDER BY customer_id, report, period", values
    )
    return Expectations(
        source, from_iso_utc(drawn[0]), tuple(map(_ACCOUNT.read, accounts)), tuple(map(_EXPECTED.read, expected))
    )


def account_list_in(connection: sqlite3.Connection, source: str) -> Expectations:
    """The account list as last drawn, with nothing expected; an empty one before a writer has migrated the tables."""
    if version_of(connection) < EXPECTATIONS_VERSION:
        return Expectations(source)
    drawn = connection.execute("SELECT drawn_at FROM account_lists WHERE source = ?", (source,)).fetchone()
    if drawn is None:
        return Expectations(source)
    accounts = connection.execute(
        f"SELECT {_ACCOUNT.columns} FROM listed_accounts WHERE source = ? ORDER BY customer_id", (source,)
    )
    return Expectations(source, from_iso_utc(drawn[0]), tuple(map(_ACCOUNT.read, accounts)))


def record_list(connection: sqlite3.Connection, drawn: DrawnList) -> Expectations:
    """Write what changes by `drawn`; returns what is expected from then on."""
    before = expectations_in(connection, drawn.source)
    after = after_drawing(before, drawn)
    if after is before:
        return after
    assert after.drawn_at is not None
    _put(connection, "account_lists", "source, drawn_at", 1, [(drawn.source, moment_text(after.drawn_at, "drawn_at"))])
    known = set(before.accounts)
    rows = [(drawn.source, *_ACCOUNT.write(account)) for account in after.accounts if account not in known]
    _put(connection, "listed_accounts", f"source, {_ACCOUNT.columns}", 2, rows)
    held, rows = set(_periods(before)), []
    for period, one in _periods(after):
        if (period, one) not in held or before.drawn_at is None:
            customer_id, report, *values = _EXPECTED.write(one)
            rows.append((drawn.source, customer_id, report, period, *values))
    _put(connection, "expectations", "source, customer_id, report, period, first_day, last_day, closed", 4, rows)
    return after


def forget(connection: sqlite3.Connection, source: str, customer_id: str, actor: str, reason: str) -> list[Expectation]:
    """Take an account out of what is expected; returns what was expected of it, if that may be."""
    before = expectations_in(connection, source)
    after = after_forgetting(before, customer_id, actor, reason)
    if after is before:
        return []
    account = after.account(customer_id)
    assert account is not None
    _put(connection, "listed_accounts", f"source, {_ACCOUNT.columns}", 2, [(source, *_ACCOUNT.write(account))])
    connection.execute("DELETE FROM expectations WHERE source = ? AND customer_id = ?", (source, customer_id))
    return [one for one in before.expected if one.customer_id == customer_id]


def _periods(expectations: Expectations) -> list[tuple[int, Expectation]]:
    found: list[tuple[int, Expectation]] = []
    for one in expectations.expected:
        last = found[-1] if found else None
        same = last is not None and (last[1].customer_id, last[1].report) == (one.customer_id, one.report)
        found.append((last[0] + 1 if last is not None and same else 1, one))
    return found


def _put(connection: sqlite3.Connection, table: str, columns: str, keys: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows, or change those that have the same first `keys` columns."""
    names = columns.split(", ")
    connection.executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in names[keys:]),
        rows,
    )
