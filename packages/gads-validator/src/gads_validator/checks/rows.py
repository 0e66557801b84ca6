"""Checks on the rows: whose they are, of which day, and that each is there once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute

from gads_domain.metadata import PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.state import CheckResult
from gads_payload.grain import duplicates
from gads_validator.checks.result import broken, held

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

LOGICAL_DATE = "logical_date"
CUSTOMER = "customer"
GRAIN = "grain"

_DAY_FIELDS = ("segments.date", "change_event.change_date_time", "change_status.last_change_date_time")
"""What tells a row's day. The latter two are texts that begin with it, and lie in the rows of no other resource."""

_OWN_RESOURCE_NAME = re.compile(r"((customer|campaign|ad_group|asset_group)\w*|\w+_view)\.resource_name")
"""Resources that lie in the account that was asked; a label, list, asset or strategy may be a manager's."""


def check_logical_date(metadata: PartitionMetadata, table: pa.Table, key: PartitionKey) -> CheckResult:
    """Every row is of the logical date, by its `segments.date` or the time of its change; none is null.

    A report with neither, such as a snapshot, is not held to it.
    """
    column = next(filter(None, (_column_of(metadata, field) for field in _DAY_FIELDS)), None)
    if column is None or table.num_rows == 0:
        return held(LOGICAL_DATE)
    values: Any = table.column(column)
    if pa.types.is_string(values.type):
        values = pc.utf8_slice_codeunits(values, 0, len("YYYY-MM-DD"))
    wanted: date | str = key.logical_date if pa.types.is_date(values.type) else key.logical_date.isoformat()
    right = pc.sum(pc.equal(values, pa.scalar(wanted, values.type))).as_py() or 0
    wrong = table.num_rows - right
    if not wrong:
        return held(LOGICAL_DATE, rows=right)
    others = pc.unique(values).to_pylist()
    named = sorted("null" if other is None else str(other) for other in others if other != wanted)
    detail = f"{wrong} of {table.num_rows} rows are not of {key.logical_date}: {', '.join(named[:3])}"
    return broken(LOGICAL_DATE, detail, expected_date=str(key.logical_date), wrong_rows=wrong, rows=table.num_rows)


def check_customer(metadata: PartitionMetadata, table: pa.Table, key: PartitionKey) -> CheckResult:
    """`customer.id`, and the resource names of what lies in the account, are of the partition's account.

    A null resource name is a resource that the row does not have; a null `customer.id` is wrong.
    """
    wrong: dict[str, int] = {}
    for column in metadata.facts.schema.columns:
        values: Any
        if column.field == "customer.id":
            values = table.column(column.name).cast(pa.string())
            right = pc.fill_null(pc.equal(values, key.customer_id), fill_value=False)
        elif _OWN_RESOURCE_NAME.fullmatch(column.field) and column.type == "string":
            values = table.column(column.name)
            own = f"customers/{key.customer_id}"
            right = pc.or_(pc.equal(values, own), pc.starts_with(values, own + "/"))
            right = pc.or_kleene(right, pc.is_null(values))
        else:
            continue
        missed = table.num_rows - (pc.sum(right).as_py() or 0)
        if missed:
            wrong[column.name] = missed
    if wrong:
        detail = "; ".join(
            f"{rows} of {table.num_rows} rows of another account in {name}" for name, rows in wrong.items()
        )
        figures = {f"wrong_rows_{name}": rows for name, rows in wrong.items()}
        return broken(CUSTOMER, detail, expected_customer_id=key.customer_id, rows=table.num_rows, **figures)
    return held(CUSTOMER)


def check_grain(metadata: PartitionMetadata, table: pa.Table, _: PartitionKey) -> CheckResult:
    """No two rows are equal in all columns that are not metrics."""
    repeated = duplicates(table, metadata.facts.schema.grain)
    if repeated:
        detail = f"{repeated} of {table.num_rows} rows repeat the grain of another"
        return broken(GRAIN, detail, duplicate_rows=repeated, rows=table.num_rows)
    return held(GRAIN, rows=table.num_rows)


RowCheck = Callable[[PartitionMetadata, pa.Table, PartitionKey], CheckResult]

ROW_CHECKS: tuple[RowCheck, ...] = (check_logical_date, check_customer, check_grain)
"""In the order in which they are reported; none hangs on another."""


def _column_of(metadata: PartitionMetadata, field: str) -> str | None:
    return next((column.name for column in metadata.facts.schema.columns if column.field == field), None)
