"""The bound on what waits in memory, whatever the order of days."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import Sealed, Unsealed
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.run import RunContext, RunId
from gads_extractor.day_splitter import SEALING_THREADS, SHARED_ROWS, THREADED_BYTES, TOGETHER, DaySplitter
from gads_payload.schema import arrow_schema
from gads_sink_local.sink import LocalSink

SCHEMA = TableSchema(
    (ColumnSpec("segments_date", "segments.date", "date32"), ColumnSpec("metrics_clicks", "metrics.clicks", "int64"))
)
DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(30)]
KEYS = [PartitionKey("google_ads", "1234567890", "campaign", day) for day in DAYS]
Pages = Callable[[], list[list[date]]]


def page(days: list[date]) -> pa.RecordBatch:
    columns: dict[str, Any] = {"segments_date": days, "metrics_clicks": list(range(len(days)))}
    return pa.RecordBatch.from_pydict(columns, schema=arrow_schema(SCHEMA))


def day_of(rows: pa.RecordBatch) -> Any:
    return rows.column("segments_date")


def facts_of(record_count: int) -> PartitionFacts:
    return PartitionFacts(datetime(2024, 6, 1, tzinfo=UTC), "v26", "SELECT", 1, SCHEMA, record_count, (), "test", "1")


def in_order() -> list[list[date]]:
    return [[day] * 100 for day in DAYS]


def interleaved() -> list[list[date]]:
    return [[DAYS[(n * 7 + k) % 30] for k in range(100)] for n in range(30)]


def one_long_day_and_crumbs() -> list[list[date]]:
    return [[DAYS[0]] * 99 + [DAYS[n % 30]] for n in range(60)]


@pytest.mark.parametrize("pages", [in_order, interleaved, one_long_day_and_crumbs])
def test_what_waits_is_bounded_and_nothing_is_lost(pages: Pages, sink: RawSink, run: RunContext) -> None:
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id, buffered_rows=250)
    expected = dict.fromkeys(DAYS, 0)
    for days in pages():
        splitter.add(page(days))
        assert splitter.buffered_rows <= 250
        for day in days:
            expected[day] += 1
    outcomes = list(splitter.seal(facts_of))
    assert splitter.row_count == sum(expected.values())
    assert {
        outcome.key.logical_date: outcome.metadata.facts.record_count
        for outcome in outcomes
        if isinstance(outcome, Sealed)
    } == expected


def test_bytes_are_bounded_as_well(sink: RawSink, run: RunContext) -> None:
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id, buffered_bytes=3000)
    for days in interleaved():
        splitter.add(page(days))
        assert splitter.buffered_rows * 12 <= 3000
    splitter.abort()
    assert not list(sink.sealed())


def test_rows_wait_for_a_large_row_group_while_there_is_space(sink: RawSink, run: RunContext) -> None:
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id, buffered_rows=3000)
    for days in interleaved():
        splitter.add(page(days))
    assert splitter.buffered_rows == 3000
    splitter.add(page([DAYS[0]]))
    assert splitter.buffered_rows <= 1500
    splitter.abort()


def test_a_row_that_waits_does_not_hold_the_pages_it_came_in(sink: RawSink, run: RunContext) -> None:
    before = pa.total_allocated_bytes()
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id, buffered_rows=5000)
    for _ in range(100):
        splitter.add(page([DAYS[0]] * (SHARED_ROWS // 2 - 1) + [DAYS[1]]))
    assert pa.total_allocated_bytes() - before < 5000 * 12 + SHARED_ROWS * 12 + 100 * 1024
    splitter.abort()


def test_aborting_leaves_the_days_open_for_another_try(sink: RawSink, run: RunContext) -> None:
    for _ in range(2):
        splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id)
        splitter.add(page(DAYS))
        splitter.abort()
        splitter.abort()
        assert not list(sink.sealed())
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id)
    assert all(isinstance(outcome, Sealed) for outcome in splitter.seal(facts_of))
    splitter.abort()
    assert len(list(sink.sealed())) == len(KEYS)


class _Meeting:
    """A sink whose seals wait until several are under way, or too long."""

    def __init__(self, inner: RawSink, at_once: int) -> None:
        self._inner = inner
        self._gate = threading.Barrier(at_once, timeout=20)

    def open_writer(self, key: PartitionKey, run_id: RunId) -> Any:
        return _MeetingWriter(self._inner.open_writer(key, run_id), self._gate)


class _MeetingWriter:
    def __init__(self, inner: PartitionWriter, gate: threading.Barrier) -> None:
        self._inner = inner
        self._gate = gate
        self._inside = threading.Lock()

    def write(self, data: bytes | memoryview) -> int:
        assert self._inside.acquire(blocking=False), "two threads in one writer"
        try:
            return self._inner.write(data)
        finally:
            self._inside.release()

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        assert self._inside.acquire(blocking=False), "two threads in one writer"
        try:
            self._gate.wait()
            return self._inner.finalize(facts)
        finally:
            self._inside.release()

    def abort(self) -> None:
        self._inner.abort()


def test_several_days_are_sealed_at_once_and_come_in_order(sink: RawSink, run: RunContext) -> None:
    days = SEALING_THREADS * 3
    meeting: Any = _Meeting(sink, SEALING_THREADS)
    splitter = DaySplitter(KEYS[:days], SCHEMA, day_of, meeting, run.run_id)
    splitter.add(page(DAYS[:days]))
    outcomes = list(splitter.seal(facts_of))
    assert [outcome.key for outcome in outcomes] == KEYS[:days]
    assert all(isinstance(outcome, Sealed) for outcome in outcomes)


def test_a_bug_in_one_seal_costs_its_day_alone(sink: RawSink, run: RunContext) -> None:
    def facts(record_count: int) -> PartitionFacts:
        if record_count == 7:
            raise ZeroDivisionError
        return facts_of(record_count)

    splitter = DaySplitter(KEYS[:5], SCHEMA, day_of, sink, run.run_id)
    splitter.add(page([*DAYS[:5], *[DAYS[2]] * 6]))
    outcomes = list(splitter.seal(facts))
    assert [outcome.key for outcome in outcomes] == KEYS[:5]
    assert [type(outcome) for outcome in outcomes] == [Sealed, Sealed, Unsealed, Sealed, Sealed]
    assert isinstance(outcomes[2], Unsealed)
    assert outcomes[2].reason.code == "internal"
    assert len(list(sink.sealed())) == 4


class _Counting:
    """A sink that seals together, and remembers how many at a time and from which threads it was written to."""

    def __init__(self, inner: LocalSink) -> None:
        self._inner = inner
        self.groups: list[int] = []
        self.threads: set[int] = set()

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PartitionWriter:
        writer = self._inner.open_writer(key, run_id)
        write = writer.write

        def noted(data: bytes | memoryview) -> int:
            self.threads.add(threading.get_ident())
            return write(data)

        writer.write = noted  # type: ignore[method-assign]
        return writer

    def finalize_together(
        self, writers: Sequence[tuple[PartitionWriter, PartitionFacts]]
    ) -> list[PartitionMetadata | Exception]:
        self.groups.append(len(writers))
        return self._inner.finalize_together(writers)


def test_a_sink_that_can_seals_days_together_and_none_is_lost(tmp_path: Path, run: RunContext) -> None:
    local = LocalSink(tmp_path)
    with local.open_writer(KEYS[3], run.run_id) as faster:
        faster.finalize(facts_of(0))
    sink: Any = _Counting(local)
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id)
    splitter.add(page([day for day in DAYS if day != DAYS[7]]))
    outcomes = list(splitter.seal(facts_of))
    assert [outcome.key for outcome in outcomes] == KEYS
    failed = {o.key.logical_date: o.reason.code for o in outcomes if isinstance(o, Unsealed)}
    assert failed == {DAYS[3]: "already_sealed"}
    assert [key for key, _ in local.sealed()] == KEYS
    assert sink.groups == [TOGETHER - 1, len(DAYS) - TOGETHER]
    assert sink.threads == {threading.get_ident()}


def test_a_reader_that_stops_early_leaves_the_days_of_later_groups_unsealed(tmp_path: Path, run: RunContext) -> None:
    sink = LocalSink(tmp_path)
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run.run_id)
    splitter.add(page(DAYS))
    assert isinstance(next(splitter.seal(facts_of)), Sealed)
    splitter.abort()
    assert [key for key, _ in sink.sealed()] == KEYS[:TOGETHER]


def test_much_data_is_compressed_by_several_threads(tmp_path: Path, run: RunContext) -> None:
    sink: Any = _Counting(LocalSink(tmp_path))
    splitter = DaySplitter(KEYS[:4], SCHEMA, day_of, sink, run.run_id)
    rows = THREADED_BYTES // 12 // 4 + 1000
    for day in DAYS[:4]:
        splitter.add(page([day] * rows))
    assert all(isinstance(outcome, Sealed) for outcome in splitter.seal(facts_of))
    assert threading.get_ident() not in sink.threads
