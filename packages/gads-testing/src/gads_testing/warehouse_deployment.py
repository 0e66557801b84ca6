"""A local deployment with a warehouse."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gads_consumer.consumer import Consumer
from gads_domain.metadata import ColumnSpec
from gads_testing import REPOSITORY
from gads_testing.local_deployment import (
    COLUMNS,
    COST,
    SINK,
    STATE,
    LocalDeployment,
    key_of,
)
from gads_warehouse import LoadReport, WarehouseLoader
from gads_warehouse_duckdb.step import StepTransaction
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

CONTRACT = REPOSITORY / "contracts" / "warehouse" / "v1" / "README.md"


WIDER = (*COLUMNS, COST)


class WarehouseDeployment(LocalDeployment):
    """A local deployment whose authoritative rows are loaded into DuckDB."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.path = base / "tables.duckdb"
        self.warehouse = DuckDbWarehouse(self.path)

    def load(self, **options: Any) -> LoadReport:
        how = {name: options.pop(name) for name in ("reconcile", "dry_run") if name in options}
        with self.consumer() as consumer:
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

    def authoritative_rows(self, report: str = "campaign", position: int | None = None) -> list[dict[str, Any]]:
        """All authoritative rows, read one schema version at a time."""
        found: list[dict[str, Any]] = []
        with self.consumer() as consumer:
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
        """Assert that the tables show the authoritative rows."""
        assert self.shown(report) == self.authoritative_rows(report)


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


PLACES = ("_change_pointers", "_replace", "_record_step", "execute")
"""After which statements of a step a load may die."""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[WarehouseDeployment]:
    found = WarehouseDeployment(tmp_path)
    yield found
    found.close()


@pytest.fixture
def loaded(deployment: WarehouseDeployment) -> WarehouseDeployment:
    """Five days of one account and three of another, loaded."""
    deployment.make_days_authoritative(range(5))
    deployment.make_days_authoritative(range(3), customer=2)
    deployment.load()
    return deployment


@pytest.fixture
def agency(deployment: WarehouseDeployment) -> WarehouseDeployment:
    """Two accounts with money, conversions and names that change, and the reports that dbt wants."""
    money = (*COLUMNS, COST_MICROS, AVERAGE_CPC, CONVERSIONS)
    deployment.make_authoritative(key_of(1, 0), 1, rows=4, columns=money)
    deployment.make_authoritative(key_of(1, 1), 1, rows=4, columns=money)
    deployment.make_authoritative(key_of(2, 0), 1, rows=2, columns=money)
    deployment.make_authoritative(key_of(1, 0, "customer"), 1, rows=1, columns=ACCOUNT)
    deployment.make_authoritative(key_of(1, 2, "customer"), 5, rows=1, columns=ACCOUNT)
    deployment.load()
    return deployment


def load_and_die(base: Path, reconcile: bool, place: str, number: int) -> None:
    """Load in steps of two, and die when `place` is passed for the `number`-th time."""
    reached = itertools.count(1)
    whole = getattr(StepTransaction, place)

    def and_die(self: StepTransaction, *arguments: Any) -> Any:
        done = whole(self, *arguments)
        if next(reached) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(StepTransaction, place, and_die)
    with Consumer.open(state=STATE, sink=SINK, base=base) as consumer:
        WarehouseLoader(consumer, DuckDbWarehouse(base / "tables.duckdb"), step_partitions=2).load(reconcile=reconcile)


def erase_account(base: Path, customer_id: str, started: Any = None) -> Any:
    """Erase an account of the deployment in `base` as the command does, once `started` is set; returns the receipt."""
    from gads_pipeline import Pipeline

    (base / "gads.toml").write_text(
        f'[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n[warehouse]\nurl = "duckdb:tables.duckdb"\n'
        '[[reports]]\nname = "campaign"\n'
    )
    pipeline = Pipeline.open(base / "gads.toml")
    if started is not None:
        started.set()
    return pipeline.erase_account(customer_id, "the client left").to_document()
