"""Events as OpenTelemetry spans and measures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from opentelemetry.context import Context
from opentelemetry.semconv._incubating.attributes.rpc_attributes import RPC_METHOD, RPC_SYSTEM_NAME
from opentelemetry.semconv._incubating.metrics.rpc_metrics import create_rpc_client_call_duration
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    AccountStopped,
    CallEnded,
    Event,
    PartitionEvent,
    PartitionSealed,
    PartitionUnchanged,
    PartitionUnsealed,
    PartitionValidated,
    RunEnded,
    RunPlanned,
    RunStopped,
    SliceEnded,
    SliceEvent,
    SliceStarted,
    SliceValidated,
    WorkerLost,
    event_document,
    event_name,
)
from gads_pipeline import Pipeline
from gads_pipeline.events import ValidationEnded, WarehouseLoaded, WarehouseLoadFailed
from gads_telemetry.otel_providers import Providers, providers_of

_SEARCH = "google.ads.googleads.{}.services.GoogleAdsService/SearchStream"
_NAMED = ("event", "at", "run_id")
_LONGEST = 2_000
"""Characters of a status description."""


@dataclass(slots=True)
class _Slice:
    span: Span
    first: date
    last: date
    worker: int
    failed: int = 0
    reason: str = ""

    def covers(self, first: date, last: date) -> bool:
        return self.first <= first and last <= self.last


@dataclass(slots=True)
class _Run:
    run_id: str
    span: Span
    slices: dict[tuple[str, str], list[_Slice]] = field(default_factory=dict)
    stopped: RunStopped | None = None

    @property
    def context(self) -> Context:
        return set_span_in_context(self.span)

    def slice_of(self, customer_id: str, report: str, first: date, last: date) -> _Slice | None:
        found = self.slices.get((customer_id, report), ())
        return next((one for one in found if one.covers(first, last)), None)

    def open_slices(self) -> Iterator[_Slice]:
        for found in self.slices.values():
            yield from found


class EventTraces:
    """An `Observer` that makes a trace of each run: a span for it, each slice, each call, validation and load.

    A span has the times of its events. A load for a run is in that run's trace; a load or a validation that belongs to
    none has a trace of its own. `api_version` names the method that is called.
    """

    def __init__(self, providers: Providers, api_version: str) -> None:
        self._providers = providers
        self._tracer = providers.tracer
        self._rpc = {RPC_SYSTEM_NAME: "grpc", RPC_METHOD: _SEARCH.format(api_version)}
        self._run: _Run | None = None
        meter = providers.meter
        self._calls = create_rpc_client_call_duration(meter)
        self._operations = meter.create_counter("gads.operations", "{operation}", "Operations of the quota, spent")
        self._rows = meter.create_counter("gads.rows", "{row}", "Rows received, by report")
        self._partitions = meter.create_counter("gads.partitions", "{partition}", "Partitions by report and outcome")

    def close(self) -> None:
        """End what is open, and send what is left."""
        self._end_run()
        self._providers.close()

    def on_events(self, *events: Event) -> None:
        """Begin and end the spans that the events stand for."""
        for event in events:
            if isinstance(event, RunPlanned):
                self._end_run()
                attributes: dict[str, Any] = {"gads.run_id": event.run_id, "gads.planned.partitions": event.partitions}
                span = self._tracer.start_span("run", Context(), attributes=attributes, start_time=_ns(event.at))
                self._run = _Run(event.run_id, span)
            elif isinstance(event, SliceEvent):
                self._slice_event(event)
            elif isinstance(event, PartitionEvent):
                self._partition_event(event)
            elif isinstance(event, WarehouseLoaded | WarehouseLoadFailed | ValidationEnded):
                self._act(event)
            elif isinstance(event, RunStopped | AccountStopped | WorkerLost | RunEnded):
                self._run_event(event)

    def _run_event(self, event: RunStopped | AccountStopped | WorkerLost | RunEnded) -> None:
        run = self._run
        if run is None or run.run_id != event.run_id:
            return
        if not isinstance(event, RunEnded):
            run.stopped = event if isinstance(event, RunStopped) else run.stopped
            run.span.add_event(event_name(type(event)), _attributes(event), _ns(event.at))
            return
        run.span.set_attributes({"gads.ended": event.ended, "gads.operations": event.operations})
        if run.stopped is not None:
            _fail(run.span, run.stopped.code, run.stopped.message)
        self._end_run(_ns(event.at))

    def _end_run(self, at: int | None = None) -> None:
        """End the run's span, and those of slices that were dropped with it; a span ends once."""
        if self._run is not None and self._run.span.is_recording():
            for part in self._run.open_slices():
                part.span.end(at)
            self._run.slices.clear()
            self._run.span.end(at)

    def _slice_event(self, event: SliceEvent) -> None:
        run = self._run
        if run is None or run.run_id != event.run_id:
            return
        if isinstance(event, SliceStarted):
            span = self._tracer.start_span("slice", run.context, attributes=_of(event), start_time=_ns(event.at))
            part = _Slice(span, event.first, event.last, event.worker)
            run.slices.setdefault((event.customer_id, event.report), []).append(part)
        elif (found := run.slice_of(event.customer_id, event.report, event.first, event.last)) is None:
            return
        elif isinstance(event, CallEnded):
            self._call(event, found)
        elif isinstance(event, SliceValidated):
            attributes = {**_of(event), "gads.partitions": event.partitions}
            self._span("validate", found, event.at, event.seconds, attributes).end(_ns(event.at))
        elif isinstance(event, SliceEnded):
            found.span.set_attributes({"gads.operations": event.operations, "gads.partitions.failed": found.failed})
            if found.failed:
                _fail(found.span, "partitions_failed", found.reason)
            found.span.end(_ns(event.at))
            run.slices[event.customer_id, event.report].remove(found)
            if not run.slices[event.customer_id, event.report]:
                del run.slices[event.customer_id, event.report]

    def _call(self, event: CallEnded, part: _Slice) -> None:
        named = {"gads.attempt": event.attempt, "gads.request_id": event.request_id, "gads.rows": event.rows}
        span = self._span("SearchStream", part, event.at, event.seconds, {**self._rpc, **_of(event), **named})
        if event.code:
            _fail(span, event.code)
        span.end(_ns(event.at))
        error = {ERROR_TYPE: event.code} if event.code else {}
        self._calls.record(event.seconds, {**self._rpc, **error})
        self._operations.add(event.operations)
        self._rows.add(event.rows, {"gads.report": event.report})

    def _span(self, name: str, part: _Slice, end: datetime, seconds: float, attributes: dict[str, Any]) -> Span:
        return self._tracer.start_span(
            name,
            set_span_in_context(part.span),
            SpanKind.CLIENT if RPC_METHOD in attributes else SpanKind.INTERNAL,
            attributes,
            start_time=_ns(end - timedelta(seconds=seconds)),
        )

    def _partition_event(self, event: PartitionEvent) -> None:
        outcome = _outcome_of(event)
        if outcome:
            self._partitions.add(1, {"gads.report": event.report, "gads.outcome": outcome})
        run, day, reason = self._run, event.logical_date, ""
        if isinstance(event, PartitionUnsealed):
            reason = event.reason
        elif isinstance(event, PartitionValidated) and event.outcome == ValidationOutcome.REJECTED:
            reason = event.code
        if reason and run is not None and run.run_id == event.run_id:
            part = run.slice_of(event.customer_id, event.report, day, day)
            if part is not None:
                part.failed, part.reason = part.failed + 1, part.reason or reason

    def _act(self, event: WarehouseLoaded | WarehouseLoadFailed | ValidationEnded) -> None:
        run = self._run
        is_of_run = run is not None and event.run_id and run.run_id == event.run_id
        name = "validate" if isinstance(event, ValidationEnded) else "load"
        start = _ns(event.at - timedelta(seconds=event.seconds))
        context = run.context if run is not None and is_of_run else Context()
        span = self._tracer.start_span(name, context, attributes=_attributes(event), start_time=start)
        if not isinstance(event, WarehouseLoaded) and event.code:
            _fail(span, event.code, event.reason if isinstance(event, ValidationEnded) else event.message)
        span.end(_ns(event.at))


def exporter_of(pipeline: Pipeline) -> EventTraces:
    """The observer of a pipeline's commands, as the environment configures it."""
    from gads_pipeline.composition import api_version_of

    return EventTraces(providers_of(), api_version_of(pipeline.configuration))


def _outcome_of(event: PartitionEvent) -> str:
    if isinstance(event, PartitionValidated):
        return event.outcome
    if isinstance(event, PartitionUnchanged):
        return "unchanged"
    return "sealed" if isinstance(event, PartitionSealed) else ""


def _of(event: SliceEvent) -> dict[str, Any]:
    days = {"gads.first": event.first.isoformat(), "gads.last": event.last.isoformat()}
    return {"gads.customer_id": event.customer_id, "gads.report": event.report, **days}


def _attributes(event: Event) -> dict[str, Any]:
    """The plain members that the event's type adds."""
    members = event_document(event).items()
    return {f"gads.{name}": value for name, value in members if name not in _NAMED and not isinstance(value, dict)}


def _fail(span: Span, code: str, reason: str = "") -> None:
    span.set_attribute(ERROR_TYPE, code)
    span.set_status(Status(StatusCode.ERROR, (reason or code)[:_LONGEST]))


def _ns(at: datetime) -> int:
    """Nanoseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
