"""The status as metrics, read when they are asked for."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from gads_domain.bounded_call import BoundedCall
from gads_domain.errors import GadsError
from gads_metrics.series import PREFIX, families, label
from gads_metrics.status_samples import status_samples
from gads_status.status import Status

FRESH_SECONDS = 5.0
"""How old a status may be that is exposed."""

ANSWER_SECONDS = 8.0
"""How long the ledger has to answer: less than the ten seconds that Prometheus waits for a scrape."""


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
        yield InfoMetricFamily(
            f"{PREFIX}build", "The version of gads-etl that exposes this.", {"version": self._version}
        )
        try:
            status, seconds = self._read()
        except GadsError as error:
            yield from _down(error.code)
            return
        if status.ledger_id is None:
            yield from _down("no_ledger")
            return
        yield _gauge("ledger_up", "1 if the ledger could be read; if not, nothing is known of what it holds.", 1)
        read_at = status.at.timestamp()
        yield _gauge("status_timestamp_seconds", f"When it was read: at most {FRESH_SECONDS:g} seconds ago.", read_at)
        yield _gauge("status_duration_seconds", "How long reading it took.", seconds)
        yield from families(status_samples(status))


def _timed(source: Callable[[], Status]) -> tuple[Status, float]:
    began = time.monotonic()
    return source(), time.monotonic() - began


def _down(code: str) -> Iterator[Metric]:
    yield _gauge("ledger_up", "1 if the ledger could be read; if not, nothing is known of what it holds.", 0)
    why = GaugeMetricFamily(f"{PREFIX}ledger_failure", "Why it could not be read.", labels=["code"])
    why.add_metric([label(code)], 1)
    yield why


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, meaning, value)
