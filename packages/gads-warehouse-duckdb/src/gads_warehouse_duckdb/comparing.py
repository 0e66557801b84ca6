"""Pointers against the ledger, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gads_consumer.consumer import Consumer
from gads_consumer.cursor import Cursor
from gads_consumer.partitions import TrustedPartition
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import LoadedPartition, Warehouse, WarehousePosition
from gads_warehouse_duckdb.errors import OtherLedgerError, WarehouseDamagedError


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """One report: what is vouched for, what is shown, and what differs.

    `absent` is vouched for and not shown, `outdated` is shown of another run or by another pointer, `untrue` is shown
    and its rows are not those that were loaded, `orphaned` is shown and no longer vouched for, `strays` are rows
    without either.
    """

    report: str
    vouched: tuple[TrustedPartition, ...]
    shown: tuple[LoadedPartition, ...]
    absent: tuple[TrustedPartition, ...]
    outdated: tuple[TrustedPartition, ...]
    untrue: tuple[TrustedPartition, ...]
    orphaned: tuple[PartitionKey, ...]
    strays: tuple[PartitionKey, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All reports, at one position of the ledger."""

    position: WarehousePosition
    reports: tuple[ReportComparison, ...]
    unplaced: Mapping[str, int]
    """Rows and pointers that can be of no partition, by table."""

    @property
    def absent(self) -> list[TrustedPartition]:
        """What is to be added."""
        return [one for report in self.reports for one in report.absent]

    @property
    def outdated(self) -> list[TrustedPartition]:
        """What is to be replaced."""
        return [one for report in self.reports for one in report.outdated]

    @property
    def untrue(self) -> list[TrustedPartition]:
        """What is to be loaded again."""
        return [one for report in self.reports for one in report.untrue]

    @property
    def orphaned(self) -> list[PartitionKey]:
        """What is to be removed."""
        return [key for report in self.reports for key in report.orphaned]

    @property
    def strays(self) -> list[PartitionKey]:
        """Rows to be removed that no pointer speaks of."""
        return [key for report in self.reports for key in report.strays]


def compare(consumer: Consumer, warehouse: Warehouse) -> Comparison:
    """What is shown against what is vouched for now."""
    cursor = consumer.cursor()
    known = consumer.reports()
    untrue = set(warehouse.untrue())
    found = []
    for report in sorted({*known, *warehouse.reports()}):
        shown = {one.key: one for one in warehouse.pointers(report)}
        vouched = (
            {one.key: one for one in consumer.snapshot(report, as_of=cursor).partitions} if report in known else {}
        )
        wrong = {key for key in untrue if key.report == report}
        outdated = {key for key, one in vouched.items() if key in shown and not _same(one, shown[key])}
        found.append(
            ReportComparison(
                report,
                tuple(vouched.values()),
                tuple(shown.values()),
                tuple(one for key, one in vouched.items() if key not in shown),
                tuple(vouched[key] for key in sorted(outdated)),
                tuple(vouched[key] for key in sorted(wrong - outdated) if key in vouched and key in shown),
                tuple(key for key in shown if key not in vouched),
                tuple(sorted(key for key in wrong if key not in vouched and key not in shown)),
            )
        )
    return Comparison(position_of(cursor), tuple(found), warehouse.unplaced())


def position_of(cursor: str) -> WarehousePosition:
    """The place that a consumer's cursor names."""
    parsed = Cursor.parse(cursor)
    return WarehousePosition(parsed.ledger_id, parsed.position, cursor)


def require_same_ledger(consumer: Consumer, position: WarehousePosition | None) -> None:
    """Raise `OtherLedgerError` if the tables at `position` are of another ledger than the consumer's.

    Raises `WarehouseDamagedError` if the position and its cursor do not agree.
    """
    found = position_of(consumer.cursor()).ledger_id
    if position is None:
        return
    if position.ledger_id != found:
        raise OtherLedgerError(f"the tables are of the ledger {position.ledger_id}; storage.state is {found}")
    try:
        agreed = position_of(position.cursor) == position
    except InvalidValueError:
        agreed = False
    if not agreed:
        raise WarehouseDamagedError(
            f"the tables say that they are at move {position.position} and have the cursor {position.cursor!r}"
        )


def loading_order(partition: TrustedPartition) -> tuple[str, int, date, str]:
    """By table, and there by day: rows of one day lie together, which is what queries and replacements look for."""
    key = partition.key
    return key.report, partition.schema_version, key.logical_date, key.customer_id


def _same(vouched: TrustedPartition, shown: LoadedPartition) -> bool:
    return (vouched.run_id, vouched.seal_sha256, vouched.record_count, vouched.schema_version) == (
        shown.run_id,
        shown.seal_sha256,
        shown.record_count,
        shown.schema_version,
    )
