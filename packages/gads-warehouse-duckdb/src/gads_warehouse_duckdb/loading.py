"""The loader: follows the consumer's feed, or compares everything, and hands a warehouse the steps.

It knows a warehouse by its port alone, and sees of ledger and sink what `gads_consumer` hands out.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gads_consumer.changes import Change
from gads_consumer.consumer import Consumer
from gads_consumer.errors import PartitionAlteredError, PartitionGoneError
from gads_consumer.partitions import TrustedPartition
from gads_domain.clock import Clock, SystemClock
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.warehouse import (
    LoadedPartition,
    LoadedStep,
    LoadMode,
    LoadStep,
    Replacement,
    Warehouse,
    WarehousePosition,
)
from gads_warehouse_duckdb.comparing import compare, loading_order, position_of, require_same_ledger

STEP_PARTITIONS = 5_000
"""Partitions after which a step of the feed ends at the next move."""

CHUNK_PARTITIONS = 2_000
CHUNK_BYTES = 512 * 1024 * 1024
"""How many copies of payloads are on disk at once."""

Progress = Callable[[int], None]
"""Told the number of partitions whose payloads were read so far."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load came to, or with `dry_run` would come to; `before` is None for a warehouse that was empty.

    `strays` are partitions and rows that were there, although no pointer spoke of them, and that a comparison removed.
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
    dry_run: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything came, went or was replaced."""
        return bool(self.added or self.replaced or self.removed or self.strays)


@dataclass(frozen=True, slots=True)
class _Move:
    key: PartitionKey
    partition: TrustedPartition | None
    previous: bool
    position: int
    cursor: str

    @classmethod
    def of(cls, change: Change) -> _Move:
        return cls(change.key, change.partition, change.previous_run_id is not None, change.position, change.cursor)


class WarehouseLoader:
    """Brings `warehouse` to where the ledger behind `consumer` is.

    Each step ends at a move of the log, so that whoever reads the tables between two steps sees what the ledger
    vouched for at that move. `folder` is where payloads are copied on their way, by default the system's.
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
        self._progress = progress or (lambda _: None)
        self._read = 0

    def load(self, *, reconcile: bool = False, dry_run: bool = False) -> LoadReport:
        """Follow the feed from the stored cursor; compare everything with `reconcile` or if the warehouse is empty.

        If nothing is to be done, the warehouse is not opened for writing. Raises `OtherLedgerError`,
        `PastUnknownError` for a log that was rolled back, and what the consumer and the warehouse raise; whatever it
        is, the tables are those of the last step that ended well.
        """
        before = self._warehouse.position()
        require_same_ledger(self._consumer, before)
        if before is None or reconcile:
            return self._reconcile(before, dry_run=dry_run)
        return self._follow(before, dry_run=dry_run)

    def _reconcile(self, before: WarehousePosition | None, *, dry_run: bool) -> LoadReport:
        found = compare(self._consumer, self._warehouse)
        added, replaced, removed = len(found.absent), len(found.outdated) + len(found.untrue), len(found.orphaned)
        wanted = [*found.absent, *found.outdated, *found.untrue]
        rows = sum(one.record_count for one in wanted)
        strays = len(found.strays) + sum(found.unplaced.values())
        done = LoadReport(
            LoadMode.RECONCILE, before, found.position, 0, added, replaced, removed, rows, strays, dry_run
        )
        if dry_run:
            return done
        if before is not None and not done.changed and self._warehouse.is_current():
            return done
        remove = [*found.orphaned, *found.strays]
        step = self._step(LoadMode.RECONCILE, before, found.position, wanted, remove)
        self._warehouse.apply(step)
        return dataclasses.replace(done, steps=1)

    def _follow(self, before: WarehousePosition, *, dry_run: bool) -> LoadReport:
        feed = self._consumer.changes(after=before.cursor)
        moves = [_Move.of(change) for change in feed]
        if dry_run:
            return _foreseen(before, moves, feed.cursor)
        if not moves and not self._warehouse.is_current():
            self._warehouse.apply(self._step(LoadMode.FEED, before, before, [], []))
        at, start, steps = before, 0, 0
        done = LoadedStep(0, 0, 0, 0)
        while start < len(moves):
            end = self._end_of_step(moves, start)
            to = position_of(feed.cursor if end == len(moves) else moves[end - 1].cursor)
            try:
                one = self._apply_moves(at, to, moves[start:end])
            except (PartitionGoneError, PartitionAlteredError):
                # What was vouched for then may have been withdrawn since: what counts is whether it still is.
                feed = self._consumer.changes(after=feed.cursor)
                moves += [_Move.of(change) for change in feed]
                if end == len(moves):
                    raise
                end, to = len(moves), position_of(feed.cursor)
                one = self._apply_moves(at, to, moves[start:])
            done = LoadedStep(
                done.added + one.added,
                done.replaced + one.replaced,
                done.removed + one.removed,
                done.rows + one.rows,
            )
            at, start, steps = to, end, steps + 1
        return LoadReport(LoadMode.FEED, before, at, steps, done.added, done.replaced, done.removed, done.rows)

    def _end_of_step(self, moves: Sequence[_Move], start: int) -> int:
        keys: set[PartitionKey] = set()
        for number in range(start, len(moves)):
            keys.add(moves[number].key)
            if len(keys) >= self._step_partitions:
                return number + 1
        return len(moves)

    def _apply_moves(self, at: WarehousePosition, to: WarehousePosition, moves: Sequence[_Move]) -> LoadedStep:
        last = {move.key: move.partition for move in moves}
        wanted = [partition for partition in last.values() if partition is not None]
        remove = [key for key, partition in last.items() if partition is None]
        return self._warehouse.apply(self._step(LoadMode.FEED, at, to, wanted, remove))

    def _step(
        self,
        mode: LoadMode,
        after: WarehousePosition | None,
        to: WarehousePosition,
        wanted: Sequence[TrustedPartition],
        remove: Sequence[PartitionKey],
    ) -> LoadStep:
        chunks = self._chunks(sorted(wanted, key=loading_order))
        return LoadStep(mode, self._source, after, to, self._clock.now(), chunks, remove)

    def _chunks(self, wanted: Sequence[TrustedPartition]) -> Iterator[list[Replacement]]:
        """The payloads, copied to a folder of their own that is emptied between the chunks."""
        if not wanted:
            return
        with (
            tempfile.TemporaryDirectory(prefix="gads-warehouse-", dir=self._folder) as name,
            closing(self._consumer.copy_payloads(wanted, name)) as copies,
        ):
            chunk: list[Replacement] = []
            size = 0
            for copy in copies:
                chunk.append(Replacement(loaded(copy.partition), copy.schema, copy.path))
                size += copy.size
                if len(chunk) >= CHUNK_PARTITIONS or size >= CHUNK_BYTES:
                    yield chunk
                    self._let_go(chunk)
                    chunk, size = [], 0
            if chunk:
                yield chunk
                self._let_go(chunk)

    def _let_go(self, chunk: Sequence[Replacement]) -> None:
        for one in chunk:
            one.payload.unlink(missing_ok=True)
        self._read += len(chunk)
        self._progress(self._read)


def loaded(partition: TrustedPartition) -> LoadedPartition:
    """The pointer to `partition`."""
    return LoadedPartition(
        partition.key, partition.run_id, partition.record_count, partition.schema_version, partition.seal_sha256
    )


def _foreseen(before: WarehousePosition, moves: Sequence[_Move], end: str) -> LoadReport:
    last = {move.key: move for move in moves}
    shown = {move.key: move.previous for move in reversed(moves)}
    wanted = [move.partition for move in last.values() if move.partition is not None]
    return LoadReport(
        LoadMode.FEED,
        before,
        position_of(end) if moves else before,
        0,
        sum(not shown[one.key] for one in wanted),
        sum(shown[one.key] for one in wanted),
        sum(move.partition is None and shown[key] for key, move in last.items()),
        sum(one.record_count for one in wanted),
        dry_run=True,
    )
