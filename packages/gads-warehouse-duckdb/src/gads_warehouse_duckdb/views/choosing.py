"""Which table of a report a view looks at."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gads_warehouse_duckdb.report_tables import ReportTable


def table_with(tables: Sequence[ReportTable], report: str, needed: Collection[str]) -> ReportTable | None:
    """The table of `report` with the newest schema version that has the columns `needed`; None if there is none.

    One table and never two: what changed its type or meaning is not added up.
    """
    fitting = [
        table for table in tables if table.report == report and set(needed) <= {column.name for column in table.columns}
    ]
    return max(fitting, key=lambda table: table.newest, default=None)
