"""A request to stop, for what runs long."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """A stop was requested while a call was awaited that cannot look at the stop itself."""


_LONGEST_BLOCK = 0.5
"""Seconds. A signal that comes just before the main thread blocks, or to another thread, does not wake it."""


class Stop(threading.Event):
    """A stop that is set from a signal handler or another thread; running work looks at it now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._interrupts = False

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the stop is requested within `timeout` seconds; without it, wait until it is."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while not super().wait(max(0.0, min(_LONGEST_BLOCK, until - time.monotonic()))):
            if time.monotonic() >= until:
                return False
        return True

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """For a call that cannot look, such as one to an API that does not answer: within, `request` raises `Stopped`.

        Only for the main thread, in which signal handlers run.
        """
        if self.is_set():
            raise Stopped
        self._interrupts = True
        try:
            yield
        finally:
            self._interrupts = False

    def request(self) -> None:
        """Ask for the stop; raises `Stopped` within `interrupting`."""
        self.set()
        if self._interrupts:
            self._interrupts = False
            raise Stopped
