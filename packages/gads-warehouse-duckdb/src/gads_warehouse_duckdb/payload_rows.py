"""Payload files as rows of a table: with the columns of their identity, and nothing cast on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from gads_domain.errors import DamagedPartitionError
from gads_domain.ports.warehouse import Replacement
from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RUN_ID, column_type, literal
from gads_warehouse_duckdb.report_tables import ReportTable

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "_file"
_ORIGINS = "payload_origins"
_ORIGIN_COLUMNS = {"file": "string", "customer": "string", "day": "date32", "run": "string"}


def table_of(columns: Mapping[str, str], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """The rows, of which there is at least one, as an Arrow table with columns of these types."""
    import pyarrow as pa  # where the tables are is asked without it

    values = zip(*rows, strict=True)
    return pa.table(
        {name: pa.array(one, getattr(pa, kind)()) for (name, kind), one in zip(columns.items(), values, strict=True)}
    )


@contextmanager
def payload_rows(
    connection: duckdb.DuckDBPyConnection, table: ReportTable, version: int, replacements: Sequence[Replacement]
) -> Iterator[str]:
    """A query for the rows of payloads of one schema version of one report, in the columns of `table`.

    Raises `DamagedPartitionError` if their columns are not what their seals say.
    """
    files = f"read_parquet([{_listed(replacements)}], hive_partitioning=false"
    _require_columns(connection, replacements[0], f"{files})")
    origins = (
        (str(one.payload), one.partition.key.customer_id, one.partition.key.logical_date, one.partition.run_id.value)
        for one in replacements
    )
    connection.register(_ORIGINS, table_of(_ORIGIN_COLUMNS, origins))
    yield (
        f"SELECT {table.selection(version)}, origin.customer AS {CUSTOMER_ID}, origin.day AS {LOGICAL_DATE}, "
        f"origin.run AS {RUN_ID} FROM {files}, filename={literal(_FILE)}) AS payload "
        f"JOIN {_ORIGINS} AS origin ON origin.file = payload.{_FILE}"
    )
    # After a failure the connection is closed, and the transaction that it is in takes no more statements.
    connection.unregister(_ORIGINS)


def of_one_version(one: Replacement) -> tuple[str, int]:
    """What payloads have in common that are read together."""
    return one.partition.key.report, one.partition.schema_version


def require_counts(connection: duckdb.DuckDBPyConnection, replacements: Sequence[Replacement]) -> None:
    """Raise `DamagedPartitionError` for a payload that has another number of rows than its partition."""
    found = connection.execute(
        f"SELECT file_name, num_rows FROM parquet_file_metadata([{_listed(replacements)}])"
    ).fetchall()
    counts = dict(found)
    for one in replacements:
        count = counts[str(one.payload)]
        if count != one.partition.record_count:
            raise DamagedPartitionError(
                f"the payload of {one.partition.key} of run {one.partition.run_id} has {count} rows; "
                f"{one.partition.record_count} were validated"
            )


def _listed(replacements: Sequence[Replacement]) -> str:
    return ", ".join(literal(_escaped(str(one.payload))) for one in replacements)


def _require_columns(connection: duckdb.DuckDBPyConnection, sample: Replacement, files: str) -> None:
    found = [(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()]
    sealed = [(column.name, column_type(column.type)) for column in sample.schema.columns]
    if found != sealed:
        raise DamagedPartitionError(f"the payload of {sample.partition.key} has other columns than its seal says")


def _escaped(path: str) -> str:
    """DuckDB takes a path for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", path)
