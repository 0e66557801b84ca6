"""The OpenTelemetry SDK as the standard `OTEL_*` variables configure it; nothing global is set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.attributes.service_attributes import SERVICE_NAME, SERVICE_VERSION
from opentelemetry.trace import NoOpTracerProvider, Tracer

from gads_domain.errors import ConfigurationError

NAME = "gads-telemetry"
_HTTP = "http/protobuf"


@dataclass(frozen=True, slots=True)
class Providers:
    """Makes spans and measures; what is not wanted makes nothing."""

    tracers: TracerProvider | NoOpTracerProvider
    meters: MeterProvider | NoOpMeterProvider

    @property
    def tracer(self) -> Tracer:
        """The tracer of this package."""
        return self.tracers.get_tracer(NAME, version(NAME))

    @property
    def meter(self) -> Meter:
        """The meter of this package."""
        return self.meters.get_meter(NAME, version(NAME))

    def close(self) -> None:
        """Send what is left, and end."""
        for one in (self.tracers, self.meters):
            if isinstance(one, TracerProvider | MeterProvider):
                one.shutdown()


def providers_of(environment: Mapping[str, str] = os.environ) -> Providers:
    """Exporters to the endpoints that are configured, each with what the SDK reads from its variables itself.

    Raises `ConfigurationError` for a protocol or an exporter other than OTLP by HTTP.
    """
    resource = Resource.create({SERVICE_NAME: "gads-etl", SERVICE_VERSION: version(NAME)}).merge(
        OTELResourceDetector().detect()
    )
    tracers: TracerProvider | NoOpTracerProvider = NoOpTracerProvider()
    meters: MeterProvider | NoOpMeterProvider = NoOpMeterProvider()
    if _is_wanted("TRACES", environment):
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    if _is_wanted("METRICS", environment):
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())]
        meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    return Providers(tracers, meters)


def _is_wanted(signal: str, environment: Mapping[str, str]) -> bool:
    def setting(name: str, default: str = "") -> str:
        own = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}")
        return own or environment.get(f"OTEL_EXPORTER_OTLP_{name}") or default

    exporter = environment.get(f"OTEL_{signal}_EXPORTER") or "otlp"
    if exporter == "none" or not setting("ENDPOINT"):
        return False
    if exporter != "otlp" or setting("PROTOCOL", _HTTP) != _HTTP:
        raise ConfigurationError(
            f"OTEL_{signal}_EXPORTER is {exporter}, its protocol {setting('PROTOCOL', _HTTP)}",
            hint=f"the exporter may be otlp or none, OTEL_EXPORTER_OTLP_PROTOCOL {_HTTP}",
        )
    return True
