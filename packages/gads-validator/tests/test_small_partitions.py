"""The checks that look at few rows without Arrow find exactly what they find in many."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.run import RunId
from gads_domain.state import CheckResult
from gads_payload import small_table
from gads_payload.schema import arrow_schema
from gads_payload.small_table import Rows
from gads_validator.checks.grain import check_grain
from gads_validator.checks.rows import ROW_CHECKS

KEY = PartitionKey(GOOGLE_ADS, "465", "campaign", date(2024, 6, 2))
OWN = "customers/465"

IDS = [465, 466, 0, -465, None]
ID_TEXTS = ["465", "0465", "", None]
NAMES = [OWN, f"{OWN}/campaigns/1", f"{OWN}0/campaigns/1", f"{OWN}/", "customers/46", "", None]
DAYS = [date(2024, 6, 2), date(2024, 6, 1), date(1, 1, 1), None]
TIMES = [
    "2024-06-02",
    "2024-06-02 23:59:59",
    "2024-06-01 00:00:00",
    "2024-06-0",
    " 2024-06-02",
    "",
    "2024-06-02é",
    None,
]

COLUMNS: list[tuple[ColumnSpec, list[Any]]] = [
    (ColumnSpec("customer_id", "customer.id", "int64"), IDS),
    (ColumnSpec("customer_id", "customer.id", "string"), ID_TEXTS),
    (ColumnSpec("customer_id", "customer.id", "double"), [465.0, 466.0, None]),
    (ColumnSpec("own_name", "campaign.resource_name", "string"), NAMES),
    (ColumnSpec("view_name", "search_term_view.resource_name", "string"), NAMES),
    (ColumnSpec("label_name", "label.resource_name", "string"), NAMES),
    (ColumnSpec("own_names", "customer.resource_name", "list<string>"), [[OWN], ["customers/466"], [], None]),
    (ColumnSpec("segments_date", "segments.date", "date32"), DAYS),
    (ColumnSpec("segments_date", "segments.date", "string"), TIMES),
    (ColumnSpec("changed", "change_event.change_date_time", "string"), TIMES),
    (ColumnSpec("clicks", "metrics.clicks", "int64"), IDS),
]


def metadata_of(schema: TableSchema) -> PartitionMetadata:
    facts = PartitionFacts(datetime(2024, 6, 3, tzinfo=UTC), "v26", "SELECT", 1, schema, 0, (), "writer", "1")
    run_id = RunId("20240602T040506789Z-7f3a9c21")
    return PartitionMetadata(KEY, run_id, facts, "payload-0123456789abcdef.parquet", 10, "0" * 64)


@st.composite
def partitions(draw: st.DrawFn) -> tuple[PartitionMetadata, pa.Table]:
    columns = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5, unique_by=lambda column: column[0].name))
    schema = TableSchema(tuple(spec for spec, _ in columns))
    rows = draw(st.integers(0, 4))
    # Mostly the first, which is right in every column but the label's: else hardly a partition would pass.
    values = [
        draw(st.lists(st.just(some[0]) | st.sampled_from(some), min_size=rows, max_size=rows)) for _, some in columns
    ]
    arrow = arrow_schema(schema)
    return metadata_of(schema), pa.table(
        [pa.array(column, field.type) for column, field in zip(values, arrow, strict=True)], schema=arrow
    )


def results(metadata: PartitionMetadata, table: pa.Table) -> list[CheckResult]:
    rows = Rows(table)
    return [*(check(metadata, rows, KEY) for check in ROW_CHECKS), check_grain(metadata, rows)]


@given(partition=partitions())
@settings(max_examples=400, deadline=None)
def test_few_rows_are_validated_as_many_are(partition: tuple[PartitionMetadata, pa.Table]) -> None:
    found = results(*partition)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_table, "SMALL_ROWS", -1)
        assert results(*partition) == found


@pytest.mark.parametrize(("spec", "some"), COLUMNS)
def test_one_wrong_value_is_validated_as_among_many(spec: ColumnSpec, some: list[Any]) -> None:
    metadata = metadata_of(TableSchema((spec,)))
    for value in some:
        table = pa.Table.from_pylist(
            [{spec.name: one} for one in (some[0], value)], arrow_schema(metadata.facts.schema)
        )
        found = results(metadata, table)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(small_table, "SMALL_ROWS", -1)
            assert results(metadata, table) == found


@pytest.mark.parametrize(("first", "second", "passed"), [(0, 1, True), (1, 0, False)])
def test_of_two_columns_of_one_field_the_first_tells_the_day(first: int, second: int, passed: bool) -> None:
    schema = TableSchema(tuple(ColumnSpec(name, "segments.date", "date32") for name in ("first", "second")))
    table = pa.Table.from_pylist([{"first": DAYS[first], "second": DAYS[second]}], arrow_schema(schema))
    assert results(metadata_of(schema), table)[0].passed is passed
