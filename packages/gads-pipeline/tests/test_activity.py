"""What a process says of itself on the ledger while it executes plans, and what happens where it cannot."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gads_domain.activity import Heartbeat, Round
from gads_domain.errors import QuotaExhaustedError
from gads_orchestrator import events as of
from gads_orchestrator.events import Event
from gads_pipeline.activity import Activity
from gads_pipeline.composition import open_activity_reader, open_ledger_for_control_plane
from gads_pipeline.configuration import Configuration
from gads_pipeline.events import Notice
from gads_pipeline.stop import Stopped

RUN, EARLIER = "20240602T040506789Z-7f3a9c21", "20240601T040506789Z-7f3a9c21"
NOW = datetime(2024, 6, 2, 4, 5, 6, tzinfo=UTC)
SPAN = (NOW, RUN, "1", "campaign", date(2024, 6, 1), date(2024, 6, 1))


class Collected:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_events(self, *events: Event) -> None:
        self.events += events


@pytest.fixture
def configuration(tmp_path: Path) -> Iterator[Configuration]:
    path = tmp_path / "gads.toml"
    path.write_text(
        '[google_ads.emulator]\n[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n'
        '[run]\nheartbeat_seconds = 0.2\n[[reports]]\nname = "campaign"\n'
    )
    configuration = Configuration.load(path)
    with open_ledger_for_control_plane(configuration):
        yield configuration


def seen(configuration: Configuration) -> tuple[Heartbeat, list[Round]]:
    reader = open_activity_reader(configuration)
    assert reader is not None
    with reader:
        return reader.heartbeats()[0], reader.rounds(9)


def doing(configuration: Configuration) -> str:
    reader = open_activity_reader(configuration)
    assert reader is not None
    with reader:
        return "".join(beat.doing for beat in reader.heartbeats())


def when(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def partition(kind: type[Any], day: int, *members: object) -> Event:
    event: Event = kind(NOW, RUN, "1", "campaign", date(2024, 6, day), *members)
    return event


def planned(partitions: int) -> Event:
    return of.RunPlanned(NOW, RUN, 3, partitions, {"new": 3}, 0)


def test_a_round_is_counted_by_its_events_and_is_on_the_ledger_while_it_goes_on(configuration: Configuration) -> None:
    inner = Collected()
    activity = Activity(configuration, "gads-etl serve --workers 2", inner)
    with activity.recorded():
        activity.doing("listing the accounts")
        when(lambda: doing(configuration) == "listing the accounts", "a heartbeat")
        happened = [
            planned(6),
            partition(of.PartitionRecovered, 1),
            partition(of.PartitionValidated, 1, EARLIER, "passed", ""),
            partition(of.PartitionSealed, 2, 10),
            partition(of.PartitionValidated, 2, RUN, "passed", ""),
            partition(of.PartitionUnchanged, 3, EARLIER, 7),
            partition(of.PartitionValidated, 4, RUN, "rejected", "row_count"),
            partition(of.PartitionUnsealed, 5, "refused"),
            partition(of.PartitionValidated, 5, RUN, "unsealed", "api"),
            partition(of.PartitionValidated, 6, RUN, "passed", ""),
            partition(of.RowsVanished, 6, RUN),
            of.SliceDeferred(*SPAN, "awaited"),
            of.SliceDeferred(*SPAN, "leased"),
            of.SliceEnded(*SPAN, 2),
        ]
        activity.on_events(*happened)
        when(lambda: doing(configuration) == "executing: 6 of 6 partitions", "the round")
        beat, (begun,) = seen(configuration)
        assert (begun.ended_at, begun.ended, begun.succeeded, begun.failed) == (None, "", 3, 3)
        assert not begun.is_cut_short([beat], beat.beat_at)
        assert (beat.subcommand, beat.is_silent(beat.beat_at + beat.interval)) == ("serve", False)
        activity.on_events(of.CallsRest(NOW, RUN, "", "", NOW, "quota"))
        when(lambda: doing(configuration) == "waiting until 04:05:06Z, as the API asks", "the rest")
        activity.on_events(of.RunStopped(NOW, RUN, "source", "api", "the API is gone", ""))
        activity.on_events(of.RunEnded(NOW, RUN, "source", 3))
        activity.waiting(0, "the API is gone")
        when(lambda: doing(configuration).endswith("Z: the API is gone"), "the wait")
        assert seen(configuration)[0].active_at is not None
    beat, (ended,) = seen(configuration)
    counts = (ended.planned, ended.succeeded, ended.unchanged, ended.failed, ended.deferred, ended.rows)
    assert counts == (6, 3, 1, 3, 1, 17)
    assert (ended.ended_at, ended.ended, ended.message) == (NOW, "source", "the API is gone")
    assert (ended.run_id, ended.operations, ended.number, ended.process) == (RUN, 3, begun.number, beat.process)
    assert beat.ended_at is not None
    assert [event for event in inner.events if event in happened] == happened


@pytest.mark.parametrize(
    ("error", "ended", "message"),
    [
        (QuotaExhaustedError("no quota is left"), "source", "no quota is left"),
        (Stopped(), "stopped", ""),
        (ZeroDivisionError("a bug"), "error", "ZeroDivisionError: a bug"),
    ],
)
def test_a_round_ends_with_what_ends_its_process(
    configuration: Configuration, error: BaseException, ended: str, message: str
) -> None:
    activity = Activity(configuration, "gads-etl run", Collected())

    def work() -> None:
        with activity.recorded():
            activity.on_events(planned(1))
            raise error

    with pytest.raises(type(error)):
        work()
    beat, (found,) = seen(configuration)
    assert (found.ended, found.message, found.ended_at is not None) == (ended, message, True)
    assert beat.ended_at is not None


def test_a_round_that_a_failure_broke_off_has_ended_when_the_daemon_waits(configuration: Configuration) -> None:
    activity = Activity(configuration, "gads-etl serve", Collected())
    with activity.recorded():
        activity.on_events(planned(1))
        activity.waiting(1, "the disk is full")
        activity.on_events(planned(2))
        activity.on_events(of.RunEnded(NOW, RUN, "done", 0))
    found = seen(configuration)[1]
    assert [(one.planned, one.ended, one.message) for one in found] == [
        (2, "done", ""),
        (1, "error", "the disk is full"),
    ]


def test_a_ledger_that_is_held_costs_a_notice_and_no_time(configuration: Configuration) -> None:
    inner = Collected()
    activity = Activity(configuration, "gads-etl serve", inner)
    holder = sqlite3.connect(configuration.base / "state.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began, longest = time.monotonic(), 0.0
    with activity.recorded():
        activity.on_events(planned(1))
        while not any(isinstance(event, Notice) for event in inner.events):
            called = time.monotonic()
            activity.doing("idle")
            longest = max(longest, time.monotonic() - called)
            assert called < began + 20, "no notice"
            time.sleep(0.01)
        activity.on_events(of.RunEnded(NOW, RUN, "done", 0))
        activity.doing("idle")
        holder.execute("ROLLBACK")
        holder.close()
        when(lambda: doing(configuration), "what could not be written before")
    assert longest < 0.5
    assert seen(configuration)[1][0].ended == "done"
    notices = Counter(event.message for event in inner.events if isinstance(event, Notice))
    ((text, count),) = notices.items()
    assert (count, "another process holds the ledger" in text) == (1, True)
