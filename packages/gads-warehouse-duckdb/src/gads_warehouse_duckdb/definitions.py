"""Catalogue and views: made again whenever the tables, or the definitions in this software, have changed."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import duckdb

from gads_warehouse_duckdb.errors import TableTakenError
from gads_warehouse_duckdb.layout import IDENTITY, column_type, literal, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.dbt import dbt_views
from gads_warehouse_duckdb.views.definition import ViewDefinition
from gads_warehouse_duckdb.views.reporting import reporting_views

_COLUMNS = ("column_name", "data_type", "category", "field", "schema_versions", "meaning")
_IDENTITY_MEANINGS = {
    "_customer_id": "The account whose partition the row is of, digits alone.",
    "_logical_date": "The day whose partition the row is of, in the account's own time zone.",
    "_run_id": "The run whose row this is: the authoritative one of its partition.",
}
"""The columns that the warehouse adds."""


class Definitions:
    """The catalogue of these tables and their views; equal tables give equal ones."""

    def __init__(self, tables: Sequence[ReportTable]) -> None:
        self.views: list[ViewDefinition] = [*reporting_views(tables), *dbt_views(tables)]
        self.catalogue: list[dict[str, Any]] = [row for table in tables for row in _described(table)]

    @property
    def fingerprint(self) -> str:
        """A digest to compare with that of the definitions that the warehouse has."""
        views = [[view.schema, view.name, view.query, view.meaning] for view in self.views]
        return hashlib.sha256(json.dumps([views, self.catalogue], sort_keys=True).encode()).hexdigest()

    def are_there(self, connection: duckdb.DuckDBPyConnection, fingerprint: str) -> bool:
        """Whether the warehouse has them: those of `fingerprint`, and each view as it was made.

        A view that something else replaced has lost its comment.
        """
        there = connection.execute(
            "SELECT schema_name, view_name, comment FROM duckdb_views() WHERE database_name = current_database()"
        ).fetchall()
        return fingerprint == self.fingerprint and {(v.schema, v.name, v.meaning) for v in self.views} <= set(there)

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Put them in place of the views that are there; raises `TableTakenError` for a table of such a name."""
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
        for schema, name in {(view.schema, view.name) for view in self.views}.intersection(tables):
            raise TableTakenError(f"there cannot be a view {schema}.{name}: there is a table of that name")
        for schema, name in connection.execute("SELECT schema_name, view_name FROM gads.views").fetchall():
            connection.execute(f"DROP VIEW IF EXISTS {schema}.{quoted(name)}")
        connection.execute("DELETE FROM gads.views")
        for view in self.views:
            place = f"{view.schema}.{quoted(view.name)}"
            connection.execute(f"CREATE OR REPLACE VIEW {place} AS {view.query}")
            connection.execute(f"COMMENT ON VIEW {place} IS {literal(view.meaning)}")
            connection.execute("INSERT INTO gads.views VALUES (?, ?, ?)", [view.schema, view.name, view.meaning])
        import pyarrow as pa  # where the tables are is asked without it

        connection.execute("DELETE FROM gads.catalogue")
        columns = connection.sql("FROM gads.catalogue").to_arrow_table().schema
        connection.register("catalogue_rows", pa.Table.from_pylist(self.catalogue, columns))
        connection.execute("INSERT INTO gads.catalogue FROM catalogue_rows")
        connection.unregister("catalogue_rows")


def _described(table: ReportTable) -> list[dict[str, Any]]:
    rows: list[tuple[str, str, str, str | None, list[int], str | None]] = []
    for column in table.columns:
        group = column.field.split(".")[0]
        category = group if group in ("metrics", "segments") else "attributes"
        versions = sorted(version for version, columns in table.versions.items() if column in columns)
        meaning = _meanings().get(column.field)
        rows.append((column.name, column_type(column.type), category, column.field, versions, meaning))
    for name, kind in IDENTITY.items():
        rows.append((name, kind, "identity", None, sorted(table.versions), _IDENTITY_MEANINGS[name]))
    return [
        {
            "report": table.report,
            "table_name": table.name,
            "position": position,
            **dict(zip(_COLUMNS, row, strict=True)),
        }
        for position, row in enumerate(rows)
    ]


@cache
def _meanings() -> dict[str, str]:
    """What the API says its fields mean, by GAQL path, where it says so; made by generate/field_meanings.py."""
    data = (resources.files("gads_warehouse_duckdb") / "field_meanings.json.gz").read_bytes()
    fields: dict[str, str] = json.loads(gzip.decompress(data))["fields"]
    return fields
