"""The tables of a warehouse beside the rows: contracts/warehouse/v1 names these tables and columns."""

from contextlib import suppress

import duckdb

from gads_domain.package_data import statements_of
from gads_warehouse_duckdb.errors import NewerWarehouseError, TableTakenError

CONTRACT_VERSION = "1.3"
"""`major.minor` of contracts/warehouse; another major is refused, any minor is taken."""

REPORTING = "reporting"
"""The schema of the views for analysts."""

DBT = "google_ads"
"""The schema of the views that the dbt package `google_ads` takes as its source."""

TAKEN_NAMES = frozenset({"main", "gads", REPORTING, DBT})
"""What the file cannot be called: DuckDB names a database after its file, and could not tell it from a schema."""

CUSTOMER_ID, LOGICAL_DATE, RUN_ID = "_customer_id", "_logical_date", "_run_id"
IDENTITY = {CUSTOMER_ID: "VARCHAR", LOGICAL_DATE: "DATE", RUN_ID: "VARCHAR"}
"""The columns behind those of the payload, and their types."""

_SQL = statements_of("gads_warehouse_duckdb", "layout.sql")


def quoted(name: str) -> str:
    """`name` as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a constant."""
    return "'" + text.replace("'", "''") + "'"


def column_type(kind: str) -> str:
    """DuckDB's name of a payload's column type."""
    if kind.startswith("list<"):
        return column_type(kind[5:-1]) + "[]"
    return {
        "int64": "BIGINT",
        "double": "DOUBLE",
        "bool": "BOOLEAN",
        "string": "VARCHAR",
        "binary": "BLOB",
        "date32": "DATE",
    }[kind]


def is_laid_out(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the database has a warehouse; raises `NewerWarehouseError` for one of another major version."""
    # Asking the catalogue takes five times as long, at each opening of a warehouse that is there. The cursor has a
    # transaction of its own, which the error ends and not that of `connection`.
    with suppress(duckdb.CatalogException, duckdb.BinderException), connection.cursor() as cursor:
        row = cursor.execute("SELECT contract_version FROM gads.state").fetchone()
        return _is_known(row)
    if connection.execute(_SQL["find_state_table"]).fetchone() is None:
        return False
    return _is_known(connection.execute("SELECT contract_version FROM gads.state").fetchone())


def _is_known(row: tuple[str] | None) -> bool:
    if row is not None and str(row[0]).split(".")[0] != CONTRACT_VERSION.split(".")[0]:
        raise NewerWarehouseError(f"the warehouse was written under contract {row[0]}; this knows {CONTRACT_VERSION}")
    return row is not None


def has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the schema `gads` has a table that came with a later minor of the contract."""
    return connection.execute(_SQL["find_table"], [name]).fetchone() is not None


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what is not there yet; what is made counts once `state` has its row.

    Raises `TableTakenError` in a database that is no warehouse and has a schema of such a name.
    """
    if is_laid_out(connection):
        connection.execute(_SQL["full_load"] + _SQL["expected"])
        return
    taken = connection.execute(_SQL["taken_schemas"]).fetchall()
    if taken:
        names = ", ".join(name for (name,) in taken)
        raise TableTakenError(
            f"the file is no warehouse, and has a schema {names} already", hint="give the warehouse a file of its own"
        )
    connection.execute(_SQL["tables"] + _SQL["full_load"] + _SQL["expected"])
