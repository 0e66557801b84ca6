"""Ends calls that have been silent for too long, with one thread for all of them."""

import threading
import time
from collections.abc import Callable

_NEVER = float("inf")


class IdleWatch:
    """Ends waits that last too long; its thread is started with the first wait and ends with the process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waits: set[Wait] = set()
        self._wakes_at = _NEVER
        self._thread: threading.Thread | None = None

    def begin(self, wait: "Wait") -> None:
        """Watch `wait` from now on."""
        with self._changed:
            self._waits.add(wait)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="gads-idle-watch", daemon=True)
                self._thread.start()
            # Most often the thread wakes before this is due anyway: every wait but the first begins later than another.
            if wait.due_at < self._wakes_at:
                self._changed.notify()

    def end(self, wait: "Wait") -> None:
        """Stop watching it."""
        with self._changed:
            self._waits.discard(wait)

    def _watch(self) -> None:
        while True:
            with self._changed:
                due = [wait for wait in self._waits if wait.due_at <= time.monotonic()]
                self._waits.difference_update(due)
                if not due:
                    self._wakes_at = min((wait.due_at for wait in self._waits), default=_NEVER)
                    self._changed.wait(None if self._wakes_at == _NEVER else self._wakes_at - time.monotonic())
            for wait in due:
                wait.fire()


class Wait:
    """The waits of one call, one after the other, each of at most `seconds`; `act` is called if one lasts longer."""

    def __init__(self, watch: IdleWatch, seconds: float, act: Callable[[], object]) -> None:
        self._watch = watch
        self._seconds = seconds
        self._act = act
        self.due_at = _NEVER
        self.fired = False

    def fire(self) -> None:
        """The wait has lasted too long."""
        self.fired = True
        self._act()

    def __enter__(self) -> None:
        self.due_at = time.monotonic() + self._seconds
        self._watch.begin(self)

    def __exit__(self, *_: object) -> None:
        self._watch.end(self)
