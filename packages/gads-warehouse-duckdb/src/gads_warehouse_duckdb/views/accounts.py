"""The accounts with their names, currencies and time zones, as last reported."""

from __future__ import annotations

from collections.abc import Sequence

from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RECORDS, REPORTING, quoted
from gads_warehouse_duckdb.report_tables import ReportTable
from gads_warehouse_duckdb.views.definition import ViewDefinition, table_with

_COLUMNS = {
    "account_name": "VARCHAR",
    "currency_code": "VARCHAR",
    "time_zone": "VARCHAR",
    "is_manager": "BOOLEAN",
    "is_test_account": "BOOLEAN",
}
_FIELDS = ("descriptive_name", "currency_code", "time_zone", "manager", "test_account")
_REPORTS = (("customer", "customer"), ("customer_client", "customer_client"), ("account", "customer"))
"""Reports that describe accounts, the best first, and the prefix of their columns."""


def accounts(tables: Sequence[ReportTable]) -> ViewDefinition:
    """One row for each account that has anything loaded, with what is known of it."""
    described = []
    for rank, (report, prefix) in enumerate(_REPORTS):
        table = table_with(tables, report, [f"{prefix}_currency_code"])
        if table is None:
            continue
        present = {column.name for column in table.columns}
        account = f"{prefix}_id::VARCHAR" if prefix == "customer_client" else CUSTOMER_ID
        columns = [
            f"{prefix}_{field}" if f"{prefix}_{field}" in present else f"NULL::{kind}"
            for field, kind in zip(_FIELDS, _COLUMNS.values(), strict=True)
        ]
        named = ", ".join(f"{column} AS {name}" for column, name in zip(columns, _COLUMNS, strict=True))
        described.append(
            f"SELECT {account} AS customer_id, {named}, {LOGICAL_DATE} AS as_of, {rank} AS rank "
            f"FROM main.{quoted(table.name)}"
        )
    known = f"SELECT DISTINCT customer_id FROM {RECORDS}.pointers"
    if not described:
        nulls = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _COLUMNS.items())
        query = f"SELECT customer_id, {nulls}, NULL::DATE AS as_of FROM ({known})"
    else:
        names = ", ".join(_COLUMNS)
        query = (
            f"WITH described AS ({' UNION ALL '.join(described)}), "
            "latest AS (SELECT * FROM described QUALIFY row_number() OVER "
            f"(PARTITION BY customer_id ORDER BY as_of DESC, rank, {names}) = 1) "
            f"SELECT customer_id, {names}, as_of FROM ({known}) FULL JOIN latest USING (customer_id)"
        )
    return ViewDefinition(
        REPORTING,
        "accounts",
        query,
        "One row an account: name, currency and time zone as last reported by the reports customer, customer_client or "
        "account; null while none of them is loaded.",
    )
