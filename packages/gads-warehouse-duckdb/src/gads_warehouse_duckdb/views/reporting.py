"""The views for analysts: money beside micros, names beside numbers, a row a day a campaign, missing days."""

from __future__ import annotations

from collections.abc import Sequence

from gads_domain.metadata import ColumnSpec
from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RECORDS, REPORTING, RUN_ID, literal, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.accounts import accounts
from gads_warehouse_duckdb.views.definition import ViewDefinition, table_with

_MICROS = "_micros"
_FRACTIONAL_MICROS = frozenset(
    f"metrics_{name}"
    for name in [
        "active_view_cpm",
        "average_cost",
        "average_cpc",
        "average_cpe",
        "average_cpm",
        "average_cpv",
        "benchmark_average_max_cpc",
        "cost_per_all_conversions",
        "cost_per_conversion",
        "cost_per_current_model_attributed_conversion",
        "cost_per_platform_comparable_conversion",
        "trueview_average_cpv",
    ]
)
"""Averages of money, which the API gives in micros although their names do not say so."""

_ADDED_UP = [
    f"metrics_{name}"
    for name in [
        "impressions",
        "clicks",
        "interactions",
        "cost_micros",
        "conversions",
        "conversions_value",
        "all_conversions",
        "all_conversions_value",
        "view_through_conversions",
    ]
]


def reporting_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """All views of the schema `reporting` that these tables make possible."""
    fixed = [accounts(tables), _freshness(), _gaps()]
    campaign = table_with(tables, "campaign", ["campaign_id", "metrics_clicks"])
    if campaign is not None:
        fixed.append(_campaign_daily(campaign))
    taken = {view.name for view in fixed}
    versioned = [
        _all_versions(report, [table for table in tables if table.report == report])
        for report in dict.fromkeys(table.report for table in tables)
        if sum(table.report == report for table in tables) > 1
    ]
    taken.update(view.name for view in versioned)
    return [*fixed, *versioned, *(_with_money(table) for table in tables if table.name not in taken)]


def money(column: ColumnSpec) -> tuple[str, str] | None:
    """The name and expression of `column` in the account's currency, exact to the micro; None if it is no money."""
    if column.type == "int64" and column.name.endswith(_MICROS):
        return column.name.removesuffix(_MICROS), f"{quoted(column.name)}::DECIMAL(19, 0) * 0.000001::DECIMAL(7, 6)"
    if column.type == "double" and column.name in _FRACTIONAL_MICROS:
        return f"{column.name}_in_currency", f"{quoted(column.name)} / 1e6"
    return None


def _with_money(table: ReportTable) -> ViewDefinition:
    names = {column.name for column in table.columns}
    added = [
        f"{expression} AS {quoted(name)}"
        for name, expression in filter(None, map(money, table.columns))
        if name not in names
    ]
    extra = "".join(f", {one}" for one in added)
    return ViewDefinition(
        REPORTING,
        table.name,
        f"SELECT rows.*{extra}, account.account_name AS _account_name, account.currency_code AS _currency_code, "
        f"account.time_zone AS _time_zone FROM main.{quoted(table.name)} AS rows "
        f"LEFT JOIN {REPORTING}.accounts AS account ON account.customer_id = rows.{CUSTOMER_ID}",
        f"The rows of {table.report}{_versions_of(table)} with money in the account's currency beside micros, and "
        "the account's name, currency and time zone.",
    )


def _versions_of(table: ReportTable) -> str:
    return f" of schema version {', '.join(map(str, sorted(table.versions)))}" if table.name != table.report else ""


def _all_versions(report: str, tables: Sequence[ReportTable]) -> ViewDefinition:
    """All rows of a report whose schema changed its meaning; what changed has a column for each table."""
    kinds: dict[str, set[tuple[str, str]]] = {}
    for table in tables:
        for column in table.columns:
            kinds.setdefault(column.name, set()).add((column.type, column.field))
    selects = []
    for table in tables:
        columns = [
            quoted(column.name)
            if len(kinds[column.name]) == 1
            else f"{quoted(column.name)} AS {quoted(f'{column.name}__v{min(table.versions)}')}"
            for column in table.columns
        ]
        selects.append(
            f"SELECT {literal(table.name)} AS _table, {', '.join(columns)}, "
            f"{CUSTOMER_ID}, {LOGICAL_DATE}, {RUN_ID} FROM main.{quoted(table.name)}"
        )
    versions = "; ".join(
        f"{table.name} has schema version {', '.join(map(str, sorted(table.versions)))}" for table in tables
    )
    return ViewDefinition(
        REPORTING,
        f"{report}__all_versions",
        " UNION ALL BY NAME ".join(selects),
        f"All rows of {report}, whose type or meaning changed: {versions}. A column that changed its type is there "
        "once a table; one of the same type may mean something else in another table, which _table names.",
    )


def _campaign_daily(table: ReportTable) -> ViewDefinition:
    present = {column.name: column for column in table.columns}
    described = [name for name in ("campaign_name", "campaign_status") if name in present]
    sums = []
    for name in _ADDED_UP:
        if name in present:
            short = name.removeprefix("metrics_")
            total = f"sum({quoted(name)})"
            sums.append(f"{total}{'::BIGINT' if present[name].type == 'int64' else ''} AS {short}")
            if name.endswith(_MICROS):
                exact = f"sum({quoted(name)}::DECIMAL(19, 0) * 0.000001::DECIMAL(7, 6))"
                sums.append(f"{exact} AS {short.removesuffix(_MICROS)}")
    inner = ", ".join(
        [
            f"{LOGICAL_DATE} AS day",
            f"{CUSTOMER_ID} AS customer_id",
            "campaign_id",
            *(f"any_value({name}) AS {name}" for name in described),
            *sums,
            f"any_value({RUN_ID}) AS run_id",
        ]
    )
    return ViewDefinition(
        REPORTING,
        "campaign_daily",
        f"WITH daily AS (SELECT {inner} FROM main.{quoted(table.name)} GROUP BY ALL) "
        "SELECT daily.*, account.account_name, account.currency_code, account.time_zone FROM daily "
        f"LEFT JOIN {REPORTING}.accounts AS account USING (customer_id)",
        f"One row a day a campaign, from {table.name}: what can be added up, money in the account's currency, "
        "conversions.",
    )


def _freshness() -> ViewDefinition:
    query = f"""
WITH days AS (
    SELECT report, customer_id, logical_date, record_count, run_id, loaded_at,
        logical_date - row_number() OVER (PARTITION BY report, customer_id ORDER BY logical_date)::INTEGER AS island
    FROM {RECORDS}.pointers
), spans AS (
    SELECT report, customer_id, island, max(logical_date) AS last_day FROM days GROUP BY ALL
), unbroken AS (
    SELECT report, customer_id, arg_min(last_day, island) AS complete_until FROM spans GROUP BY ALL
)
SELECT report, customer_id, min(logical_date) AS first_day, max(logical_date) AS last_day, complete_until,
    count(*) AS days, max(logical_date) - min(logical_date) + 1 - count(*) AS missing_days,
    sum(record_count)::BIGINT AS record_count, max(run_id) AS newest_run_id, max(loaded_at) AS loaded_at
FROM days JOIN unbroken USING (report, customer_id)
GROUP BY report, customer_id, complete_until
"""
    return ViewDefinition(
        REPORTING,
        "freshness",
        query,
        "One row a report an account, from the pointers: first and last day, the last day before the first gap, days "
        "missing in between, rows, newest run, last load.",
    )


def _gaps() -> ViewDefinition:
    query = f"""
WITH bounds AS (
    SELECT report, customer_id, min(logical_date) AS first_day,
        max(max(logical_date)) OVER (PARTITION BY report) AS last_day
    FROM {RECORDS}.pointers GROUP BY report, customer_id
), expected AS (
    SELECT report, customer_id, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS logical_date
    FROM bounds
)
SELECT report, customer_id, logical_date FROM expected
ANTI JOIN {RECORDS}.pointers USING (report, customer_id, logical_date)
"""
    return ViewDefinition(
        REPORTING,
        "gaps",
        query,
        "The days without a pointer, from an account's first day of a report to the last day of any account's.",
    )
