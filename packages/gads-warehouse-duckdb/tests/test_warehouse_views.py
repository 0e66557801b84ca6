"""Holds the warehouse to contracts/warehouse/v1, views, status and verification: each promise by its number."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from gads_domain.clock import SystemClock
from gads_domain.errors import GadsError
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.metadata import ColumnSpec
from gads_domain.partition_key import GOOGLE_ADS
from gads_testing.local_deployment import (
    CAMPAIGN,
    CLICKS,
    NAME,
    key_of,
)
from gads_testing.warehouse_deployment import ACCOUNT, CONTRACT, COST_MICROS, WarehouseDeployment
from gads_warehouse import status
from gads_warehouse_duckdb.views.reporting import money


def test_money_stands_beside_micros(agency: WarehouseDeployment) -> None:
    """W29: exact, with the account's name, currency and time zone."""
    rows = agency.query(
        "SELECT DISTINCT metrics_cost_micros, metrics_cost, "
        "metrics_average_cpc_in_currency * 1e6 = metrics_average_cpc, _account_name, _currency_code, _time_zone "
        "FROM reporting.campaign WHERE _customer_id = '1' ORDER BY 1 LIMIT 2"
    )
    account = (True, "Account of run 5", "EUR", "Europe/Zurich")
    assert rows == [(0, Decimal("0.000000"), *account), (1_234_567, Decimal("1.234567"), *account)]
    assert agency.query("SELECT DISTINCT _currency_code FROM reporting.campaign WHERE _customer_id = '2'") == [(None,)]


def test_every_average_of_money_is_taken_for_money() -> None:
    """W29: whatever the API version calls it; a share, a rate or a value of conversions is none."""
    from gads_gaql.catalogue import latest, load

    names = {path.removeprefix("metrics.") for path in load(latest()).paths("metrics")}
    averages = {name for name in names if re.fullmatch(r"\w*(average_(max_)?(cost|cp[cemv])|_view_cpm)", name)}
    assert averages >= {"average_cpc", "average_cpm", "average_cost", "trueview_average_cpv", "active_view_cpm"}
    for name in averages:
        column = ColumnSpec(f"metrics_{name}", f"metrics.{name}", "double")
        assert money(column) == (f"metrics_{name}_in_currency", f'"metrics_{name}" / 1e6')
    for name in ("average_target_roas", "conversions_value_per_cost", "value_per_conversion", "ctr"):
        assert money(ColumnSpec(f"metrics_{name}", f"metrics.{name}", "double")) is None


def test_accounts_are_as_last_told(agency: WarehouseDeployment) -> None:
    """W30: one row an account, named by its latest day; one that no report describes is there without a name."""
    assert agency.query(
        "SELECT customer_id, account_name, currency_code, as_of FROM reporting.accounts ORDER BY 1"
    ) == [
        ("1", "Account of run 5", "EUR", date(2024, 6, 3)),
        ("2", None, None, None),
    ]


def test_campaigns_by_day(agency: WarehouseDeployment) -> None:
    """W31: one row a day a campaign, and the sums are those of the table."""
    counts = "SELECT count(*), count(DISTINCT (day, customer_id, campaign_id)) FROM reporting.campaign_daily"
    assert agency.query(counts) == [(10, 10)]
    for name in ("clicks", "cost_micros", "cost", "conversions"):
        daily = agency.query(f"SELECT sum({name}) FROM reporting.campaign_daily")
        assert daily == agency.query(f"SELECT sum(metrics_{name}) FROM reporting.campaign")


def test_freshness_and_gaps(loaded: WarehouseDeployment) -> None:
    """W32: what is expected and not shown, so that a revoked day is a gap."""
    loaded.clock.moment = SystemClock().now()
    loaded.list_accounts(1, 2)
    loaded.damage(key_of(1, 2), 1)
    loaded.load()
    assert loaded.query("FROM reporting.gaps WHERE unknown IS NOT NULL") == []
    gaps = loaded.query("SELECT customer_id, logical_date FROM reporting.gaps ORDER BY ALL")
    with loaded.consumer() as consumer:
        found = consumer.gaps("campaign")
    assert gaps == [(gap.customer_id, gap.logical_date) for gap in found], "the view and the domain find the same"
    missing = Counter(customer_id for customer_id, _ in gaps)
    rows = loaded.query(
        "SELECT customer_id, first_day, last_day, complete_until, days, missing_days, record_count "
        "FROM reporting.freshness ORDER BY 1"
    )
    assert rows == [
        ("1", date(2024, 6, 1), date(2024, 6, 5), date(2024, 6, 2), 4, missing["1"], 12),
        ("2", date(2024, 6, 1), date(2024, 6, 3), date(2024, 6, 3), 3, missing["2"], 9),
    ]
    assert gaps[0] == ("1", date(2024, 6, 3))
    assert loaded.query("SELECT answer, missing_days FROM reporting.completeness") == [("incomplete", len(gaps))]


def test_what_is_unknown_is_a_row(loaded: WarehouseDeployment) -> None:
    """W38: without a list, with an old one, and with none of whom a report is expected."""
    for why, moment, accounts in (
        ("no list of accounts was ever drawn", None, ()),
        ("the list of accounts is too old", datetime(2024, 7, 2, tzinfo=UTC), (1, 2)),
        ("the list of accounts selects none", SystemClock().now(), ()),
    ):
        if moment is not None:
            loaded.clock.moment = moment
            loaded.list_accounts(*accounts)
        loaded.load()
        assert loaded.query("FROM reporting.gaps WHERE unknown IS NOT NULL") == [(None, None, None, None, why)]
        ((answer, missing, unknown),) = loaded.query("FROM reporting.completeness")
        assert (answer, unknown) == ("incomplete" if missing else "unknown", why)
        with loaded.consumer() as consumer:
            found = status(consumer, loaded.warehouse).completeness
        assert (found.answer.value, found.days) == (answer, missing)


def test_a_list_alone_is_a_step(loaded: WarehouseDeployment) -> None:
    """W39: a newer list alone is loaded, once; the account's name stands beside its gaps."""
    loads = "SELECT count(*) FROM gads.loads"
    ((before,),) = loaded.query(loads)
    loaded.clock.moment = SystemClock().now()
    loaded.list_accounts(1, 2)
    assert not loaded.load(dry_run=True).changed
    for _ in range(2):
        loaded.load()
        assert loaded.query(loads) == [(before + 1,)]
    assert loaded.query("SELECT customer_id FROM gads.accounts WHERE selected ORDER BY 1") == [("1",), ("2",)]
    loaded.list_accounts(1, 2, 3)
    loaded.load(reconcile=True)
    assert loaded.query(loads) == [(before + 2,)]
    assert loaded.query("SELECT DISTINCT customer_id FROM reporting.gaps ORDER BY 1") == [("1",), ("2",), ("3",)]


_STATS = {
    "customer_id", "date", "clicks", "cost_micros", "impressions", "conversions", "conversions_value",
    "view_through_conversions",
}  # fmt: skip
_OF_DEVICES = {*_STATS, "ad_network_type", "device"}
DBT_COLUMNS = {
    "account_history": {
        "id", "updated_at", "currency_code", "auto_tagging_enabled", "time_zone", "descriptive_name",
        "_fivetran_active",
    },
    "account_stats": _OF_DEVICES,
    "campaign_history": {
        "id", "customer_id", "updated_at", "name", "status", "serving_status", "start_date", "end_date",
        "advertising_channel_type", "advertising_channel_subtype", "tracking_url_template", "ad_network_type", "device",
        "_fivetran_active",
    },
    "campaign_stats": {*_OF_DEVICES, "id"},
    "ad_group_history": {
        "id", "updated_at", "type", "campaign_id", "campaign_name", "name", "status", "_fivetran_active",
    },
    "ad_group_stats": {*_OF_DEVICES, "id", "campaign_id"},
    "ad_group_criterion_history": {
        "id", "ad_group_id", "base_campaign_id", "updated_at", "type", "status", "keyword_match_type", "keyword_text",
        "_fivetran_active",
    },
    "ad_history": {
        "ad_group_id", "id", "updated_at", "name", "display_url", "type", "status", "final_urls", "_fivetran_active",
    },
    "ad_stats": {
        *_OF_DEVICES, "ad_id", "ad_group", "ad_group_id", "campaign_id", "keyword_ad_group_criterion",
    },
    "keyword_stats": {*_OF_DEVICES, "ad_group_id", "_fivetran_id", "campaign_id", "ad_group_criterion_criterion_id"},
    "search_term_keyword_stats": {
        *_STATS, "_fivetran_id", "_fivetran_synced", "resource_name", "search_term", "campaign_id", "ad_group_id",
        "search_term_match_type", "keyword_ad_group_criterion", "status", "info_text",
        "absolute_top_impression_percentage", "top_impression_percentage", "average_cpc", "ctr",
        "conversions_from_interactions_rate", "conversions_from_interactions_value_per_interaction",
    },
}  # fmt: skip
"""What models/staging/src_google_ads.yml of the package documents, and its staging models read."""


def test_dbt_finds_its_sources(agency: WarehouseDeployment) -> None:
    """W33: with the columns that the package documents, and only where the reports are loaded."""
    there = {name for (name,) in agency.query("SELECT view_name FROM gads.views WHERE schema_name = 'google_ads'")}
    assert there == {"account_history", "campaign_history"}  # no impressions, so no stats
    for name in there:
        columns = {column for column, *_ in agency.query(f"DESCRIBE google_ads.{name}")}
        assert columns > DBT_COLUMNS[name] | {"_fivetran_active", "_fivetran_synced"}
    active = agency.query("SELECT id, descriptive_name FROM google_ads.account_history WHERE _fivetran_active")
    assert active == [(1, "Account of run 5")]


def test_dbt_sources_from_the_packaged_reports(
    deployment: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W33: every source of the package, from the reports that come with gads-etl."""
    from gads_gaql.catalogue import latest, load, table_schema
    from gads_gaql.parser import parse
    from gads_reports.catalogue import builtin

    names = (
        "customer", "account", "campaign_settings", "campaign", "ad_group_settings", "ad_group", "ad_settings", "ad",
        "ad_group_criterion", "keyword", "search_term_keyword",
    )  # fmt: skip
    for name in names:
        columns = table_schema(parse(builtin()[name].query), load(latest())).columns
        deployment.make_authoritative(key_of(1, 0, name), 1, rows=0, columns=columns)
    deployment.load()
    there = {name for (name,) in deployment.query("SELECT view_name FROM gads.views WHERE schema_name = 'google_ads'")}
    promised = re.search(r"\*\*W33\.\*\*(.*?)with the columns", CONTRACT.read_text(), re.DOTALL)
    assert promised is not None
    assert there == set(re.findall(r"`(\w+)`", promised[1])) - {"google_ads"}
    assert there == set(DBT_COLUMNS)
    for name, expected in DBT_COLUMNS.items():
        assert expected - {column for column, *_ in deployment.query(f"DESCRIBE google_ads.{name}")} == set(), name
    for schema, name in deployment.query("SELECT schema_name, view_name FROM gads.views"):
        deployment.query(f'SELECT count(*) FROM {schema}."{name}"')


def test_rows_of_a_source_have_ids_of_their_own(
    deployment: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W33: a null is not nothing, so that `_fivetran_id` tells rows apart that differ in where they have one."""
    columns = (
        CAMPAIGN,
        ColumnSpec("segments_device", "segments.device", "string"),
        ColumnSpec("segments_ad_network_type", "segments.ad_network_type", "string"),
        CLICKS,
        ColumnSpec("metrics_impressions", "metrics.impressions", "int64"),
        COST_MICROS,
    )
    deployment.make_authoritative(key_of(), 1, rows=4, columns=columns)
    deployment.load()
    deployment.tamper("UPDATE campaign SET segments_device = NULL WHERE campaign_id % 2 = 0")
    deployment.tamper("UPDATE campaign SET segments_ad_network_type = NULL WHERE campaign_id % 2 = 1")
    deployment.tamper("UPDATE campaign SET campaign_id = 7")
    assert deployment.query("SELECT count(*), count(DISTINCT _fivetran_id) FROM google_ads.campaign_stats") == [(4, 2)]
    found = deployment.query(
        "SELECT sum(clicks), sum(impressions), sum(cost_micros), any_value(id) FROM google_ads.campaign_stats"
    )
    assert found == deployment.query(
        "SELECT sum(metrics_clicks), sum(metrics_impressions), sum(metrics_cost_micros), 7 FROM campaign"
    )


def test_every_error_says_what_to_do() -> None:
    import gads_warehouse_duckdb.errors as errors

    kinds = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert len({one.code for one in kinds if issubclass(one, GadsError)}) == len(kinds)
    assert all(one.default_hint for one in kinds if issubclass(one, GadsError))


def _column(path: str, kind: str = "string") -> ColumnSpec:
    return ColumnSpec(path.replace(".", "_"), path, kind)


IMPRESSIONS = _column("metrics.impressions", "int64")
SHARE = _column("metrics.search_impression_share", "double")
AD = (CAMPAIGN, _column("ad_group.id", "int64"), _column("ad_group_ad.ad.id", "int64"), _column("ad_group_ad.ad.name"))


def test_every_day_of_every_version_is_shown(deployment: WarehouseDeployment) -> None:
    """W40: a column comes, a column goes, a type changes; every day counts."""
    bare = (CAMPAIGN, CLICKS, IMPRESSIONS, COST_MICROS)
    conversions = _column("metrics.all_conversions", "double")
    versions = (
        (*bare, NAME),
        (*bare, NAME, conversions, SHARE),
        bare,
        (CAMPAIGN, NAME, _column("metrics.clicks", "double"), COST_MICROS),
    )
    for number, columns in enumerate(versions):
        deployment.make_authoritative(key_of(1, number), 1, columns=columns, schema_version=number + 1)
    deployment.load()
    assert len(deployment.query("SELECT DISTINCT table_name FROM gads.report_tables")) == 3
    for view, day in (("reporting.campaign_daily", "day"), ("google_ads.campaign_stats", "date")):
        figures = f"count(*), count(DISTINCT {day}), sum(clicks), sum(cost_micros), sum(all_conversions)"
        assert deployment.query(f"SELECT {figures} FROM {view}") == [(12, 4, 48, 12 * 1_234_567, 0.75)], view
    nameless = "SELECT DISTINCT campaign_name FROM reporting.campaign_daily WHERE day = '2024-06-03' ORDER BY 1"
    assert deployment.query(nameless) == [(f"Campaign {number}",) for number in range(3)]
    assert deployment.query("SELECT count(*), count(name) FROM google_ads.campaign_history") == [(12, 12)]


def test_accounts_and_their_history_fall_back(deployment: WarehouseDeployment) -> None:
    """W41: per account and per attribute; the list of accounts comes last, and only for currency, name and zone."""
    daily = (*ACCOUNT, CLICKS, IMPRESSIONS, COST_MICROS)
    tagging = _column("customer.auto_tagging_enabled", "bool")
    deployment.make_authoritative(key_of(1, 0, "customer"), 1, rows=1, columns=(*ACCOUNT, tagging))
    deployment.make_authoritative(key_of(1, 1, "account"), 2, rows=1, columns=daily)
    deployment.make_authoritative(key_of(2, 0, "account"), 3, rows=1, columns=daily)
    deployment.make_authoritative(key_of(3, 0), 1)
    client = ("id", "descriptive_name", "currency_code", "time_zone")
    clients = tuple(_column(f"customer_client.{one}", "int64" if one == "id" else "string") for one in client)
    deployment.make_authoritative(key_of(9, 0, "customer_client"), 4, rows=1, columns=clients)
    drawn = ListedAccount("3", "Listed", "CHF", "Europe/Zurich"), ListedAccount("8", "Not shown")
    deployment.control_plane.record_list(DrawnList(GOOGLE_ADS, deployment.clock.now(), drawn, {}))
    deployment.load()
    deployment.tamper("UPDATE account SET customer_currency_code = NULL WHERE _customer_id = '1'")
    assert deployment.query(
        "SELECT customer_id, account_name, currency_code, time_zone, as_of FROM reporting.accounts ORDER BY 1"
    ) == [
        ("1", "Account of run 2", "EUR", "Europe/Zurich", date(2024, 6, 2)),
        ("2", "Account of run 3", "EUR", "Europe/Zurich", date(2024, 6, 1)),
        ("3", "Listed", "CHF", "Europe/Zurich", None),
        ("4", "text", "text", "text", date(2024, 6, 1)),
        ("9", None, None, None, None),
    ]
    history = (
        "SELECT id, descriptive_name, auto_tagging_enabled, _fivetran_active, updated_at::DATE FROM "
        "google_ads.account_history ORDER BY id, updated_at"
    )
    assert deployment.query(history) == [
        (1, "Account of run 1", True, False, date(2024, 6, 1)),
        (1, "Account of run 2", True, True, date(2024, 6, 2)),
        (2, "Account of run 3", None, True, date(2024, 6, 1)),
        (4, "text", None, True, date(2024, 6, 1)),
    ]


def test_ads_without_settings_stay_ads(deployment: WarehouseDeployment) -> None:
    """W42: an empty list of URLs is null, one that no report has is '', since dbt drops ads whose URLs are null."""
    urls, suffix = _column("ad_group_ad.ad.final_urls", "list<string>"), _column("ad_group_ad.ad.final_url_suffix")
    deployment.make_authoritative(key_of(2, 0, "ad_settings"), 1, rows=1, columns=AD)
    deployment.make_authoritative(key_of(1, 0, "ad_settings"), 1, rows=2, columns=(*AD, urls, suffix), schema_version=2)
    deployment.make_authoritative(key_of(1, 1, "ad"), 1, columns=(*AD, CLICKS, IMPRESSIONS, COST_MICROS))
    deployment.load()
    for table in ("ad", "ad_settings"):
        deployment.tamper(f"UPDATE {table} SET ad_group_ad_ad_id = campaign_id + 10 * _customer_id::INT")
    of_the_first = "WHERE _customer_id = '1' AND campaign_id"
    for number, value in enumerate(("['https://a.example/?b=1', 'https://c.example']", "[]")):
        deployment.tamper(f"UPDATE ad_settings SET ad_group_ad_ad_final_urls = {value} {of_the_first} = {number}")
    assert deployment.query(
        "SELECT id, final_urls, final_url_suffix, updated_at::DATE, _fivetran_active FROM google_ads.ad_history "
        "ORDER BY id, updated_at"
    ) == [
        (10, "[https://a.example/?b=1,https://c.example]", "text", date(2024, 6, 1), False),
        (10, "[https://a.example/?b=1,https://c.example]", "text", date(2024, 6, 2), True),
        (11, None, "text", date(2024, 6, 1), False),
        (11, None, "text", date(2024, 6, 2), True),
        (12, "", None, date(2024, 6, 2), True),
        (20, "", None, date(2024, 6, 1), True),
    ]


def test_statistics_have_every_metric_and_their_load(deployment: WarehouseDeployment) -> None:
    """W43: under its short name and with its type, a share too; a row is synced when its partition was loaded."""
    columns = (CAMPAIGN, NAME, CLICKS, IMPRESSIONS, COST_MICROS, _column("metrics.all_conversions", "double"), SHARE)
    for day in range(2):
        deployment.make_authoritative(key_of(1, day), 1, columns=columns)
        deployment.load()
    kinds = {name: kind for name, kind, *_ in deployment.query("DESCRIBE google_ads.campaign_stats")}
    types = {"clicks": "BIGINT", "all_conversions": "DOUBLE", "search_impression_share": "DOUBLE"}
    assert types.items() <= kinds.items()
    daily = {name for name, *_ in deployment.query("DESCRIBE reporting.campaign_daily")}
    assert "all_conversions" in daily
    assert "search_impression_share" not in daily
    loads = deployment.query("SELECT logical_date, loaded_at FROM gads.pointers ORDER BY 2")
    assert loads[0][1] < loads[1][1]
    for view, moment in (("campaign_stats", "date"), ("campaign_history", "updated_at::DATE")):
        assert (
            deployment.query(f"SELECT DISTINCT {moment}, _fivetran_synced FROM google_ads.{view} ORDER BY 2") == loads
        )
