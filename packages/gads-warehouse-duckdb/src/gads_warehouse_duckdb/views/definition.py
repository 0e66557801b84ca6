"""A view, and the table of a report that it reads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gads_warehouse_duckdb.report_tables import ReportTable


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """A view to be made in `schema`; `meaning` describes it in one line."""

    schema: str
    name: str
    query: str
    meaning: str


def table_with(tables: Sequence[ReportTable], report: str, needed: Collection[str]) -> ReportTable | None:
    """The table of `report` with the newest schema version that has the columns `needed`; None if there is none.

    One table and never two: values of another type or meaning are not added up.
    """
    fitting = [
        table for table in tables if table.report == report and set(needed) <= {column.name for column in table.columns}
    ]
    return max(fitting, key=lambda table: table.newest, default=None)
