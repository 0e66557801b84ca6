from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.errors import InvalidValueError
from gads_emulator import RowRequest, SyntheticAgency, SyntheticSettings
from gads_emulator.schema import load_schema
from gads_emulator.synthetic.activity import NOTHING, Activity, add, bounds_of, divide

COUNTED = (
    "metrics.clicks",
    "metrics.impressions",
    "metrics.cost_micros",
    "metrics.video_views",
    "metrics.active_view_impressions",
)
SEGMENTS = (
    "segments.device",
    "segments.ad_network_type",
    "segments.hour",
    "segments.conversion_action",
    "segments.conversion_action_category",
    "segments.slot",
    "segments.product_brand",
    "segments.new_versus_returning_customers",
)
RESOURCES = (
    "customer",
    "campaign",
    "campaign_budget",
    "ad_group",
    "ad_group_ad",
    "keyword_view",
    "asset_group",
    "age_range_view",
    "search_term_view",
    "landing_page_view",
    "conversion_action",
)


def _rows(agency: SyntheticAgency, resource: str, *paths: str, days: tuple[int, int] = (1, 7)) -> list[dict[str, Any]]:
    request = RowRequest(
        resource,
        frozenset({"segments.date", f"{resource}.resource_name", *paths}),
        date(2024, 3, days[0]),
        date(2024, 3, days[1]),
    )
    return list(agency.rows(load_schema("v26"), agency.client_ids[0], request).rows)


def _sum(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {metric: sum(row[metric] for row in rows) for metric in COUNTED}


@settings(deadline=None)
@given(st.sets(st.sampled_from(SEGMENTS), max_size=3), st.sampled_from(RESOURCES))
def test_sums_do_not_depend_on_the_segments(segments: set[str], resource: str) -> None:
    agency = SyntheticAgency(SyntheticSettings(accounts=1, campaigns=6))
    whole = _rows(agency, resource, *COUNTED, days=(4, 4))
    parts = _rows(agency, resource, *COUNTED, *segments, days=(4, 4))
    assert _sum(parts) == _sum(whole)
    keys = [
        (row[f"{resource}.resource_name"], row["segments.date"], *[row.get(s) for s in sorted(segments)])
        for row in parts
    ]
    assert len(set(keys)) == len(keys)


def test_some_segments_are_not_the_whole() -> None:
    """As in the API: an ad counts for each type of click that it shows, and not every ad was shown for a keyword."""
    agency = SyntheticAgency(SyntheticSettings(accounts=1, campaigns=1))
    whole = _sum(_rows(agency, "ad_group_ad", *COUNTED))
    by_type = _rows(agency, "ad_group_ad", *COUNTED, "segments.click_type")
    assert {row["segments.click_type"] for row in by_type} == {"URL_CLICKS", "SITELINKS", "CALLS"}
    by_keyword = _sum(_rows(agency, "ad_group_ad", *COUNTED, "segments.keyword.info.text"))
    for metric in ("metrics.impressions", "metrics.clicks", "metrics.cost_micros"):
        assert by_keyword[metric] < whole[metric] < _sum(by_type)[metric]
    by_both = _sum(_rows(agency, "ad_group_ad", *COUNTED, "segments.keyword.info.text", "segments.slot"))
    assert by_both == by_keyword


def test_removed_entities_have_a_past_and_idle_ones_have_no_metrics() -> None:
    agency = SyntheticAgency(SyntheticSettings(accounts=1))
    request = RowRequest("ad_group_ad", frozenset(("campaign.status", "ad_group.status", "ad_group_ad.status")))
    statuses = list(agency.rows(load_schema("v26"), agency.client_ids[0], request).rows)
    for level in ("campaign", "ad_group", "ad_group_ad"):
        assert {row[f"{level}.status"] for row in statuses} == {"ENABLED", "REMOVED"}
    first, last = (_rows(agency, "campaign", *COUNTED, "campaign.status", days=days) for days in ((1, 7), (29, 31)))
    assert "REMOVED" in {row["campaign.status"] for row in first}
    settings = SyntheticSettings(accounts=1, first=date(2024, 1, 1), last=date(2024, 4, 1))
    ended = _rows(SyntheticAgency(settings), "campaign", *COUNTED, "campaign.status", days=(29, 31))
    assert last
    assert {row["campaign.status"] for row in ended} <= {"ENABLED"}
    groups = RowRequest("ad_group", frozenset({"ad_group.resource_name", *COUNTED}))
    rows = list(agency.rows(load_schema("v26"), agency.client_ids[0], groups).rows)
    active = {row["ad_group.resource_name"] for row in rows if row["metrics.impressions"]}
    idle = {row["ad_group.resource_name"] for row in rows} - active
    assert len(idle) == 3
    assert not idle & {row["ad_group.resource_name"] for row in _rows(agency, "ad_group", *COUNTED, days=(1, 31))}


def test_an_account_is_the_sum_of_its_campaigns(agency: SyntheticAgency) -> None:
    assert _sum(_rows(agency, "customer", *COUNTED)) == _sum(_rows(agency, "campaign", *COUNTED))


@pytest.mark.parametrize("below", ["ad_group", "ad_group_ad"])
def test_a_campaign_is_the_sum_of_its_resources(agency: SyntheticAgency, below: str) -> None:
    campaigns: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(agency, below, "campaign.resource_name", *COUNTED):
        campaigns[row["campaign.resource_name"]].append(row)
    whole: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(agency, "campaign", *COUNTED):
        whole[row["campaign.resource_name"]].append(row)
    assert campaigns
    assert {name: _sum(rows) for name, rows in campaigns.items()} == {name: _sum(whole[name]) for name in campaigns}


def test_numbers_are_plausible(agency: SyntheticAgency) -> None:
    rows = _rows(agency, "ad_group", *COUNTED, *SEGMENTS[:3], "ad_group.id", "ad_group.name")
    assert rows
    for row in rows:
        assert 0 <= row["metrics.clicks"] <= row["metrics.impressions"]
        assert row["metrics.cost_micros"] == 0 or row["metrics.clicks"]
        assert row["ad_group.id"] > 2**32
    assert not all(row["ad_group.name"].isascii() for row in rows)


def test_the_same_seed_gives_the_same_rows(agency: SyntheticAgency) -> None:
    again = [_rows(SyntheticAgency(agency.settings), "ad_group_ad", *COUNTED, "ad_group_ad.ad.name") for _ in range(2)]
    other = _rows(SyntheticAgency(SyntheticSettings(seed=8)), "ad_group_ad", *COUNTED, "ad_group_ad.ad.name")
    assert again[0] == again[1]
    assert again[0] != other


def test_a_longer_range_does_not_change_an_account() -> None:
    """Accounts and ids do not move when more of them are asked for."""
    few, many = (SyntheticAgency(SyntheticSettings(accounts=n)) for n in (2, 9))
    assert many.client_ids[:2] == few.client_ids
    assert _rows(few, "campaign", *COUNTED) == _rows(many, "campaign", *COUNTED)


def test_rows_exist_only_in_the_range() -> None:
    agency = SyntheticAgency(SyntheticSettings(first=date(2024, 3, 4), last=date(2024, 3, 5)))
    assert {row["segments.date"] for row in _rows(agency, "customer", days=(1, 31))} == {"2024-03-04", "2024-03-05"}


def test_without_segments_every_campaign_has_a_row(agency: SyntheticAgency) -> None:
    request = RowRequest("campaign", frozenset({"campaign.resource_name", "metrics.clicks"}))
    rows = agency.rows(load_schema("v26"), agency.client_ids[0], request).rows
    assert len({row["campaign.resource_name"] for row in rows}) == agency.settings.campaigns


def test_every_attribute_is_a_field_of_the_newest_version(agency: SyntheticAgency) -> None:
    schema = load_schema("v26")
    paths = {"campaign.start_date"}  # left after v25, served to those before
    for resource in (*RESOURCES, "label", "customer_client"):
        everything = _Everything()
        for row in agency.rows(schema, agency.client_ids[0], RowRequest(resource, everything)).rows:
            paths.update(row)
            break
    known = {path for path in paths if schema.field(path) is not None}
    assert {path for path in paths - known if not path.startswith("metrics.")} <= {"campaign.start_date"}


class _Everything(frozenset[str]):
    """A set that says yes to every path."""

    def __contains__(self, path: object) -> bool:
        return True


counts = st.integers(0, 10**7)


activities = st.tuples(counts, st.integers(0, 100), st.lists(counts, min_size=5, max_size=5)).map(
    lambda drawn: Activity._make([drawn[0], drawn[0] * drawn[1] // 100, *drawn[2], drawn[0] // 3, drawn[0] // 2])
)


@settings(deadline=None)
@given(activities, st.lists(st.floats(0.001, 10), min_size=1, max_size=12))
def test_parts_add_up_to_the_whole(whole: Activity, weights: list[float]) -> None:
    parts = divide(whole, bounds_of(weights))
    total = NOTHING
    for part in parts:
        assert 0 <= part.clicks <= part.impressions
        assert min(part) >= 0
        total = add(total, part)
    assert total == whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"accounts": 0},
        {"campaigns": 0},
        {"disabled_accounts": -1},
        {"first": date(2024, 2, 1), "last": date(2024, 1, 1)},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        SyntheticSettings(**wrong)
