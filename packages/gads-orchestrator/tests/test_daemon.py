from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event as Flag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.adapters import ledger_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.errors import (
    ApiUnreachableError,
    ClockSkewError,
    ConfigurationError,
    CredentialsError,
    FailureReason,
    GadsError,
    HeldElsewhereError,
    LedgerError,
    LedgerFullError,
    QuotaExhaustedError,
    StorageCredentialsError,
    StorageFullError,
)
from gads_domain.run import RunContext
from gads_orchestrator.daemon import LOOKING_SHARE, Daemon, pause_between_looks
from gads_orchestrator.events import Event, ServePaused, ServeResumed
from gads_orchestrator.execution import Control
from gads_orchestrator.plan import WorkRequest
from gads_orchestrator.selection import SelectDue
from gads_orchestrator.worker import WorkerContext
from gads_orchestrator.worker_pool import WorkerProcesses


def test_without_trouble_it_looks_as_often_as_it_is_told() -> None:
    assert pause_between_looks(30, 0.1, 0) == 30


def test_trouble_doubles_the_wait_up_to_ten_minutes() -> None:
    assert [pause_between_looks(30, 0.1, n) for n in (1, 2, 3, 9, 1000)] == [60, 120, 240, 600, 600]
    assert pause_between_looks(3600, 0.1, 5) == 3600


@given(st.floats(1, 3600), st.floats(0, 1e5), st.integers(0, 50))
def test_looking_takes_a_tenth_of_its_time_at_most(look_seconds: float, planning: float, troubles: int) -> None:
    pause = pause_between_looks(look_seconds, planning, troubles)
    assert pause >= look_seconds
    assert planning <= (planning + pause) * LOOKING_SHARE * 1.000001


class Stop(Flag):
    """Set after so many waits, none of which takes time."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.left = waits
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        self.left -= 1
        if self.left <= 0:
            self.set()
        return self.is_set()


class Troubled:
    """Raises `error` while it is asked for a request the first `times`, and has nothing to do afterwards."""

    def __init__(self, error: GadsError, times: int) -> None:
        self.error, self.times = error, times

    def __call__(self, now: datetime) -> WorkRequest:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return WorkRequest((), (), now, SelectDue())


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_events(self, *events: Event) -> None:
        self.events += events


def daemon_for(request_at: Troubled, stop: Stop, folder: Path) -> tuple[Daemon, Recorder]:
    url, recorder = "sqlite:state.db", Recorder()
    control = Control(ledger_adapter(url).open_for_control_plane(url, folder), SystemClock(), observer=recorder)
    new_run = partial(RunContext, RandomRunIds(SystemClock()).new_run_id())
    return Daemon(request_at, new_run, control, WorkerProcesses(1, no_context), stop, look_seconds=1.0), recorder


def no_context() -> AbstractContextManager[WorkerContext]:
    raise AssertionError("there is nothing to do")


PASSING = [
    HeldElsewhereError("the ledger is busy"),
    LedgerFullError("no space is left for the ledger"),
    StorageFullError("no space is left for the sink"),
    StorageCredentialsError("the storage refuses the key"),
    CredentialsError("the refresh token was refused"),
    ApiUnreachableError("no connection"),
    QuotaExhaustedError("no operations are left"),
    ClockSkewError("the ledger is ahead"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: error.code)
def test_it_outlives_what_may_pass_says_so_once_and_goes_on(error: GadsError, tmp_path: Path) -> None:
    stop = Stop(5)
    daemon, recorder = daemon_for(Troubled(error, 3), stop, tmp_path)
    daemon.serve()
    assert [type(event) for event in recorder.events] == [ServePaused, ServeResumed]
    (paused, _) = recorder.events
    assert isinstance(paused, ServePaused)
    assert (paused.code, paused.message, paused.seconds) == (error.code, error.message, 2.0)
    assert stop.waited == [2.0, 4.0, 8.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "error", [ConfigurationError("a key is missing"), LedgerError("this is not a ledger")], ids=lambda error: error.code
)
def test_what_no_waiting_mends_ends_it(error: GadsError, tmp_path: Path) -> None:
    daemon, recorder = daemon_for(Troubled(error, 1), Stop(3), tmp_path)
    with pytest.raises(type(error)):
        daemon.serve()
    assert recorder.events == []


def test_two_failures_in_turn_are_told_apart(tmp_path: Path) -> None:
    class Changing(Troubled):
        def __call__(self, now: datetime) -> WorkRequest:
            if self.times == 1:
                self.error = HeldElsewhereError("the ledger is busy")
            return super().__call__(now)

    daemon, recorder = daemon_for(Changing(StorageFullError("no space is left"), 2), Stop(4), tmp_path)
    daemon.serve()
    assert [getattr(event, "code", "") for event in recorder.events] == ["storage_full", "held_elsewhere", ""]


def test_what_is_left_to_do_when_nothing_is_due_is_tried_again_ever_later(tmp_path: Path) -> None:
    """A warehouse that cannot be loaded, for example."""
    stop = Stop(6)
    daemon, recorder = daemon_for(Troubled(HeldElsewhereError(""), 0), stop, tmp_path)
    failures = iter([FailureReason.of(StorageFullError("no space is left for the tables"))] * 3)
    daemon.idle = lambda: next(failures, None)
    daemon.serve()
    assert [type(event) for event in recorder.events] == [ServePaused, ServeResumed]
    assert stop.waited[:4] == [2.0, 4.0, 8.0, 1.0]
