"""What each view must show, said of the tables: rows, sums of metrics and checksums of everything else."""

from collections.abc import Mapping, Sequence
from typing import Any

from gads_domain.metadata import ColumnSpec
from gads_domain.package_data import statements_of, tables_of
from gads_warehouse_duckdb.layout import CUSTOMER_ID, DBT, IDENTITY, LOGICAL_DATE, column_type, literal, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.dbt import said, source_columns
from gads_warehouse_duckdb.views.definition import ViewColumn, any_gives
from gads_warehouse_duckdb.views.figures import ROWS, Given, ViewCheck, checksum, measured
from gads_warehouse_duckdb.views.reporting import (
    ACCOUNT,
    ACCOUNT_REPORTS,
    CAMPAIGN,
    CAMPAIGN_REPORTS,
    added_up,
    listed,
    money,
)

_SQL = statements_of("gads_warehouse_duckdb", "views/figures.sql")
_ACCOUNT_NAMES = ("account_name", "currency_code", "time_zone")


def check_of(schema: str, name: str, tables: Sequence[ReportTable]) -> ViewCheck | None:
    """The figures of a view of payload rows; None for one of pointers and expectations."""
    if schema == DBT:
        source = tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["source"][name]
        used = _ranked(tables, source["reports"])
        columns = source_columns(source, used)
        return _history(source, columns, used) if "entity" in source else _statistics(columns, used)
    if name == "accounts":
        return _accounts(_ranked(tables, ACCOUNT_REPORTS))
    if name == "campaign_daily":
        return _campaign_daily(tables)
    if name.endswith("__all_versions"):
        return _all_versions([table for table in tables if name == f"{table.report}__all_versions"])
    return next((_with_money(table) for table in tables if table.name == name), None)


def _ranked(tables: Sequence[ReportTable], reports: Sequence[str]) -> list[ReportTable]:
    used = [table for table in tables if table.report in reports]
    return sorted(used, key=lambda table: (reports.index(table.report), -table.newest))


def _loaded(table: ReportTable) -> str:
    return _SQL["loaded_rows"].format(report=literal(table.report), table=table.place)


def _statistics(columns: Sequence[ViewColumn], tables: Sequence[ReportTable]) -> ViewCheck:
    identity = {"customer_id": "_customer_id::BIGINT", "date": "_logical_date", "_fivetran_synced": "_loaded_at"}
    shown = {ROWS: "count(*)", "rows with _fivetran_id": "count(_fivetran_id)"}
    shown |= {f"checksum of {name}": checksum(name) for name in identity}
    given = [
        Given(
            {ROWS: "count(*)", "rows with _fivetran_id": "count(*)"}
            | {f"checksum of {name}": checksum(value) for name, value in identity.items()}
            | dict(measured(column, column.value(table)) for column in columns),
            f"FROM {_loaded(table)}",
        )
        for table in tables
    ]
    return ViewCheck(shown | dict(measured(column, quoted(column.name)) for column in columns), given)


def _history(source: Mapping[str, Any], columns: Sequence[ViewColumn], tables: Sequence[ReportTable]) -> ViewCheck:
    entity = source["entity"]
    own = [column for column in columns if column.name in entity]
    used = [table for table in tables if any_gives(own, [table])]
    attributes = [column.name for column in columns if column not in own and any_gives([column], used)]
    selects = []
    for rank, table in enumerate(used):
        values = [f"{column.value(table)} AS {column.name}" for column in own]
        values += [f"{said(column, table)} AS {column.name}" for column in columns if column.name in attributes]
        order = f"{rank} - 1000 * ({LOGICAL_DATE} - DATE '1970-01-01')"
        if CUSTOMER_ID not in entity:
            order = f"({order}, {CUSTOMER_ID})"
        there = " AND ".join(f"{column.value(table)} IS NOT NULL" for column in own)
        identity = f"{CUSTOMER_ID}, {LOGICAL_DATE}, _loaded_at, {order} AS _order"
        selects.append(f"SELECT {identity}, {', '.join(values)} FROM {_loaded(table)} WHERE {there}")
    prefix = _SQL["history"].format(
        said=" UNION ALL ".join(selects),
        entity=", ".join(entity),
        latest=", ".join(f"arg_min({name}, _order) AS {name}" for name in attributes),
    )
    shown = {ROWS: "count(*)", "rows of _fivetran_active": "count(*) FILTER (WHERE _fivetran_active)"}
    expected = {ROWS: "(SELECT count(*) FROM days)", "rows of _fivetran_active": "(SELECT count(*) FROM latest)"}
    for name in ("updated_at", "_fivetran_synced", *(column.name for column in own)):
        shown[f"checksum of {name}"] = checksum("updated_at::DATE" if name == "updated_at" else name)
        expected[f"checksum of {name}"] = f"(SELECT {checksum(name)} FROM days)"
    for name in attributes:
        value = f"coalesce({name}, {{'v': ''}})" if name in source.get("unknown", ()) else name
        shown[f"checksum of active {name}"] = checksum(name, "_fivetran_active")
        value = checksum(f"struct_extract({value}, 'v')")
        expected[f"checksum of active {name}"] = f"(SELECT {value} FROM latest)"
    return ViewCheck(shown, [Given(expected, prefix=prefix)])


def _accounts(tables: Sequence[ReportTable]) -> ViewCheck:
    selects = [
        f"UNION ALL SELECT {listed(ACCOUNT, table)}, {LOGICAL_DATE}, {rank} FROM {table.place}"
        for rank, table in enumerate(tables)
    ]
    customers = "(SELECT customer_id FROM gads.pointers UNION SELECT customer_id FROM said)"
    last_days = "(SELECT max(as_of) AS as_of FROM said GROUP BY customer_id)"
    attributes = [column.name for column in ACCOUNT[1:]]
    expected = {
        ROWS: f"(SELECT count(*) FROM {customers})",
        "checksum of customer_id": f"(SELECT {checksum('customer_id')} FROM {customers})",
        "checksum of as_of": f"(SELECT {checksum('as_of')} FROM {last_days})",
    } | {f"checksum of {name}": _SQL["last_said"].format(checksum=checksum(name), column=name) for name in attributes}
    shown = {f"checksum of {name}": checksum(name) for name in ("customer_id", "as_of", *attributes)}
    prefix = _SQL["accounts"].format(said=" ".join(selects))
    return ViewCheck({ROWS: "count(*)"} | shown, [Given(expected, prefix=prefix)])


def _campaign_daily(tables: Sequence[ReportTable]) -> ViewCheck:
    daily = [table for table in tables if table.report == "campaign"]
    metrics = added_up(daily)
    shown = {ROWS: "count(*)"} | dict(measured(metric, metric.name) for metric in metrics)
    given = []
    for table in daily:
        entity = f"({CUSTOMER_ID}, {LOGICAL_DATE}, {CAMPAIGN[1].value(table)})"
        sums = dict(measured(metric, metric.value(table)) for metric in metrics)
        for metric in metrics:
            if metric.kind == "BIGINT" and metric.name.endswith("_micros"):
                cost = metric.name.removesuffix("_micros")
                shown[f"sum of {cost}"] = f"sum({cost})"
                sums[f"sum of {cost}"] = f"sum({metric.value(table)}) / 1000000"
        given.append(Given({ROWS: f"count(DISTINCT {entity})"} | sums, f"FROM {table.place}"))
    selects = [
        f"SELECT {listed(CAMPAIGN, table)}, {LOGICAL_DATE} AS day, _run_id, {rank} AS rank, "
        f"{table.report == 'campaign'} AS of_day FROM {table.place}"
        for rank, table in enumerate(_ranked(tables, CAMPAIGN_REPORTS))
    ]
    expected = {}
    for name in ("customer_id", "campaign_id", "day", "run_id"):
        expected[f"checksum of {name}"] = f"(SELECT {checksum(name)} FROM days)"
    for name in ("campaign_name", "campaign_status"):
        expected[f"checksum of {name}"] = _SQL["own_or_last"].format(checksum=checksum(name), column=name)
    expected |= _of_account("days", "customer_id")
    names = [name.removeprefix("checksum of ") for name in expected]
    shown |= {f"checksum of {name}": checksum(name) for name in names}
    prefix = _SQL["campaign_daily"].format(said=" UNION ALL ".join(selects))
    return ViewCheck(shown, [*given, Given(expected, prefix=prefix)])


def _with_money(table: ReportTable) -> ViewCheck:
    columns = [*map(_same, table.columns), *(ViewColumn(name, kind, (name,)) for name, kind in IDENTITY.items())]
    shown = {ROWS: "count(*)"} | dict(measured(column, quoted(column.name)) for column in columns)
    expected = shown | _of_account(table.place, CUSTOMER_ID, "_")
    shown |= {f"checksum of _{name}": checksum(f"_{name}") for name in _ACCOUNT_NAMES}
    names = {column.name for column in table.columns}
    for column in table.columns:
        added = money(column)
        if added is not None and added[0] not in names:
            total = "sum" if column.type == "int64" else "fsum"
            shown[f"sum of {added[0]}"] = f"{total}({quoted(added[0])})"
            expected[f"sum of {added[0]}"] = f"{total}({quoted(column.name)}) / 1000000"
    return ViewCheck(shown, [Given(expected, f"FROM {table.place}")])


def _all_versions(tables: Sequence[ReportTable]) -> ViewCheck:
    kinds: dict[str, set[tuple[str, str]]] = {}
    for table in tables:
        for column in table.columns:
            kinds.setdefault(column.name, set()).add((column.type, column.field))
    identity = {f"checksum of {name}": checksum(name) for name in IDENTITY}
    shown = {ROWS: "count(*)", "checksum of _table": checksum("_table")} | identity
    given = []
    for table in tables:
        expected = {ROWS: "count(*)", "checksum of _table": checksum(literal(table.name))} | identity
        own = [_same(column) for column in table.columns]
        for same in own:
            several = len(kinds[same.name]) > 1
            name = f"{same.name}__v{min(table.versions)}" if several else same.name
            in_view = ViewColumn(name, same.kind, same.candidates)
            shown |= [measured(in_view, quoted(name))]
            expected |= [measured(in_view, quoted(same.name))]
        given.append(Given(expected, f"FROM {table.place}"))
    return ViewCheck(shown, given)


def _same(column: ColumnSpec) -> ViewColumn:
    return ViewColumn(column.name, column_type(column.type), (column.name,))


def _of_account(source: str, customer: str, prefix: str = "") -> dict[str, str]:
    """The name, currency and zone of each row's account, which `reporting.accounts` has, and is held to itself."""
    return {
        f"checksum of {prefix}{name}": _SQL["of_account"].format(column=name, customer=customer, source=source)
        for name in _ACCOUNT_NAMES
    }
