"""Alerts beside the daemon: a thread of their own, so that a hanging call or a slow destination delays neither."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gads_alerts.messages import blind_message, seeing_message
from gads_domain.clock import SystemClock
from gads_domain.errors import CredentialsError, GadsError, StorageCredentialsError
from gads_orchestrator.daemon import LOOKING_SHARE
from gads_orchestrator.events import CallEnded, Event, Observer, ServePaused, ServeResumed
from gads_pipeline.events import Notice

if TYPE_CHECKING:
    from gads_pipeline.alerts import AlertDesk
    from gads_pipeline.configuration import Configuration

LONGEST_PAUSE = 60.0
"""Seconds between two evaluations; fewer where heartbeats come more often, and more where one takes long."""

IN_VAIN = 3
"""After how many evaluations in vain people are told of that, past the ledger."""

_LAST_WORD_SECONDS = 2.0
_REFUSALS = {CredentialsError.code, StorageCredentialsError.code}


@contextmanager
def watching_alerts(configuration: Configuration, inner: Observer) -> Iterator[tuple[Observer, Callable[[], None]]]:
    """Yields the observer that the daemon is to have in place of `inner`, and what begins to evaluate and deliver.

    That is to be called when the daemon has a ledger and has listed the accounts, and goes on until the context ends.
    Without `[[alerts]]` nothing is done. Raises `ConfigurationError` for one that cannot be used.
    """
    if not configuration.alerts:
        yield inner, lambda: None
        return
    from gads_pipeline.alerts import AlertDesk  # what a daemon without alerts does without

    watch = AlertWatch(AlertDesk.open(configuration), inner, min(LONGEST_PAUSE, configuration.run.heartbeat_seconds))
    try:
        yield watch, watch.start
    except (CredentialsError, StorageCredentialsError) as error:
        # No later evaluation can know of it: the process ends.
        watch.refused = error.message
        watch.look()
        raise
    finally:
        watch.end()


class AlertWatch:
    """Hands events on to `inner`, and evaluates every `seconds`. A failure of it costs a notice, and harms nothing.

    `refused` is why the credentials were refused last, empty if they were taken, None while that is not known.
    """

    def __init__(self, desk: AlertDesk, inner: Observer, seconds: float) -> None:
        self.refused: str | None = None
        self._desk = desk
        self._inner = inner
        self._seconds = seconds
        self._turn, self._looking = threading.RLock(), threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gads-etl-alerts", daemon=True)
        self._noted: set[str] = set()
        self._in_vain = 0

    def on_events(self, *events: Event) -> None:
        """Take up what they say of the credentials, and hand them on."""
        for event in events:
            if isinstance(event, ServePaused) and event.code in _REFUSALS:
                self.refused = event.message
            elif isinstance(event, ServeResumed) or (isinstance(event, CallEnded) and not event.code):
                self.refused = ""
        with self._turn:
            self._inner.on_events(*events)

    def start(self) -> None:
        """Begin to evaluate; API and storage have just taken the credentials."""
        self.refused = ""
        self._thread.start()

    def end(self) -> None:
        """Evaluate no more. A delivery under way is not waited for: who looks next takes its claim up."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(_LAST_WORD_SECONDS)

    def look(self) -> None:
        """Evaluate once, and note what came of it."""
        with self._looking:
            try:
                deliveries = self._desk.check(refused=self.refused)
            except Exception as error:  # whatever it is, the work goes on
                why = error.message if isinstance(error, GadsError) else repr(error)
                self._in_vain += 1
                # Without a ledger nothing is on record, so that each process says this by itself.
                is_blind = self._in_vain == IN_VAIN
                deliveries = self._desk.send(blind_message(why, self._desk.origin)) if is_blind else []
                failures = {f"warning: alerts were not evaluated; it is tried again: {why}"}
            else:
                if self._in_vain >= IN_VAIN:
                    deliveries += self._desk.send(seeing_message(self._desk.origin))
                self._in_vain, failures = 0, set()
        for one in deliveries:
            if one.failure:
                failures.add(f"warning: {one.destination} did not take an alert; it is tried again: {one.failure}")
            else:
                self._note(f"sent to {one.destination}: {one.message.title}")
        for message in failures - self._noted:
            self._note(message)
        self._noted = failures

    def _watch(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            self.look()
            took = time.monotonic() - began
            self._over.wait(max(self._seconds, took * (1 / LOOKING_SHARE - 1)))

    def _note(self, message: str) -> None:
        with self._turn:
            self._inner.on_events(Notice(SystemClock().now(), "", message))
