"""A pipeline and the warehouse behind it, for the tests of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from consumer_pipeline import (
    COLUMNS,
    COST,
    Pipeline,
    key_of,
)

from gads_domain.metadata import ColumnSpec
from gads_domain.partition_key import PartitionKey
from gads_warehouse import LoadReport, WarehouseLoader
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

CONTRACT = Path(__file__).parents[4] / "contracts" / "warehouse" / "v1" / "README.md"


WIDER = (*COLUMNS, COST)


class WarehousePipeline:
    """A pipeline and the warehouse behind it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.pipeline = Pipeline(base)
        self.path = base / "tables.duckdb"
        self.warehouse = DuckDbWarehouse(self.path)

    def load(self, **options: Any) -> LoadReport:
        how = {name: options.pop(name) for name in ("reconcile", "dry_run") if name in options}
        with self.pipeline.consumer() as consumer:
            return WarehouseLoader(consumer, self.warehouse, **options).load(**how)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tamper(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def shown(self, report: str = "campaign") -> list[dict[str, Any]]:
        """All rows of all tables of the report, without nulls."""
        tables = self.query(f"SELECT DISTINCT table_name FROM gads.report_tables WHERE report = '{report}'")
        with duckdb.connect(str(self.path), read_only=True) as connection:
            rows = [
                row for (name,) in tables for row in connection.sql(f'FROM main."{name}"').to_arrow_table().to_pylist()
            ]
        return ordered([{name: value for name, value in row.items() if value is not None} for row in rows])

    def authoritative(self, report: str = "campaign", position: int | None = None) -> list[dict[str, Any]]:
        """All authoritative rows, read one schema version at a time."""
        found: list[dict[str, Any]] = []
        with self.pipeline.consumer() as consumer:
            snapshot = consumer.snapshot(report, as_of=position)
            if len(snapshot.schema_versions) == 1:
                found += snapshot.to_table(identity=True).to_pylist()
            else:
                for one in snapshot.partitions:
                    day = consumer.snapshot(
                        report,
                        as_of=snapshot.position,
                        customers=one.customer_id,
                        since=one.logical_date,
                        until=one.logical_date,
                    )
                    found += day.to_table(identity=True).to_pylist()
        return ordered([{name: value for name, value in row.items() if value is not None} for row in found])

    def require_equal(self, report: str = "campaign") -> None:
        assert self.shown(report) == self.authoritative(report)


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: sorted((name, repr(value)) for name, value in row.items()))


COST_MICROS = ColumnSpec("metrics_cost_micros", "metrics.cost_micros", "int64")


AVERAGE_CPC = ColumnSpec("metrics_average_cpc", "metrics.average_cpc", "double")


CONVERSIONS = ColumnSpec("metrics_conversions", "metrics.conversions", "double")


ACCOUNT = (
    ColumnSpec("customer_id", "customer.id", "int64"),
    ColumnSpec("customer_descriptive_name", "customer.descriptive_name", "string"),
    ColumnSpec("customer_currency_code", "customer.currency_code", "string"),
    ColumnSpec("customer_time_zone", "customer.time_zone", "string"),
)


def doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pipeline make up values for any column, by its type."""
    import consumer_pipeline
    import pyarrow as pa

    from gads_payload.schema import arrow_schema

    made = consumer_pipeline._rows

    def rows(key: PartitionKey, run: int, count: int, schema: Any) -> pa.RecordBatch:
        plain = made(key, run, count, type(schema)(COLUMNS)).to_pydict()
        own: dict[str, list[Any]] = {
            "metrics_cost_micros": [number * 1_234_567 for number in range(count)],
            "customer_descriptive_name": [f"Account of run {run}"] * count,
            "customer_currency_code": ["EUR"] * count,
            "customer_id": [int(key.customer_id)] * count,
            "customer_time_zone": ["Europe/Zurich"] * count,
        }
        usual: dict[str, Any] = {
            "int64": run,
            "double": 0.25 * run,
            "string": "text",
            "bool": True,
            "date32": key.logical_date,
        }
        values: dict[str, list[Any]] = {
            column.name: own.get(column.name)
            or (plain[column.name] if column.name in plain else [usual.get(column.type, [])] * count)
            for column in schema.columns
        }
        for column in schema.columns:
            if column.type == "double":
                values[column.name] = [float(number) / 4 for number in range(count)]
        return pa.RecordBatch.from_pydict(values, schema=arrow_schema(schema))

    monkeypatch.setattr(consumer_pipeline, "_rows", rows)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[WarehousePipeline]:
    found = WarehousePipeline(tmp_path)
    yield found
    found.pipeline.close()


@pytest.fixture
def loaded(tables: WarehousePipeline) -> WarehousePipeline:
    """Five days of one account and three of another, loaded."""
    tables.pipeline.trust_days(range(5))
    tables.pipeline.trust_days(range(3), customer=2)
    tables.load()
    return tables


@pytest.fixture
def agency(tables: WarehousePipeline, monkeypatch: pytest.MonkeyPatch) -> WarehousePipeline:
    """Two accounts with money, conversions and names that change, and the reports that dbt wants."""
    doubles(monkeypatch)
    money = (*COLUMNS, COST_MICROS, AVERAGE_CPC, CONVERSIONS)
    tables.pipeline.trust(key_of(1, 0), 1, rows=4, columns=money)
    tables.pipeline.trust(key_of(1, 1), 1, rows=4, columns=money)
    tables.pipeline.trust(key_of(2, 0), 1, rows=2, columns=money)
    tables.pipeline.trust(key_of(1, 0, "customer"), 1, rows=1, columns=ACCOUNT)
    tables.pipeline.trust(key_of(1, 2, "customer"), 5, rows=1, columns=ACCOUNT)
    tables.load()
    return tables
