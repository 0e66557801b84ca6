"""What every packaged report must hold, one test a report."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from gads_domain.report import ReportDefinition, ReportKind
from gads_gaql.catalogue import load, table_schema, versions
from gads_gaql.day_conditions import day_query
from gads_gaql.parser import parse
from gads_gaql.renderer import render
from gads_gaql.selection import can_have_metrics
from gads_reports.catalogue import builtin
from gads_reports.definition_file import default_restatement_days
from gads_reports.description import markdown_table, problems, resource
from gads_reports.header import parse_header, render_header

README = Path(__file__).resolve().parents[1] / "README.md"
REPORTS = [pytest.param(definition, id=name) for name, definition in builtin().items()]

AREAS = {
    "account": "account",
    "campaign": "campaign campaign_settings campaign_impression_share",
    "ad group": "ad_group ad_group_settings",
    "ad": "ad ad_settings",
    "keyword": "keyword keyword_quality_score",
    "search term": "search_term search_term_keyword campaign_search_term",
    "device": "campaign_device ad_group_device keyword_device",
    "hour": "campaign_hour",
    "network": "campaign_network",
    "geographic location": "geographic location distance",
    "user location": "user_location",
    "age": "age_range",
    "gender": "gender",
    "parental status": "parental_status",
    "income": "income_range",
    "audience": "ad_group_audience campaign_audience user_list",
    "placement": "detail_placement group_placement managed_placement performance_max_placement",
    "shopping product": "shopping_performance shopping_product product_group",
    "asset groups": "asset_group asset_group_settings asset_group_signal",
    "listing groups of asset groups": "asset_group_product_group asset_group_listing_group_filter",
    "assets": "asset asset_group_asset campaign_asset_link ad_group_asset_link customer_asset_link",
    "asset performance": "ad_group_ad_asset asset_field_type campaign_asset ad_group_asset customer_asset",
    "video": "video",
    "landing page": "landing_page expanded_landing_page",
    "click view": "click",
    "call view": "call",
    "conversion actions": "conversion_action conversion_action_performance",
    "campaign by conversion action": "campaign_conversion_action campaign_conversion_date",
    "change event": "change_event",
    "change status": "change_status",
    "budgets": "campaign_budget",
    "bidding strategies": "bidding_strategy",
    "labels": "label",
    "links of labels": "campaign_label ad_group_label ad_group_ad_label ad_group_criterion_label",
    "criteria": "campaign_criterion ad_group_criterion",
    "negative keywords": "campaign_negative_keyword ad_group_negative_keyword customer_negative_criterion",
    "shared sets": "shared_set shared_criterion campaign_shared_set",
    "customer": "customer",
    "customer_client": "customer_client",
}
"""What agencies must be able to ask for, and the reports that answer."""

_AD_GROUP = ("campaign.id", "ad_group.id")
_CRITERION = (*_AD_GROUP, "ad_group_criterion.criterion_id")
_CAMPAIGN_CRITERION = ("campaign.id", "campaign_criterion.criterion_id")
_LISTING_GROUP = ("campaign.id", "asset_group.id", "asset_group_listing_group_filter.id")

IDENTITY: dict[str, tuple[str, ...]] = {
    "ad_group": _AD_GROUP,
    "ad_group_ad": (*_AD_GROUP, "ad_group_ad.ad.id"),
    "ad_group_ad_asset_view": (*_AD_GROUP, "ad_group_ad.ad.id", "asset.id", "ad_group_ad_asset_view.field_type"),
    "ad_group_ad_label": ("ad_group.id", "ad_group_ad.ad.id", "label.id"),
    "ad_group_asset": (*_AD_GROUP, "asset.id", "ad_group_asset.field_type"),
    "ad_group_audience_view": _CRITERION,
    "ad_group_criterion": _CRITERION,
    "ad_group_criterion_label": ("ad_group.id", "ad_group_criterion.criterion_id", "label.id"),
    "ad_group_label": ("ad_group.id", "label.id"),
    "ad_schedule_view": _CAMPAIGN_CRITERION,
    "age_range_view": _CRITERION,
    "asset": ("asset.id",),
    "asset_field_type_view": ("campaign.id", "asset_field_type_view.field_type"),
    "asset_group": ("campaign.id", "asset_group.id"),
    "asset_group_asset": ("campaign.id", "asset_group.id", "asset.id", "asset_group_asset.field_type"),
    "asset_group_listing_group_filter": _LISTING_GROUP,
    "asset_group_product_group_view": _LISTING_GROUP,
    "asset_group_signal": ("campaign.id", "asset_group.id", "asset_group_signal.resource_name"),
    "bidding_strategy": ("bidding_strategy.id",),
    "call_view": (*_AD_GROUP, "call_view.resource_name"),
    "campaign": ("campaign.id",),
    "campaign_asset": ("campaign.id", "asset.id", "campaign_asset.field_type"),
    "campaign_audience_view": _CAMPAIGN_CRITERION,
    "campaign_budget": ("campaign_budget.id",),
    "campaign_conversion_goal": (
        "campaign.id",
        "campaign_conversion_goal.category",
        "campaign_conversion_goal.origin",
    ),
    "campaign_criterion": _CAMPAIGN_CRITERION,
    "campaign_label": ("campaign.id", "label.id"),
    "campaign_lifecycle_goal": ("campaign_lifecycle_goal.resource_name",),
    "campaign_search_term_view": ("campaign.id", "campaign_search_term_view.search_term"),
    "campaign_shared_set": ("campaign.id", "shared_set.id"),
    "cart_data_sales_view": ("campaign.id",),
    "change_event": ("change_event.resource_name",),
    "change_status": ("change_status.resource_name",),
    "click_view": (*_AD_GROUP, "click_view.gclid"),
    "conversion_action": ("conversion_action.id",),
    "customer": (),
    "customer_asset": ("asset.id", "customer_asset.field_type"),
    "customer_client": ("customer_client.id",),
    "customer_conversion_goal": ("customer_conversion_goal.category", "customer_conversion_goal.origin"),
    "customer_negative_criterion": ("customer_negative_criterion.id",),
    "detail_placement_view": (
        *_AD_GROUP,
        "detail_placement_view.placement",
        "detail_placement_view.placement_type",
        "detail_placement_view.group_placement_target_url",
    ),
    "display_keyword_view": _CRITERION,
    "distance_view": ("campaign.id", "distance_view.distance_bucket", "distance_view.metric_system"),
    "dynamic_search_ads_search_term_view": (
        *_AD_GROUP,
        "dynamic_search_ads_search_term_view.search_term",
        "dynamic_search_ads_search_term_view.headline",
        "dynamic_search_ads_search_term_view.landing_page",
        "dynamic_search_ads_search_term_view.page_url",
    ),
    "expanded_landing_page_view": (*_AD_GROUP, "expanded_landing_page_view.expanded_final_url"),
    "gender_view": _CRITERION,
    "geographic_view": (*_AD_GROUP, "geographic_view.country_criterion_id", "geographic_view.location_type"),
    "group_placement_view": (*_AD_GROUP, "group_placement_view.placement", "group_placement_view.placement_type"),
    "income_range_view": _CRITERION,
    "keyword_view": _CRITERION,
    "label": ("label.id",),
    "landing_page_view": (*_AD_GROUP, "landing_page_view.unexpanded_final_url"),
    "location_view": _CAMPAIGN_CRITERION,
    "managed_placement_view": _CRITERION,
    "paid_organic_search_term_view": (*_AD_GROUP, "paid_organic_search_term_view.search_term"),
    "parental_status_view": _CRITERION,
    "performance_max_placement_view": (
        "campaign.id",
        "performance_max_placement_view.placement",
        "performance_max_placement_view.placement_type",
    ),
    "product_group_view": _CRITERION,
    "search_term_view": (*_AD_GROUP, "search_term_view.search_term"),
    "shared_criterion": ("shared_set.id", "shared_criterion.criterion_id"),
    "shared_set": ("shared_set.id",),
    "shopping_performance_view": ("campaign.id",),
    "shopping_product": ("shopping_product.resource_name",),
    "topic_view": _CRITERION,
    "user_list": ("user_list.id",),
    "user_location_view": (
        *_AD_GROUP,
        "user_location_view.country_criterion_id",
        "user_location_view.targeting_location",
    ),
    "video": (*_AD_GROUP, "ad_group_ad.ad.id", "video.id"),
}
"""What tells two rows of a resource apart within an account, segments aside: the parts of its resource name, or where
that is opaque the fields that the resource is grouped by. With the segments this is the whole grain."""

REFERENCES = {"shopping_product.item_id"}
"""Fields that end like an id and are an attribute of the row: the item's id repeats over channels and countries."""

ONLY_IMPRESSIONS = {"performance_max_placement_view"}
"""Resources that have no other metric (the API answers PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE)."""


def test_there_are_enough_reports() -> None:
    assert len(builtin()) >= 45


@pytest.mark.parametrize("area", AREAS)
def test_every_area_has_its_reports(area: str) -> None:
    assert set(AREAS[area].split()) <= set(builtin())


@pytest.mark.parametrize("definition", REPORTS)
def test_it_passes_the_check_of_exactly_the_versions_that_it_names(definition: ReportDefinition) -> None:
    for version in versions():
        found = problems(definition, load(version))
        assert bool(found) != definition.supports(version), (version, found)


@pytest.mark.parametrize("definition", REPORTS)
def test_its_rows_have_one_shape_in_every_version(definition: ReportDefinition) -> None:
    query = parse(definition.query)
    shapes = {table_schema(query, load(version)).fingerprint for version in versions() if definition.supports(version)}
    assert len(shapes) == 1


@pytest.mark.parametrize("definition", REPORTS)
def test_its_header_is_whole_and_written_in_the_one_order(definition: ReportDefinition) -> None:
    header = parse_header(definition.query, definition.name)
    assert definition.query.startswith(render_header(header) + "\n")
    assert re.fullmatch(r"[A-Z].*[^.]", definition.title)
    assert (header.restatement_days is None) == (definition.kind is ReportKind.SNAPSHOT)


@pytest.mark.parametrize("definition", REPORTS)
def test_its_grain_is_the_resource_and_the_segments(definition: ReportDefinition) -> None:
    query = parse(definition.query)
    segments = {name for name in query.field_names if name.startswith("segments.")}
    customer = {"customer.id"} & set(query.field_names)
    assert set(definition.grain) == {*IDENTITY[query.resource], *segments, *customer}


@pytest.mark.parametrize("definition", REPORTS)
def test_every_id_that_it_selects_is_in_its_grain(definition: ReportDefinition) -> None:
    selected = parse(definition.query).field_names
    own = {name for name in selected if re.search(r"(^|\.)(id|criterion_id|gclid|item_id|resource_name)$", name)}
    assert own - REFERENCES <= set(definition.grain)


@pytest.mark.parametrize("definition", REPORTS)
def test_its_columns_come_keys_first_and_metrics_last(definition: ReportDefinition) -> None:
    roots = [name.split(".")[0] for name in parse(definition.query).field_names]
    rank = [("segments", "metrics").index(root) + 1 if root in ("segments", "metrics") else 0 for root in roots]
    assert rank == sorted(rank)


@pytest.mark.parametrize("definition", REPORTS)
def test_it_leaves_the_choice_of_days_and_rows_to_the_request(definition: ReportDefinition) -> None:
    query = parse(definition.query)
    assert query.orderings == ()
    assert query.limit is None
    if definition.kind is ReportKind.DAILY:
        assert {"customer.id", "segments.date"} <= set(query.field_names)
        assert query.conditions == ()
        assert can_have_metrics(query.resource)
        assert any(name.startswith("metrics.") for name in query.field_names)


@pytest.mark.parametrize("definition", REPORTS)
def test_what_is_sent_has_no_comment(definition: ReportDefinition) -> None:
    sent = render(day_query(definition, date(2024, 6, 1), date(2024, 6, 1)))
    assert sent.startswith("SELECT ")
    assert "--" not in sent
    assert "\n" not in sent
    assert definition.title not in sent


@pytest.mark.parametrize("definition", REPORTS)
def test_it_reads_again_what_conversions_move(definition: ReportDefinition) -> None:
    expected = {
        ReportKind.DAILY: default_restatement_days(parse(definition.query)),
        ReportKind.SNAPSHOT: 0,
        # A resource that changed again has left the day of the change before: to read that day again would lose it.
        ReportKind.EVENT: 1 if definition.name == "change_status" else 3,
    }
    assert definition.restatement_days == expected[definition.kind]


@pytest.mark.parametrize("definition", REPORTS)
def test_it_asks_for_no_metric_that_a_sum_of_others_gives(definition: ReportDefinition) -> None:
    metrics = [name for name in parse(definition.query).field_names if name.startswith("metrics.")]
    ratio = re.compile(r"metrics\.(ctr|average_.*|.*_per_.*|cost_per_.*|value_per_.*|.*_from_interactions_rate)")
    assert not [name for name in metrics if ratio.fullmatch(name)]


@pytest.mark.parametrize("definition", REPORTS)
def test_it_keeps_to_what_the_documents_say_of_metrics(definition: ReportDefinition) -> None:
    names = parse(definition.query).field_names
    metrics = {name.removeprefix("metrics.") for name in names if name.startswith("metrics.")}
    if "segments.conversion_action" in names:
        assert all("conversions" in metric for metric in metrics), "split by conversion action, conversions alone exist"
    if resource(definition) in ONLY_IMPRESSIONS:
        assert metrics == {"impressions"}
    if resource(definition) == "click_view":
        assert metrics == {"clicks"}
        assert definition.max_days_per_request == 1
    if any("impression_share" in metric for metric in metrics):
        assert not {"segments.hour", "segments.conversion_action", "segments.click_type"} & set(names)
    by_date = {metric for metric in metrics if metric.endswith("_by_conversion_date")}
    assert not by_date or by_date == metrics, "days of clicks and days of conversions in one row would mislead"


def test_the_limits_of_the_change_log_are_those_of_the_resource() -> None:
    events = {
        name: (found.row_limit, found.history and str(found.history), found.max_days_per_request)
        for name, found in builtin().items()
        if found.kind is ReportKind.EVENT
    }
    assert events == {
        "change_event": (10_000, "30 days", 1),
        "change_status": (10_000, "90 days", 1),
        "call": (None, None, None),
    }


def test_no_two_reports_ask_the_same() -> None:
    asked = [render(parse(definition.query)) for definition in builtin().values()]
    assert len(set(asked)) == len(asked)


def test_the_readme_shows_every_report() -> None:
    assert markdown_table(builtin().values()) in README.read_text("utf-8")


def test_the_readme_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (report,) = re.findall(r"```\n(-- title.*?)```", text, re.DOTALL)
    (tmp_path / "mine.gaql").write_text(report)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(README), "exec"), {})
    assert "FROM campaign WHERE segments.date BETWEEN '2024-06-01' AND '2024-06-01'" in capsys.readouterr().out
