"""Several observers as one, and which of them are on."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from gads_orchestrator.events import Event, Observer
from gads_pipeline import Pipeline
from gads_telemetry.log_format import LOGGER

_LOG = logging.getLogger(f"{LOGGER}.telemetry")


class Exporter(Observer, Protocol):
    """An observer that sends what it makes of events elsewhere."""

    def close(self) -> None:
        """Send what is left, and wait until it is sent."""


CLOSE_SECONDS = 4.0
"""How long the end of a command waits for what is not sent yet."""

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_LINEAGE_FILES = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml"))


def wants_traces(environment: Mapping[str, str]) -> bool:
    """Whether an OTLP endpoint is configured, and the SDK is not disabled."""
    return environment.get("OTEL_SDK_DISABLED", "").lower() != "true" and any(map(environment.get, _ENDPOINTS))


def wants_lineage(environment: Mapping[str, str]) -> bool:
    """Whether the OpenLineage client is configured: by a variable or by its file, and not disabled."""
    if environment.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return False
    named = any(name in environment for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")) or any(
        name.startswith("OPENLINEAGE__TRANSPORT") for name in environment
    )
    return named or any(path.expanduser().is_file() for path in _LINEAGE_FILES)


Wants = Callable[[Mapping[str, str]], bool]

_EXPORTERS: Mapping[str, tuple[str, Wants]] = MappingProxyType(
    {"otel": ("gads_telemetry.traces", wants_traces), "openlineage": ("gads_telemetry.lineage", wants_lineage)}
)
"""By extra: the module whose `exporter_of` makes the observer from a pipeline, and when it is wanted."""


_LIBRARIES = MappingProxyType({"otel": "opentelemetry", "openlineage": "openlineage"})
"""By extra: the logger of what it brings."""


class Observers:
    """Hands events to each of `observers`; what an exporter raises is logged once, and it gets nothing more."""

    def __init__(self, *observers: Observer, exporters: Mapping[str, Exporter] = MappingProxyType({})) -> None:
        self._observers = observers
        self._exporters = dict(exporters)

    def on_events(self, *events: Event) -> None:
        """Hand them on."""
        for observer in self._observers:
            observer.on_events(*events)
        for extra, exporter in [*self._exporters.items()]:
            try:
                exporter.on_events(*events)
            except Exception:
                del self._exporters[extra]
                _LOG.warning("gads-etl[%s] failed, and nothing more is sent by it", extra, exc_info=True)

    def close(self) -> None:
        """Have each exporter send what is left, for `CLOSE_SECONDS` at most; a failure is logged."""
        ends = {
            extra: threading.Thread(target=_close, args=(extra, exporter), daemon=True)
            for extra, exporter in self._exporters.items()
        }
        for end in ends.values():
            end.start()
        last = time.monotonic() + CLOSE_SECONDS
        for extra, end in ends.items():
            end.join(max(0.0, last - time.monotonic()))
            if end.is_alive():
                _LOG.warning("what gads-etl[%s] had not sent after %g s is lost", extra, CLOSE_SECONDS)


def _close(extra: str, exporter: Exporter) -> None:
    try:
        exporter.close()
    except Exception:
        _LOG.warning("what gads-etl[%s] had not sent is lost", extra, exc_info=True)


class _Once(logging.Handler):
    """What a library logs while it sends: each kind of message is a warning once, and without its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._logged = set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.name}: {record.msg}"
        if kind not in self._logged:
            self._logged.add(kind)
            _LOG.warning("%s: %s", record.name, record.getMessage())


def _quieten(library: str) -> None:
    logger = logging.getLogger(library)
    logger.handlers = [*(one for one in logger.handlers if not isinstance(one, _Once)), _Once()]
    logger.propagate = False


@contextmanager
def observing(pipeline: Pipeline, *observers: Observer) -> Iterator[Observer]:
    """`observers` and the exporters that the environment configures as one observer, for the time of one command.

    What is not configured is not imported. An extra that is configured and not installed is named in the log.
    """
    exporters: dict[str, Exporter] = {}
    for extra, (module, wants) in _EXPORTERS.items():
        if not wants(os.environ):
            continue
        _quieten(_LIBRARIES[extra])
        try:
            exporters[extra] = import_module(module).exporter_of(pipeline)
        except ModuleNotFoundError as error:
            _LOG.warning("%s is not installed, so nothing is sent: pip install 'gads-etl[%s]'", error.name, extra)
        except Exception as error:
            _LOG.warning("gads-etl[%s] is off: %s", extra, error)
    with ExitStack() as ends:
        together = Observers(*observers, exporters=exporters)
        ends.callback(together.close)
        yield together
