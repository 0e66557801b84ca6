"""Partitions summed up, by one query for tables and payloads alike, so that equal rows give equal sums."""

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb

from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import PartitionContent, Replacement
from gads_domain.run import RunId
from gads_warehouse_duckdb.invalid_identity import VALID_ROW
from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RUN_ID, quoted
from gads_warehouse_duckdb.payload_rows import payload_rows
from gads_warehouse_duckdb.report_tables import ReportTable

_IDENTITY = f"{CUSTOMER_ID}, {LOGICAL_DATE}, {RUN_ID}"


def table_contents(
    connection: duckdb.DuckDBPyConnection, source: str, table: ReportTable
) -> Iterator[PartitionContent]:
    """The contents of `table`, by partition and run."""
    yield from _summed(connection, source, table, table.place)


def payload_contents(
    connection: duckdb.DuckDBPyConnection, table: ReportTable, version: int, replacements: Sequence[Replacement]
) -> Iterator[PartitionContent]:
    """The contents that `table` would have of these payloads of one schema version; one without rows gives none."""
    with payload_rows(connection, table, version, replacements) as query:
        yield from _summed(connection, replacements[0].partition.key.source, table, f"({query})")


def _summed(
    connection: duckdb.DuckDBPyConnection, source: str, table: ReportTable, rows: str
) -> Iterator[PartitionContent]:
    metrics = [column for column in table.columns if column.is_metric and column.type in ("int64", "double")]
    sums = [f"{'sum' if column.type == 'int64' else 'fsum'}({quoted(column.name)})" for column in metrics]
    # A column that a version lacks is null on both sides, and `hash` takes null for a value.
    hashed = ", ".join(quoted(column.name) for column in table.columns)
    found = connection.execute(
        f"SELECT {', '.join([_IDENTITY, 'count(*)', f'sum(hash({hashed})::HUGEINT)', *sums])} FROM {rows} "
        f"GROUP BY {_IDENTITY} HAVING {VALID_ROW} ORDER BY {_IDENTITY}"
    )
    while page := found.fetchmany(1_000):
        for customer, day, run, count, digest, *values in page:
            assert isinstance(day, date)
            yield PartitionContent(
                PartitionKey(source, customer, table.report, day),
                RunId(run),
                count,
                {column.name: value for column, value in zip(metrics, values, strict=True)},
                f"{count}:{digest}",
            )
