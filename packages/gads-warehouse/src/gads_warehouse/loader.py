"""The loader: follows the consumer's feed, or compares everything, and hands a warehouse the steps."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gads_consumer.errors import PartitionAlteredError, PartitionGoneError, PastUnknownError
from gads_domain.clock import Clock, SystemClock
from gads_domain.current_partition import CurrentPartition
from gads_domain.documents import members_of
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.warehouse import (
    FullLoad,
    LoadedExpectations,
    LoadedStep,
    LoadMode,
    LoadStep,
    Replacement,
    Warehouse,
    WarehousePosition,
)
from gads_warehouse.comparison import compare, position_of, state_of
from gads_warehouse.payload_copies import loading_order, payload_copies

if TYPE_CHECKING:  # they bring Arrow
    from gads_consumer.changes import Change
    from gads_consumer.consumer import Consumer

STEP_PARTITIONS = 5_000
STEP_ROWS = 5_000_000
"""The partitions and rows after which a step ends: its payloads are on disk at once, and a crash undoes no more."""

Progress = Callable[[int, int], None]
"""Called with how much is loaded, and of how much: partitions, or changes where the feed is followed."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The result of a load, or with `dry_run` of one that would be done.

    `before` is None for a warehouse that was empty, or in the middle of a full load, which this one `resumed`.
    `strays` are rows and pointers that belonged to no partition, which a comparison removed. `rows_by_report` has the
    rows that went into the tables, by report.
    """

    mode: LoadMode
    before: WarehousePosition | None
    after: WarehousePosition
    steps: int
    added: int
    replaced: int
    removed: int
    rows: int
    strays: int = 0
    resumed: bool = False
    dry_run: bool = False
    rows_by_report: Mapping[str, int] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was added, replaced or removed."""
        return bool(self.added or self.replaced or self.removed or self.strays)

    def __str__(self) -> str:
        would = "would be " if self.dry_run else ""
        counts = f"{self.added:,} {would}added, {self.replaced:,} {would}replaced, {self.removed:,} {would}removed"
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        strays = f"; {self.strays:,} rows or partitions of no known run {would}removed" if self.strays else ""
        resumed = "; resumed an interrupted full load" if self.resumed else ""
        return f"warehouse at position {self.after.position} of the ledger: {counts}; {rows}{strays}{resumed}"

    def to_document(self) -> dict[str, Any]:
        """The load as JSON."""
        return {
            "version": 2,
            "mode": self.mode.value,
            **members_of(self, ("resumed", "dry_run", "changed")),
            "position_before": None if self.before is None else self.before.position,
            "position": self.after.position,
            **members_of(self, ("steps", "added", "replaced", "removed", "rows", "strays")),
        }


class WarehouseLoader:
    """Brings `warehouse` to where the ledger behind `consumer` is, in steps of at most `step_partitions`.

    A step of the feed ends at a position of the log, so that a reader between two steps sees what was authoritative
    there. A full load that needs several steps has no position until the last; one that was interrupted is resumed.
    `folder` is where payloads are copied on their way, by default the system's.
    """

    def __init__(
        self,
        consumer: Consumer,
        warehouse: Warehouse,
        *,
        source: str = GOOGLE_ADS,
        clock: Clock | None = None,
        folder: Path | None = None,
        step_partitions: int = STEP_PARTITIONS,
        progress: Progress | None = None,
    ) -> None:
        self._consumer = consumer
        self._warehouse = warehouse
        self._source = source
        self._clock = clock or SystemClock()
        self._folder = folder
        self._step_partitions = step_partitions
        self._progress = progress or (lambda _done, _total: None)
        self._rows = Counter[str]()
        self._expected: LoadedExpectations | None = None

    def load(self, *, reconcile: bool = False, dry_run: bool = False) -> LoadReport:
        """Follow the feed from the stored position; compare everything with `reconcile` or where there is none.

        If nothing is to be done, the warehouse is not opened for writing. Raises `OtherLedgerError`,
        `PastUnknownError` for a log that was rolled back, and what the consumer and the warehouse raise; the tables
        are then those of the last step that was committed.
        """
        before = state_of(self._consumer, self._warehouse)
        expected = LoadedExpectations(
            self._consumer.expectations(), self._consumer.freshness, tuple(self._consumer.held())
        )
        self._expected = None if self._warehouse.expected() == expected else expected
        self._rows = Counter()
        if isinstance(before, WarehousePosition) and not reconcile:
            report = self._follow(before, dry_run=dry_run)
        else:
            report = self._load_fully(before, dry_run=dry_run)
        return dataclasses.replace(report, rows_by_report=dict(self._rows))

    def erase(self, customer_id: str) -> None:
        """Load, and then remove what the tables still hold of an account that was erased, load records included.

        A loader that began before the erasure is refused after it, since the step is at the end of the log. A warehouse
        that was never loaded stays absent.
        """
        if state_of(self._consumer, self._warehouse) is None:
            return
        self.load()
        at = self._warehouse.position()
        if at is not None and self._warehouse.account_rows(customer_id):
            step = LoadStep(LoadMode.FEED, self._source, at, at, self._clock.now(), [], [], erase=(customer_id,))
            self._warehouse.apply(step)

    def _load_fully(self, before: WarehousePosition | FullLoad | None, *, dry_run: bool) -> LoadReport:
        """Compare everything and load the differences; what an interrupted load has loaded is none any more."""
        found = compare(self._consumer, self._warehouse)
        absent = [one for report in found.reports for one in report.absent]
        changed = [one for report in found.reports for one in (*report.outdated, *report.mismatched)]
        orphaned = [key for report in found.reports for key in report.orphaned]
        strays = [key for report in found.reports for key in report.strays]
        batches = list(self._batches(sorted([*absent, *changed], key=loading_order))) or [[]]
        result = LoadReport(
            LoadMode.RECONCILE,
            before if isinstance(before, WarehousePosition) else None,
            found.position,
            0,
            len(absent),
            len(changed),
            len(orphaned),
            sum(one.record_count for batch in batches for one in batch),
            len(strays) + sum(found.invalid_identity.values()),
            resumed=isinstance(before, FullLoad),
            dry_run=dry_run,
        )
        nothing_to_do = isinstance(before, WarehousePosition) and not result.changed and self._is_current()
        if dry_run or nothing_to_do:
            return result
        at, remove, discard_invalid = before, [*orphaned, *strays], bool(found.invalid_identity)
        done = before.done if isinstance(before, FullLoad) else 0
        remaining = len(absent) + len(changed) + len(remove)
        loaded, wanted = 0, len(absent) + len(changed)
        self._progress(loaded, wanted)
        with payload_copies(self._consumer, batches, self._folder) as copies:
            for number, replacements in enumerate(copies, start=1):
                done += len(replacements) + len(remove)
                remaining -= len(replacements) + len(remove)
                to = found.position if number == len(batches) else FullLoad(found.position, done, remaining)
                self._apply(LoadMode.RECONCILE, at, to, replacements, remove, discard_invalid)
                loaded += len(replacements)
                self._progress(loaded, wanted)
                at, remove, discard_invalid = to, [], False
        return dataclasses.replace(result, steps=len(batches))

    def _follow(self, before: WarehousePosition, *, dry_run: bool) -> LoadReport:
        try:
            feed = self._consumer.changes(after=before.cursor)
        except PastUnknownError as error:
            hint = "`Pipeline.load_warehouse` `reconcile` compares the tables with the ledger and puts them right"
            raise PastUnknownError(error.message, hint=hint) from None
        changes = list(feed)
        if dry_run:
            return _planned(before, changes, feed.cursor)
        if not changes and not self._is_current():
            self._apply(LoadMode.FEED, before, before, [], [])
        at, start, scale = before, 0, 1
        steps: list[LoadedStep] = []
        while start < len(changes):
            self._progress(start, len(changes))
            rest = map(changes.__getitem__, range(start, len(changes)))
            end = start + self._step_length(map(_size, rest), scale)
            to = position_of(feed.cursor if end == len(changes) else changes[end - 1].cursor)
            try:
                steps.append(self._apply_changes(at, to, changes[start:end]))
            except (PartitionGoneError, PartitionAlteredError):
                # A run that was authoritative there may have been revoked since: a longer step does not need it then.
                if end == len(changes):
                    feed = self._consumer.changes(after=feed.cursor)
                    changes += feed
                    if end == len(changes):
                        raise
                scale *= 2
            else:
                at, start, scale = to, end, 1
                self._progress(start, len(changes))
        return LoadReport(
            LoadMode.FEED,
            before,
            at,
            len(steps),
            sum(one.added for one in steps),
            sum(one.replaced for one in steps),
            sum(one.removed for one in steps),
            sum(one.rows for one in steps),
        )

    def _apply_changes(self, at: WarehousePosition, to: WarehousePosition, changes: Sequence[Change]) -> LoadedStep:
        last = {change.key: change.partition for change in changes}
        wanted = sorted((one for one in last.values() if one is not None), key=loading_order)
        remove = [key for key, partition in last.items() if partition is None]
        with payload_copies(self._consumer, [wanted], self._folder) as copies:
            return self._apply(LoadMode.FEED, at, to, next(copies), remove)

    def _apply(
        self,
        mode: LoadMode,
        after: WarehousePosition | FullLoad | None,
        to: WarehousePosition | FullLoad,
        replacements: Sequence[Replacement],
        remove: Sequence[PartitionKey],
        discard_invalid: bool = False,
    ) -> LoadedStep:
        step = LoadStep(
            mode, self._source, after, to, self._clock.now(), replacements, remove, discard_invalid, self._expected
        )
        done = self._warehouse.apply(step)
        self._expected = None
        for one in replacements:
            self._rows[one.partition.key.report] += one.partition.record_count
        return done

    def _is_current(self) -> bool:
        return self._expected is None and self._warehouse.is_current()

    def _batches(self, wanted: Sequence[CurrentPartition]) -> Iterator[Sequence[CurrentPartition]]:
        start = 0
        while start < len(wanted):
            rest = map(wanted.__getitem__, range(start, len(wanted)))
            end = start + self._step_length((one.key, one.record_count) for one in rest)
            yield wanted[start:end]
            start = end

    def _step_length(self, sizes: Iterable[tuple[PartitionKey, int]], scale: int = 1) -> int:
        """How many of what has these keys and rows one step takes, or `scale` steps together."""
        keys: set[PartitionKey] = set()
        rows = length = 0
        for key, count in sizes:
            keys.add(key)
            rows += count
            length += 1
            if len(keys) >= self._step_partitions * scale or rows >= STEP_ROWS * scale:
                break
        return length


def _size(change: Change) -> tuple[PartitionKey, int]:
    return change.key, 0 if change.partition is None else change.partition.record_count


def _planned(before: WarehousePosition, changes: Sequence[Change], end: str) -> LoadReport:
    last = {change.key: change for change in changes}
    shown = {change.key: change.previous_run_id is not None for change in reversed(changes)}
    wanted = [change.partition for change in last.values() if change.partition is not None]
    return LoadReport(
        LoadMode.FEED,
        before,
        position_of(end) if changes else before,
        0,
        sum(not shown[one.key] for one in wanted),
        sum(shown[one.key] for one in wanted),
        sum(change.partition is None and shown[key] for key, change in last.items()),
        sum(one.record_count for one in wanted),
        dry_run=True,
    )
