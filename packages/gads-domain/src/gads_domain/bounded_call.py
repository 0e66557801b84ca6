"""A call whose answer is waited for no longer than a bound, by however many ask at once."""

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from gads_domain.errors import GadsError

T = TypeVar("T")

_SECONDS_AT_EXIT = 5.0
_under_way: set[threading.Thread] = set()


@atexit.register
def _await_calls() -> None:
    """Give calls that are under way a moment: a thread that the interpreter ends within C++ aborts the process."""
    until = time.monotonic() + _SECONDS_AT_EXIT
    for thread in tuple(_under_way):
        thread.join(max(0.0, until - time.monotonic()))


class NoAnswerError(GadsError, code="no_answer", retryable=True):
    """What was asked has not answered within the time that it has."""


class BoundedCall(Generic[T]):
    """Makes `call` in a thread of its own, once at a time, and waits at most `seconds` for its answer.

    Who asks while a call is under way waits for that one: an answer that never comes costs one thread, and five seconds
    when the process ends. What came, an exception too, is the answer for the next `fresh` seconds.
    """

    def __init__(self, call: Callable[[], T], seconds: float, fresh: float = 0.0) -> None:
        self._call = call
        self._seconds = seconds
        self._fresh = fresh
        self._lock = threading.Lock()
        self._latest: Future[T] | None = None
        self._good_until = 0.0

    def begin(self) -> Future[T]:
        """Make the call, unless one is under way or its answer is fresh, and do not wait for the answer."""
        with self._lock:
            if self._latest is None or (self._latest.done() and time.monotonic() >= self._good_until):
                self._latest = Future()
                thread = threading.Thread(target=self._make, args=(self._latest,), daemon=True)
                _under_way.add(thread)
                thread.start()
            return self._latest

    def __call__(self) -> T:
        """The answer; raises what the call raises, or `NoAnswerError`."""
        try:
            return self.begin().result(self._seconds)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._seconds:g} seconds") from None

    def _make(self, latest: Future[T]) -> None:
        try:
            answer = self._call()
        except BaseException as error:
            self._good_until = time.monotonic() + self._fresh
            latest.set_exception(error)
        else:
            self._good_until = time.monotonic() + self._fresh
            latest.set_result(answer)
        finally:
            _under_way.discard(threading.current_thread())
