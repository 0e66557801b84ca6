"""Sends one thing after the other in a thread, in bounded memory, so that no run waits for a receiver."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gads_telemetry.log_format import LOGGER

T = TypeVar("T")

MOST_WAITING = 1_000

_LOG = logging.getLogger(f"{LOGGER}.telemetry")


class BackgroundSender(Generic[T]):
    """Makes and sends what it is given, in that order; the first failure is logged, and so is the first thing dropped.

    What comes while `MOST_WAITING` things wait is dropped.
    """

    def __init__(self, name: str, emit: Callable[[T], object]) -> None:
        self._name = name
        self._emit = emit
        self._waiting: queue.Queue[Callable[[], T] | None] = queue.Queue(MOST_WAITING)
        self._logged = set[str]()
        self._thread = threading.Thread(target=self._work, name=f"gads-{name}", daemon=True)
        self._thread.start()

    def send(self, make: Callable[[], T]) -> None:
        """Have `make` called and its result sent."""
        try:
            self._waiting.put_nowait(make)
        except queue.Full:
            self._log(f"{self._name}: {MOST_WAITING} events wait to be sent, and more are dropped")

    def close(self) -> None:
        """Wait until what is left is sent."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (make := self._waiting.get()) is not None:
            try:
                self._emit(make())
            except Exception as error:
                kind = type(error).__name__
                self._log(f"{self._name}: events cannot be sent: {kind}: {error}", kind)

    def _log(self, message: str, kind: str = "") -> None:
        is_new = (kind or message) not in self._logged
        self._logged.add(kind or message)
        _LOG.log(logging.WARNING if is_new else logging.DEBUG, "%s", message)
