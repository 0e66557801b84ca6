"""The source tables of the dbt package `google_ads`, as views: what it documents in `src_google_ads.yml`.

Each is made from the first report that is loaded and has the columns that it needs; `dbt_sources.toml` lists them. A
history has a row for each day of the report; the rows of an entity's last day are its current ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from gads_warehouse_duckdb.layout import CUSTOMER_ID, DBT, LOGICAL_DATE, RECORDS, RUN_ID, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import ViewDefinition, table_with


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the view, its type, and the payload's columns that may give it; without any it is null."""

    name: str
    kind: str
    candidates: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> _Column:
        name, kind, *candidates = text.split()
        return cls(name, kind, tuple(candidates))

    def expression(self, present: Mapping[str, str]) -> str:
        for candidate in self.candidates:
            if candidate in present:
                if present[candidate].startswith("list<"):
                    return f"'[' || array_to_string({quoted(candidate)}, ',') || ']'"
                return f"{quoted(candidate)}::{self.kind}"
        return f"NULL::{self.kind}"


@dataclass(frozen=True, slots=True)
class _Source:
    """A source table: the reports it may be made of, the best first, and the columns without which it is not made."""

    name: str
    reports: tuple[str, ...]
    needed: tuple[str, ...]
    entity: tuple[str, ...]
    columns: tuple[_Column, ...]


@cache
def _sources() -> list[_Source]:
    text = (resources.files("gads_warehouse_duckdb.views") / "dbt_sources.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return [
        _Source(
            name,
            tuple(source["reports"]),
            tuple(source["needed"]),
            tuple(source.get("entity", ())),
            tuple(map(_Column.parse, source["columns"] + ([] if "entity" in source else document["stats"]))),
        )
        for name, source in document["source"].items()
    ]


def dbt_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """The views whose reports are loaded and have the columns that are needed."""
    made = []
    for source in _sources():
        for report in source.reports:
            table = table_with(tables, report, source.needed)
            if table is not None:
                made.append(_history(source, table) if source.entity else _of_days(source, table))
                break
    return made


def _history(source: _Source, table: ReportTable) -> ViewDefinition:
    present = _present(table)
    entity = ", ".join(source.entity)
    columns = ", ".join(f"any_value({column.expression(present)}) AS {column.name}" for column in source.columns)
    query = (
        f"SELECT {columns}, {LOGICAL_DATE}::TIMESTAMP AS updated_at, {LOGICAL_DATE} = max({LOGICAL_DATE}) OVER "
        f"(PARTITION BY {entity}) AS _fivetran_active, {_synced()} AS _fivetran_synced "
        f"FROM main.{quoted(table.name)} GROUP BY {entity}, {LOGICAL_DATE}"
    )
    return ViewDefinition(
        DBT, source.name, query, f"The source {source.name} of the dbt package google_ads, from {table.name}."
    )


def _of_days(source: _Source, table: ReportTable) -> ViewDefinition:
    present = _present(table)
    # A null is a value of its own, and no value holds the separator: two rows of a grain have two ids.
    grain = [
        f"coalesce({quoted(column.name)}::VARCHAR, chr(30))"
        for column in table.columns
        if not column.is_metric and not column.type.startswith("list<")
    ]
    columns = ", ".join(f"{column.expression(present)} AS {column.name}" for column in source.columns)
    query = (
        f"SELECT {CUSTOMER_ID}::BIGINT AS customer_id, {LOGICAL_DATE} AS date, "
        f"md5(concat_ws(chr(31), {', '.join([CUSTOMER_ID, LOGICAL_DATE, *grain])})) AS _fivetran_id, "
        f"{columns}, {_synced()} AS _fivetran_synced FROM main.{quoted(table.name)}"
    )
    return ViewDefinition(
        DBT, source.name, query, f"The source {source.name} of the dbt package google_ads, from {table.name}."
    )


def _present(table: ReportTable) -> dict[str, str]:
    return {column.name: column.type for column in table.columns} | {CUSTOMER_ID: "string", RUN_ID: "string"}


def _synced() -> str:
    return f"(SELECT loaded_at FROM {RECORDS}.state)"
