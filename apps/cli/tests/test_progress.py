"""How far a run is, by its events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gads_etl.progress import RunProgress
from gads_orchestrator.events import (
    Event,
    PartitionValidated,
    RowsReceived,
    RunEnded,
    RunPlanned,
    SliceDeferred,
    SliceEnded,
    SliceStarted,
)
from gads_pipeline.events import CompletenessRead

NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)
RUN = "20240602T040506789Z-7f3a9c21"
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 14)
SLICE = (NOW, RUN, "8356619392", "campaign", FIRST, LAST)
PLANNED = RunPlanned(NOW, RUN, 3, 42, {"new": 42}, 0)


def validated(days: int, outcome: str) -> list[Event]:
    return [
        PartitionValidated(NOW, RUN, "8356619392", "campaign", FIRST + timedelta(days=n), RUN, outcome, "")
        for n in range(days)
    ]


def test_partitions_rows_failures_and_operations_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress() as progress:
        progress.on_events(PLANNED, SliceStarted(*SLICE, "new", 0), RowsReceived(*SLICE, 1200))
        assert progress.bar(120).endswith("0/42  0:00 so far  0 operations  8356619392 campaign: 1,200 rows")
        progress.on_events(*validated(13, "passed"), *validated(1, "rejected"), SliceEnded(*SLICE, 2))
        assert progress.line().startswith("extracting: 14 of 42 partitions, ")
        assert progress.line().endswith(" left, 2 operations, 1 failed")
        progress.on_events(SliceDeferred(*SLICE, "leased"), SliceDeferred(*SLICE, "resting"))
        assert "28 of 42" in progress.line(), "what another process has is not waited for"
    assert capsys.readouterr().err == "42 partitions in 3 requests\n"


def test_a_daemon_counts_each_round_anew_and_says_what_it_does_between_them() -> None:
    with RunProgress(idle="waiting for what is due") as progress:
        for _ in range(2):
            assert progress.bar(80) == "waiting for what is due  0:00 so far"
            progress.on_events(PLANNED, SliceEnded(*SLICE, 1))
            assert "14 of 42" in progress.line()
            progress.on_events(RunEnded(NOW, RUN, "done", 1))
            assert progress.bar(80) == "ending the round: loading, pruning, counting  0:00 so far"
            progress.on_events(CompletenessRead(NOW, RUN, "complete", 42, 42, 0, 0, 0, 0, 0, ""))
