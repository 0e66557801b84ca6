"""What an engine's test class gives to the laws of warehouses, and what each law starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gads_conformance.law import required
from gads_conformance.warehouse.samples import Row, Story, WritePayload
from gads_domain.adapters import warehouse_adapter
from gads_domain.ports.warehouse import Warehouse, WarehouseAdapter

ReadRows = Callable[[str], list[Row]]
Check = Callable[[], None]


class WarehouseSuite:
    """The fixtures of the laws. An engine's class overrides those that raise `NotImplementedError`."""

    warehouse_url = required("The URL of a warehouse that does not exist yet.")
    write_payload = required("Writes rows to a Parquet file.")
    read_rows = required(
        "Reads all rows of a report from the tables themselves, with `_customer_id`, `_logical_date` (a date) and "
        "`_run_id`, and without columns that are null."
    )
    plant_invalid = required("Adds rows and a pointer of the report `campaign` whose account, day or run is invalid.")

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
        """The warehouse."""
        with adapter.open_warehouse(warehouse_url, base) as opened:
            yield opened

    @pytest.fixture
    def story(self, tmp_path: Path, write_payload: WritePayload, warehouse: Warehouse) -> Story:
        """Makes payloads and applies them."""
        folder = tmp_path / "payloads"
        folder.mkdir()
        return Story(folder, write_payload, warehouse)

    @pytest.fixture
    def require_shown(self, story: Story, warehouse: Warehouse, read_rows: ReadRows) -> Check:
        """Asserts that tables and pointers are exactly what the story expects."""

        def check() -> None:
            reports = {key.report for key in story.shown} | set(warehouse.reports())
            pointers = [one for report in sorted(reports) for one in warehouse.pointers(report)]
            assert sorted(pointers) == sorted(pointer for pointer, _ in story.shown.values())
            expected = [
                row
                | {
                    "_customer_id": key.customer_id,
                    "_logical_date": key.logical_date,
                    "_run_id": pointer.run_id.value,
                    "_report": key.report,
                }
                for key, (pointer, rows) in story.shown.items()
                for row in rows
            ]
            found = [row | {"_report": report} for report in reports for row in read_rows(report)]
            assert _sorted(found) == _sorted(expected)
            assert warehouse.mismatched() == []
            assert dict(warehouse.invalid_identity()) == {}
            for report in reports:
                contents = {(one.key, one.run_id): one.record_count for one in warehouse.contents(report)}
                assert contents == {
                    (key, pointer.run_id): pointer.record_count
                    for key, (pointer, _) in story.shown.items()
                    if key.report == report and pointer.record_count
                }

        return check


def _sorted(rows: list[Row]) -> list[list[tuple[str, str]]]:
    return sorted(sorted((name, repr(value)) for name, value in row.items()) for row in rows)
