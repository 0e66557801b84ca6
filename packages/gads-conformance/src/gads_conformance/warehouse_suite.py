"""What every law of a warehouse starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gads_conformance.warehouse_samples import Row, Story, WritePayload
from gads_domain.adapters import warehouse_adapter
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import Warehouse, WarehouseAdapter

ReadRows = Callable[[str], list[Row]]
"""All rows that an analyst finds of a report, whatever tables they are in, with `_customer_id`, `_logical_date` (date),
`_run_id`, and without columns that are null."""


class WarehouseSuite:
    """What each law starts from.

    A subclass gives `warehouse_url`, the URL of a warehouse that does not exist yet; `base`, the folder from which a
    relative path in it is taken; `write_payload`, a `WritePayload`; `read_rows`, a `ReadRows` that looks at the
    tables themselves and not through the port; and `plant_strays`, which puts rows and a pointer of the report
    `campaign` there whose account, day or run is invalid.
    """

    @pytest.fixture
    def adapter(self, warehouse_url: str) -> WarehouseAdapter:
        """What opens the warehouse; override it to test something that has no entry point."""
        return warehouse_adapter(warehouse_url)

    @pytest.fixture
    def warehouse(self, adapter: WarehouseAdapter, warehouse_url: str, base: Path) -> Iterator[Warehouse]:
        """The warehouse."""
        with adapter.open_warehouse(warehouse_url, base) as opened:
            yield opened

    @pytest.fixture
    def story(self, tmp_path: Path, write_payload: WritePayload) -> Story:
        """Makes payloads."""
        folder = tmp_path / "payloads"
        folder.mkdir()
        return Story(folder, write_payload)

    @staticmethod
    def require_shown(story: Story, warehouse: Warehouse, read_rows: ReadRows) -> None:
        """Law 3: the tables and pointers are exactly what the story expects."""
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


def keys_shown(warehouse: Warehouse, report: str) -> list[PartitionKey]:
    """The keys that have a pointer."""
    return [one.key for one in warehouse.pointers(report)]


def _sorted(rows: list[Row]) -> list[list[tuple[str, str]]]:
    return sorted(sorted((name, repr(value)) for name, value in row.items()) for row in rows)
