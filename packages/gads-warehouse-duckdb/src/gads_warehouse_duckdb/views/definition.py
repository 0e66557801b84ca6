"""A view, its columns, and what the tables of a report give for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from gads_warehouse_duckdb.layout import CUSTOMER_ID, RUN_ID, column_type, quoted
from gads_warehouse_duckdb.report_tables import ReportTable


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """A view to be made in `schema`; `meaning` describes it in one line."""

    schema: str
    name: str
    query: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of a view: its type, and the columns of a table that may give it, the best first."""

    name: str
    kind: str
    candidates: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> Self:
        """The column of a line of `dbt_sources.toml`."""
        name, kind, *candidates = line.split()
        return cls(name, kind, tuple(candidates))

    def sources(self, table: ReportTable, version: int | None = None) -> list[str]:
        """The columns of `table` that give it, in that schema version or in any, the best first."""
        held = table.columns if version is None else table.versions[version]
        present = {CUSTOMER_ID, RUN_ID, *(column.name for column in held)}
        return [one for one in self.candidates if one in present]

    def value(self, table: ReportTable) -> str:
        """Its expression over the rows of `table`: null if the table lacks it, and for an empty list."""
        lists = {column.name for column in table.columns if column.type.startswith("list<")}
        found = []
        for source in map(quoted, self.sources(table)):
            if source.strip('"') in lists and not self.kind.endswith("[]"):
                source = f"nullif('[' || array_to_string({source}, ',') || ']', '[]')"
            found.append(f"{source}::{self.kind}")
        return f"coalesce({', '.join(found)})" if len(found) > 1 else "".join(found) or f"NULL::{self.kind}"


def tables_of_reports(tables: Sequence[ReportTable], reports: Iterable[str]) -> list[ReportTable]:
    """All tables of `reports`, the best first: by the order of the reports, then by the newest schema version."""
    return [table for report in reports for table in reversed(tables) if table.report == report]


def any_gives(columns: Iterable[ViewColumn], tables: Iterable[ReportTable]) -> bool:
    """Whether one of the tables has all these columns."""
    wanted = list(columns)
    return any(all(column.sources(table) for column in wanted) for table in tables)


def metrics_of(tables: Iterable[ReportTable]) -> list[ViewColumn]:
    """The metrics of these tables by their short names, of a type that holds the values of every table."""
    types: dict[str, set[str]] = {}
    for table in tables:
        for column in table.columns:
            if column.is_metric:
                types.setdefault(column.name, set()).add(column.type)
    return [ViewColumn(name.removeprefix("metrics_"), _common(kinds), (name,)) for name, kinds in types.items()]


def _common(types: set[str]) -> str:
    if len(types) == 1:
        return column_type(*types)
    return "DOUBLE" if types <= {"int64", "double"} else "VARCHAR"
