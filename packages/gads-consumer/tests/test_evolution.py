"""One schema of several versions: refused, or unified with nothing cast."""

from __future__ import annotations

import pyarrow as pa
import pytest

from gads_consumer.errors import SchemaMismatchError
from gads_consumer.evolution import one_schema
from gads_domain.metadata import ColumnSpec, TableSchema

ID = ColumnSpec("campaign_id", "campaign.id", "int64")
NAME = ColumnSpec("campaign_name", "campaign.name", "string")
CLICKS = ColumnSpec("metrics_clicks", "metrics.clicks", "int64")
CLICKS_AS_DOUBLE = ColumnSpec("metrics_clicks", "metrics.clicks", "double")


def test_one_version_is_read_as_it_was_sealed() -> None:
    for unify in (False, True):
        assert one_schema({3: TableSchema((NAME, ID))}, unify=unify).names == ["campaign_name", "campaign_id"]


def test_several_are_refused_with_each_step_between_them() -> None:
    versions = {1: TableSchema((ID, NAME)), 2: TableSchema((ID,)), 5: TableSchema((ID, CLICKS))}
    with pytest.raises(SchemaMismatchError) as caught:
        one_schema(versions, unify=False)
    assert "schema versions 1, 2, 5" in caught.value.message
    assert "from 1 to 2 campaign_name: string -> absent" in caught.value.message
    assert "from 2 to 5 metrics_clicks: absent -> int64" in caught.value.message
    assert "`unify=True`" in caught.value.hint


def test_equal_columns_under_two_versions_mean_something_else() -> None:
    with pytest.raises(SchemaMismatchError, match="the same columns with another meaning"):
        one_schema({1: TableSchema((ID,)), 2: TableSchema((ID,))}, unify=False)


def test_unified_the_newest_come_first_and_then_what_only_older_ones_have() -> None:
    versions = {1: TableSchema((NAME, ID)), 2: TableSchema((CLICKS, ID))}
    schema = one_schema(versions, unify=True)
    assert schema.names == ["metrics_clicks", "campaign_id", "campaign_name"]
    assert schema.types == [pa.int64(), pa.int64(), pa.string()]


def test_a_column_of_two_types_is_never_cast() -> None:
    versions = {1: TableSchema((ID, CLICKS)), 2: TableSchema((ID, CLICKS_AS_DOUBLE))}
    with pytest.raises(SchemaMismatchError, match="metrics_clicks is int64 in schema version 1 and double in a later"):
        one_schema(versions, unify=True)
