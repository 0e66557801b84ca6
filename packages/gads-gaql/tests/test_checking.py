import pytest

from gads_gaql.catalogue import load, versions
from gads_gaql.parser import parse
from gads_gaql.query_check import check
from gads_gaql.resource_rules import max_days_per_call
from gads_gaql.selection import WITHOUT_METRICS

BASE = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign"
CHANGES = "SELECT change_event.resource_name FROM change_event WHERE change_event.change_date_time"


def codes(text: str, *, expects_days: bool = True) -> list[str]:
    return [problem.code for problem in check(parse(text), load("v26"), expects_days=expects_days)]


def with_condition(condition: str) -> str:
    return f"SELECT campaign.id, segments.date, segments.device, metrics.clicks FROM campaign WHERE {condition}"


@pytest.mark.parametrize(
    ("code", "failing", "passing"),
    [
        ("bad_resource_type_in_from_clause", BASE.replace("FROM campaign", "FROM campain"), BASE),
        ("bad_resource_type_in_from_clause", "SELECT segments.date FROM metrics", "SELECT segments.date FROM campaign"),
        ("unrecognized_field", BASE.replace("clicks", "click"), BASE),
        ("unrecognized_field", f"{BASE} ORDER BY metrics.click", f"{BASE} ORDER BY metrics.clicks"),
        ("unrecognized_field", f"{BASE} WHERE metrics.click > 1", f"{BASE} WHERE metrics.clicks > 1"),
        (
            "unrecognized_field",
            "SELECT segments.date, ad_group_ad.ad.responsive_search_ad.headlines.text FROM ad_group_ad",
            "SELECT segments.date, ad_group_ad.ad.responsive_search_ad.headlines FROM ad_group_ad",
        ),
        ("prohibited_field_in_select_clause", "SELECT campaign, segments.date FROM campaign", BASE),
        ("prohibited_field_in_select_clause", "SELECT segments, segments.date FROM campaign", BASE),
        ("duplicate_field", "SELECT campaign.id, segments.date, campaign.id FROM campaign", BASE),
        (
            "prohibited_metric_in_select_or_where_clause",
            "SELECT label.id, metrics.clicks FROM label",
            "SELECT label.id FROM label",
        ),
        (
            "prohibited_segment_in_select_or_where_clause",
            "SELECT label.id, segments.date FROM label",
            "SELECT label.id FROM label",
        ),
        (
            "prohibited_segment_in_select_or_where_clause",
            "SELECT segments.date, segments.product_item_id, metrics.clicks FROM campaign",
            "SELECT segments.date, segments.product_item_id, metrics.clicks FROM shopping_performance_view",
        ),
        (
            "prohibited_segment_in_select_or_where_clause",
            "SELECT segments.date, segments.product_sold_title FROM shopping_performance_view",
            "SELECT segments.date, segments.product_sold_title FROM cart_data_sales_view",
        ),
        (
            "prohibited_metric_in_select_or_where_clause",
            "SELECT segments.date, metrics.clicks FROM conversion_action",
            "SELECT segments.date, metrics.all_conversions FROM conversion_action",
        ),
        (
            "prohibited_metric_in_select_or_where_clause",
            f"{BASE} WHERE metrics.historical_quality_score > 3",
            f"{BASE} WHERE metrics.clicks > 3",
        ),
        (
            "prohibited_segment_with_metric_in_select_or_where_clause",
            "SELECT segments.date, segments.conversion_action, metrics.cost_micros FROM campaign",
            "SELECT segments.date, segments.conversion_action, metrics.conversions FROM campaign",
        ),
        (
            "expected_referenced_field_in_select_clause",
            f"{BASE} WHERE segments.device = 'MOBILE'",
            with_condition("segments.device = 'MOBILE'"),
        ),
        (
            "expected_referenced_field_in_select_clause",
            f"{BASE} ORDER BY metrics.cost_micros",
            f"{BASE} ORDER BY campaign.id, campaign.name, metrics.clicks",
        ),
        (
            "expected_referenced_field_in_select_clause",
            f"{BASE} ORDER BY customer.id",
            f"{BASE} ORDER BY segments.date",
        ),
        ("prohibited_field_in_order_by_clause", f"{BASE} ORDER BY campaign.labels", f"{BASE} ORDER BY campaign.status"),
        (
            "prohibited_field_in_order_by_clause",
            f"{BASE} ORDER BY campaign.network_settings",
            f"{BASE} ORDER BY campaign.network_settings.target_google_search",
        ),
        ("bad_parameter_name", f"{BASE} PARAMETERS foo = true", f"{BASE} PARAMETERS include_drafts = true"),
        ("bad_parameter_value", f"{BASE} PARAMETERS include_drafts = 2", f"{BASE} PARAMETERS include_drafts = 'TRUE'"),
        ("day_not_selected", "SELECT campaign.id FROM campaign", BASE),
        ("days_are_added_by_each_run", f"{BASE} WHERE segments.date DURING TODAY", BASE),
        ("days_are_added_by_each_run", f"{BASE} WHERE segments.year = 2024", BASE),
        ("change_date_range_infinite", f"{CHANGES} > '2024-06-01' LIMIT 5", f"{CHANGES} DURING LAST_7_DAYS LIMIT 5"),
        (
            "change_date_range_infinite",
            f"{CHANGES} > '2024-06-01' LIMIT 5",
            f"{CHANGES} > '2024-06-01' AND change_event.change_date_time <= '2024-06-02 10:00:00' LIMIT 5",
        ),
        ("limit_not_specified", f"{CHANGES} DURING TODAY", f"{CHANGES} DURING TODAY LIMIT 10000"),
        ("invalid_limit_clause", f"{CHANGES} DURING TODAY LIMIT 10001", f"{CHANGES} DURING TODAY LIMIT 10000"),
    ],
)
def test_each_rule_has_what_breaks_it_and_what_does_not(code: str, failing: str, passing: str) -> None:
    assert codes(failing).count(code) == 1
    assert codes(passing) == []


@pytest.mark.parametrize(
    ("code", "failing", "passing"),
    [
        ("operator_field_mismatch", "metrics.clicks LIKE '1%'", "campaign.name LIKE '1%'"),
        ("operator_field_mismatch", "campaign.status REGEXP_MATCH 'E.*'", "campaign.name NOT REGEXP_MATCH 'E.*'"),
        ("operator_field_mismatch", "campaign.id CONTAINS ANY (1)", "campaign.id IN (1)"),
        ("operator_field_mismatch", "campaign.labels = 'x'", "campaign.labels CONTAINS ALL ('x')"),
        ("operator_field_mismatch", "campaign.labels LIKE 'x'", "campaign.labels IS NULL"),
        ("operator_field_mismatch", "campaign.name DURING TODAY", "campaign.start_date_time DURING TODAY"),
        ("operator_field_mismatch", "campaign.status > 'ENABLED'", "campaign.status != 'ENABLED'"),
        ("operator_field_mismatch", "customer.manager BETWEEN TRUE AND FALSE", "customer.manager = TRUE"),
        ("prohibited_field_in_where_clause", "campaign.frequency_caps IS NOT NULL", "campaign.labels IS NOT NULL"),
        (
            "prohibited_field_in_where_clause",
            "campaign.network_settings IS NULL",
            "campaign.network_settings.target_google_search IS NULL",
        ),
        ("bad_value", "metrics.clicks > 'abc'", "metrics.clicks > 5"),
        ("bad_value", "metrics.clicks > 1.5", "metrics.clicks > '5'"),
        ("bad_value", "metrics.clicks > 9223372036854775808", "metrics.clicks > -9223372036854775808"),
        ("bad_value", "metrics.clicks IN (1, x)", "metrics.clicks IN (1, 2)"),
        ("bad_value", "metrics.ctr BETWEEN 0 AND high", "metrics.ctr BETWEEN 0 AND 0.5"),
        ("bad_value", "customer.manager = 1", "customer.manager = false"),
        ("bad_enum_constant", "campaign.status = 'ENABELD'", "campaign.status = ENABLED"),
        ("bad_enum_constant", "campaign.status IN (ENABLED, GONE)", "campaign.status IN (ENABLED, 'REMOVED')"),
        ("invalid_value_with_during_operator", "campaign.start_date_time DURING LAST_90_DAYS", "campaign.id > 0"),
        ("invalid_date_format", "campaign.start_date_time > 'soon'", "campaign.start_date_time > '2024-06-01'"),
        (
            "invalid_date_format",
            "campaign.start_date_time > '2024-02-30'",
            "campaign.start_date_time > '2024-02-28 10:00:00'",
        ),
    ],
)
def test_operators_and_values_fit_the_type(code: str, failing: str, passing: str) -> None:
    assert codes(with_condition(failing)) == [code]
    assert codes(with_condition(passing)) == []


@pytest.mark.parametrize("day", ["'2024-06-01'", "20240601", "'20240601'"])
def test_days_are_written_both_ways(day: str) -> None:
    assert codes(f"{BASE} WHERE segments.date = {day}", expects_days=False) == []


@pytest.mark.parametrize("day", ["'2024-06-31'", "'2024-06-01 10:00:00'", "20240631", "'1.6.2024'", "'2024-W01-1'"])
def test_what_is_no_day(day: str) -> None:
    assert codes(f"{BASE} WHERE segments.date = {day}", expects_days=False) == ["invalid_date_format"]


@pytest.mark.parametrize(
    ("segment", "first", "inside"),
    [("week", "2024-06-03", "2024-06-05"), ("month", "20240601", "20240630"), ("quarter", "2024-04-01", "2024-05-01")],
)
def test_a_period_is_named_by_its_first_day(segment: str, first: str, inside: str) -> None:
    assert codes(f"{BASE} WHERE segments.{segment} = '{first}'", expects_days=False) == []
    (found,) = check(parse(f"{BASE} WHERE segments.{segment} = '{inside}'"), load("v26"), expects_days=False)
    assert (found.code, found.message) == ("misaligned_date_for_filter", f"no {segment} begins on {inside}")
    assert first.replace("-", "") in found.hint.replace("-", "")


def test_a_query_sent_as_it_stands_bounds_its_days() -> None:
    assert codes(BASE, expects_days=False) == ["expected_filters_on_date_range"]
    (problem,) = check(parse(BASE), load("v26"), expects_days=False)
    assert problem.hint.startswith("add a condition such as segments.date DURING LAST_7_DAYS;")
    assert codes(f"{BASE} WHERE segments.date > '2024-06-01'", expects_days=False) == ["expected_filters_on_date_range"]
    assert codes(f"{BASE} WHERE segments.month = '2024-06-01'", expects_days=False) == []
    assert codes("SELECT campaign.id FROM campaign", expects_days=False) == []


CLICKS = "SELECT click_view.gclid, segments.date FROM click_view"


def test_click_view_is_asked_a_day_at_a_time() -> None:
    week = f"{CLICKS} WHERE segments.date DURING LAST_7_DAYS"
    assert codes(week, expects_days=False) == ["expected_filter_on_a_single_day"]
    two_days = f"{CLICKS} WHERE segments.date BETWEEN '2024-06-01' AND '2024-06-02'"
    assert codes(two_days, expects_days=False) == ["expected_filter_on_a_single_day"]
    for condition in ("= '2024-06-01'", "DURING YESTERDAY", "BETWEEN '2024-06-01' AND '2024-06-01'"):
        assert codes(f"{CLICKS} WHERE segments.date {condition}", expects_days=False) == []
    assert codes(CLICKS) == []
    assert max_days_per_call(parse(CLICKS)) == 1
    assert max_days_per_call(parse(f"{BASE} LIMIT 3")) == 1
    assert max_days_per_call(parse(BASE)) is None


def test_all_problems_come_in_the_order_of_the_text() -> None:
    text = """SELECT campagn.id,
       metrics.click
FROM campain
WHERE campaign.status = 'ENABELD'
PARAMETERS include_drafts = maybe, drafts = true"""
    found = check(parse(text), load("v26"))
    assert [(p.line, p.column, p.code) for p in found] == [
        (1, 8, "unrecognized_field"),
        (2, 8, "unrecognized_field"),
        (3, 6, "bad_resource_type_in_from_clause"),
        (3, 6, "day_not_selected"),
        (4, 7, "bad_enum_constant"),
        (5, 12, "bad_parameter_value"),
        (5, 36, "bad_parameter_name"),
    ]
    assert [p.hint for p in found if p.hint.startswith("did")] == [
        "did you mean campaign.id?",
        "did you mean metrics.clicks?",
        "did you mean campaign?",
        "did you mean ENABLED?",
    ]
    assert str(found[0]) == "line 1, column 8: v26 has no field 'campagn.id'"


def test_the_resources_without_metrics_exist() -> None:
    ever = frozenset[str]().union(*(load(version).resources() for version in versions()))
    assert ever >= WITHOUT_METRICS
