"""The pointers of a warehouse against the ledger, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gads_consumer.cursor import Cursor
from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import FullLoad, ViewFigure, Warehouse, WarehousePosition
from gads_warehouse.errors import OtherLedgerError, WarehouseDamagedError

if TYPE_CHECKING:  # it brings Arrow
    from gads_consumer.consumer import Consumer

_MOST_FIGURES = 10


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """One report: the authoritative partitions, those that are shown, and the differences.

    `absent` are authoritative and not shown, `outdated` are shown of another run or by another pointer, `mismatched`
    are shown with other rows than were loaded, `orphaned` are shown and no longer authoritative, `strays` have rows
    and are neither.
    """

    report: str
    authoritative: tuple[CurrentPartition, ...]
    shown: tuple[CurrentPartition, ...]
    absent: tuple[CurrentPartition, ...]
    outdated: tuple[CurrentPartition, ...]
    mismatched: tuple[CurrentPartition, ...]
    orphaned: tuple[PartitionKey, ...]
    strays: tuple[PartitionKey, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All reports, at one position of the ledger."""

    position: WarehousePosition
    reports: tuple[ReportComparison, ...]
    invalid_identity: Mapping[str, int]
    """The number of rows and pointers that belong to no possible partition, by table."""


def compare(consumer: Consumer, warehouse: Warehouse) -> Comparison:
    """Compare the partitions that are shown with those that are authoritative now."""
    cursor = consumer.cursor()
    known = consumer.reports()
    mismatched = set(warehouse.mismatched())
    found = []
    for report in sorted({*known, *warehouse.reports()}):
        shown = {one.key: one for one in warehouse.pointers(report)}
        expected = (
            {one.key: one for one in consumer.snapshot(report, as_of=cursor).partitions} if report in known else {}
        )
        wrong = {key for key in mismatched if key.report == report}
        outdated = {key for key, one in expected.items() if shown.get(key, one) != one}
        found.append(
            ReportComparison(
                report,
                tuple(expected.values()),
                tuple(shown.values()),
                tuple(one for key, one in expected.items() if key not in shown),
                tuple(expected[key] for key in sorted(outdated)),
                tuple(expected[key] for key in sorted(wrong - outdated) if key in expected and key in shown),
                tuple(key for key in shown if key not in expected),
                tuple(sorted(wrong - expected.keys() - shown.keys())),
            )
        )
    return Comparison(position_of(cursor), tuple(found), warehouse.invalid_identity())


def position_of(cursor: str) -> WarehousePosition:
    """The place that a consumer's cursor names."""
    parsed = Cursor.parse(cursor)
    return WarehousePosition(parsed.ledger_id, parsed.position, cursor)


def state_of(consumer: Consumer, warehouse: Warehouse) -> WarehousePosition | FullLoad | None:
    """The position of the tables or the full load that is under way, None for an empty warehouse.

    Raises `OtherLedgerError` for tables of another ledger than the consumer's, `WarehouseDamagedError` for a position
    that does not agree with its cursor.
    """
    found = warehouse.full_load() or warehouse.position()
    if found is None:
        return None
    ledger_id = position_of(consumer.cursor()).ledger_id
    if found.ledger_id != ledger_id:
        raise OtherLedgerError(f"the tables are of the ledger {found.ledger_id}; storage.state is {ledger_id}")
    position = found.target if isinstance(found, FullLoad) else found
    try:
        agreed = position_of(position.cursor) == position
    except InvalidValueError:
        agreed = False
    if not agreed:
        raise WarehouseDamagedError(
            f"the tables have the position {position.position} and the cursor {position.cursor!r}, which do not agree"
        )
    return found


def notes_on(
    invalid_identity: Mapping[str, int], views: Sequence[ViewFigure], *, views_current: bool = True
) -> Iterator[str]:
    """What is wrong with rows and views, a sentence each, with what to do."""
    for table, number in invalid_identity.items():
        yield f"{number:,} rows of {table} have no valid identity; `Pipeline.load_warehouse` `reconcile` removes them"
    yield from map(str, views[:_MOST_FIGURES])
    if (more := len(views) - _MOST_FIGURES) > 0:
        yield f"{more:,} more figures of views differ; the document has all of them"
    if views or not views_current:
        yield "views are not what this version makes of the tables; `Pipeline.load_warehouse` makes them again"
