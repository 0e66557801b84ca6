"""What a process that executes plans says of itself on the ledger: an observer, and a thread that writes."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from gads_domain.activity import BEATS_AN_INTERVAL, Heartbeat, Round
from gads_domain.clock import SystemClock
from gads_domain.errors import FailureReason, GadsError
from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    CallsRest,
    Event,
    Observer,
    PartitionEvent,
    PartitionRecovered,
    PartitionSealed,
    PartitionUnchanged,
    PartitionValidated,
    RowsVanished,
    RunEnded,
    RunPlanned,
    RunStopped,
    SliceDeferred,
    SliceEnded,
)
from gads_orchestrator.outcome import Ending
from gads_pipeline.composition import open_activity
from gads_pipeline.events import Notice
from gads_pipeline.stop import Stopped

if TYPE_CHECKING:
    from gads_domain.ports.activity import ActivityLedger
    from gads_pipeline.configuration import Configuration

_LAST_WORD_SECONDS = 5.0
"""How long the end of the process waits for the last write."""

_RETRY_SECONDS = 1.0

_NOT_PUT_OFF = {"awaited", "done"}
"""Codes of `SliceDeferred` after which the slice is attempted, or was by another process."""


@dataclass(slots=True)
class _Count:
    """A round as far as it is known."""

    run_id: str
    started_at: datetime
    planned: int
    number: int = 0
    ended_at: datetime | None = None
    ended: str = ""
    message: str = ""
    passed: int = 0
    unchanged: int = 0
    deferred: int = 0
    rows: int = 0
    operations: int = 0
    failed: set[tuple[object, ...]] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Count what happened to a partition, or to a slice."""
        if isinstance(event, PartitionValidated):
            is_own, passed = event.validated_run == self.run_id, event.outcome == ValidationOutcome.PASSED
            self.passed += is_own and passed
            (self.failed.discard if passed else self.failed.add)(_key_of(event))
        elif isinstance(event, PartitionUnchanged):
            self.unchanged += 1
            self.rows += event.record_count
            self.failed.discard(_key_of(event))
        elif isinstance(event, PartitionSealed):
            self.rows += event.record_count
        elif isinstance(event, PartitionRecovered):
            self.passed += 1
        elif isinstance(event, RowsVanished):
            self.passed -= 1
            self.failed.add(_key_of(event))
        elif isinstance(event, SliceEnded):
            self.operations += event.operations
        elif isinstance(event, SliceDeferred):
            self.deferred += event.code not in _NOT_PUT_OFF
        elif isinstance(event, RunStopped):
            self.message = event.message
        elif isinstance(event, RunEnded):
            self.operations = event.operations
            self.end(event.at, event.ended)

    def end(self, at: datetime, ended: str) -> None:
        self.ended_at, self.ended = at, ended

    @property
    def done(self) -> int:
        return self.passed + self.unchanged + len(self.failed)

    def value(self, process: str, command: str) -> Round:
        return Round(
            process,
            command,
            self.run_id,
            self.started_at,
            self.planned,
            self.ended_at,
            self.ended,
            self.passed + self.unchanged,
            self.unchanged,
            len(self.failed),
            self.deferred,
            self.rows,
            self.operations,
            self.message,
            self.number,
        )


def _key_of(event: PartitionEvent) -> tuple[object, ...]:
    return event.customer_id, event.report, event.logical_date


class Activity:
    """Hands events on to `inner`, and within `recorded` puts on the ledger what they say: heartbeats and rounds.

    The work never waits for the ledger here: a thread of its own writes, and what it cannot write costs a notice, once
    for each reason, and is tried again.
    """

    def __init__(self, configuration: Configuration, command: str, inner: Observer) -> None:
        self.inner = inner
        self._configuration = configuration
        self._command = command
        self._interval = configuration.run.heartbeat_seconds
        self._process = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._version = ""
        self._started_at = self._active_at = SystemClock().now()
        self._doing = ""
        self._round: _Count | None = None
        self._unwritten: list[_Count] = []
        self._is_recording = False
        self._ended_at: datetime | None = None
        self._changed = threading.Event()
        self._trouble, self._noted = "", ""

    def on_events(self, *events: Event) -> None:
        """Take them up, and hand them on."""
        if self._is_recording:
            for event in events:
                self._take(event)
            self._active_at = SystemClock().now()
            self._note_trouble()
        self.inner.on_events(*events)

    def doing(self, what: str) -> None:
        """What the process does from now on, in plain words; nothing for the round that it executes."""
        self._doing, self._active_at = what, SystemClock().now()
        self._note_trouble()

    def waiting(self, seconds: float, why: str) -> None:
        """The process waits, for what `why` says, or for something to do."""
        until = SystemClock().now() + timedelta(seconds=seconds)
        self._break_off("error", why)
        self.doing(f"waiting until {until:%H:%M:%S}Z: {why}" if why else f"idle until {until:%H:%M:%S}Z")

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Say on the ledger that the process lives, until the context ends. The ledger has to exist."""
        self._is_recording = True
        writing = threading.Thread(target=self._write_meanwhile, name="gads-etl-activity", daemon=True)
        writing.start()
        try:
            yield
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._ended_at = SystemClock().now()
            self._changed.set()
            writing.join(_LAST_WORD_SECONDS)
            self._is_recording = False
            self._note_trouble()

    def _take(self, event: Event) -> None:
        if isinstance(event, RunPlanned):
            self._round = _Count(event.run_id, event.at, event.partitions)
            self._unwritten.append(self._round)
            self._doing = ""
            self._changed.set()
        elif self._round is not None:
            self._doing = (
                f"waiting until {event.not_before:%H:%M:%S}Z, as the API asks" if isinstance(event, CallsRest) else ""
            )
            self._round.take(event)
            if self._round.ended_at is not None:
                self._round = None
                self._changed.set()

    def _end(self, error: BaseException) -> None:
        """The process ends by `error`, and so does its round."""
        ended, message = "error", f"{type(error).__name__}: {error}"
        if isinstance(error, GadsError):
            ended, message = FailureReason.of(error).scope.value, error.message
        elif isinstance(error, Stopped | KeyboardInterrupt):
            ended, message = Ending.STOPPED.value, ""
        self._doing = f"ended: {message}" if message else ""
        self._break_off(ended, message)

    def _break_off(self, ended: str, message: str) -> None:
        """A failure that is no event has ended the round that was under work, if there was one."""
        if self._round is not None:
            self._round.message = message
            self._round.end(SystemClock().now(), ended)
            self._round = None
            self._changed.set()

    def _note_trouble(self) -> None:
        trouble = self._trouble
        if trouble and trouble != self._noted:
            self._noted = trouble
            message = f"warning: the ledger does not show what this process does; it is tried again: {trouble}"
            self.inner.on_events(Notice(SystemClock().now(), "", message))

    def _write_meanwhile(self) -> None:
        ledger: ActivityLedger | None = None
        is_over = False
        try:
            while not is_over:
                self._changed.clear()
                is_over, pause = self._ended_at is not None, self._interval / BEATS_AN_INTERVAL
                try:
                    self._version = self._version or version("gads-pipeline")
                    ledger = ledger or open_activity(self._configuration)
                    if ledger is None:
                        return
                    self._write(ledger)
                    self._trouble = ""
                except Exception as error:  # whatever it is, the work goes on
                    self._trouble = error.message if isinstance(error, GadsError) else repr(error)
                    pause = min(pause, _RETRY_SECONDS)
                if not is_over:
                    self._changed.wait(pause)
        finally:
            if ledger is not None:
                ledger.close()

    def _write(self, ledger: ActivityLedger) -> None:
        counts = list(self._unwritten)
        rounds = [count.value(self._process, self._command) for count in counts]
        for count, value, number in zip(counts, rounds, ledger.record(self._heartbeat(), rounds), strict=True):
            count.number = number
            if value.ended_at is not None:
                self._unwritten.remove(count)

    def _heartbeat(self) -> Heartbeat:
        host, pid, _ = self._process.rsplit(":", 2)
        current, now = self._round, SystemClock().now()
        doing = self._doing
        if current is not None and not doing:
            doing = f"executing: {current.done:,} of {current.planned:,} partitions"
        return Heartbeat(
            self._process,
            host,
            int(pid),
            self._command,
            self._version,
            self._started_at,
            now,
            timedelta(seconds=self._interval),
            doing,
            self._active_at,
            self._ended_at,
        )
