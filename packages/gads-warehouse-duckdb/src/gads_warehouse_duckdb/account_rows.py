"""What the tables hold of an account, in whatever table, and how it goes."""

from collections.abc import Sequence

import duckdb

from gads_domain.package_data import statements_of
from gads_warehouse_duckdb.layout import CUSTOMER_ID
from gads_warehouse_duckdb.report_tables import ReportTable

_SQL = statements_of("gads_warehouse_duckdb", "layout.sql")
_POINTERS = "gads.pointers"


def count_account_rows(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[ReportTable], customer_id: str
) -> dict[str, int]:
    """How many rows each table has of the account; only tables with any."""
    found = {}
    for place, column in _places(connection, tables):
        ((count,),) = connection.execute(f"SELECT count(*) FROM {place} WHERE {column} = ?", [customer_id]).fetchall()
        found[place] = int(count)
    return {place: count for place, count in found.items() if count}


def erase_account(connection: duckdb.DuckDBPyConnection, tables: Sequence[ReportTable], customer_id: str) -> int:
    """Delete every row of the account; how many partitions were shown."""
    found = count_account_rows(connection, tables, customer_id)
    for place, column in _places(connection, tables):
        if place in found:
            connection.execute(f"DELETE FROM {place} WHERE {column} = ?", [customer_id])
    return found.get(_POINTERS, 0)


def _places(connection: duckdb.DuckDBPyConnection, tables: Sequence[ReportTable]) -> list[tuple[str, str]]:
    """Every table that has an account in a column, as SQL names both."""
    beside = connection.execute(_SQL["tables_of_accounts"]).fetchall()
    return [*((table.place, CUSTOMER_ID) for table in tables), *((f"gads.{name}", "customer_id") for (name,) in beside)]
