"""A load of the warehouse, and the events of what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.errors import GadsError
from gads_orchestrator.events import Observer
from gads_pipeline.composition import open_warehouse
from gads_pipeline.events import WarehouseLoaded, WarehouseLoadFailed

if TYPE_CHECKING:
    from gads_pipeline.configuration import Configuration
    from gads_warehouse import LoadReport


def load_warehouse(
    configuration: Configuration,
    observer: Observer,
    run_id: str = "",
    *,
    reconcile: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
    emitted_failure: str = "",
    within: AbstractContextManager[None] | None = None,
) -> LoadReport:
    """Bring the tables to where the ledger is; what came of it is an event of the run `run_id`, or of none.

    A failure is raised, and emitted unless it has the code `emitted_failure`. A `dry_run` emits nothing. The load is
    done `within` a context, the events are emitted outside of it.
    """
    from gads_warehouse import WarehouseLoader  # Arrow, which a run without a warehouse does without

    began = time.monotonic()
    try:
        with within or nullcontext(), open_warehouse(configuration) as (warehouse, consumer):
            report = WarehouseLoader(consumer, warehouse, progress=progress).load(reconcile=reconcile, dry_run=dry_run)
    except GadsError as error:
        if not dry_run and error.code != emitted_failure:
            said = (error.code, error.message, error.hint or "", time.monotonic() - began)
            observer.on_events(WarehouseLoadFailed(SystemClock().now(), run_id, *said))
        raise
    if not dry_run:
        counts = (report.after.position, report.added, report.replaced, report.removed, report.rows)
        took = time.monotonic() - began
        rows = dict(report.rows_by_report)
        observer.on_events(WarehouseLoaded(SystemClock().now(), run_id, *counts, took, rows))
    return report
