"""The views for analysts: money beside micros, names beside numbers, a row a day a campaign, missing days."""

from collections.abc import Sequence

from gads_domain.metadata import ColumnSpec
from gads_domain.package_data import statements_of, tables_of
from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, REPORTING, RUN_ID, literal, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import ViewDefinition, table_with

_MICROS = "_micros"

_ACCOUNT_REPORTS = (
    ("customer", "customer", CUSTOMER_ID),
    ("customer_client", "customer_client", "customer_client_id::VARCHAR"),
    ("account", "customer", CUSTOMER_ID),
)
"""Reports that describe accounts, the best first, the prefix of their columns, and the account that a row describes."""

_ACCOUNT_FIELDS = ("descriptive_name", "currency_code", "time_zone", "manager", "test_account")


def reporting_views(tables: Sequence[ReportTable]) -> list[ViewDefinition]:
    """All views of the schema `reporting` that these tables make possible."""
    views = [
        _view("accounts", described=_described_accounts(tables)),
        *map(_view, ("gaps", "completeness", "freshness")),
    ]
    campaign = table_with(tables, "campaign", ["campaign_id", "metrics_clicks"])
    if campaign is not None:
        views.append(_campaign_daily(campaign))
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


def _campaign_daily(table: ReportTable) -> ViewDefinition:
    present = {column.name: column for column in table.columns}
    columns = [f"any_value({name}) AS {name}" for name in ("campaign_name", "campaign_status") if name in present]
    for short in tables_of("gads_warehouse_duckdb", "views/metrics.toml")["added_up"]:
        column = present.get(f"metrics_{short}")
        if column is not None:
            total = f"sum({quoted(column.name)})"
            columns.append(f"{total}{'::BIGINT' if column.type == 'int64' else ''} AS {short}")
            if short.endswith(_MICROS):
                columns.append(f"sum({_exact(column.name)}) AS {short.removesuffix(_MICROS)}")
    return _view("campaign_daily", name=table.name, columns=", ".join(columns), table=table.place)


def _described_accounts(tables: Sequence[ReportTable]) -> str:
    """The rows that describe accounts, to be united with those before."""
    selects = []
    for rank, (report, prefix, account) in enumerate(_ACCOUNT_REPORTS):
        table = table_with(tables, report, [f"{prefix}_currency_code"])
        if table is not None:
            present = {column.name for column in table.columns}
            names = [f"{prefix}_{field}" for field in _ACCOUNT_FIELDS]
            columns = ", ".join(name if name in present else "NULL" for name in names)
            selects.append(f"UNION ALL SELECT {account}, {columns}, {LOGICAL_DATE}, {rank} FROM {table.place}")
    return " ".join(selects)
