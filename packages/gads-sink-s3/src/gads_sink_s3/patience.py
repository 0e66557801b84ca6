"""Sending a request again, a bounded number of times, further apart each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from gads_sink_s3.faults import S3RequestError, diagnosed

_T = TypeVar("_T")
_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 5.0


class Patience:
    """`retries` further tries of what fails in passing; for requests that do no harm when carried out twice."""

    def __init__(self, retries: int) -> None:
        self._retries = retries

    def pauses(self) -> Iterator[float | None]:
        """For each try, the seconds to wait after it if it fails; None after the last. Spread, so that many part."""
        for number in range(self._retries):
            yield min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**number) * random.uniform(0.5, 1.0)
        yield None

    def persist(self, request: Callable[[], _T]) -> _T:
        """Send `request` until it is answered; raises the last `S3RequestError`."""
        for pause in self.pauses():
            try:
                with diagnosed():
                    return request()
            except S3RequestError as fault:
                if pause is None or not fault.passing:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")
