"""Seals that were read a moment ago, so that whoever then opens the payload need not pay for reading them again."""

from __future__ import annotations

import threading
import time

from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

_FRESH_SECONDS = 60.0
_MOST = 4096


class SealsSeen:
    """Each seal is good for one payload, and for a minute. Threads may share it; it holds 4096 at most."""

    def __init__(self) -> None:
        self._until: dict[tuple[PartitionKey, RunId], float] = {}
        self._lock = threading.Lock()

    def note(self, key: PartitionKey, run_id: RunId) -> None:
        """The seal was read just now."""
        with self._lock:
            self._until.pop((key, run_id), None)
            self._until[key, run_id] = time.monotonic() + _FRESH_SECONDS
            if len(self._until) > _MOST:
                del self._until[next(iter(self._until))]

    def take(self, key: PartitionKey, run_id: RunId) -> bool:
        """Whether the seal was read within the last minute, and for nobody else's payload."""
        with self._lock:
            return self._until.pop((key, run_id), 0.0) > time.monotonic()
