"""Checks on the rows: their day and their account."""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

import pyarrow as pa

from gads_domain.metadata import ColumnSpec, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.state import CheckResult
from gads_payload.grain import pc
from gads_payload.small_table import Rows

LOGICAL_DATE = "logical_date"
CUSTOMER = "customer"

_DAY_FIELDS = ("segments.date", "change_event.change_date_time", "change_status.last_change_date_time")
"""The day of a row in a seal that does not name the field: the first of these that is a column's."""

_OWN_RESOURCE_NAME = re.compile(r"((customer|campaign|ad_group|asset_group)\w*|\w+_view)\.resource_name")
"""Resources that lie in the account that was asked; a label, list, asset or strategy may be a manager's."""


def check_logical_date(metadata: PartitionMetadata, rows: Rows, key: PartitionKey) -> CheckResult:
    """Every row is of the logical date, by its date or by the text that begins with it; none is null.

    Rows of a report without such a column, such as a snapshot report, have no day.
    """
    column = _day_column(metadata.facts.schema, metadata.facts.day_field)
    table = rows.table
    if column is None or table.num_rows == 0:
        return CheckResult.of(LOGICAL_DATE)
    values: Any = table.column(column.name)
    if column.type not in ("date32", "string"):
        return CheckResult.of(LOGICAL_DATE, f"{column.field} is {column.type}, which has no day", rows=table.num_rows)
    if _few_are_of(rows.few_values(column.name), key.logical_date):
        return CheckResult.of(LOGICAL_DATE, rows=table.num_rows)
    if column.type == "string":
        values = pc.utf8_slice_codeunits(values, 0, len("YYYY-MM-DD"))
    wanted: date | str = key.logical_date if column.type == "date32" else key.logical_date.isoformat()
    right = pc.sum(pc.equal(values, pa.scalar(wanted, values.type))).as_py() or 0
    wrong = table.num_rows - right
    if not wrong:
        return CheckResult.of(LOGICAL_DATE, rows=right)
    # As texts: Arrow has days that Python's calendar has not.
    others = pc.unique(values).cast(pa.string()).to_pylist()
    named = sorted("null" if other is None else other for other in others if other != key.logical_date.isoformat())
    return CheckResult.of(
        LOGICAL_DATE,
        f"{wrong} of {table.num_rows} rows are not of {key.logical_date}: {', '.join(named[:3])}",
        expected_date=str(key.logical_date),
        wrong_rows=wrong,
        rows=table.num_rows,
    )


def check_customer(metadata: PartitionMetadata, rows: Rows, key: PartitionKey) -> CheckResult:
    """`customer.id`, and the resource names of what lies in the account, are of the partition's account.

    A null resource name is a resource that the row does not have; a null `customer.id` is wrong.
    """
    wrong: dict[str, int] = {}
    for column in _account_columns(metadata.facts.schema):
        if column.field == "customer.id":
            missed = _rows_of_others(rows, column, key.customer_id)
        else:
            missed = _resources_of_others(rows, column, f"customers/{key.customer_id}")
        if missed:
            wrong[column.name] = missed
    if wrong:
        count = rows.table.num_rows
        detail = "; ".join(f"{missed} of {count} rows of another account in {name}" for name, missed in wrong.items())
        figures = {f"wrong_rows_{name}": missed for name, missed in wrong.items()}
        return CheckResult.of(CUSTOMER, detail, expected_customer_id=key.customer_id, rows=count, **figures)
    return CheckResult.of(CUSTOMER)


RowCheck = Callable[[PartitionMetadata, Rows, PartitionKey], CheckResult]

ROW_CHECKS: tuple[RowCheck, ...] = (check_logical_date, check_customer)
"""In the order in which they are reported; none depends on another."""


def _few_are_of(values: list[Any] | None, day: date) -> bool:
    """Whether there are few values and all are of `day`; False leaves the answer to Arrow."""
    if values is None:
        return False
    if isinstance(values[0], str):
        text = day.isoformat()
        return all(value is not None and value[: len(text)] == text for value in values)
    return values.count(day) == len(values)


def _rows_of_others(rows: Rows, column: ColumnSpec, customer_id: str) -> int:
    few = rows.few_values(column.name) if column.type == "int64" else None
    if few is not None:
        return len(few) - few.count(int(customer_id))
    ids: Any = rows.table.column(column.name)
    right = pc.fill_null(pc.equal(ids.cast(pa.string()), customer_id), fill_value=False)
    return len(ids) - int(pc.sum(right).as_py() or 0)


def _resources_of_others(rows: Rows, column: ColumnSpec, own: str) -> int:
    few = rows.few_values(column.name)
    if few is not None:
        return sum(name is not None and name != own and not name.startswith(own + "/") for name in few)
    names: Any = rows.table.column(column.name)
    right = pc.or_(pc.equal(names, own), pc.starts_with(names, own + "/"))
    right = pc.or_kleene(right, pc.is_null(names))
    return len(names) - int(pc.sum(right).as_py() or 0)


@lru_cache(maxsize=1024)
def _day_column(schema: TableSchema, day_field: str | None) -> ColumnSpec | None:
    columns = {column.field: column for column in reversed(schema.columns)}
    fields = _DAY_FIELDS if day_field is None else (day_field,)
    return next((columns[field] for field in fields if field in columns), None)


@lru_cache(maxsize=1024)
def _account_columns(schema: TableSchema) -> tuple[ColumnSpec, ...]:
    """The columns that name a row's account."""
    return tuple(
        column
        for column in schema.columns
        if column.field == "customer.id" or (column.type == "string" and _OWN_RESOURCE_NAME.fullmatch(column.field))
    )
