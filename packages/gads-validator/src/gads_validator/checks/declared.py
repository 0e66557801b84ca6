"""Checks that a report's owner declares, as a configuration file can spell them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from gads_domain.errors import InvalidValueError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.state import CheckResult
from gads_payload.grain import pc
from gads_payload.small_table import Rows
from gads_validator.checks.grain import NO_GRAIN, DeclaredGrain

MIN_ROWS = "min_rows"
NOT_NULL = "not_null"
NON_NEGATIVE = "non_negative"
UNIQUE = "unique"

_NUMBERS = ("int64", "double")


@dataclass(frozen=True, slots=True)
class DeclaredChecks:
    """What a report's owner requires of every partition of it, beyond what holds for all.

    `min_rows` is the least number of rows; `not_null` and `non_negative` name columns in which each value is there,
    or is not below zero (null is not below zero; NaN is not a number and is refused); `unique` names the columns that
    together are unique. A column is named as in the payload (`metrics_clicks`) or as in GAQL (`metrics.clicks`).
    `grain` is that of the report's definition; `checks.grain` checks it.
    Raises `InvalidValueError` for a negative `min_rows`.
    """

    min_rows: int = 0
    not_null: tuple[str, ...] = ()
    non_negative: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    grain: DeclaredGrain = NO_GRAIN

    def __post_init__(self) -> None:
        if self.min_rows < 0:
            raise InvalidValueError(f"min_rows is {self.min_rows}; a partition has no fewer than 0 rows")

    def problems(self, schema: TableSchema) -> list[str]:
        """What could never hold for a payload of `schema`, one line each; empty if all can be checked."""
        known = _columns(schema)
        named = {NOT_NULL: self.not_null, NON_NEGATIVE: self.non_negative, UNIQUE: self.unique}
        found = [
            f"{check}: the payload has no column {column}"
            for check, columns in named.items()
            for column in columns
            if column not in known
        ]
        found += [
            f"{NON_NEGATIVE}: {column} is {known[column].type}, not a number"
            for column in self.non_negative
            if column in known and known[column].type not in _NUMBERS
        ]
        return found


def check_declared(declared: DeclaredChecks, schema: TableSchema, rows: Rows) -> list[CheckResult]:
    """The result of each check that `declared` asks for."""
    results: list[CheckResult] = []
    table = rows.table
    if declared.min_rows:
        results.append(check_min_rows(declared.min_rows, table))
    if declared.not_null:
        results.append(_of_each_column(NOT_NULL, declared.not_null, schema, table, _nulls))
    if declared.non_negative:
        results.append(_of_each_column(NON_NEGATIVE, declared.non_negative, schema, table, _negatives))
    if declared.unique:
        results.append(check_unique(declared.unique, schema, rows))
    return results


def check_min_rows(least: int, table: pa.Table) -> CheckResult:
    """At least `least` rows."""
    detail = f"{table.num_rows} rows, at least {least} declared" if table.num_rows < least else ""
    return CheckResult.of(MIN_ROWS, detail, expected_rows=least, found_rows=table.num_rows)


def check_unique(columns: tuple[str, ...], schema: TableSchema, rows: Rows) -> CheckResult:
    """No two rows are equal in `columns`."""
    known = _columns(schema)
    absent = [column for column in columns if column not in known]
    if absent:
        return CheckResult.of(UNIQUE, f"the payload has no column {', '.join(absent)}")
    repeated = rows.duplicates([known[column].name for column in columns])
    count = rows.table.num_rows
    if repeated:
        detail = f"{repeated} of {count} rows repeat {', '.join(columns)} of another"
        return CheckResult.of(UNIQUE, detail, duplicate_rows=repeated, rows=count)
    return CheckResult.of(UNIQUE, rows=count)


def _of_each_column(
    check: str,
    columns: tuple[str, ...],
    schema: TableSchema,
    table: pa.Table,
    wrong_rows: Callable[[Any, str], int | None],
) -> CheckResult:
    known = _columns(schema)
    complaints = []
    figures: dict[str, int | float | str] = {"rows": table.num_rows}
    for column in columns:
        if column not in known:
            complaints.append(f"the payload has no column {column}")
            continue
        wrong = wrong_rows(table.column(known[column].name), known[column].type)
        if wrong is None:
            complaints.append(f"{column} is {known[column].type}, not a number")
        elif wrong:
            complaints.append(f"{wrong} of {table.num_rows} rows in {column}")
            figures[f"wrong_rows_{known[column].name}"] = wrong
    return CheckResult.of(check, "; ".join(complaints), **figures)


def _nulls(values: Any, _: str) -> int | None:
    return int(values.null_count)


def _negatives(values: Any, kind: str) -> int | None:
    if kind not in _NUMBERS:
        return None
    # NaN is neither below zero nor not below it, so the right rows are counted and not the wrong ones.
    right = pc.sum(pc.greater_equal(values, pa.scalar(0, values.type))).as_py() or 0
    return len(values) - int(values.null_count) - int(right)


def _columns(schema: TableSchema) -> dict[str, ColumnSpec]:
    return {spelling: column for column in schema.columns for spelling in (column.field, column.name)}
