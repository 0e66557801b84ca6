"""The tables of a warehouse beside the rows: contracts/warehouse/v1 names these tables and columns."""

from __future__ import annotations

import duckdb

from gads_warehouse_duckdb.errors import NewerWarehouseError, TableTakenError

CONTRACT_VERSION = "1.1"
"""`major.minor` of contracts/warehouse; another major is refused, any minor is taken."""

RECORDS = "gads"
"""The schema of pointers, load records and catalogue. Its times are UTC, without a zone, which any client can read."""

REPORTING = "reporting"
"""The schema of the views for analysts."""

DBT = "google_ads"
"""The schema of the views that the dbt package `google_ads` takes as its source."""

TAKEN_NAMES = frozenset({"main", RECORDS, REPORTING, DBT})
"""What the file cannot be called: DuckDB names a database after its file, and could not tell it from a schema."""

CUSTOMER_ID, LOGICAL_DATE, RUN_ID = "_customer_id", "_logical_date", "_run_id"
IDENTITY = {CUSTOMER_ID: "VARCHAR", LOGICAL_DATE: "DATE", RUN_ID: "VARCHAR"}
"""The columns behind those of the payload, and their types."""

_FULL_LOAD = f"""
CREATE TABLE IF NOT EXISTS {RECORDS}.full_load (position BIGINT, cursor VARCHAR, done BIGINT, remaining BIGINT);
"""

_STATEMENTS = f"""
CREATE SCHEMA {RECORDS};
CREATE SCHEMA {REPORTING};
CREATE SCHEMA {DBT};
CREATE TABLE {RECORDS}.state (
    contract_version VARCHAR, source VARCHAR, ledger_id VARCHAR, position BIGINT, cursor VARCHAR, definitions VARCHAR,
    loaded_at TIMESTAMP, load_id BIGINT
);
CREATE TABLE {RECORDS}.pointers (
    customer_id VARCHAR, report VARCHAR, logical_date DATE, run_id VARCHAR, schema_version INTEGER,
    record_count BIGINT, seal_sha256 VARCHAR, loaded_at TIMESTAMP, load_id BIGINT
);
CREATE TABLE {RECORDS}.loads (
    load_id BIGINT, mode VARCHAR, position_before BIGINT, position BIGINT, loaded_at TIMESTAMP, added BIGINT,
    replaced BIGINT, removed BIGINT, record_count BIGINT, contract_version VARCHAR
);
CREATE TABLE {RECORDS}.load_records (
    load_id BIGINT, action VARCHAR, customer_id VARCHAR, report VARCHAR, logical_date DATE, run_id VARCHAR,
    previous_run_id VARCHAR, schema_version INTEGER, record_count BIGINT, seal_sha256 VARCHAR, loaded_at TIMESTAMP,
    contract_version VARCHAR
);
CREATE TABLE {RECORDS}.report_tables (
    report VARCHAR, schema_version INTEGER, table_name VARCHAR, columns VARCHAR
);
CREATE TABLE {RECORDS}.catalogue (
    report VARCHAR, table_name VARCHAR, column_name VARCHAR, position INTEGER, data_type VARCHAR, category VARCHAR,
    field VARCHAR, schema_versions INTEGER[], meaning VARCHAR
);
CREATE TABLE {RECORDS}.views (schema_name VARCHAR, view_name VARCHAR, meaning VARCHAR);
"""


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
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = ? AND table_name = 'state' AND NOT internal "
        "AND database_name = current_database()",
        [RECORDS],
    ).fetchone()
    if found is None or found[0] == 0:
        return False
    row = connection.execute(f"SELECT contract_version FROM {RECORDS}.state").fetchone()
    if row is not None and str(row[0]).split(".")[0] != CONTRACT_VERSION.split(".")[0]:
        raise NewerWarehouseError(f"the warehouse was written under contract {row[0]}; this knows {CONTRACT_VERSION}")
    return row is not None


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what is not there yet; what is made counts once `state` has its row.

    Raises `TableTakenError` in a database that is no warehouse and has a schema of such a name.
    """
    if is_laid_out(connection):
        connection.execute(_FULL_LOAD)  # which files from before contract 1.1 lack
        return
    taken = connection.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
        "AND list_contains($names, schema_name) ORDER BY schema_name",
        {"names": [RECORDS, REPORTING, DBT]},
    ).fetchall()
    if taken:
        names = ", ".join(name for (name,) in taken)
        raise TableTakenError(
            f"the file is no warehouse, and has a schema {names} already", hint="give the warehouse a file of its own"
        )
    connection.execute(_STATEMENTS + _FULL_LOAD)
