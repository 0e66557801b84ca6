"""Events on stderr."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from gads_orchestrator.events import (
    AuthorityChanged,
    Event,
    PartitionUnsealed,
    PartitionValidated,
    RowsReceived,
    RunPlanned,
    SliceEnded,
    event_document,
)
from gads_pipeline.serve_tally import ServeTally
from gads_telemetry.event_lines import EventLines

NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)
RUN = "20240602T040506789Z-7f3a9c21"
DAYS = [date(2024, 5, 1) + timedelta(days=n) for n in range(30)]
ROWS = RowsReceived(NOW, RUN, "1", "campaign", DAYS[0], DAYS[-1], 7)
ENDED = SliceEnded(NOW, RUN, "1", "campaign", DAYS[0], DAYS[-1], 1)
PLANNED = RunPlanned(NOW, RUN, 1, 30, {"backfill": 30}, 0)
PARTITIONS: list[Event] = [
    event
    for day in DAYS
    for event in (
        PartitionValidated(NOW, RUN, "1", "campaign", day, RUN, "passed", ""),
        AuthorityChanged(NOW, RUN, "1", "campaign", day, "pending", "success", "", RUN),
    )
]


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written to stderr, write by write."""
    written: list[str] = []
    monkeypatch.setattr(sys.stderr, "write", written.append)
    return written


def test_programs_get_a_document_a_line_in_order_and_no_rows(writes: list[str]) -> None:
    EventLines().on_events(PLANNED, ROWS, *PARTITIONS, ENDED)
    lines = "".join(writes).splitlines()
    assert [json.loads(line) for line in lines] == [event_document(e) for e in (PLANNED, *PARTITIONS, ENDED)]


def test_many_lines_go_in_few_writes_and_none_of_them_is_torn(writes: list[str]) -> None:
    EventLines().on_events(*PARTITIONS)
    assert 1 < len(writes) < len(PARTITIONS) / 5
    assert all(piece.endswith("\n") and len(piece) <= 4096 for piece in writes)


def test_a_line_that_is_longer_than_a_piece_is_written_by_itself(writes: list[str]) -> None:
    long = PartitionValidated(NOW, RUN, "1", "campaign", DAYS[0], RUN, "x" * 5000, "")
    EventLines().on_events(ENDED, long, ENDED)
    assert [piece.count("\n") for piece in writes] == [1, 1, 1]


def test_nothing_is_written_for_nothing(writes: list[str]) -> None:
    EventLines().on_events(ROWS)
    assert writes == []


def test_what_a_daemon_did_is_one_line(writes: list[str]) -> None:
    tally = ServeTally(EventLines())
    rejected = PartitionValidated(NOW, RUN, "1", "campaign", DAYS[0], RUN, "rejected", "null_values")
    unsealed = PartitionUnsealed(NOW, RUN, "1", "campaign", DAYS[1], "refused")
    failed = PartitionValidated(NOW, RUN, "1", "campaign", DAYS[1], RUN, "unsealed", "refused")
    tally.on_events(PLANNED, *PARTITIONS, rejected, unsealed, failed, ENDED)
    assert str(tally) == "1 run in 0 s, 32 partitions validated, 1 operation spent, 2 failures"
    assert len("".join(writes).splitlines()) == len(PARTITIONS) + 5, "handed on"
