"""Tables against authoritative payloads: rows, sums of all metrics, equal rows at all; and views against tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gads_domain.current_partition import CurrentPartition
from gads_domain.documents import members_of
from gads_domain.partition_key import Keyed, PartitionKey
from gads_domain.ports.warehouse import PartitionContent, ViewFigure, Warehouse, WarehousePosition
from gads_domain.run import RunId
from gads_warehouse.comparison import ReportComparison, compare, notes_on, state_of
from gads_warehouse.payload_copies import loading_order, payload_copies

if TYPE_CHECKING:  # it brings Arrow
    from gads_consumer.consumer import Consumer

_BATCH = 500


class DifferenceKind(StrEnum):
    """How a partition in the tables differs from its authoritative run."""

    ABSENT = "absent"
    """It is authoritative and not shown."""
    OUTDATED = "outdated"
    """Another run is shown than the authoritative one."""
    ORPHANED = "orphaned"
    """It is shown, or has rows, and is not authoritative."""
    ROWS = "rows"
    """It has another number of rows."""
    SUM = "sum"
    """The sum of a metric is another."""
    VALUES = "values"
    """Rows and sums agree, and some value does not."""
    POINTER = "pointer"
    """The run is the authoritative one; its pointer has another count, version or seal, or is there twice."""


@dataclass(frozen=True, slots=True)
class Difference(Keyed):
    """One difference; `expected` and `found` are counts, sums or runs as text, `column` the metric of a sum."""

    kind: DifferenceKind
    key: PartitionKey
    column: str | None = None
    expected: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        what = f" of {self.column}" if self.column else ""
        return f"{self.key}: {self.kind}{what}, expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, and every difference; true in a condition if there is none."""

    loaded: WarehousePosition | None
    ledger: WarehousePosition
    partitions: int
    rows: int
    differences: tuple[Difference, ...]
    invalid_identity: Mapping[str, int]
    """The number of rows and pointers that belong to no possible partition, by table."""
    views: tuple[ViewFigure, ...]
    """The figures of views that are not what the tables give for them."""

    def __bool__(self) -> bool:
        return not self.differences and not self.invalid_identity and not self.views

    def notes(self) -> Iterator[str]:
        """What was compared, and what is wrong beside the differences, a sentence each."""
        yield f"{self.partitions:,} partitions with {self.rows:,} rows compared: {len(self.differences):,} differences"
        yield from notes_on(self.invalid_identity, self.views)

    def to_document(self) -> dict[str, Any]:
        """The verification as JSON."""
        names = ("kind", "customer_id", "report", "logical_date", "column", "expected", "found")
        return {
            "version": 3,
            "position": None if self.loaded is None else self.loaded.position,
            "ledger_position": self.ledger.position,
            "differences": [members_of(one, names) for one in self.differences],
            **members_of(self, ("partitions", "rows", "invalid_identity", "views")),
        }


def verify(
    consumer: Consumer,
    warehouse: Warehouse,
    *,
    folder: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Read all authoritative payloads and compare them with the tables, and these with the views; changes nothing.

    Raises `OtherLedgerError`, and `PartitionAlteredError` or `PartitionGoneError` for a payload that cannot be read.
    """
    state = state_of(consumer, warehouse)
    found = compare(consumer, warehouse)
    differences: list[Difference] = []
    partitions = rows = 0
    for report in found.reports:
        pointers = list(_pointer_differences(report))
        differences += pointers
        settled = {one.key for one in pointers if one.kind is not DifferenceKind.POINTER}
        wanted = sorted((one for one in report.authoritative if one.key not in settled), key=loading_order)
        contents: dict[PartitionKey, dict[RunId, PartitionContent]] = {}
        for content in warehouse.contents(report.report):
            contents.setdefault(content.key, {})[content.run_id] = content
        mismatched = {one.key for one in report.mismatched}
        for expected in _measured(consumer, warehouse, wanted, folder):
            different = _compared(expected, contents.get(expected.key, {}))
            if expected.key in mismatched and not different:
                different.append(Difference(DifferenceKind.POINTER, expected.key, None, "one pointer", "several"))
            differences += different
            partitions, rows = partitions + 1, rows + expected.record_count
            if progress is not None and partitions % _BATCH == 0:
                progress(partitions)
    differences.sort(key=lambda one: (one.key, one.kind, one.column or ""))
    loaded = state if isinstance(state, WarehousePosition) else None
    views = tuple(one for one in warehouse.view_figures() if not one.agrees)
    return Verification(loaded, found.position, partitions, rows, tuple(differences), found.invalid_identity, views)


def _pointer_differences(report: ReportComparison) -> Iterator[Difference]:
    shown = {one.key: one for one in report.shown}
    for one in report.absent:
        yield Difference(DifferenceKind.ABSENT, one.key, None, str(one.run_id))
    for one in report.outdated:
        pointer = shown[one.key]
        if pointer.run_id != one.run_id:
            yield Difference(DifferenceKind.OUTDATED, one.key, None, str(one.run_id), str(pointer.run_id))
        else:
            yield Difference(DifferenceKind.POINTER, one.key, None, _described(one), _described(pointer))
    for key in report.orphaned:
        yield Difference(DifferenceKind.ORPHANED, key, None, None, str(shown[key].run_id))
    for key in report.strays:
        yield Difference(DifferenceKind.ORPHANED, key, None, None, "rows alone")


def _described(pointer: CurrentPartition) -> str:
    return f"{pointer.record_count} rows of schema version {pointer.schema_version} sealed {pointer.seal_sha256[:12]}"


def _measured(
    consumer: Consumer, warehouse: Warehouse, wanted: list[CurrentPartition], folder: Path | None
) -> Iterator[PartitionContent]:
    batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
    with payload_copies(consumer, batches, folder) as copies:
        for replacements in copies:
            yield from warehouse.measure(replacements)


def _compared(expected: PartitionContent, found: dict[RunId, PartitionContent]) -> list[Difference]:
    key = expected.key
    own = found.get(expected.run_id)
    others = [content for run, content in found.items() if run != expected.run_id]
    differences = [
        Difference(DifferenceKind.ROWS, key, None, f"none of run {one.run_id}", str(one.record_count)) for one in others
    ]
    count = 0 if own is None else own.record_count
    if count != expected.record_count:
        differences.append(Difference(DifferenceKind.ROWS, key, None, str(expected.record_count), str(count)))
    if own is None or own.digest == expected.digest:
        return differences
    sums = [
        Difference(DifferenceKind.SUM, key, column, str(value), str(own.sums.get(column)))
        for column, value in expected.sums.items()
        if not _equal(value, own.sums.get(column))
    ]
    if not sums and count == expected.record_count:
        return [*differences, Difference(DifferenceKind.VALUES, key, None, "the sealed rows", "other values")]
    return differences + sums


def _equal(one: int | float | None, other: int | float | None) -> bool:
    """Integers exactly; fractions up to what the order of adding up makes."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or isclose(one, other, rel_tol=1e-12)
    return one == other
