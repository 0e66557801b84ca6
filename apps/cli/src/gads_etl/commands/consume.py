"""`gads-etl consume`: what other teams may do with trusted partitions, from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_etl.command_group import group_of_commands
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    ReportOption,
    SinceOption,
    UntilOption,
    require_order,
)
from gads_etl.printing import Format

if TYPE_CHECKING:
    from gads_consumer.consumer import Consumer
    from gads_etl.configuration import Configuration

app = group_of_commands("Read what the ledger vouches for.")

ReportArgument = Annotated[str, typer.Argument(help="The report.")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="WHEN", help="A log position or an ISO-8601 time: what was vouched for then."),
]

UnifyOption = Annotated[bool, typer.Option("--unify", help="Read across schema versions: what is not there is null.")]

_CHANGE_COLUMNS = (
    "position",
    "at",
    "kind",
    "customer_id",
    "report",
    "logical_date",
    "run_id",
    "previous_run_id",
    "record_count",
)


@app.callback()
def _group() -> None:
    """Read what the ledger vouches for."""


@app.command("preview")
def preview(
    report: ReportArgument,
    config: ConfigOption = DEFAULT_FILE,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    as_of: AsOfOption = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
    unify: UnifyOption = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Show the first rows of a report with the account, day and run that each is from."""
    from gads_consumer.file_export import preview as first_rows
    from gads_etl.configuration import load_configuration
    from gads_etl.printing import print_json, print_table, say

    require_order(since, until)
    with _consumer(load_configuration(config)) as consumer:
        snapshot = consumer.snapshot(report, since=since, until=until, customers=customer or None, as_of=_moment(as_of))
        table = first_rows(snapshot, rows, unify=unify)
        missing = len(snapshot.missing)
    if format_ is Format.JSON:
        print_json(table.to_pylist())
    else:
        print_table("", table.column_names, (list(row.values()) for row in table.to_pylist()))
    say(f"{len(snapshot.partitions):,} partitions as of {snapshot.cursor}; {missing:,} missing")


@app.command("export")
def export(
    report: ReportArgument,
    path: Annotated[Path, typer.Argument(help="Ends in .parquet, .csv or .arrow; a manifest is written beside it.")],
    config: ConfigOption = DEFAULT_FILE,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    as_of: AsOfOption = None,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Refuse if a day is missing of these accounts, or else of those configured."),
    ] = False,
    identity: Annotated[
        bool, typer.Option("--identity", help="Add _customer_id, _logical_date and _run_id to every row.")
    ] = False,
    unify: UnifyOption = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of that name.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print what was done.")] = Format.TABLE,
) -> None:
    """Write a report's trusted rows to a file; it appears whole or not at all."""
    from gads_consumer.file_export import export as write_file
    from gads_consumer.file_export import manifest_path
    from gads_etl.configuration import load_configuration
    from gads_etl.ending import interrupted_by_sigterm
    from gads_etl.printing import print_json, print_table

    require_order(since, until)
    configuration = load_configuration(config)
    named = customer or (configuration.google_ads.customer_ids if complete else None) or None
    with interrupted_by_sigterm(), _consumer(configuration) as consumer:
        snapshot = consumer.snapshot(
            report, since=since, until=until, customers=named, as_of=_moment(as_of), complete=complete
        )
        manifest = write_file(snapshot, path, scan=snapshot.scan(identity=identity, unify=unify), overwrite=overwrite)
    assert manifest.export is not None
    done = {
        "file": str(path),
        "manifest": str(manifest_path(path)),
        "rows": manifest.export.rows,
        "bytes": manifest.export.bytes,
        "sha256": manifest.export.sha256,
        "partitions": len(snapshot.partitions),
        "missing": len(snapshot.missing),
        "cursor": snapshot.cursor,
    }
    print_json(done) if format_ is Format.JSON else print_table("", ["", "value"], list(done.items()))


@app.command("changes")
def changes(
    config: ConfigOption = DEFAULT_FILE,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Where the last reading ended; from the beginning if left out.")
    ] = None,
    report: ReportOption = None,
    customer: CustomerOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many changes.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """List the moves of authority in order. The last cursor is where the next reading goes on."""
    from gads_etl.configuration import load_configuration
    from gads_etl.printing import print_json, print_table, say

    with _consumer(load_configuration(config)) as consumer:
        feed = consumer.changes(after=after, reports=report or None, customers=customer or None)
        records: list[dict[str, Any]] = []
        cursor = feed.cursor
        for change in feed:
            records.append(change.to_record())
            cursor = feed.cursor
            if limit is not None and len(records) == limit:
                break
        else:
            cursor = feed.cursor
    if format_ is Format.JSON:
        print_json({"changes": records, "cursor": cursor})
    else:
        print_table("", _CHANGE_COLUMNS, ([record[name] for name in _CHANGE_COLUMNS] for record in records))
        say(f"go on with --after {cursor}")


@app.command("gaps")
def gaps(
    config: ConfigOption = DEFAULT_FILE,
    report: ReportOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Name every account, report and day that is not vouched for. Exit code 1 if there is one.

    Reports and accounts are those of the configuration unless some are named.
    """
    from gads_domain.errors import UsageError
    from gads_etl.configuration import load_configuration
    from gads_etl.exit_codes import ExitCode
    from gads_etl.printing import print_json, print_table, say

    if since is None or until is None:
        raise UsageError("which days?", hint="give --since YYYY-MM-DD and --until YYYY-MM-DD, both included")
    require_order(since, until)
    configuration = load_configuration(config)
    names = [section.name for section in configuration.sections(report or [])]
    with _consumer(configuration) as consumer:
        answer = consumer.ready(names, day=until, since=since, customers=configuration.customers(customer or []))
    rows = [
        {
            "customer_id": gap.customer_id,
            "report": gap.report,
            "logical_date": gap.logical_date.isoformat(),
            "status": gap.status.value,
            "reason": gap.reason,
        }
        for gap in answer.gaps
    ]
    marks = {name: _iso(day) for name, day in answer.watermarks.items()}
    if format_ is Format.JSON:
        print_json({"ready": bool(answer), "gaps": rows, "watermarks": marks, "position": answer.position})
    else:
        print_table(str(answer), ["customer_id", "report", "logical_date", "status", "reason"], map(_values, rows))
        for name, mark in marks.items():
            say(f"{name}: nothing is missing up to {mark}" if mark else f"{name}: the first day is missing already")
    if not answer:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


@contextmanager
def _consumer(configuration: Configuration) -> Iterator[Consumer]:
    from gads_consumer.consumer import Consumer

    storage = configuration.storage
    with Consumer.open(state=storage.state, sink=storage.sink, base=configuration.base) as consumer:
        yield consumer


def _moment(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else text


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _values(row: dict[str, Any]) -> list[Any]:
    return list(row.values())
