"""A cache of encoded answers, bounded in bytes; the least recently used answer goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Page = TypeVar("Page")


class PageCache(Generic[Page]):
    """Keeps whole answers of up to a quarter of `capacity` bytes; a larger one is passed on and not kept."""

    def __init__(self, capacity: int, size: Callable[[Page], int]) -> None:
        self._capacity = capacity
        self._size = size
        self._answers: OrderedDict[Hashable, tuple[Page, ...]] = OrderedDict()
        self.held_bytes = 0
        """The size of what is kept now."""
        self._lock = threading.Lock()

    def through(self, key: Hashable, make: Callable[[], Iterator[Page]]) -> Iterator[Page]:
        """Yield the pages of an answer: cached ones, or new ones, which are cached when the caller takes them all."""
        with self._lock:
            kept = self._answers.get(key)
            if kept is not None:
                self._answers.move_to_end(key)
        if kept is not None:
            yield from kept
            return
        taken: list[Page] | None = []
        size = 0
        for page in make():
            size += self._size(page)
            if taken is not None:
                taken.append(page)
                if size > self._capacity // 4:
                    taken = None
            yield page
        if taken is not None:
            self._keep(key, tuple(taken), size)

    def _keep(self, key: Hashable, pages: tuple[Page, ...], size: int) -> None:
        with self._lock:
            if key in self._answers:
                return
            self._answers[key] = pages
            self.held_bytes += size
            while self.held_bytes > self._capacity:
                _, evicted = self._answers.popitem(last=False)
                self.held_bytes -= sum(self._size(page) for page in evicted)
