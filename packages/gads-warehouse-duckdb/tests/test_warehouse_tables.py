"""Holds the warehouse to contracts/warehouse/v1, tables and schema versions: each promise by its number."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gads_domain.metadata import ColumnSpec
from gads_domain.ports.warehouse import LoadStep
from gads_testing.local_deployment import (
    CAMPAIGN,
    CLICKS,
    COLUMNS,
    DATE,
    LABELS,
    NAME,
    RUN_NUMBER,
    key_of,
    run_of,
)
from gads_testing.warehouse_deployment import WIDER, WarehouseDeployment
from gads_warehouse_duckdb.errors import (
    SchemaDriftError,
    TableTakenError,
)


def test_a_report_has_a_table_of_its_name(loaded: WarehouseDeployment) -> None:
    """W20: the payload's columns in their order, then the identity; a table that is not the loader's is left alone."""
    names = [name for name, *_ in loaded.query("DESCRIBE campaign")]
    assert names == [*(column.name for column in COLUMNS), "_customer_id", "_logical_date", "_run_id"]
    loaded.tamper("CREATE TABLE notes (text VARCHAR)")
    loaded.make_authoritative(key_of(1, 0, "notes"), 1)
    with pytest.raises(TableTakenError):
        loaded.load()
    assert loaded.query("FROM notes") == []
    loaded.tamper("DROP TABLE notes")
    loaded.load()
    loaded.require_equal("notes")


def test_types_are_those_of_the_payload(deployment: WarehouseDeployment) -> None:
    """W21: also of lists, and null stays null."""
    deployment.make_authoritative(key_of(), 1, columns=(*WIDER, LABELS))
    deployment.load()
    kinds = {name: kind for name, kind, *_ in deployment.query("DESCRIBE campaign")}
    assert kinds == {
        "segments_date": "DATE",
        "campaign_id": "BIGINT",
        "campaign_name": "VARCHAR",
        "metrics_clicks": "BIGINT",
        "metrics_run": "BIGINT",
        "metrics_cost": "DOUBLE",
        "campaign_labels": "VARCHAR[]",
        "_customer_id": "VARCHAR",
        "_logical_date": "DATE",
        "_run_id": "VARCHAR",
    }
    deployment.require_equal()


def test_pointers_name_the_seal(loaded: WarehouseDeployment) -> None:
    """W22: a row a partition, as the consumer's snapshot has it."""
    with loaded.consumer() as consumer:
        expected = [
            (one.customer_id, "campaign", one.logical_date, one.run_id.value, 1, one.record_count, one.seal_sha256, 1)
            for one in consumer.snapshot("campaign").partitions
        ]
    rows = loaded.query(
        "SELECT customer_id, report, logical_date, run_id, schema_version, record_count, seal_sha256, load_id "
        "FROM gads.pointers WHERE loaded_at IS NOT NULL ORDER BY ALL"
    )
    assert rows == sorted(expected)
    ((age,),) = loaded.query("SELECT max(abs(epoch(loaded_at) - epoch(current_timestamp))) FROM gads.pointers")
    assert age < 3_600


def test_loads_are_on_record(loaded: WarehouseDeployment) -> None:
    """W23: what was there stays, and each step adds its own."""
    first = loaded.query("FROM gads.load_records ORDER BY ALL")
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    loaded.load()
    assert set(first) < set(loaded.query("FROM gads.load_records"))
    assert loaded.query(
        "SELECT load_id, mode, position_before, position, added, replaced, removed, record_count, contract_version "
        "FROM gads.loads ORDER BY load_id"
    ) == [(1, "reconcile", None, 8, 8, 0, 0, 24, "1.3"), (2, "feed", 8, 9, 0, 1, 0, 9, "1.3")]
    assert loaded.query(
        "SELECT action, customer_id, report, logical_date, run_id, previous_run_id, schema_version, record_count, "
        "contract_version FROM gads.load_records WHERE load_id = 2"
    ) == [("replaced", "1", "campaign", date(2024, 6, 2), run_of(2).value, run_of(1).value, 1, 9, "1.3")]


def test_the_catalogue_says_what_columns_mean(loaded: WarehouseDeployment) -> None:
    """W24: every column of every table, with the API's own words where the API has the field."""
    rows = loaded.query("SELECT column_name, data_type, category, field, meaning FROM gads.catalogue ORDER BY position")
    assert [row[0] for row in rows] == [name for name, *_ in loaded.query("DESCRIBE campaign")]
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["metrics_clicks"] == ("BIGINT", "metrics", "metrics.clicks", "The number of clicks.")
    assert by_name["campaign_name"][1:3] == ("attributes", "campaign.name")
    assert by_name["_run_id"][1] == "identity"
    assert all(row[4] for row in rows if row[0] != "metrics_run")
    views = loaded.query("SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal")
    assert sorted(views) == sorted(loaded.query("FROM gads.views"))
    assert all(meaning for _, _, meaning in views)


@pytest.mark.parametrize("narrow_first", [True, False])
def test_added_columns_widen_the_table(deployment: WarehouseDeployment, narrow_first: bool) -> None:
    """W25: in whichever order the versions come, the rows share a table."""
    steps = [(key_of(1, 0), COLUMNS, 1), (key_of(1, 1), WIDER, 2)]
    for key, columns, version in steps if narrow_first else reversed(steps):
        deployment.make_authoritative(key, 1, columns=columns, schema_version=version)
        deployment.load()
    deployment.require_equal()
    assert deployment.query("SELECT DISTINCT table_name FROM gads.report_tables") == [("campaign",)]
    nulls = deployment.query("SELECT _logical_date, count(metrics_cost) FROM campaign GROUP BY 1 ORDER BY 1")
    assert [count for _, count in nulls] == [0, 3]
    assert deployment.query("SELECT count(*) FROM reporting.campaign WHERE metrics_cost IS NOT NULL") == [(3,)]
    versions = deployment.query("SELECT schema_versions FROM gads.catalogue WHERE column_name = 'metrics_cost'")
    assert versions == [([2],)]


CHANGES: dict[str, tuple[ColumnSpec, ...]] = {
    "type": (DATE, CAMPAIGN, NAME, ColumnSpec("metrics_clicks", "metrics.clicks", "double"), RUN_NUMBER),
    "column less": (DATE, CAMPAIGN, CLICKS, RUN_NUMBER),
    "meaning": COLUMNS,
    "order": (CAMPAIGN, DATE, NAME, CLICKS, RUN_NUMBER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_has_a_table_of_its_own(
    loaded: WarehouseDeployment, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W26: named by its version, with a view over all versions that says so, and nothing cast."""
    before = loaded.query("DESCRIBE campaign")
    loaded.make_authoritative(key_of(3, 0), 2, columns=CHANGES[change], schema_version=2)
    loaded.load()
    loaded.require_equal()
    assert loaded.query("DESCRIBE campaign") == before
    assert loaded.query("SELECT count(*) FROM campaign__v2") == [(3,)]
    names = {name: kind for name, kind, *_ in loaded.query("DESCRIBE reporting.campaign__all_versions")}
    if change == "type":
        assert (names["metrics_clicks__v1"], names["metrics_clicks__v2"]) == ("BIGINT", "DOUBLE")
        assert "metrics_clicks" not in names
    counts = loaded.query("SELECT _table, count(*) FROM reporting.campaign__all_versions GROUP BY 1 ORDER BY 1")
    assert counts == [("campaign", 24), ("campaign__v2", 3)]
    ((found,),) = loaded.query("SELECT meaning FROM gads.views WHERE view_name = 'campaign__all_versions'")
    assert "campaign__v2 has schema version 2" in found


def test_versions_never_mix_in_a_partition(loaded: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """W27: a partition changes its table whole, there and back."""
    for run, version in ((2, 2), (3, 1), (4, 2)):
        columns = CHANGES["type"] if version == 2 else COLUMNS
        loaded.make_authoritative(key_of(1, 1), run, columns=columns, schema_version=version)
        loaded.load()
        places = loaded.query(
            "SELECT DISTINCT _table FROM reporting.campaign__all_versions "
            "WHERE _customer_id = '1' AND _logical_date = DATE '2024-06-02'"
        )
        assert places == [("campaign__v2" if version == 2 else "campaign",)]
        loaded.require_equal()


def test_one_version_with_two_schemas_is_refused(tmp_path: Path, loaded: WarehouseDeployment) -> None:
    """W28: the validator does not let it happen; if the ledger has it all the same, the step fails."""
    from dataclasses import replace as changed

    from gads_domain.metadata import TableSchema
    from gads_domain.ports.warehouse import LoadMode, Replacement
    from gads_warehouse.comparison import position_of

    at = loaded.warehouse.position()
    assert at is not None
    loaded.make_authoritative(key_of(5, 0), 2, columns=WIDER, schema_version=2)
    with loaded.consumer() as consumer:
        (partition,) = consumer.snapshot("campaign", customers="5").partitions
        (copy,) = consumer.copy_payloads([partition], tmp_path)
        pointer = changed(partition, schema_version=1)
        replacement = Replacement(pointer, TableSchema(WIDER), copy.path)
        step = LoadStep(
            LoadMode.FEED,
            "google_ads",
            at,
            position_of(consumer.cursor()),
            loaded.clock.now(),
            [replacement],
            [],
        )
        with pytest.raises(SchemaDriftError, match="metrics_cost: absent -> double"):
            loaded.warehouse.apply(step)
    loaded.load()
    loaded.require_equal()


def test_a_payload_with_other_columns_than_its_seal_says_is_refused(
    tmp_path: Path, loaded: WarehouseDeployment
) -> None:
    """W21: of another type, fewer, more or in another order; nothing of the step is loaded, and nothing is cast."""
    from gads_domain.errors import DamagedPartitionError
    from gads_domain.metadata import TableSchema
    from gads_domain.ports.warehouse import LoadMode, Replacement
    from gads_warehouse.comparison import position_of

    at = loaded.warehouse.position()
    assert at is not None
    loaded.make_authoritative(key_of(5, 0), 2, columns=WIDER, schema_version=2)
    before = loaded.shown()
    with loaded.consumer() as consumer:
        (partition,) = consumer.snapshot("campaign", customers="5").partitions
        (copy,) = consumer.copy_payloads([partition], tmp_path)
        to = position_of(consumer.cursor())
    as_double = ColumnSpec("metrics_clicks", "metrics.clicks", "double")
    for found in ((DATE, CAMPAIGN, NAME, as_double, *WIDER[4:]), WIDER[:-1], (*WIDER, LABELS), WIDER[::-1]):
        replacement = Replacement(partition, TableSchema(found), copy.path)
        step = LoadStep(LoadMode.FEED, "google_ads", at, to, loaded.clock.now(), [replacement], [])
        with pytest.raises(DamagedPartitionError, match="other columns than its seal says"):
            loaded.warehouse.apply(step)
        assert loaded.shown() == before
