"""Rows and pointers that can be of no partition, since their account, day or run is none: a stranger put them there."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RECORDS, RUN_ID, quoted
from gads_warehouse_duckdb.report_tables import ReportTable


def possible(customer_id: str, logical_date: str, run_id: str) -> str:
    """A condition in SQL: whether these three columns can be the identity of a partition. Never null."""
    return (
        f"coalesce(regexp_full_match({customer_id}, '[1-9][0-9]{{0,18}}') "
        f"AND {logical_date} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' "
        f"AND regexp_full_match({run_id}, '[0-9]{{8}}T[0-9]{{9}}Z-[0-9a-f]{{8}}') AND left({run_id}, 4) > '0000' "
        f"AND try_strptime(left({run_id}, 15), '%Y%m%dT%H%M%S') IS NOT NULL, false)"
    )


POSSIBLE_ROW = possible(CUSTOMER_ID, LOGICAL_DATE, RUN_ID)
"""Of a report's table."""

POSSIBLE_POINTER = (
    f"{possible('customer_id', 'logical_date', 'run_id')} "
    "AND coalesce(regexp_full_match(report, '[a-z][a-z0-9_]{0,62}'), false)"
)
"""Of the table of pointers."""


_POINTERS = f"{RECORDS}.pointers"


def count_unplaced(connection: duckdb.DuckDBPyConnection, tables: Iterable[ReportTable]) -> dict[str, int]:
    """How many there are, by the table that they are in; a table without any is left out."""
    counts: dict[str, int] = {}
    for table in tables:
        # By partition first: there are far fewer of them than rows.
        counts[_place(table)] = _number(
            connection,
            f"SELECT sum(number) FROM (SELECT {CUSTOMER_ID}, {LOGICAL_DATE}, {RUN_ID}, count(*) AS number "
            f"FROM main.{quoted(table.name)} GROUP BY ALL) WHERE NOT {POSSIBLE_ROW}",
        )
    counts[_POINTERS] = _number(connection, f"SELECT count(*) FROM {_POINTERS} WHERE NOT ({POSSIBLE_POINTER})")
    return {place: number for place, number in counts.items() if number}


def discard_unplaced(connection: duckdb.DuckDBPyConnection, tables: Iterable[ReportTable]) -> None:
    """Delete them all; a table without any is not gone through row by row."""
    several = list(tables)
    found = count_unplaced(connection, several)
    for table in several:
        if _place(table) in found:
            connection.execute(f"DELETE FROM main.{quoted(table.name)} WHERE NOT {POSSIBLE_ROW}")
    if _POINTERS in found:
        connection.execute(f"DELETE FROM {_POINTERS} WHERE NOT ({POSSIBLE_POINTER})")


def _place(table: ReportTable) -> str:
    return f"main.{table.name}"


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((found,),) = connection.execute(query).fetchall()
    return int(found or 0)
