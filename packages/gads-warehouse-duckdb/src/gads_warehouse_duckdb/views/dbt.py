"""The source tables of the dbt package `google_ads`, as views: what it documents in `src_google_ads.yml`.

`dbt_sources.toml` lists them. A history has a row for each day of an entity, of which the last is the current one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gads_domain.package_data import statements_of, tables_of
from gads_warehouse_duckdb.layout import CUSTOMER_ID, DBT, LOGICAL_DATE, literal, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import (
    ViewColumn,
    ViewDefinition,
    any_gives,
    metrics_of,
    tables_of_reports,
)

_SQL = statements_of("gads_warehouse_duckdb", "views/dbt.sql")


def dbt_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """The views for which a table that is loaded has the columns that are needed."""
    made = []
    for name, source in tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["source"].items():
        used = tables_of_reports(tables, source["reports"])
        columns = source_columns(source, used)
        if any_gives((column for column in columns if column.name in source["needed"]), used):
            query = _history(source, columns, used) if "entity" in source else _stats(columns, used)
            meaning = (
                f"The source {name} of the dbt package google_ads, from {', '.join(table.name for table in used)}."
            )
            made.append(ViewDefinition(DBT, name, query, meaning))
    return made


def source_columns(source: Mapping[str, Any], tables: Sequence[ReportTable]) -> list[ViewColumn]:
    """The columns of a source; behind those of statistics come the other metrics that the tables have."""
    own = list(map(ViewColumn.parse, source["columns"]))
    if "entity" in source:
        return own
    own += map(ViewColumn.parse, tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["stats"])
    names = {column.name for column in own}
    return [*own, *(metric for metric in metrics_of(tables) if metric.name not in names)]


def _stats(columns: Sequence[ViewColumn], tables: Sequence[ReportTable]) -> str:
    selects = []
    for table in tables:
        # A null is a value of its own, and no value holds the separator: two rows of a grain have two ids.
        grain = [
            f"coalesce({quoted(column.name)}::VARCHAR, chr(30))"
            for column in table.columns
            if not column.is_metric and not column.type.startswith("list<")
        ]
        values = (f"{column.value(table)} AS {quoted(column.name)}" for column in columns)
        selects.append(
            _SQL["stats"].format(
                grain=", ".join([CUSTOMER_ID, LOGICAL_DATE, *grain]), columns=", ".join(values), rows=_rows(table)
            )
        )
    return "\nUNION ALL\n".join(selects)


def _history(source: Mapping[str, Any], columns: Sequence[ViewColumn], tables: Sequence[ReportTable]) -> str:
    entity = source["entity"]
    own = [column for column in columns if column.name in entity]
    # Rows that do not say what they describe describe nothing.
    used = [table for table in tables if any_gives(own, [table])]
    attributes = [column for column in columns if column not in own and any_gives([column], used)]
    selects = []
    for rank, table in enumerate(used):
        values = [CUSTOMER_ID, *(f"{column.value(table)} AS {column.name}" for column in own)]
        for column in attributes:
            values.append(f"{said(column, table)} AS {column.name}")
        selects.append(_SQL["described"].format(columns=", ".join(values), rank=rank, rows=_rows(table)))
    return _SQL["history"].format(
        described="\n    UNION ALL\n    ".join(selects),
        entity=", ".join(entity),
        there=" AND ".join(f"{name} IS NOT NULL" for name in entity),
        best=", ".join(f"arg_min({column.name}, _rank) AS {column.name}" for column in attributes),
        columns=", ".join(_shown(column, own, attributes, source.get("unknown", ())) for column in columns),
    )


def said(column: ViewColumn, table: ReportTable) -> str:
    """What the rows of `table` say of an attribute, a struct; null where their schema version does not have it."""
    value = f"{{'v': {column.value(table)}}}"
    versions = [version for version in table.versions if column.sources(table, version)]
    if len(versions) == len(table.versions):
        return value
    return f"CASE WHEN _schema_version IN ({', '.join(map(str, versions))}) THEN {value} END" if versions else "NULL"


def _shown(
    column: ViewColumn, own: Collection[ViewColumn], attributes: Collection[ViewColumn], unknown: Collection[str]
) -> str:
    if column in own:
        return column.name
    if column not in attributes:
        return f"NULL::{column.kind} AS {column.name}"
    value = f"last_value({column.name} IGNORE NULLS) OVER so_far"
    if column.name in unknown:
        value = f"coalesce({value}, {{'v': ''}})"
    return f"struct_extract({value}, 'v') AS {column.name}"


def _rows(table: ReportTable) -> str:
    return _SQL["rows"].format(table=table.place, report=literal(table.report))
