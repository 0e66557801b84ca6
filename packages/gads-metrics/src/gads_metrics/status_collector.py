"""The status as metrics, read when they are asked for."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.registry import Collector

from gads_domain.bounded_call import BoundedCall
from gads_domain.errors import GadsError, LedgerError
from gads_metrics.series import Sample, families
from gads_metrics.status_samples import status_samples
from gads_status.status import Status

FRESH_SECONDS = 5.0
"""For how long a status that was read is not read again."""

PATIENCE_SECONDS = 0.05
"""How long a new one is waited for while the last one is good enough, if that was not read in `QUICK_SECONDS`."""

QUICK_SECONDS = 0.25
PATIENCE_IF_QUICK_SECONDS = 1.0

LONGEST_AGE = 60.0
"""Up to how many seconds after it was read it is."""

ANSWER_SECONDS = 8.0
"""How long the ledger has to answer otherwise: less than the ten seconds that Prometheus waits for a scrape."""


class StatusCollector(Collector):
    """Reads `source` when it is asked, and at most once in `FRESH_SECONDS`.

    Of a large ledger the status that was read for the scrape before is exposed, with its time, while the next one is
    read. `answers` raises `GadsError` if the ledger cannot be read; it is called at every scrape. A status that cannot
    be read, or of a ledger that is not there, leaves `gads_etl_ledger_up` at 0 with the code of the failure, and no
    series of a status: a former one is never exposed in its place.
    """

    def __init__(
        self,
        source: Callable[[], Status],
        version: str,
        answers: Callable[[], object] = lambda: None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._read = BoundedCall(lambda: _timed(source), seconds, FRESH_SECONDS)
        self._answers = BoundedCall(answers, seconds)
        self._version = version
        self._last: _Reading | None = None

    def begin(self) -> None:
        """Read a first status now, so that no scrape has to wait for it."""
        self._read.begin()

    def collect(self) -> Iterator[Metric]:
        """The families of the status, and of how it was read."""
        return families(self._samples())

    def _samples(self) -> Iterator[Sample]:
        yield "build_info", 1, self._version
        try:
            self._last = last = self._current()
        except GadsError as error:
            self._last = None
            yield "ledger_up", 0
            yield "ledger_failure", 1, error.code
            return
        yield "ledger_up", 1
        yield "status_timestamp_seconds", last.status.at
        yield "status_duration_seconds", last.seconds
        yield from status_samples(last.status)

    def _current(self) -> "_Reading":
        self._answers()
        found = self._last
        if found is None or time.monotonic() - found.ended > LONGEST_AGE:
            found = self._read()
        else:
            with suppress(TimeoutError):
                quick = found.seconds < QUICK_SECONDS
                found = self._read.begin().result(PATIENCE_IF_QUICK_SECONDS if quick else PATIENCE_SECONDS)
        if found.status.ledger_id is None:
            raise LedgerError("there is no ledger yet")
        return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """A status, how long reading it took, and when that ended, by the monotonic clock."""

    status: Status
    seconds: float
    ended: float


def _timed(source: Callable[[], Status]) -> _Reading:
    began = time.monotonic()
    status = source()
    ended = time.monotonic()
    return _Reading(status, ended - began, ended)
