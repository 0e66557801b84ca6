"""Holds gads-consumer to contracts/consumer/v1: rows of several schema versions."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from gads_consumer.consumer import Consumer
from gads_consumer.errors import SchemaMismatchError
from gads_consumer.file_export import preview
from gads_consumer.scan import Scan
from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import InvalidValueError
from gads_testing.consumer_contract import day
from gads_testing.local_deployment import (
    CAMPAIGN,
    CLICKS,
    COLUMNS,
    COST,
    DATE,
    NAME,
    RUN_NUMBER,
    LocalDeployment,
    faults_of_reading,
    key_of,
    run_of,
)

OLD = (DATE, CAMPAIGN, NAME, RUN_NUMBER)
NEW = (DATE, CAMPAIGN, COST, CLICKS, RUN_NUMBER)


def test_c27_several_schema_versions_are_refused_with_what_differs(
    deployment: LocalDeployment, consumer: Consumer
) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, columns=OLD)
    deployment.make_authoritative(key_of(1, 1), 1, columns=NEW, schema_version=2)
    snapshot = consumer.snapshot("campaign")
    assert snapshot.schema_versions == (1, 2)
    reads: list[Callable[[], object]] = [
        snapshot.to_table,
        lambda: pa.table(snapshot),
        snapshot.scan(["campaign_id"]).to_table,
        lambda: preview(snapshot, 1),
    ]
    for read in reads:
        with pytest.raises(SchemaMismatchError) as caught:
            read()
        assert "campaign_name: string -> absent" in caught.value.message
        assert "metrics_clicks: absent -> int64" in caught.value.message
        assert "unify" in caught.value.hint
    assert consumer.snapshot("campaign", since=day(1)).to_table().num_rows == 3


def test_c27_the_same_columns_with_another_meaning_are_refused_too(
    deployment: LocalDeployment, consumer: Consumer
) -> None:
    deployment.make_authoritative(key_of(1, 0), 1)
    deployment.make_authoritative(key_of(1, 1), 1, schema_version=2)
    with pytest.raises(SchemaMismatchError, match="meaning"):
        consumer.snapshot("campaign").to_table()
    assert consumer.snapshot("campaign").to_table(unify=True).num_rows == 6


def test_c28_unified_the_missing_is_null_and_nothing_is_cast(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, columns=OLD)
    deployment.make_authoritative(key_of(1, 1), 1, columns=NEW, schema_version=2)
    snapshot = consumer.snapshot("campaign")
    table = snapshot.to_table(unify=True, identity=True)
    assert table.column_names[:-3] == [column.name for column in (*NEW, NAME)]
    assert table["campaign_name"].to_pylist() == ["Campaign 0", "Campaign 1", "Campaign 2", None, None, None]
    assert table["metrics_clicks"].to_pylist() == [None, None, None, 1, 4, 7]
    assert preview(snapshot, 4, unify=True).equals(table.slice(0, 4))
    assert faults_of_reading(table, snapshot.partitions) == []
    some = snapshot.scan(["metrics_clicks", "campaign_name"], pc.field("metrics_clicks") > 1, unify=True)
    assert some.to_table().to_pylist() == [{"metrics_clicks": n, "campaign_name": None} for n in (4, 7)]
    as_text = (DATE, CAMPAIGN, type(CLICKS)(CLICKS.name, CLICKS.field, "double"), RUN_NUMBER)
    deployment.make_authoritative(key_of(1, 2), 1, columns=as_text, schema_version=3)
    mixed = consumer.snapshot("campaign")
    with pytest.raises(SchemaMismatchError, match=r"metrics_clicks is int64 in schema version 2 and double"):
        mixed.to_table(unify=True)
    assert mixed.scan(["campaign_id"], unify=True).to_table().num_rows == 9
    with pytest.raises(SchemaMismatchError):
        mixed.scan(["campaign_id"], pc.field("metrics_clicks") > 1, unify=True).to_table()
    # The name of the column with two types is in the filter's text alone.
    named = mixed.scan(["campaign_id"], pc.field("campaign_name") != "metrics_clicks", unify=True)
    assert named.to_table()["campaign_id"].to_pylist() == [0, 1, 2]
    with pytest.raises(InvalidValueError, match="does not fit"):
        mixed.scan(["campaign_id"], pc.field("metrics_click") > 1, unify=True).to_table()


def test_c27_two_schemas_under_one_version_are_never_one_table(deployment: LocalDeployment, consumer: Consumer) -> None:
    """The validator never makes both authoritative; a reader refuses them if a ledger does."""
    deployment.make_authoritative(key_of(1, 0), 1)
    deployment.seal(key_of(1, 1), 1, columns=(*COLUMNS, COST))
    seal = json.loads((deployment.folder(key_of(1, 1), run_of(1)) / "metadata.json").read_bytes())
    other = CurrentPartition(key_of(1, 1), run_of(1), 3, 1, seal["seal_sha256"])
    partitions = [*consumer.snapshot("campaign").partitions, other]
    for columns in (None, ["campaign_id"]):
        for unify in (False, True):
            scan = Scan(partitions, deployment.sink, integrity=True, columns=columns, unify=unify)
            with pytest.raises(SchemaMismatchError, match="other columns: metrics_cost: absent -> double"):
                scan.to_table()
