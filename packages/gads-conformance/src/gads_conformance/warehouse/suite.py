"""What an engine's test class gives to the laws of warehouses, and what each law starts from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gads_conformance.law import required
from gads_conformance.warehouse.samples import ReadRows, Story, WritePayload
from gads_domain.adapters import warehouse_adapter
from gads_domain.ports.warehouse import Warehouse, WarehouseAdapter


class WarehouseSuite:
    """The fixtures of the laws."""

    warehouse_url = required("The URL of a warehouse that does not exist yet.")
    write_payload = required("Writes rows to a Parquet file.")
    read_rows = required(
        "Reads all rows of a report from the tables themselves, with `_customer_id`, `_logical_date` (a date) and "
        "`_run_id`, and without columns that are null."
    )
    plant_invalid = required("Adds rows and a pointer of the report `campaign` whose account, day or run is invalid.")

    break_view = required("Replaces a view of the report `campaign` by one that shows fewer rows.")

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        """The folder that a relative path in `warehouse_url` starts from."""
        (tmp_path / "base").mkdir()
        return tmp_path / "base"

    @pytest.fixture
    def adapter(self, warehouse_url: str) -> WarehouseAdapter:
        """The adapter that opens the warehouse; override it to test one that has no entry point."""
        return warehouse_adapter(warehouse_url)

    @pytest.fixture
    def warehouse(self, adapter: WarehouseAdapter, warehouse_url: str, base: Path) -> Iterator[Warehouse]:
        with adapter.open_warehouse(warehouse_url, base) as opened:
            yield opened

    @pytest.fixture
    def story(self, tmp_path: Path, write_payload: WritePayload, warehouse: Warehouse, read_rows: ReadRows) -> Story:
        folder = tmp_path / "payloads"
        folder.mkdir()
        return Story(folder, write_payload, warehouse, read_rows)
