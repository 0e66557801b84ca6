"""The views for analysts: money beside micros, names beside numbers, a row a day a campaign, missing days."""

from collections.abc import Sequence

from gads_domain.metadata import ColumnSpec
from gads_domain.package_data import statements_of, tables_of
from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, REPORTING, RUN_ID, literal, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import ViewColumn, ViewDefinition, any_gives, metrics_of, tables_of_reports

_MICROS = "_micros"

ACCOUNT_REPORTS = ("customer", "customer_client", "account")
ACCOUNT = [
    ViewColumn.parse(line)
    for line in (
        "customer_id VARCHAR customer_client_id _customer_id",
        "account_name VARCHAR customer_client_descriptive_name customer_descriptive_name",
        "currency_code VARCHAR customer_client_currency_code customer_currency_code",
        "time_zone VARCHAR customer_client_time_zone customer_time_zone",
        "is_manager BOOLEAN customer_client_manager customer_manager",
        "is_test_account BOOLEAN customer_client_test_account customer_test_account",
    )
]
"""The reports that describe accounts, the best first, and what they say, first of which account."""

CAMPAIGN_REPORTS = ("campaign_settings", "campaign")
CAMPAIGN = [
    ViewColumn.parse(line)
    for line in (
        "customer_id VARCHAR _customer_id",
        "campaign_id BIGINT campaign_id",
        "campaign_name VARCHAR campaign_name",
        "campaign_status VARCHAR campaign_status",
    )
]


def reporting_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """All views of the schema `reporting` that these tables make possible."""
    views = [
        _accounts(tables),
        *map(_view, ("gaps", "completeness", "freshness")),
    ]
    campaign = tables_of_reports(tables, ["campaign"])
    if any_gives([ViewColumn("", "", ("campaign_id",)), ViewColumn("", "", ("metrics_clicks",))], campaign):
        views.append(_campaign_daily(campaign, tables_of_reports(tables, CAMPAIGN_REPORTS)))
    by_report: dict[str, list[ReportTable]] = {}
    for table in tables:
        by_report.setdefault(table.report, []).append(table)
    views += [_all_versions(report, several) for report, several in by_report.items() if len(several) > 1]
    taken = {view.name for view in views}
    return [*views, *(_with_money(table) for table in tables if table.name not in taken)]


def _view(template: str, view_name: str | None = None, **parts: str) -> ViewDefinition:
    """The view of `template`, by default of its name, with `parts` put into its query and its meaning."""
    lines = statements_of("gads_warehouse_duckdb", "views/reporting.sql")[template].splitlines()
    meaning = " ".join(line.removeprefix("-- ") for line in lines if line.startswith("-- "))
    query = "\n".join(line for line in lines if not line.startswith("-- "))
    return ViewDefinition(REPORTING, view_name or template, query.format(**parts), meaning.format(**parts))


def money(column: ColumnSpec) -> tuple[str, str] | None:
    """The name and expression of `column` in the account's currency, exact to the micro; None if it is no money."""
    if column.type == "int64" and column.name.endswith(_MICROS):
        return column.name.removesuffix(_MICROS), _exact(column.name)
    fractional = tables_of("gads_warehouse_duckdb", "views/metrics.toml")["fractional_micros"]
    if column.type == "double" and column.is_metric and column.name.removeprefix("metrics_") in fractional:
        return f"{column.name}_in_currency", f"{quoted(column.name)} / 1e6"
    return None


def _exact(micros: str) -> str:
    return f"{quoted(micros)}::DECIMAL(19, 0) * 0.000001::DECIMAL(7, 6)"


def _with_money(table: ReportTable) -> ViewDefinition:
    names = {column.name for column in table.columns}
    added = [
        f", {expression} AS {quoted(name)}"
        for name, expression in filter(None, map(money, table.columns))
        if name not in names
    ]
    version = f" of schema version {_listed_versions(table)}" if table.name != table.report else ""
    return _view("with_money", table.name, report=table.report + version, added="".join(added), table=table.place)


def _listed_versions(table: ReportTable) -> str:
    return ", ".join(map(str, sorted(table.versions)))


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
        listed = ", ".join([f"{literal(table.name)} AS _table", *columns, CUSTOMER_ID, LOGICAL_DATE, RUN_ID])
        selects.append(f"SELECT {listed} FROM {table.place}")
    return _view(
        "all_versions",
        f"{report}__all_versions",
        report=report,
        versions="; ".join(f"{table.name} has schema version {_listed_versions(table)}" for table in tables),
        selects=" UNION ALL BY NAME ".join(selects),
    )


def _accounts(tables: Sequence[ReportTable]) -> ViewDefinition:
    described = _said(ACCOUNT, tables_of_reports(tables, ACCOUNT_REPORTS), f"{LOGICAL_DATE} AS as_of, ")
    return _view(
        "accounts", described="".join(f"\n    UNION ALL {one}" for one in described), latest=_latest(ACCOUNT[1:])
    )


def _campaign_daily(tables: Sequence[ReportTable], naming: Sequence[ReportTable]) -> ViewDefinition:
    metrics = added_up(tables)
    totals = []
    for metric in metrics:
        whole = metric.kind == "BIGINT"
        totals.append(f"sum({metric.name}){'::BIGINT' if whole else ''} AS {metric.name}")
        if whole and metric.name.endswith(_MICROS):
            totals.append(f"sum({_exact(metric.name)}) AS {metric.name.removesuffix(_MICROS)}")
    shown = [
        f"SELECT {LOGICAL_DATE} AS day, {listed([*CAMPAIGN, *metrics], table)}, {RUN_ID} AS run_id FROM {table.place}"
        for table in tables
    ]
    return _view(
        "campaign_daily",
        name=", ".join(table.name for table in tables),
        shown="\n    UNION ALL ".join(shown),
        named="\n    UNION ALL ".join(_said(CAMPAIGN, naming)),
        totals=", ".join(totals),
        latest=_latest(CAMPAIGN[2:]),
    )


def added_up(tables: Sequence[ReportTable]) -> list[ViewColumn]:
    """The metrics of these tables whose values can be added up, in their order."""
    names = tables_of("gads_warehouse_duckdb", "views/metrics.toml")["added_up"]
    found = [metric for metric in metrics_of(tables) if metric.name in names and metric.kind in ("BIGINT", "DOUBLE")]
    return sorted(found, key=lambda metric: names.index(metric.name))


def _said(columns: Sequence[ViewColumn], tables: Sequence[ReportTable], more: str = "") -> list[str]:
    """What each table says of `columns`, and when: a worse table says it a second before a better one."""
    return [
        f"SELECT {listed(columns, table)}, {more}{LOGICAL_DATE} - INTERVAL {rank} SECOND AS said_at FROM {table.place}"
        for rank, table in enumerate(tables)
    ]


def listed(columns: Sequence[ViewColumn], table: ReportTable) -> str:
    """The columns as they are selected from `table`."""
    return ", ".join(f"{column.value(table)} AS {column.name}" for column in columns)


def _latest(columns: Sequence[ViewColumn]) -> str:
    """Each column as it was said last, by itself."""
    return ", ".join(f"arg_max({one.name}, (said_at, {one.name})) AS {one.name}" for one in columns)
