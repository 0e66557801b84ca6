"""A full sink, a day that is there already, a caller that leaves: what is sealed is whole, nothing half-written."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_domain.errors import FailureScope, StorageFullError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import Sealed, Unsealed
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext, RunId
from gads_extractor.report_source import GoogleAdsReportSource
from gads_testing.staged_extraction import (
    FIRST,
    REPORT,
    all_sealed,
    all_unsealed,
    page_of,
)

pytestmark = pytest.mark.usefixtures("every_writer_is_ended")


def test_a_day_that_is_sealed_already_stays_and_the_others_go_on(
    source: GoogleAdsReportSource, account: str, slice_: ReportSlice, run: RunContext, sink: RawSink
) -> None:
    middle = ReportSlice(account, REPORT, date(2024, 2, 3), date(2024, 2, 3))
    (before,) = all_sealed(list(source.extract(middle, run, sink).days))
    bytes_before = sink.metadata_bytes(before.key, run.run_id)
    outcomes = list(source.extract(slice_, run, sink).days)
    assert [type(outcome) for outcome in outcomes] == [Sealed, Sealed, Unsealed, Sealed, Sealed]
    assert isinstance(outcomes[2], Unsealed)
    assert outcomes[2].reason.code == "already_sealed"
    assert sink.metadata_bytes(before.key, run.run_id) == bytes_before


class _FullWriter:
    """Takes `space` bytes."""

    def __init__(self, inner: PartitionWriter, space: int) -> None:
        self._inner = inner
        self._space = space

    def write(self, data: bytes | memoryview) -> int:
        self._space -= len(data)
        if self._space < 0:
            raise StorageFullError("no space is left")
        return self._inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _FillingSink:
    """A sink that is full for one day."""

    def __init__(self, inner: RawSink, day: date, space: int) -> None:
        self._inner = inner
        self._day = day
        self._space = space

    def open_writer(self, key: PartitionKey, run_id: RunId) -> Any:
        writer = self._inner.open_writer(key, run_id)
        return _FullWriter(writer, self._space) if key.logical_date == self._day else writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("space", [0, 100, 400])
def test_a_full_disk_stops_and_fails_no_day(
    space: int, source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, tmp_path: Path
) -> None:
    full: Any = _FillingSink(sink, date(2024, 2, 4), space)
    result = source.extract(slice_, run, full)
    assert [type(outcome) for outcome in result.days] == [Sealed] * 4
    assert result.stopped_by is not None
    assert (result.stopped_by.code, result.stopped_by.scope) == ("storage_full", FailureScope.STORAGE)
    assert sink.runs(slice_.keys[3]) == []
    # nothing is left open or half-written: the same run seals the day when there is space
    day = ReportSlice(slice_.customer_id, REPORT, date(2024, 2, 4), date(2024, 2, 4))
    all_sealed(list(source.extract(day, run, sink).days))


class _ClosedSink:
    def __init__(self) -> None:
        self.opened = 0

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PartitionWriter:
        self.opened += 1
        raise StorageFullError("no space is left")


def test_a_sink_that_refuses_every_day_ends_the_stream(
    source: GoogleAdsReportSource, account: str, run: RunContext, stage: Any
) -> None:
    day = ReportSlice(account, REPORT, FIRST, FIRST)
    stage.script = lambda call, real: iter([page_of("2024-02-01")] * 5)
    told: list[int] = []
    sink: Any = _ClosedSink()
    result = source.extract(day, run, sink, None, told.append)
    assert result.days == ()
    assert result.stopped_by is not None
    assert result.stopped_by.code == "storage_full"
    assert sink.opened == 1
    assert told == [1], "the rest of the stream is not read"


def test_a_bug_is_an_outcome_too(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink
) -> None:
    def broken(rows: int) -> None:
        raise KeyError("a bug")

    found = all_unsealed(list(source.extract(slice_, run, sink, None, broken).days), slice_, sink)
    assert found[0].reason.code == "internal"


def test_an_interrupt_leaves_nothing_half_written(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink
) -> None:
    def interrupted(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.extract(slice_, run, sink, None, interrupted)
    assert list(sink.sealed()) == []
    assert len(all_sealed(list(source.extract(slice_, run, sink).days))) == 5
