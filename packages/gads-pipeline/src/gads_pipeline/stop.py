"""A request to stop, for what runs long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """A stop was requested while a call was awaited that cannot look at the stop itself."""


class Stop(threading.Event):
    """A stop that is set from a signal handler or another thread; running work looks at it now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._interrupts = False

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
