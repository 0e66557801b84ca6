"""What the API's documents say of single resources, and no descriptor tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gads_gaql.syntax import Condition, FieldRef, Problem, Query

WITHOUT_METRICS = frozenset(
    [
        "account_budget",
        "account_budget_proposal",
        "account_link",
        "ad_group_ad_label",
        "ad_group_criterion_customizer",
        "ad_group_criterion_label",
        "ad_group_criterion_simulation",
        "ad_group_customizer",
        "ad_group_label",
        "ad_group_simulation",
        "ad_parameter",
        "batch_job",
        "bidding_data_exclusion",
        "bidding_seasonality_adjustment",
        "bidding_strategy_simulation",
        "billing_setup",
        "campaign_conversion_goal",
        "campaign_customizer",
        "campaign_draft",
        "campaign_label",
        "campaign_shared_set",
        "campaign_simulation",
        "carrier_constant",
        "change_event",
        "change_status",
        "combined_audience",
        "conversion_custom_variable",
        "conversion_goal_campaign_config",
        "conversion_value_rule",
        "conversion_value_rule_set",
        "currency_constant",
        "custom_audience",
        "custom_conversion_goal",
        "custom_interest",
        "customer_client",
        "customer_client_link",
        "customer_conversion_goal",
        "customer_customizer",
        "customer_label",
        "customer_manager_link",
        "customer_negative_criterion",
        "customer_user_access",
        "customer_user_access_invitation",
        "customizer_attribute",
        "detailed_demographic",
        "domain_category",
        "experiment_arm",
        "geo_target_constant",
        "keyword_plan",
        "keyword_plan_ad_group",
        "keyword_plan_ad_group_keyword",
        "keyword_plan_campaign",
        "keyword_plan_campaign_keyword",
        "keyword_theme_constant",
        "label",
        "language_constant",
        "life_event",
        "media_file",
        "mobile_app_category_constant",
        "mobile_device_constant",
        "offline_user_data_job",
        "operating_system_version_constant",
        "product_category_constant",
        "recommendation",
        "recommendation_subscription",
        "remarketing_action",
        "shared_criterion",
        "shared_set",
        "smart_campaign_setting",
        "third_party_app_analytics_link",
        "topic_constant",
        "user_interest",
    ]
)
"""The resources whose reference page lists no metrics and no segments: they have a present and no history.

Only resources that are surely so are named; one that is missing here is taken to have metrics.
Source: https://developers.google.com/google-ads/api/fields/v26/overview, the page of each resource.
"""

_CHANGE_TIMES = {
    "change_event": "change_event.change_date_time",
    "change_status": "change_status.last_change_date_time",
}
_CHANGE_LIMIT = 10_000
_LOWER = frozenset({">", ">="})
_UPPER = frozenset({"<", "<="})
_BOTH = frozenset({"=", "BETWEEN", "DURING", "IN"})


def can_have_metrics(resource: str) -> bool:
    """Whether rows of the resource may carry metrics and segments, `segments.date` among them."""
    return resource not in WITHOUT_METRICS


def max_days_per_call(query: Query) -> int | None:
    """How many days one call may ask for; None for any number.

    One for `click_view`, of which the API refuses more (https://developers.google.com/google-ads/api/fields/v26/
    click_view: "Queries including ClickView must have a filter limiting the results to one day"), and one for a query
    with a LIMIT, which would otherwise cut the slice instead of each day.
    """
    return 1 if query.resource == "click_view" or query.limit is not None else None


def bounds(conditions: Iterable[Condition], fields: Iterable[str]) -> bool:
    """Whether the conditions on `fields` make a finite range."""
    names = frozenset(fields)
    operators = {condition.operator for condition in conditions if condition.field.name in names}
    return bool(operators & _BOTH) or bool(operators & _LOWER and operators & _UPPER)


def change_problems(query: Query) -> Iterator[Problem]:
    """`change_event` and `change_status` need a finite range of time and a LIMIT of 10,000 at most.

    Source: https://developers.google.com/google-ads/api/docs/change-event, `ChangeEventError`, `ChangeStatusError`.
    """
    time = _CHANGE_TIMES.get(query.resource)
    if time is None:
        return
    source = FieldRef(query.resource, query.resource_line, query.resource_column)
    if not bounds(query.conditions, [time]):
        yield Problem.at(
            source,
            "change_date_range_infinite",
            f"{query.resource} needs a finite range of {time}",
            f"add a condition such as {time} DURING LAST_7_DAYS",
        )
    if query.limit is None:
        yield Problem.at(
            source,
            "limit_not_specified",
            f"{query.resource} needs a LIMIT",
            f"end the query with LIMIT {_CHANGE_LIMIT}",
        )
    elif query.limit > _CHANGE_LIMIT:
        yield Problem.at(
            source,
            "invalid_limit_clause",
            f"{query.resource} gives {_CHANGE_LIMIT} rows at most, not {query.limit}",
            f"write LIMIT {_CHANGE_LIMIT}, and ask for less time if it comes back full",
        )


def click_problems(query: Query) -> Iterator[Problem]:
    """A query of `click_view` that is sent as it stands names one day.

    Source: https://developers.google.com/google-ads/api/fields/v26/click_view and `ClickViewError`.
    """
    if query.resource != "click_view":
        return
    days = [condition for condition in query.conditions if condition.field.name == "segments.date"]
    for condition in days:
        values = condition.values
        if condition.operator == "=" or (condition.operator == "BETWEEN" and values[0] == values[1]):
            return
        if condition.operator == "DURING" and values[0] in ("TODAY", "YESTERDAY"):
            return
    yield Problem(
        query.resource_line,
        query.resource_column,
        "expected_filter_on_a_single_day",
        "click_view gives one day at a time",
        "add a condition such as segments.date = '2024-06-01'",
    )
