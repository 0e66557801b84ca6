"""The status as metrics, read when they are asked for."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.registry import Collector

from gads_domain.bounded_call import BoundedCall
from gads_domain.errors import GadsError
from gads_metrics.series import Sample, families
from gads_metrics.status_samples import status_samples
from gads_status.status import Status

FRESH_SECONDS = 5.0
"""How old a status may be that is exposed."""

ANSWER_SECONDS = 8.0
"""How long the ledger has to answer: less than the ten seconds that Prometheus waits for a scrape."""

NO_LEDGER = "no_ledger"
"""The code where no failure keeps the ledger from being read, and it is not there."""


class StatusCollector(Collector):
    """Reads `source` when it is asked, and at most once in `FRESH_SECONDS`.

    A status that cannot be read, or of a ledger that is not there, leaves `gads_etl_ledger_up` at 0 with the code of
    the failure, and no series of a status: a former one is never exposed in its place.
    """

    def __init__(self, source: Callable[[], Status], version: str) -> None:
        self._read = BoundedCall(lambda: _timed(source), ANSWER_SECONDS, FRESH_SECONDS)
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """The families of the status, and of how it was read."""
        return families(self._samples())

    def _samples(self) -> Iterator[Sample]:
        yield "build_info", 1, self._version
        try:
            status, seconds = self._read()
        except GadsError as error:
            failure = error.code
        else:
            failure = NO_LEDGER if status.ledger_id is None else ""
        yield "ledger_up", not failure
        if failure:
            yield "ledger_failure", 1, failure
            return
        yield "status_timestamp_seconds", status.at
        yield "status_duration_seconds", seconds
        yield from status_samples(status)


def _timed(source: Callable[[], Status]) -> tuple[Status, float]:
    began = time.monotonic()
    return source(), time.monotonic() - began
