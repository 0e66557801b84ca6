"""What is slow to compute on a large ledger, and a page needs at once: computed meanwhile, shown with its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from gads_domain.bounded_call import BoundedCall, NoAnswerError

T = TypeVar("T")

_PATIENCE = 0.1
"""Seconds for which a page waits for what is new where there is something recent."""
_LONGEST = 60.0


class Recent(Generic[T]):
    """The answer of `make`: a new one if it takes no longer than a page may wait, or else the last one.

    An answer that came more than `kept` seconds ago is not shown. The first call waits for it.
    """

    def __init__(self, make: Callable[[], T], kept: float) -> None:
        self._make = make
        self._kept = kept
        self._call = BoundedCall(self._dated, _LONGEST)
        self._last: tuple[float, T] | None = None

    def __call__(self) -> T:
        """The answer; raises what `make` raises, and `NoAnswerError` after a minute."""
        future, last = self._call.begin(), self._last
        if last is not None and time.monotonic() - last[0] <= self._kept:
            with suppress(TimeoutError):
                return future.result(_PATIENCE)[1]
            return last[1]
        try:
            return future.result(_LONGEST)[1]
        except TimeoutError:
            raise NoAnswerError(f"the ledger gave no answer within {_LONGEST:g} seconds") from None

    def begin(self) -> None:
        """Have it computed, and do not wait for it."""
        self._call.begin()

    @property
    def last(self) -> T | None:
        """The last answer, however old; None if there was none."""
        return None if self._last is None else self._last[1]

    def _dated(self) -> tuple[float, T]:
        made = self._make()
        self._last = (time.monotonic(), made)
        return self._last
