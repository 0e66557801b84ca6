"""What the tables should hold, as tables beside them."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from gads_domain.account import AccountStatus
from gads_domain.completeness import Freshness
from gads_domain.expectations import Expectation, Expectations, ListedAccount
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import LoadedExpectations
from gads_warehouse_duckdb.layout import has_table
from gads_warehouse_duckdb.state import naive_utc

_ACCOUNT = [field.name for field in fields(ListedAccount)]
_EXPECTED = [field.name for field in fields(Expectation)]


def find_expected(connection: duckdb.DuckDBPyConnection, source: str) -> LoadedExpectations | None:
    """What a step has brought; None before any has, and for a file from before contract 1.2."""
    row = connection.execute("FROM gads.account_list").fetchone() if has_table(connection, "account_list") else None
    if row is None:
        return None
    drawn_at, due, max_age = row
    own: list[tuple[str, float]] = []
    if has_table(connection, "due_by_report"):
        own = connection.execute("FROM gads.due_by_report").fetchall()
    by_report = {report: timedelta(seconds=seconds) for report, seconds in own}
    accounts = connection.execute(f"SELECT {', '.join(_ACCOUNT)} FROM gads.accounts ORDER BY customer_id").fetchall()
    expected = connection.execute(f"SELECT {', '.join(_EXPECTED)} FROM gads.expectations").fetchall()
    held = connection.execute("SELECT customer_id, report, logical_date FROM gads.held").fetchall()
    expectations = Expectations(
        source,
        None if drawn_at is None else drawn_at.replace(tzinfo=UTC),
        tuple(_account(dict(zip(_ACCOUNT, values, strict=True))) for values in accounts),
        tuple(sorted((Expectation(*values) for values in expected), key=_by_period)),
    )
    freshness = Freshness(timedelta(seconds=due), timedelta(seconds=max_age), by_report)
    return LoadedExpectations(expectations, freshness, tuple(sorted(PartitionKey(source, *key) for key in held)))


def write_expected(connection: duckdb.DuckDBPyConnection, expected: LoadedExpectations) -> None:
    """Put `expected` in place of what is there."""
    import pyarrow as pa  # where the tables are is asked without it

    found, freshness = expected.expectations, expected.freshness
    drawn_at = None if found.drawn_at is None else naive_utc(found.drawn_at)
    times = [drawn_at, freshness.due.total_seconds(), freshness.accounts_max_age.total_seconds()]
    connection.execute("DELETE FROM gads.account_list")
    connection.execute("INSERT INTO gads.account_list VALUES (?, ?, ?)", times)
    connection.execute("DELETE FROM gads.due_by_report")
    for report, due in freshness.by_report.items():
        connection.execute("INSERT INTO gads.due_by_report VALUES (?, ?)", [report, due.total_seconds()])
    for table, names, rows in (
        ("accounts", _ACCOUNT, found.accounts),
        ("expectations", _EXPECTED, found.expected),
        ("held", ["customer_id", "report", "logical_date"], expected.held),
    ):
        columns = connection.sql(f"FROM gads.{table}").to_arrow_table().schema
        records = [{name: _column(getattr(row, name)) for name in names} for row in rows]
        connection.register("expected_rows", pa.Table.from_pylist(records, columns))
        connection.execute(f"DELETE FROM gads.{table}")
        connection.execute(f"INSERT INTO gads.{table} FROM expected_rows")
        connection.unregister("expected_rows")


def _by_period(one: Expectation) -> tuple[Any, ...]:
    return one.customer_id, one.report, one.first_day, one.last_day is None, one.last_day


def _column(value: Any) -> Any:
    if isinstance(value, datetime):
        return naive_utc(value)
    if isinstance(value, AccountStatus):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _account(row: dict[str, Any]) -> ListedAccount:
    times = {name: row[name].replace(tzinfo=UTC) for name in ("first_listed_at", "last_listed_at")}
    status = AccountStatus.of(row["status"])
    return ListedAccount(**{**row, **times, "manager_path": tuple(row["manager_path"]), "status": status})
