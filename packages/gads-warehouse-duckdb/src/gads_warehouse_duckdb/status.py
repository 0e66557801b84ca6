"""What is loaded, what is behind, what is orphaned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gads_consumer.consumer import Consumer
from gads_domain.ports.warehouse import Warehouse, WarehousePosition
from gads_warehouse_duckdb.comparing import ReportComparison, compare, require_same_ledger


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """One report: partitions and rows shown, first and last day, and how many partitions differ from the ledger.

    `behind` are vouched for and not shown, or shown of another run; `orphaned` are shown, or have rows, and are not
    vouched for; `untrue` have other rows than were loaded.
    """

    report: str
    partitions: int
    rows: int
    first_day: date | None
    last_day: date | None
    behind: int
    orphaned: int
    untrue: int


@dataclass(frozen=True, slots=True)
class WarehouseStatus:
    """Where the tables are, where the ledger is, and each report; true in a condition if nothing differs."""

    loaded: WarehousePosition | None
    ledger: WarehousePosition
    reports: tuple[ReportStatus, ...]
    unplaced: Mapping[str, int]
    """Rows and pointers that can be of no partition, by table."""

    def __bool__(self) -> bool:
        return not self.unplaced and not any(one.behind or one.orphaned or one.untrue for one in self.reports)


def status(consumer: Consumer, warehouse: Warehouse) -> WarehouseStatus:
    """Compare all pointers with the ledger; no payload is read. Raises `OtherLedgerError`."""
    loaded = warehouse.position()
    require_same_ledger(consumer, loaded)
    found = compare(consumer, warehouse)
    return WarehouseStatus(loaded, found.position, tuple(_of_report(one) for one in found.reports), found.unplaced)


def _of_report(found: ReportComparison) -> ReportStatus:
    days = [one.key.logical_date for one in found.shown]
    return ReportStatus(
        found.report,
        len(found.shown),
        sum(one.record_count for one in found.shown),
        min(days, default=None),
        max(days, default=None),
        len(found.absent) + len(found.outdated),
        len(found.orphaned) + len(found.strays),
        len(found.untrue),
    )
