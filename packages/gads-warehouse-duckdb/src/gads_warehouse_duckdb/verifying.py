"""Tables against authoritative payloads: rows, sums of all metrics, and whether the rows are equal at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from math import isclose
from pathlib import Path

from gads_consumer.consumer import Consumer
from gads_consumer.partitions import TrustedPartition
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import (
    LoadedPartition,
    PartitionContent,
    Replacement,
    Warehouse,
    WarehousePosition,
)
from gads_domain.run import RunId
from gads_warehouse_duckdb.comparing import compare, loading_order, require_same_ledger
from gads_warehouse_duckdb.loading import loaded

_CHUNK = 500


class DifferenceKind(StrEnum):
    """How a partition's rows in the tables differ from what the ledger vouches for."""

    ABSENT = "absent"
    """It is vouched for and not shown."""
    OUTDATED = "outdated"
    """Another run is shown than the one vouched for."""
    ORPHANED = "orphaned"
    """It is shown, or has rows, and is not vouched for."""
    ROWS = "rows"
    """The number of its rows is another."""
    SUM = "sum"
    """The sum of a metric is another."""
    VALUES = "values"
    """Rows and sums agree, and some value does not."""
    POINTER = "pointer"
    """The run is the one vouched for, and the pointer has another count, version or seal, or is there twice."""


@dataclass(frozen=True, slots=True)
class Difference:
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
    unplaced: Mapping[str, int]
    """Rows and pointers that can be of no partition, by table."""

    def __bool__(self) -> bool:
        return not self.differences and not self.unplaced


def verify(
    consumer: Consumer,
    warehouse: Warehouse,
    *,
    folder: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Read all payloads that are vouched for and compare them with the tables; changes nothing.

    Raises `OtherLedgerError`, and `PartitionAlteredError` or `PartitionGoneError` for a payload that cannot be trusted.
    """
    position = warehouse.position()
    require_same_ledger(consumer, position)
    found = compare(consumer, warehouse)
    differences: list[Difference] = []
    partitions = rows = 0
    for report in found.reports:
        shown = {one.key: one for one in report.shown}
        outdated = [one for one in report.outdated if one.run_id != shown[one.key].run_id]
        differing = {one.key for one in (*report.absent, *outdated)}
        differences += [Difference(DifferenceKind.ABSENT, one.key, None, str(one.run_id)) for one in report.absent]
        differences += [
            Difference(DifferenceKind.OUTDATED, one.key, None, str(one.run_id), str(shown[one.key].run_id))
            for one in outdated
        ]
        differences += [
            Difference(DifferenceKind.POINTER, one.key, None, _pointer(loaded(one)), _pointer(shown[one.key]))
            for one in report.outdated
            if one.key not in differing
        ]
        differences += [
            Difference(
                DifferenceKind.ORPHANED, key, None, None, str(shown[key].run_id) if key in shown else "rows alone"
            )
            for key in (*report.orphaned, *report.strays)
        ]
        orphaned = {*report.orphaned, *report.strays}
        contents: dict[PartitionKey, dict[RunId, PartitionContent]] = {}
        for content in warehouse.contents(report.report):
            contents.setdefault(content.key, {})[content.run_id] = content
        wanted = sorted(
            (one for one in report.vouched if one.key not in differing and one.key not in orphaned), key=loading_order
        )
        done = 0
        suspect = {one.key for one in report.untrue}
        for expected in _measured(consumer, warehouse, wanted, folder):
            different = _compared(expected, contents.get(expected.key, {}))
            if expected.key in suspect and not different:
                different.append(Difference(DifferenceKind.POINTER, expected.key, None, "one pointer", "several"))
            differences += different
            partitions, rows, done = partitions + 1, rows + expected.record_count, done + 1
            if progress is not None and done % _CHUNK == 0:
                progress(partitions)
    differences.sort(key=lambda one: (one.key, one.kind, one.column or ""))
    return Verification(position, found.position, partitions, rows, tuple(differences), found.unplaced)


def _pointer(one: LoadedPartition) -> str:
    return f"{one.record_count} rows of schema version {one.schema_version} sealed {one.seal_sha256[:12]}"


def _measured(
    consumer: Consumer, warehouse: Warehouse, wanted: list[TrustedPartition], folder: Path | None
) -> Iterator[PartitionContent]:
    if not wanted:
        return
    with (
        tempfile.TemporaryDirectory(prefix="gads-warehouse-", dir=folder) as name,
        closing(consumer.copy_payloads(wanted, name)) as copies,
    ):
        chunk: list[Replacement] = []
        for copy in copies:
            chunk.append(Replacement(loaded(copy.partition), copy.schema, copy.path))
            if len(chunk) == _CHUNK:
                yield from _let_go(warehouse, chunk)
                chunk = []
        yield from _let_go(warehouse, chunk)


def _let_go(warehouse: Warehouse, chunk: list[Replacement]) -> list[PartitionContent]:
    measured = warehouse.measure(chunk)
    for one in chunk:
        one.payload.unlink()
    return measured


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
