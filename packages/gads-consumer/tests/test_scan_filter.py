"""The columns of a filter are those that it names, not those whose names are somewhere in its text."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from gads_consumer.scan import _names_any

COLUMNS: list[tuple[str, pa.DataType]] = [
    ("id", pa.int64()),
    ("campaign_id", pa.int64()),
    ("campaign", pa.string()),
    ("name", pa.string()),
    ("labels", pa.list_(pa.string())),
    ("_run_id", pa.string()),
]
SCHEMA = pa.schema(COLUMNS)
FILTERS: list[tuple[Any, set[str]]] = [
    (pc.field("campaign_id") > 1, {"campaign_id"}),
    (pc.field("id") > 1, {"id"}),
    (pc.field("campaign") == "campaign_id and _run_id", {"campaign"}),
    (pc.field("name").isin(["id", "labels", "campaign"]), {"name"}),
    ((pc.field("name") == "id") & ~(pc.field("id") == 3), {"name", "id"}),
    (
        pc.if_else(pc.field("campaign").is_null(), pc.field("name"), pc.field("_run_id")) == "",
        {"campaign", "name", "_run_id"},
    ),
    (
        (pc.field("campaign_id").cast(pa.string()) == pc.scalar("name")) | pc.field("labels").is_valid(),
        {"labels", "campaign_id"},
    ),
    (pc.starts_with(pc.field("name"), "_run_id"), {"name"}),
    (pc.scalar("id") == pc.scalar("campaign"), set()),
    (pc.field(0) > 1, set()),
    (None, set()),
]


@pytest.mark.parametrize(("filter_", "named"), FILTERS, ids=[str(filter_) for filter_, _ in FILTERS])
def test_a_filter_names_its_columns_and_no_others(filter_: pc.Expression | None, named: set[str]) -> None:
    assert {name for name in SCHEMA.names if _names_any(filter_, SCHEMA, [name])} == named
    assert _names_any(filter_, SCHEMA, SCHEMA.names) is bool(named)
    others = [name for name in SCHEMA.names if name not in named]
    assert not _names_any(filter_, SCHEMA, others)
