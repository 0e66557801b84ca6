"""`gads-etl warehouse`: tables that are kept equal to the authoritative partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gads_etl.command_group import group_of_commands
from gads_etl.exit_codes import ExitCode
from gads_etl.options import DEFAULT_FILE, ConfigOption, FormatOption, open_pipeline
from gads_etl.printing import Format, counted, print_json, print_note, print_table, print_unsettled
from gads_etl.signals import interrupted_by_sigterm

if TYPE_CHECKING:
    from gads_domain.ports.warehouse import ViewFigure
    from gads_pipeline import Pipeline
    from gads_warehouse import LoadReport, WarehouseStatus

app = group_of_commands("Load authoritative partitions into tables.")


@app.command("load")
def load(
    config: ConfigOption = DEFAULT_FILE,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Compare every partition with the ledger; do not follow its feed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done; do nothing.")] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Bring the tables to where the ledger is. Run twice, the second changes nothing."""
    report = load_tables(open_pipeline(config), reconcile=reconcile, dry_run=dry_run)
    print_json(report.to_document()) if format_ is Format.JSON else print_note(str(report))


@app.command("status")
def status(config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Show what is loaded, behind and orphaned, by report. Exits with 1 if tables or views differ from the ledger."""
    with interrupted_by_sigterm():
        found = open_pipeline(config).warehouse_status()
    if format_ is Format.JSON:
        print_json(found.to_document())
    else:
        columns = ["report", "#partitions", "#rows", "first_day", "last_day", "#behind", "#orphaned", "#mismatched"]
        print_table(columns, map(asdict, found.reports), empty="no report is loaded, and none is authoritative")
        print_note(f"{_position(found)}; the ledger is at position {found.ledger.position}")
        _print_invalid_identity(found.invalid_identity)
        _print_views(found.views, current=found.views_current)
        if found.completeness.gaps:
            missing = counted(found.completeness.days, "day")
            print_note(f"{missing} expected and not authoritative: see gads-etl state gaps")
        print_unsettled(found.completeness.not_due, found.completeness.unknown)
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


@app.command("verify")
def verify(config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Compare rows, sums and views with the sealed payloads, and name every difference. Changes nothing."""
    with interrupted_by_sigterm():
        found = open_pipeline(config).verify_warehouse()
    document = found.to_document()
    if format_ is Format.JSON:
        print_json(document)
    else:
        if found.differences:
            columns = ["kind", "customer_id", "report", "logical_date", "column", "expected", "found"]
            print_table(columns, document["differences"])
        print_note(
            f"{counted(found.partitions, 'partition')} with {counted(found.rows, 'row')} compared: "
            f"{counted(len(found.differences), 'difference')}"
        )
        _print_invalid_identity(found.invalid_identity)
        _print_views(found.views)
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def load_tables(pipeline: Pipeline, *, reconcile: bool = False, dry_run: bool = False) -> LoadReport:
    """Load with progress on stderr; SIGTERM ends it like Ctrl-C."""
    with interrupted_by_sigterm():
        return pipeline.load_warehouse(
            reconcile=reconcile,
            dry_run=dry_run,
            progress=lambda count: print_note(f"{counted(count, 'partition')} loaded"),
        )


def _position(found: WarehouseStatus) -> str:
    if found.full_load is not None:
        return (
            f"a full load to position {found.full_load.target.position} is incomplete: {found.full_load.done:,} "
            f"partitions done, {found.full_load.remaining:,} to do; gads-etl warehouse load resumes it"
        )
    return "nothing is loaded" if found.loaded is None else f"the tables are at position {found.loaded.position}"


def _print_invalid_identity(counts: Mapping[str, int]) -> None:
    for table, number in counts.items():
        print_note(
            f"{number:,} rows of {table} have no valid identity; gads-etl warehouse load --reconcile removes them"
        )


def _print_views(differing: Sequence[ViewFigure], *, current: bool = True) -> None:
    for one in differing[:10]:
        print_note(str(one))
    if len(differing) > 10:
        print_note(f"{counted(len(differing) - 10, 'more figure')} of views differ; --format json has all of them")
    if differing or not current:
        print_note("views are not what this version makes of the tables; gads-etl warehouse load makes them again")
