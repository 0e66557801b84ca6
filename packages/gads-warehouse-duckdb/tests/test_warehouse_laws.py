"""The warehouse keeps the laws of its port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gads_conformance import WarehouseLaws
from gads_domain.metadata import TableSchema

_TYPES: dict[str, pa.DataType] = {"int64": pa.int64(), "double": pa.float64(), "string": pa.string()}


class TestDuckDbWarehouse(WarehouseLaws):
    @pytest.fixture
    def warehouse_url(self) -> str:
        return "duckdb:tables.duckdb"

    @pytest.fixture
    def write_payload(self) -> Callable[[Path, TableSchema, Sequence[dict[str, Any]]], None]:
        def write(path: Path, schema: TableSchema, rows: Sequence[dict[str, Any]]) -> None:
            columns = [(column.name, _TYPES[column.type]) for column in schema.columns]
            pq.write_table(pa.Table.from_pylist(list(rows), pa.schema(columns)), path)

        return write

    @pytest.fixture
    def read_rows(self, base: Path) -> Callable[[str], list[dict[str, Any]]]:
        def read(report: str) -> list[dict[str, Any]]:
            with duckdb.connect(str(base / "tables.duckdb"), read_only=True) as connection:
                names = connection.execute(
                    "SELECT DISTINCT table_name FROM gads.report_tables WHERE report = ?", [report]
                ).fetchall()
                rows = [
                    row
                    for (name,) in names
                    for row in connection.sql(f'SELECT * FROM main."{name}"').to_arrow_table().to_pylist()
                ]
            return [{name: value for name, value in row.items() if value is not None} for row in rows]

        return read

    @pytest.fixture
    def plant_invalid(self, base: Path) -> Callable[[], None]:
        def plant() -> None:
            with duckdb.connect(str(base / "tables.duckdb")) as connection:
                connection.execute("INSERT INTO main.campaign BY NAME SELECT DATE '2024-06-01' AS _logical_date")
                connection.execute("INSERT INTO main.campaign BY NAME SELECT 'abc' AS _customer_id")
                connection.execute(
                    "INSERT INTO gads.pointers BY NAME "
                    "SELECT * REPLACE ('x' AS run_id, 'y' AS customer_id) FROM gads.pointers LIMIT 1"
                )

        return plant

    @pytest.fixture
    def break_view(self, base: Path) -> Callable[[], None]:
        def replace() -> None:
            with duckdb.connect(str(base / "tables.duckdb")) as connection:
                connection.execute("CREATE OR REPLACE VIEW reporting.campaign AS FROM main.campaign LIMIT 1")

        return replace
