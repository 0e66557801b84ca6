"""Holds the warehouse to contracts/warehouse/v1, status and verification: each promise by its number."""

from __future__ import annotations

from datetime import date

from gads_domain.errors import GadsError
from gads_domain.partition_key import PartitionKey
from gads_testing.local_deployment import key_of, run_of
from gads_testing.warehouse_deployment import WarehouseDeployment
from gads_warehouse import DifferenceKind, status, verify


def test_status_names_what_differs(loaded: WarehouseDeployment) -> None:
    """W34: behind, orphaned and mismatched, by report."""
    with loaded.consumer() as consumer:
        assert status(consumer, loaded.warehouse)
        loaded.make_authoritative(key_of(1, 0), 2)
        loaded.make_authoritative(key_of(9, 0), 2)
        loaded.damage(key_of(2, 0), 1)
        loaded.tamper("DELETE FROM campaign WHERE _customer_id = '2' AND _logical_date = DATE '2024-06-02'")
        found = status(consumer, loaded.warehouse)
        assert not found
        (report,) = found.reports
        assert (report.partitions, report.behind, report.orphaned, report.mismatched) == (8, 2, 1, 1)
        assert (report.first_day, report.last_day) == (date(2024, 6, 1), date(2024, 6, 5))


def test_verify_names_every_difference(loaded: WarehouseDeployment) -> None:
    """W35: rows lost, sums changed, values changed, rows without a pointer, what is behind."""
    day = "_customer_id = '1' AND _logical_date = DATE '2024-06-0{}'"
    loaded.tamper(f"DELETE FROM campaign WHERE {day.format(1)} AND campaign_id = 0")
    loaded.tamper(f"UPDATE campaign SET metrics_clicks = metrics_clicks + 1 WHERE {day.format(2)} AND campaign_id = 0")
    loaded.tamper(f"UPDATE campaign SET campaign_name = 'other' WHERE {day.format(3)} AND campaign_id = 0")
    loaded.tamper(
        "INSERT INTO campaign BY NAME SELECT '9' AS _customer_id, DATE '2024-06-01' AS _logical_date, 'z' AS _run_id"
    )
    loaded.tamper("UPDATE campaign SET _run_id = '20240701T040509000Z-00000000' WHERE _customer_id = '9'")
    loaded.make_authoritative(key_of(1, 3), 2)
    loaded.make_authoritative(key_of(8, 0), 2)
    before = loaded.path.read_bytes()
    with loaded.consumer() as consumer:
        found = verify(consumer, loaded.warehouse)
    assert loaded.path.read_bytes() == before
    named = {(one.kind, _short(one.key), one.column, one.expected, one.found) for one in found.differences}
    assert named == {
        (DifferenceKind.ROWS, "1 1", None, "3", "2"),
        (DifferenceKind.SUM, "1 1", "metrics_clicks", "12", "11"),
        (DifferenceKind.SUM, "1 1", "metrics_run", "3", "2"),
        (DifferenceKind.SUM, "1 2", "metrics_clicks", "12", "13"),
        (DifferenceKind.VALUES, "1 3", None, "the sealed rows", "other values"),
        (DifferenceKind.ORPHANED, "9 1", None, None, "rows alone"),
        (DifferenceKind.OUTDATED, "1 4", None, run_of(2).value, run_of(1).value),
        (DifferenceKind.ABSENT, "8 1", None, run_of(2).value, None),
    }
    loaded.load(reconcile=True)
    with loaded.consumer() as consumer:
        left = {one.kind for one in verify(consumer, loaded.warehouse).differences}
    assert left == {DifferenceKind.SUM, DifferenceKind.VALUES}


def test_verify_names_pointers_and_what_is_of_no_partition(loaded: WarehouseDeployment) -> None:
    """W35: another count, a second pointer, rows without identity; the rows behind such a pointer are compared too."""
    first, second = (f"customer_id = '1' AND logical_date = DATE '2024-06-0{number}'" for number in (1, 2))
    loaded.tamper(f"UPDATE gads.pointers SET record_count = 4 WHERE {first}")
    loaded.tamper(
        "UPDATE campaign SET metrics_clicks = 8 WHERE campaign_id = 0 AND _customer_id = '1' "
        "AND _logical_date = DATE '2024-06-01'"
    )
    loaded.tamper(f"INSERT INTO gads.pointers SELECT * FROM gads.pointers WHERE {second}")
    loaded.tamper("INSERT INTO campaign BY NAME SELECT 7 AS campaign_id FROM range(2)")
    with loaded.consumer() as consumer:
        found = verify(consumer, loaded.warehouse)
        assert status(consumer, loaded.warehouse).invalid_identity == {"main.campaign": 2}
    assert found.invalid_identity == {"main.campaign": 2}
    assert [(one.kind, _short(one.key), one.column) for one in found.differences] == [
        (DifferenceKind.POINTER, "1 1", None),
        (DifferenceKind.SUM, "1 1", "metrics_clicks"),
        (DifferenceKind.POINTER, "1 2", None),
    ]


def test_every_error_says_what_to_do() -> None:
    import gads_warehouse.errors as errors

    kinds = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert all(issubclass(one, GadsError) and one.default_hint for one in kinds)
    assert len({one.code for one in kinds if issubclass(one, GadsError)}) == len(kinds) == 2


def _short(key: PartitionKey) -> str:
    return f"{key.customer_id} {key.logical_date.day}"


def test_a_wrong_view_is_named_and_made_again(agency: WarehouseDeployment) -> None:
    """W46: rows by status, sums and other values by verify; one that is gone, and one that cannot be read."""
    agency.tamper("CREATE OR REPLACE VIEW google_ads.campaign_history AS FROM main.campaign LIMIT 0")
    daily = "SELECT sql FROM duckdb_views() WHERE view_name = 'campaign_daily'"
    ((sql,),) = agency.query(daily)
    agency.tamper(sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW").replace("sum(clicks)", "max(clicks) + 1"))
    agency.tamper("DROP VIEW reporting.freshness")
    before = agency.path.read_bytes()
    with agency.consumer() as consumer:
        found, verified = status(consumer, agency.warehouse), verify(consumer, agency.warehouse)
        assert agency.path.read_bytes() == before
        assert not found
        assert not found.views_current
        assert {one.view for one in found.views} == {"google_ads.campaign_history", "reporting.freshness"}
        assert not verified
        assert verified.differences == ()
        clicks = [one for one in verified.views if one.view == "reporting.campaign_daily"]
        assert [(one.name, one.expected, one.found) for one in clicks] == [("sum of clicks", 49, 59)]
        (gone,) = (one for one in verified.to_document()["views"] if one["view"] == "reporting.freshness")
        assert "does not exist" in gone["found"]
        agency.load(reconcile=True)
        assert status(consumer, agency.warehouse)
        assert verify(consumer, agency.warehouse)
