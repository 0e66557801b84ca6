"""What a restatement changed: rows by their grain, metrics by their sums; the order of rows does not count."""

import math
from typing import Any

import pyarrow as pa

from gads_domain.metadata import ColumnSpec, TableSchema
from gads_payload.grain import Columns, pc, row_keys


def differences(
    before: pa.Table, before_schema: TableSchema, after: pa.Table, after_schema: TableSchema
) -> dict[str, object]:
    """How the rows of `after` differ from those of `before`; both are unique in their grain.

    `rows_added`, `rows_removed` and `rows_changed` count by grain: a changed row is there in both with other metrics.
    `metrics` has the sums of each metric that is a number in both: exact for int64, correctly rounded for double, None
    where that is not finite. Rows of two schemas cannot be compared by grain; then `schema` lists the differences
    column by column, with `rows_before` and `rows_after` instead.
    """
    if before_schema.fingerprint == after_schema.fingerprint:
        rows = _rows(before, after, after_schema.grain)
    else:
        rows = {
            "schema": before_schema.differences(after_schema),
            "rows_before": before.num_rows,
            "rows_after": after.num_rows,
        }
    known = {column.name: column for column in before_schema.columns if _is_measure(column)}
    return {
        **rows,
        "metrics": {
            column.name: {"before": _total(before, column.name), "after": _total(after, column.name)}
            for column in after_schema.columns
            if _is_measure(column) and column.name in known
        },
    }


def _rows(before: pa.Table, after: pa.Table, grain: tuple[str, ...]) -> dict[str, object]:
    both = pa.concat_tables([before, after])
    kept = same = 0
    if before.num_rows and after.num_rows:
        columns = Columns(both)
        places = [number for number, name in enumerate(both.column_names) if name in grain]
        measures = [number for number, name in enumerate(both.column_names) if name not in grain]
        # A grain of no columns has one row at most, which is then the same one in both.
        kept = _common(row_keys(columns, places, ordered=False)[0], before.num_rows) if grain else 1
        same = _common(row_keys(columns, [*places, *measures], ordered=False)[0], before.num_rows)
    return {"rows_added": after.num_rows - kept, "rows_removed": before.num_rows - kept, "rows_changed": kept - same}


def _common(keys: Any, first: int) -> int:
    """How many of the keys after the `first` are among the first."""
    return int(pc.sum(pc.is_in(keys.slice(first), value_set=keys.slice(0, first))).as_py() or 0)


def _is_measure(column: ColumnSpec) -> bool:
    return column.is_metric and column.type in ("int64", "double")


def _total(table: pa.Table, name: str) -> int | float | None:
    values: Any = table.column(name)
    if pa.types.is_integer(values.type):
        # A sum of int64 may not fit into int64; it always fits into 38 digits.
        return int(pc.sum(values.cast(pa.decimal128(38, 0))).as_py() or 0)
    try:
        total = math.fsum(pc.drop_null(values).to_pylist())
    except (OverflowError, ValueError):
        return None
    return total if math.isfinite(total) else None
