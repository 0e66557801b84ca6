"""What this process did, counted by its events."""

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    AuthorityChanged,
    CallEnded,
    Event,
    Observer,
    PartitionSealed,
    PartitionUnchanged,
    PartitionValidated,
    RunPlanned,
    ServePaused,
    ServeResumed,
    SliceEnded,
    WorkerLost,
)

OK = "ok"
"""The code of what did not fail."""

CALL_SECONDS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Up to how many seconds a call of each bucket took."""

UNCHANGED = "unchanged"
"""The outcome of a day whose rows came again."""


class ProcessCounters(Collector):
    """Hands events on to `inner` and counts them, from zero when the process starts.

    The series: contents and bounds are in the table of docs/observability.md.
    """

    def __init__(self, inner: Observer) -> None:
        self._inner = inner
        self._runs = Counter("gads_etl_runs", "Plans that this process began to execute.", registry=None)
        self._results = Counter(
            "gads_etl_results",
            "Partitions that this process validated, or found unchanged.",
            ["outcome", "code"],
            registry=None,
        )
        self._rows = Counter(
            "gads_etl_rows",
            "Rows of the partitions that this process sealed, or found unchanged.",
            ["report", "outcome"],
            registry=None,
        )
        self._operations = Counter(
            "gads_etl_operations", "Operations of the API that this process spent.", ["report"], registry=None
        )
        self._calls = Counter(
            "gads_etl_calls", "Calls to the API that this process made, by how they ended.", ["code"], registry=None
        )
        self._call_seconds = Histogram(
            "gads_etl_call_duration_seconds",
            "How long each call took, with what was done with its rows while they came.",
            ["report"],
            registry=None,
            buckets=CALL_SECONDS,
        )
        self._moves = Counter(
            "gads_etl_authority_changes", "Partitions whose status or authoritative run changed.", ["to"], registry=None
        )
        self._lost = Counter("gads_etl_worker_deaths", "Worker processes that died at work.", registry=None)
        self._paused = Gauge(
            "gads_etl_serve_paused",
            "1 while a failure keeps the daemon of this process from its work, by the failure's code.",
            ["code"],
            registry=None,
        )
        counters = (self._runs, self._results, self._rows, self._operations, self._calls, self._moves, self._lost)
        self._series: tuple[Collector, ...] = (*counters, self._call_seconds, self._paused)
        for outcome in (ValidationOutcome.PASSED.value, UNCHANGED):
            self._results.labels(outcome, OK)
        self._by_type: dict[type[Event], Callable[[Any], None]] = {
            RunPlanned: lambda _: self._runs.inc(),
            PartitionValidated: self._validated,
            PartitionSealed: lambda event: self._rows.labels(event.report, "sealed").inc(event.record_count),
            PartitionUnchanged: self._found_unchanged,
            SliceEnded: lambda event: self._operations.labels(event.report).inc(event.operations),
            CallEnded: self._called,
            AuthorityChanged: lambda event: self._moves.labels(event.status_after).inc(),
            WorkerLost: lambda _: self._lost.inc(),
            ServePaused: self._pause,
            ServeResumed: lambda _: self._paused.clear(),
        }

    def on_events(self, *events: Event) -> None:
        """Count them and hand them on."""
        for event in events:
            count = self._by_type.get(type(event))
            if count is not None:
                count(event)
        self._inner.on_events(*events)

    def collect(self) -> Iterable[Metric]:
        """The counters; without the times at which each series began, which would double their number."""
        for one in self._series:
            for family in one.collect():
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family

    def _validated(self, event: PartitionValidated) -> None:
        self._results.labels(event.outcome, event.code or OK).inc()

    def _found_unchanged(self, event: PartitionUnchanged) -> None:
        self._results.labels(UNCHANGED, OK).inc()
        self._rows.labels(event.report, UNCHANGED).inc(event.record_count)

    def _called(self, event: CallEnded) -> None:
        self._calls.labels(event.code or OK).inc()
        self._call_seconds.labels(event.report).observe(event.seconds)

    def _pause(self, event: ServePaused) -> None:
        self._paused.clear()
        self._paused.labels(event.code).set(1)
