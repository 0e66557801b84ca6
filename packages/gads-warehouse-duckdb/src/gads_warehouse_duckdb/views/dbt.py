"""The source tables of the dbt package `google_ads`, as views: what it documents in `src_google_ads.yml`.

Each is made from the first report that is loaded and has the columns that it needs; `dbt_sources.toml` lists them. A
history has a row for each day of the report; the rows of an entity's last day are its current ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gads_domain.package_data import statements_of, tables_of
from gads_warehouse_duckdb.layout import CUSTOMER_ID, DBT, LOGICAL_DATE, RUN_ID, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import ViewDefinition, table_with


def dbt_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """The views whose reports are loaded and have the columns that are needed."""
    made = []
    for name, source in tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["source"].items():
        fitting = (table_with(tables, report, source["needed"]) for report in source["reports"])
        table = next(filter(None, fitting), None)
        if table is not None:
            meaning = f"The source {name} of the dbt package google_ads, from {table.name}."
            made.append(ViewDefinition(DBT, name, _query(source, table), meaning))
    return made


def _query(source: Mapping[str, Any], table: ReportTable) -> str:
    present = {column.name: column.type for column in table.columns} | {CUSTOMER_ID: "string", RUN_ID: "string"}
    templates = statements_of("gads_warehouse_duckdb", "views/dbt.sql")
    if "entity" in source:
        columns = [f"any_value({value}) AS {name}" for name, value in _values(source["columns"], present)]
        return templates["history"].format(
            columns=", ".join(columns), entity=", ".join(source["entity"]), table=table.place
        )
    stats = tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["stats"]
    columns = [f"{value} AS {name}" for name, value in _values([*source["columns"], *stats], present)]
    # A null is a value of its own, and no value holds the separator: two rows of a grain have two ids.
    grain = [
        f"coalesce({quoted(column.name)}::VARCHAR, chr(30))"
        for column in table.columns
        if not column.is_metric and not column.type.startswith("list<")
    ]
    return templates["stats"].format(
        columns=", ".join(columns), grain=", ".join([CUSTOMER_ID, LOGICAL_DATE, *grain]), table=table.place
    )


def _values(columns: Sequence[str], present: Mapping[str, str]) -> list[tuple[str, str]]:
    """The name and expression of each column, from the first payload column that is there; null without any."""
    found = []
    for line in columns:
        name, kind, *candidates = line.split()
        column = next((one for one in candidates if one in present), None)
        if column is not None and present[column].startswith("list<"):
            found.append((name, f"'[' || array_to_string({quoted(column)}, ',') || ']'"))
        else:
            found.append((name, f"{'NULL' if column is None else quoted(column)}::{kind}"))
    return found
