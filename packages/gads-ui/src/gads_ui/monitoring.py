"""Metrics, health and readiness of a pipeline, beside its page."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from gads_domain.bounded_call import BoundedCall
from gads_domain.clock import SystemClock
from gads_domain.errors import GadsError
from gads_metrics.exposition import Exposition
from gads_metrics.routes import READY_SECONDS, routes
from gads_metrics.status_collector import StatusCollector
from gads_pipeline.health import require_answering_sink, require_ledger, silence

if TYPE_CHECKING:
    from starlette.routing import Route

    from gads_metrics.process_counters import ProcessCounters
    from gads_pipeline import Pipeline


def monitoring_routes(pipeline: Pipeline, counters: ProcessCounters | None = None) -> list[Route]:
    """`/metrics`, `/healthz` and `/readyz` for `create_app`.

    `counters` are those of a process that executes plans from now on, which is healthy while its heartbeat is on record
    in time. A process without any is healthy as long as it answers.
    """
    ledger = partial(require_ledger, pipeline.configuration)
    status = StatusCollector(pipeline.status, version("gads-pipeline"), ledger)
    status.begin()
    heartbeat = BoundedCall(partial(silence, pipeline.configuration, SystemClock().now()), READY_SECONDS, fresh=1.0)

    def stuck() -> str:
        if counters is not None:
            with suppress(GadsError):  # a ledger that does not answer is no reason to restart: /readyz says so
                return heartbeat()
        return ""

    return routes(
        Exposition([status] if counters is None else [status, counters]),
        stuck=stuck,
        parts={"ledger": ledger, "sink": partial(require_answering_sink, pipeline.configuration)},
    )
