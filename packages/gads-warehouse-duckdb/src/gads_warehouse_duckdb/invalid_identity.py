"""Rows and pointers that belong to no possible partition, since their account, day or run is invalid."""

from collections.abc import Sequence

import duckdb

from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RUN_ID
from gads_warehouse_duckdb.report_tables import ReportTable


def valid_identity(customer_id: str, logical_date: str, run_id: str) -> str:
    """A condition in SQL: whether these three columns are a possible identity of a partition. Never null."""
    return (
        f"coalesce(regexp_full_match({customer_id}, '[1-9][0-9]{{0,18}}') "
        f"AND {logical_date} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' "
        f"AND regexp_full_match({run_id}, '[0-9]{{8}}T[0-9]{{9}}Z-[0-9a-f]{{8}}') AND left({run_id}, 4) > '0000' "
        f"AND try_strptime(left({run_id}, 15), '%Y%m%dT%H%M%S') IS NOT NULL, false)"
    )


VALID_ROW = valid_identity(CUSTOMER_ID, LOGICAL_DATE, RUN_ID)
"""Of a report's table."""

VALID_POINTER = (
    f"{valid_identity('customer_id', 'logical_date', 'run_id')} "
    "AND coalesce(regexp_full_match(report, '[a-z][a-z0-9_]{0,62}'), false)"
)
"""Of the table of pointers."""

_POINTERS = "gads.pointers"


def count_invalid_identity(connection: duckdb.DuckDBPyConnection, tables: Sequence[ReportTable]) -> dict[str, int]:
    """How many there are, by table; only tables with any."""
    counts: dict[str, int] = {}
    for table in tables:
        # By partition first: there are far fewer of them than rows.
        counts[_place(table)] = _number(
            connection,
            f"SELECT sum(number) FROM (SELECT {CUSTOMER_ID}, {LOGICAL_DATE}, {RUN_ID}, count(*) AS number "
            f"FROM {table.place} GROUP BY ALL) WHERE NOT {VALID_ROW}",
        )
    counts[_POINTERS] = _number(connection, f"SELECT count(*) FROM {_POINTERS} WHERE NOT ({VALID_POINTER})")
    return {place: number for place, number in counts.items() if number}


def discard_invalid_identity(connection: duckdb.DuckDBPyConnection, tables: Sequence[ReportTable]) -> None:
    """Delete them all; a table without any is not scanned row by row."""
    found = count_invalid_identity(connection, tables)
    for table in tables:
        if _place(table) in found:
            connection.execute(f"DELETE FROM {table.place} WHERE NOT {VALID_ROW}")
    if _POINTERS in found:
        connection.execute(f"DELETE FROM {_POINTERS} WHERE NOT ({VALID_POINTER})")


def _place(table: ReportTable) -> str:
    return f"main.{table.name}"


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((found,),) = connection.execute(query).fetchall()
    return int(found or 0)
