"""`gads-etl ui`: the operator's page, by itself; `serve --http` has it beside the loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gads_etl.error_handling import for_operators
from gads_etl.options import DEFAULT_FILE, ConfigOption, open_pipeline
from gads_etl.signals import stopped_by_signals
from gads_orchestrator.events import NullObserver
from gads_terminal.output import print_note

if TYPE_CHECKING:
    from gads_orchestrator.events import Observer
    from gads_pipeline import Pipeline

HttpOption = Annotated[
    str | None,
    typer.Option("--http", metavar="ADDRESS", help="Where to answer; off this machine with GADS_HTTP_TOKEN alone."),
]


def ui(config: ConfigOption = DEFAULT_FILE, http: HttpOption = "127.0.0.1:8080") -> None:
    """Show in a browser what is complete, what is not and why, and what to do about it.

    It reads the ledger and changes nothing. An address that others can reach needs a token in the environment variable
    GADS_HTTP_TOKEN. SIGTERM and Ctrl-C end it.
    """
    with stopped_by_signals() as stop, page_at(http, open_pipeline(config)):
        stop.wait()


@contextmanager
def page_at(http: str | None, pipeline: Pipeline, observer: Observer | None = None) -> Iterator[Observer]:
    """Answer at `http` meanwhile, if it is given; yields what is to observe in place of `observer`, for metrics."""
    if http is None:
        yield observer or NullObserver()
        return
    from gads_metrics.process_counters import ProcessCounters
    from gads_ui.application import create_app  # an extra
    from gads_ui.monitoring import monitoring_routes
    from gads_ui.server import Address, HttpServer, token_for

    address = Address.parse(http)
    counters = None if observer is None else ProcessCounters(observer)
    routes = monitoring_routes(pipeline, counters)
    app = create_app(pipeline, token=token_for(address), extra_routes=routes, hints=for_operators)
    with HttpServer(app, address) as server:
        print_note(f"Serving {server.url}/ until Ctrl-C.")
        yield counters or NullObserver()
