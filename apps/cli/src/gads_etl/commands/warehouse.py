"""`gads-etl warehouse`: tables that are kept equal to the authoritative partitions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gads_etl.error_handling import for_operators
from gads_etl.exit_codes import ExitCode
from gads_etl.gap_table import print_unsettled
from gads_etl.options import DEFAULT_FILE, ConfigOption, Logs, named, open_pipeline
from gads_etl.signals import interrupted_by_sigterm
from gads_terminal.command_group import group_of_commands
from gads_terminal.output import Format, print_json, print_note
from gads_terminal.progress import Progress, waiting
from gads_terminal.table import print_rows
from gads_terminal.table_options import FormatOption, Table, TableOptions, columns_of

if TYPE_CHECKING:
    from gads_orchestrator.events import Observer
    from gads_pipeline import Pipeline
    from gads_warehouse import LoadReport

app = group_of_commands("Load authoritative partitions into tables.")

_STATUS = Table(
    "report -#partitions -#rows -first_day last_day #behind #orphaned #mismatched",
    "no report is loaded, and none is authoritative",
)
_DIFFERENCES = Table("kind customer_id name report logical_date column expected found", "")


@app.command("load")
def load(
    config: ConfigOption = DEFAULT_FILE,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Compare every partition with the ledger; do not follow its feed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done; do nothing.")] = False,
    format_: FormatOption = Format.TABLE,
    *,
    logs: Logs,
) -> None:
    """Bring the tables to where the ledger is. Run twice, the second changes nothing."""
    pipeline = open_pipeline(config)
    with logs.observing(pipeline, outcome_is_printed=True) as observer:
        report = load_tables(pipeline, observer, reconcile=reconcile, dry_run=dry_run)
    print_json(report.to_document()) if format_ is Format.JSON else print_note(str(report))


@app.command("status")
def status(*, config: ConfigOption = DEFAULT_FILE, options: Annotated[TableOptions, columns_of(_STATUS)]) -> None:
    """Show what is loaded, behind and orphaned, by report. Exits with 1 if tables or views differ from the ledger."""
    with interrupted_by_sigterm(), waiting("comparing the tables with the ledger"):
        found = open_pipeline(config).warehouse_status()
    print_rows(_STATUS, list(map(asdict, found.reports)), options, document=found.to_document())
    if options.format_ is Format.TABLE:
        _print_notes(found.notes())
        print_unsettled(found.completeness)
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


@app.command("verify")
def verify(*, config: ConfigOption = DEFAULT_FILE, options: Annotated[TableOptions, columns_of(_DIFFERENCES)]) -> None:
    """Compare rows, sums and views with the sealed payloads, and name every difference. Changes nothing."""
    with interrupted_by_sigterm(), waiting("reading the payloads"):
        found = (pipeline := open_pipeline(config)).verify_warehouse()
    document = found.to_document()
    rows = named(document["differences"], pipeline)
    print_rows(_DIFFERENCES, rows, options, document=document)
    if options.format_ is Format.TABLE:
        _print_notes(found.notes())
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def load_tables(
    pipeline: Pipeline, observer: Observer, *, reconcile: bool = False, dry_run: bool = False, run_id: str = ""
) -> LoadReport:
    """Load with progress on stderr; SIGTERM ends it like Ctrl-C."""
    with interrupted_by_sigterm(), Progress("loading") as progress:
        return pipeline.load_warehouse(
            reconcile=reconcile, dry_run=dry_run, observer=observer, run_id=run_id, progress=progress.at
        )


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print_note(for_operators(note))
