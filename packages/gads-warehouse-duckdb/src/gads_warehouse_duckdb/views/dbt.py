"""The source tables of the dbt package `google_ads`, as views: what it documents in `src_google_ads.yml`.

Each is made from the first report that is loaded and tells what cannot be missing. A history has a row a day on which
the report was taken; the rows of an entity's last day are its current ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gads_warehouse_duckdb.layout import CUSTOMER_ID, DBT, LOGICAL_DATE, RECORDS, RUN_ID, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import ViewDefinition, table_with


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the view, its type, and the payload's columns that may give it; without any it is null."""

    name: str
    kind: str
    candidates: tuple[str, ...] = ()

    def expression(self, present: Mapping[str, str]) -> str:
        for candidate in self.candidates:
            if candidate in present:
                if present[candidate].startswith("list<"):
                    return f"'[' || array_to_string({quoted(candidate)}, ',') || ']'"
                return f"{quoted(candidate)}::{self.kind}"
        return f"NULL::{self.kind}"


@dataclass(frozen=True, slots=True)
class _Source:
    """A source table: the reports it may be made of, the best first, and the columns without which it is not made."""

    name: str
    reports: tuple[str, ...]
    needed: tuple[str, ...]
    columns: tuple[_Column, ...]
    entity: tuple[str, ...] = ()


_NUMBER, _TEXT, _REAL = "BIGINT", "VARCHAR", "DOUBLE"


def _stats(*identifying: _Column) -> tuple[_Column, ...]:
    return (
        *identifying,
        _Column("ad_network_type", _TEXT, ("segments_ad_network_type",)),
        _Column("device", _TEXT, ("segments_device",)),
        _Column("clicks", _NUMBER, ("metrics_clicks",)),
        _Column("cost_micros", _NUMBER, ("metrics_cost_micros",)),
        _Column("impressions", _NUMBER, ("metrics_impressions",)),
        _Column("interactions", _NUMBER, ("metrics_interactions",)),
        _Column("conversions", _REAL, ("metrics_conversions",)),
        _Column("conversions_value", _REAL, ("metrics_conversions_value",)),
        _Column("view_through_conversions", _NUMBER, ("metrics_view_through_conversions",)),
    )


_CAMPAIGN = _Column("campaign_id", _NUMBER, ("campaign_id",))
_AD_GROUP = _Column("ad_group_id", _NUMBER, ("ad_group_id",))
_CRITERION = "ad_group_criterion_criterion_id"
_RATES = (
    "absolute_top_impression_percentage",
    "top_impression_percentage",
    "average_cpc",
    "ctr",
    "conversions_from_interactions_rate",
    "conversions_from_interactions_value_per_interaction",
)
_SPENT = ("metrics_clicks", "metrics_impressions", "metrics_cost_micros")

_SOURCES = (
    _Source(
        "account_history",
        ("customer", "account"),
        ("customer_currency_code",),
        (
            _Column("id", _NUMBER, ("customer_id", CUSTOMER_ID)),
            _Column("descriptive_name", _TEXT, ("customer_descriptive_name",)),
            _Column("currency_code", _TEXT, ("customer_currency_code",)),
            _Column("time_zone", _TEXT, ("customer_time_zone",)),
            _Column("auto_tagging_enabled", "BOOLEAN", ("customer_auto_tagging_enabled",)),
            _Column("manager", "BOOLEAN", ("customer_manager",)),
            _Column("test_account", "BOOLEAN", ("customer_test_account",)),
            _Column("final_url_suffix", _TEXT, ("customer_final_url_suffix",)),
            _Column("tracking_url_template", _TEXT, ("customer_tracking_url_template",)),
            _Column("optimization_score", _REAL, ("customer_optimization_score",)),
        ),
        (CUSTOMER_ID,),
    ),
    _Source("account_stats", ("account",), _SPENT, _stats()),
    _Source(
        "campaign_history",
        ("campaign_settings", "campaign"),
        ("campaign_id", "campaign_name"),
        (
            _Column("id", _NUMBER, ("campaign_id",)),
            _Column("customer_id", _NUMBER, ("customer_id", CUSTOMER_ID)),
            _Column("name", _TEXT, ("campaign_name",)),
            _Column("status", _TEXT, ("campaign_status",)),
            _Column("serving_status", _TEXT, ("campaign_serving_status",)),
            _Column("advertising_channel_type", _TEXT, ("campaign_advertising_channel_type",)),
            _Column("advertising_channel_subtype", _TEXT, ("campaign_advertising_channel_sub_type",)),
            # The package documents these two of a campaign, too, which has neither but by its numbers.
            _Column("ad_network_type", _TEXT),
            _Column("device", _TEXT),
            _Column("start_date", _TEXT, ("campaign_start_date_time", "campaign_start_date")),
            _Column("end_date", _TEXT, ("campaign_end_date_time", "campaign_end_date")),
            _Column("tracking_url_template", _TEXT, ("campaign_tracking_url_template",)),
            _Column("final_url_suffix", _TEXT, ("campaign_final_url_suffix",)),
            _Column("optimization_score", _REAL, ("campaign_optimization_score",)),
        ),
        (CUSTOMER_ID, "campaign_id"),
    ),
    _Source(
        "campaign_stats",
        ("campaign",),
        ("campaign_id", *_SPENT),
        _stats(_Column("id", _NUMBER, ("campaign_id",)), _Column("base_campaign", _TEXT, ("campaign_base_campaign",))),
    ),
    _Source(
        "ad_group_history",
        ("ad_group_settings", "ad_group"),
        ("ad_group_id", "ad_group_name"),
        (
            _Column("id", _NUMBER, ("ad_group_id",)),
            _CAMPAIGN,
            _Column("campaign_name", _TEXT, ("campaign_name",)),
            _Column("name", _TEXT, ("ad_group_name",)),
            _Column("type", _TEXT, ("ad_group_type",)),
            _Column("status", _TEXT, ("ad_group_status",)),
            _Column("tracking_url_template", _TEXT, ("ad_group_tracking_url_template",)),
            _Column("final_url_suffix", _TEXT, ("ad_group_final_url_suffix",)),
        ),
        (CUSTOMER_ID, "ad_group_id"),
    ),
    _Source(
        "ad_group_stats",
        ("ad_group",),
        ("ad_group_id", *_SPENT),
        _stats(_Column("id", _NUMBER, ("ad_group_id",)), _CAMPAIGN),
    ),
    _Source(
        "ad_group_criterion_history",
        ("ad_group_criterion", "keyword"),
        ("ad_group_id", _CRITERION),
        (
            _Column("id", _NUMBER, (_CRITERION,)),
            _AD_GROUP,
            _Column("base_campaign_id", _NUMBER, ("campaign_id",)),
            _Column("type", _TEXT, ("ad_group_criterion_type",)),
            _Column("status", _TEXT, ("ad_group_criterion_status",)),
            _Column("display_name", _TEXT, ("ad_group_criterion_display_name",)),
            _Column("negative", "BOOLEAN", ("ad_group_criterion_negative",)),
            _Column("bid_modifier", _REAL, ("ad_group_criterion_bid_modifier",)),
            _Column("keyword_match_type", _TEXT, ("ad_group_criterion_keyword_match_type",)),
            _Column("keyword_text", _TEXT, ("ad_group_criterion_keyword_text",)),
            _Column("approval_status", _TEXT, ("ad_group_criterion_approval_status",)),
            _Column("system_serving_status", _TEXT, ("ad_group_criterion_system_serving_status",)),
            _Column("final_urls", _TEXT, ("ad_group_criterion_final_urls",)),
        ),
        (CUSTOMER_ID, "ad_group_id", _CRITERION),
    ),
    _Source(
        "ad_history",
        ("ad_settings", "ad"),
        ("ad_group_id", "ad_group_ad_ad_id"),
        (
            _Column("id", _NUMBER, ("ad_group_ad_ad_id",)),
            _AD_GROUP,
            _Column("name", _TEXT, ("ad_group_ad_ad_name",)),
            _Column("type", _TEXT, ("ad_group_ad_ad_type",)),
            _Column("status", _TEXT, ("ad_group_ad_status",)),
            _Column("display_url", _TEXT, ("ad_group_ad_ad_display_url",)),
            _Column("final_urls", _TEXT, ("ad_group_ad_ad_final_urls",)),
        ),
        (CUSTOMER_ID, "ad_group_id", "ad_group_ad_ad_id"),
    ),
    _Source(
        "ad_stats",
        ("ad",),
        ("ad_group_ad_ad_id", "ad_group_id", *_SPENT),
        _stats(
            _Column("ad_id", _NUMBER, ("ad_group_ad_ad_id",)),
            _AD_GROUP,
            _Column("ad_group", _TEXT, ("ad_group_resource_name",)),
            _CAMPAIGN,
            _Column("keyword_ad_group_criterion", _TEXT, ("segments_keyword_ad_group_criterion",)),
        ),
    ),
    _Source(
        "keyword_stats",
        ("keyword",),
        ("ad_group_id", _CRITERION, *_SPENT),
        _stats(_Column(_CRITERION, _NUMBER, (_CRITERION,)), _AD_GROUP, _CAMPAIGN),
    ),
    _Source(
        "search_term_keyword_stats",
        ("search_term_keyword",),
        ("ad_group_id", "search_term_view_search_term", *_SPENT),
        _stats(
            _AD_GROUP,
            _CAMPAIGN,
            _Column("keyword_ad_group_criterion", _TEXT, ("segments_keyword_ad_group_criterion",)),
            _Column("resource_name", _TEXT, ("search_term_view_resource_name",)),
            _Column("search_term", _TEXT, ("search_term_view_search_term",)),
            _Column("search_term_match_type", _TEXT, ("segments_search_term_match_type",)),
            _Column("info_text", _TEXT, ("segments_keyword_info_text",)),
            _Column("status", _TEXT, ("search_term_view_status",)),
            *(_Column(name, _REAL, (f"metrics_{name}",)) for name in _RATES),
        ),
    ),
)


def dbt_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """The views whose reports are loaded and tell what is needed."""
    made = []
    for source in _SOURCES:
        for report in source.reports:
            table = table_with(tables, report, source.needed)
            if table is not None:
                made.append(_history(source, table) if source.entity else _of_days(source, table))
                break
    return made


def _history(source: _Source, table: ReportTable) -> ViewDefinition:
    present = _present(table)
    entity = ", ".join(source.entity)
    columns = ", ".join(f"any_value({column.expression(present)}) AS {column.name}" for column in source.columns)
    query = (
        f"SELECT {columns}, {LOGICAL_DATE}::TIMESTAMP AS updated_at, {LOGICAL_DATE} = max({LOGICAL_DATE}) OVER "
        f"(PARTITION BY {entity}) AS _fivetran_active, {_synced()} AS _fivetran_synced "
        f"FROM main.{quoted(table.name)} GROUP BY {entity}, {LOGICAL_DATE}"
    )
    return ViewDefinition(
        DBT, source.name, query, f"The source {source.name} of the dbt package google_ads, from {table.name}."
    )


def _of_days(source: _Source, table: ReportTable) -> ViewDefinition:
    present = _present(table)
    # A null is a value of its own, and no value holds the separator: two rows of a grain have two ids.
    grain = [
        f"coalesce({quoted(column.name)}::VARCHAR, chr(30))"
        for column in table.columns
        if not column.is_metric and not column.type.startswith("list<")
    ]
    columns = ", ".join(f"{column.expression(present)} AS {column.name}" for column in source.columns)
    query = (
        f"SELECT {CUSTOMER_ID}::BIGINT AS customer_id, {LOGICAL_DATE} AS date, "
        f"md5(concat_ws(chr(31), {', '.join([CUSTOMER_ID, LOGICAL_DATE, *grain])})) AS _fivetran_id, "
        f"{columns}, {_synced()} AS _fivetran_synced FROM main.{quoted(table.name)}"
    )
    return ViewDefinition(
        DBT, source.name, query, f"The source {source.name} of the dbt package google_ads, from {table.name}."
    )


def _present(table: ReportTable) -> dict[str, str]:
    return {column.name: column.type for column in table.columns} | {CUSTOMER_ID: "string", RUN_ID: "string"}


def _synced() -> str:
    return f"(SELECT loaded_at FROM {RECORDS}.state)"
