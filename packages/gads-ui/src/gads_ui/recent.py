"""What is slow to compute on a large ledger, and a page needs at once: computed meanwhile, shown with its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from gads_domain.bounded_call import BoundedCall, NoAnswerError

T = TypeVar("T")

_PATIENCE = 0.1
"""Seconds for which a page waits for what is new and slow where there is something recent."""
_PATIENCE_IF_QUICK = 1.0
"""And for what was quick the last time, so that no page shows a dead daemon as alive to be a little faster."""
_LONGEST = 60.0
_SLOW = 0.25
_REST = 4


class Recent(Generic[T]):
    """The answer of `make`: a new one if it was quick or takes no longer than a page may wait, or else the last one.

    An answer that came more than `kept` seconds ago is not shown, and the first call waits for it. None is made anew
    within `fresh` seconds, or within several times as long as a slow one took: others need the processor too.
    """

    def __init__(self, make: Callable[[], T], kept: float, fresh: float = 0.0) -> None:
        self._make = make
        self._kept = kept
        self._fresh = fresh
        self._rest = 0.0
        self._call = BoundedCall(self._dated, _LONGEST)
        self._last: tuple[float, T] | None = None

    def __call__(self) -> T:
        """The answer; raises what `make` raises, and `NoAnswerError` after a minute."""
        last = self._last
        age = 0.0 if last is None else time.monotonic() - last[0]
        if last is not None and age < max(self._fresh, self._rest):
            return last[1]
        future = self._call.begin()
        if last is not None and age <= self._kept:
            with suppress(TimeoutError):
                return future.result(_PATIENCE if self._rest else _PATIENCE_IF_QUICK)[1]
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
        began = time.monotonic()
        made = self._make()
        took = time.monotonic() - began
        self._rest = min(_REST * took, self._kept / 2) if took > _SLOW else 0.0
        self._last = (began + took, made)
        return self._last
