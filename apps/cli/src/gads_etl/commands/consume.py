"""`gads-etl consume`: the read contract from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_domain.figures import counted
from gads_etl.exit_codes import ExitCode
from gads_etl.gap_table import GapOptions, print_gaps
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    ReportOption,
    Selection,
    SinceOption,
    UntilOption,
    named,
    open_pipeline,
)
from gads_etl.signals import interrupted_by_sigterm
from gads_pipeline.ledger_queries import completeness_document
from gads_pipeline.work_request import require_order
from gads_terminal.command_group import group_of_commands
from gads_terminal.output import Format, print_json, print_note
from gads_terminal.progress import Progress
from gads_terminal.table import print_rows
from gads_terminal.table_options import ColumnsOption, FormatOption, Table, TableOptions, WideOption, columns_of


class PathFormat(StrEnum):
    """How files are listed."""

    TEXT = "text"
    JSON = "json"


app = group_of_commands("Read authoritative partitions.")

if TYPE_CHECKING:
    from gads_consumer.snapshot import Snapshot

ReportArgument = Annotated[str, typer.Argument(help="The report.")]
ExcludeOption = Annotated[str | None, typer.Option("--exclude", metavar="NAME,...", help="All columns but these.")]


@dataclass(frozen=True, slots=True)
class Reading:
    """Which of a report's partitions are read, and how, each an option of its own: see `flattened`."""

    config: ConfigOption = DEFAULT_FILE
    since: SinceOption = None
    until: UntilOption = None
    customer: CustomerOption = None
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="WHEN", help="A position or an ISO-8601 time: what was authoritative then."),
    ] = None
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Refuse if a day is missing of the accounts named, or else configured."),
    ] = False
    unify: Annotated[
        bool, typer.Option("--unify", help="Read across schema versions; columns that one lacks are null.")
    ] = False

    @contextmanager
    def snapshot(self, report: str) -> Iterator[Snapshot]:
        """What is authoritative of them; they can be read until the block ends."""
        require_order(self.since, self.until)
        pipeline, at = open_pipeline(self.config), self.as_of
        configured = pipeline.configuration.google_ads.customer_ids if self.complete else None
        with pipeline.consumer() as consumer:
            yield consumer.snapshot(
                report,
                since=self.since,
                until=self.until,
                customers=self.customer or configured or None,
                as_of=int(at) if at is not None and at.isascii() and at.isdigit() else at,
                complete=self.complete,
            )


_CHANGES = Table(
    "position -~at kind customer_id name report logical_date @run_id -@previous_run_id -#record_count", "no changes"
)
_PINS = Table("name #runs ~until", "nothing is pinned")


@app.command("preview")
def preview(
    report: ReportArgument,
    reading: Reading,
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
    columns: ColumnsOption = None,
    exclude: ExcludeOption = None,
    wide: WideOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show the first rows of a report with the account, day and run that each is from."""
    from gads_consumer.file_export import preview as first_rows  # Arrow, which no help needs

    with reading.snapshot(report) as snapshot:
        chosen = snapshot.columns(_names(columns), _names(exclude), unify=reading.unify)
        table = first_rows(snapshot, rows, columns=chosen, unify=reading.unify)
        described = Table(" ".join(f"-{name}" for name in table.column_names), "these partitions hold no rows")
        print_rows(described, table.to_pylist(), TableOptions(wide, format_=format_))
        _note(snapshot, len(snapshot.partitions), "partition")


@app.command("export")
def export(
    report: ReportArgument,
    path: Annotated[Path, typer.Argument(help="Ends in .parquet, .csv or .arrow; a manifest is written beside it.")],
    reading: Reading,
    identity: Annotated[
        bool, typer.Option("--identity", help="Add _customer_id, _logical_date and _run_id to every row.")
    ] = False,
    columns: ColumnsOption = None,
    exclude: ExcludeOption = None,
    safe_csv: Annotated[
        bool, typer.Option("--safe-csv", help="Put ' before texts of a CSV file that a spreadsheet takes for formulas.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of that name.")] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Write a report's authoritative rows to a file; it appears whole or not at all."""
    from gads_consumer.file_export import export as write_file
    from gads_consumer.file_export import manifest_path

    with interrupted_by_sigterm(), reading.snapshot(report) as snapshot:
        chosen = snapshot.columns(_names(columns), _names(exclude), unify=reading.unify)
        scan = snapshot.scan(chosen, identity=identity, unify=reading.unify)
        with Progress("writing", "row") as progress:
            written = partial(progress.at, total=snapshot.record_count)
            manifest = write_file(snapshot, path, scan=scan, overwrite=overwrite, safe_csv=safe_csv, progress=written)
        done: dict[str, Any] = {"file": str(path), "manifest": str(manifest_path(path))}
        done |= {name: getattr(manifest.export, name) for name in ("rows", "bytes", "sha256")}
        done |= {"partitions": len(snapshot.partitions), "missing": len(snapshot.missing), "cursor": snapshot.cursor}
    if format_ is Format.JSON:
        print_json(done)
    else:
        sys.stdout.writelines(f"{name}: {value}\n" for name, value in done.items())


@app.command("paths")
def paths(
    report: ReportArgument,
    reading: Reading,
    format_: Annotated[PathFormat, typer.Option("--format", help="A path a line, or JSON.")] = PathFormat.TEXT,
) -> None:
    """List a report's authoritative Parquet files, for engines that read them where they are.

    The folders of a sink also hold superseded runs and what failed; these files are one run a day. The text is a
    manifest that DuckDB, Spark and BigQuery take.
    """
    with reading.snapshot(report) as snapshot:
        files, missing = snapshot.files(unify=reading.unify), len(snapshot.missing)
        if format_ is PathFormat.JSON:
            records = [file.to_record() for file in files]
            print_json({"report": report, "cursor": snapshot.cursor, "missing": missing, "files": records})
        else:
            sys.stdout.writelines(f"{file.path}\n" for file in files)
            _note(snapshot, len(files), "file")


@app.command("pin")
def pin(
    *,
    manifest: Annotated[Path | None, typer.Argument(help="As export writes it beside its file.")] = None,
    config: ConfigOption = DEFAULT_FILE,
    until: UntilOption = None,
    name: Annotated[str | None, typer.Option("--name", help="By default the report and a sum of the runs.")] = None,
    release: Annotated[str | None, typer.Option("--release", metavar="NAME", help="End this pin.")] = None,
    options: Annotated[TableOptions, columns_of(_PINS)],
) -> None:
    """Keep the runs of a manifest from being pruned, up to the end of the day --until (UTC), and list all pins."""
    pipeline = open_pipeline(config)
    if release is not None:
        pipeline.release_pin(release)
    if manifest is not None:
        pipeline.pin(manifest, until, name)
    print_rows(_PINS, pipeline.pins(), options)


@app.command("changes")
def changes(
    *,
    config: ConfigOption = DEFAULT_FILE,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Where the last reading ended; by default the beginning.")
    ] = None,
    report: ReportOption = None,
    customer: CustomerOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many changes.")] = None,
    options: Annotated[TableOptions, columns_of(_CHANGES)],
) -> None:
    """List the changes of authority in order. The last cursor is where the next reading continues."""
    with (pipeline := open_pipeline(config)).consumer() as consumer:
        feed = consumer.changes(after=after, reports=report or None, customers=customer or None)
        records = [change.to_record() for change in islice(feed, limit)]
        cursor = feed.cursor
    document = {"changes": records, "cursor": cursor}
    print_rows(_CHANGES, named(records, pipeline), options, document=document)
    print_note(f"continue with --after {cursor}")


@app.command("gaps")
def gaps(
    selection: Selection,
    options: GapOptions,
    config: ConfigOption = DEFAULT_FILE,
) -> None:
    """List the days from --since to --until that are expected and not authoritative; without days, all of them.

    Of the reports and accounts named, or else configured, or else of those of the list that was last drawn. Exit code 1
    if there are any, or if it is not known what is expected. `ready` in the JSON is false also where a day that is
    named is not over or not due yet.
    """
    require_order(selection.since, selection.until)
    pipeline = open_pipeline(config)
    names = [section.name for section in pipeline.configuration.sections(selection.report or [])]
    customers = selection.customer or pipeline.configuration.google_ads.customer_ids or None
    with pipeline.consumer() as consumer:
        answer = consumer.ready(names, day=selection.until, since=selection.since, customers=customers)
    found = answer.completeness
    watermarks = {name: day.isoformat() if day else None for name, day in answer.watermarks.items()}
    whole = completeness_document(found) | {
        "ready": bool(answer),
        "watermarks": watermarks,
        "position": answer.position,
    }
    print_gaps(options, found, "not authoritative", f" as of position {answer.position}", whole)
    for name, day in watermarks.items():
        print_note(f"{name}: complete up to {day}" if day else f"{name}: complete up to no day")
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _note(snapshot: Snapshot, number: int, what: str) -> None:
    """Say on stderr what was read, and how many days are missing."""
    print_note(f"{counted(number, what)} as of {snapshot.cursor}; {len(snapshot.missing):,} missing")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else text.split(",")
