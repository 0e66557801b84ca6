"""`gads-etl demo`: the whole pipeline on a synthetic agency, without credentials."""

from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from gads_domain.adapters import sink_adapter, warehouse_adapter
from gads_domain.clock import SystemClock
from gads_etl.commands.warehouse import load_tables
from gads_etl.options import UntilOption, open_pipeline
from gads_etl.outcome_report import OutcomeOptions, print_outcome
from gads_etl.progress import RunProgress
from gads_etl.signals import interrupted_by_sigterm
from gads_orchestrator.events import NullObserver
from gads_pipeline import Pipeline, template
from gads_pipeline.work_request import RunOptions
from gads_terminal.invocation import typed_for
from gads_terminal.output import Format, print_note
from gads_terminal.table import print_table
from gads_terminal.table_options import Table

_SAMPLE = Table("campaign_name #clicks #cost #conversions")
_SAMPLE_QUERY = """SELECT campaign_name, sum(clicks) AS clicks, sum(cost) AS cost,
    round(sum(conversions), 1) AS conversions
FROM reporting.campaign_daily
GROUP BY campaign_name ORDER BY cost DESC LIMIT 5"""


def demo(
    *,
    dir_: Annotated[Path, typer.Option("--dir", help="Folder of the demo; gets a gads.toml.")] = Path("gads-demo"),
    sink: Annotated[str, typer.Option(help="URL of the raw partitions.")] = "file:raw",
    state: Annotated[str, typer.Option(help="URL of the ledger.")] = "sqlite:state.db",
    until: UntilOption = None,
    table: OutcomeOptions,
) -> None:
    """Run the whole pipeline on a synthetic agency, without credentials.

    It extracts 3 accounts, 3 reports and 14 days from a local Google Ads API into DIR, validates them, and loads a
    warehouse. The days are the last that are over, or end with UNTIL.
    """
    path = dir_ / "gads.toml"
    days = template.write_demo(path, sink, state, until, SystemClock().now())
    pipeline = open_pipeline(path)
    sink_adapter(pipeline.configuration.storage.sink)  # an extra that is missing is named before anything is extracted
    warehouse_adapter(pipeline.configuration.warehouse.url)
    print_note("Starting a local Google Ads API; the official client talks to it over TLS.")
    with RunProgress() as progress, interrupted_by_sigterm():
        outcome = pipeline.run(RunOptions(days.first, days.last), observer=progress)
    sample = _sample(pipeline) if outcome.is_whole else None
    places = {"folder": str(dir_.absolute()), "configuration": str(path), "warehouse": sample}
    code = print_outcome(outcome, table, more=lambda: places)
    if table.format_ is Format.TABLE:
        if sample is not None:
            _print_sample(sample)
        print_note(f"\n{dir_.absolute()} holds the sealed partitions, the ledger, the tables, and {path.name}. Next:")
        typed, config = typed_for("gads-etl"), f"--config {quote(str(path))}"
        earlier = f"--since {days.first - timedelta(days=14)} --until {days.first - timedelta(days=1)}"
        for command in (
            f"state inspect {config} --limit 5",
            f"run {config} {earlier} --dry-run",
            f"run {config} {earlier}",
            f"run {config} --since {days.first} --until {days.first + timedelta(days=2)} --reprocess",
            f"validate {config} --recheck",
            f"warehouse load {config}",
        ):
            print_note(f"  {typed} {command}")
        print_note("Where it stands, on one screen, and in a browser:")
        for command in ("status", "ui"):
            print_note(f"  {typed} {command} {config}")
    if code:
        raise typer.Exit(int(code))


def _sample(pipeline: Pipeline) -> dict[str, Any]:
    """Load the warehouse; its load, a query and the query's rows as a document."""
    report = load_tables(pipeline, NullObserver())
    found = pipeline.query_warehouse(_SAMPLE_QUERY)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    url = pipeline.configuration.warehouse.url
    return {**report.to_document(), "url": url, "query": _SAMPLE_QUERY, "rows": rows}


def _print_sample(document: dict[str, Any]) -> None:
    """The query on stderr, its rows on stdout."""
    print_note(f"\n{document['url']} holds the tables, equal to the ledger. A query and its result:")
    print_note(f"\n{document['query']}\n")
    print_table(_SAMPLE, document["rows"])
