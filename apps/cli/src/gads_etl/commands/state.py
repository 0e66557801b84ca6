"""`gads-etl state`: what the ledger says of each partition, and what an operator changes there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gads_domain.documents import members_of, plain
from gads_domain.figures import counted
from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionStatus
from gads_domain.state_row import ROW_FIELDS, state_row
from gads_etl.exit_codes import ExitCode
from gads_etl.gap_table import GapOptions, print_gaps
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    DryRunOption,
    EventsOption,
    Selection,
    YesOption,
    confirm_above,
    named,
    open_pipeline,
)
from gads_orchestrator.events import NullObserver
from gads_orchestrator.operator_actions import Operation
from gads_pipeline.ledger_queries import changes_text, completeness_document
from gads_pipeline.operator_acts import PartitionSelection, require_reason_of
from gads_telemetry.event_lines import EventLines
from gads_terminal.command_group import group_of_commands
from gads_terminal.output import Format, ListFormat, print_csv, print_json, print_note
from gads_terminal.progress import waiting
from gads_terminal.table import print_rows, print_table
from gads_terminal.table_options import ListOptions, Table, TableOptions, columns_of

app = group_of_commands("Show and change what the ledger says of each partition.")

KeysArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY…", help="Partitions: source/customer/report/YYYY-MM-DD.", show_default=False),
]

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
_MANY = 100
"""How many partitions are changed without confirmation."""

_ROWS = Table(
    "-source customer_id name report logical_date status @current_run_id -schema_version -#record_count "
    "-#attempt_count -~updated_at last_error -@held_run_id -@confirmed_run_id -~confirmed_at",
    "the ledger has no such row",
)
_DONE = Table("-source customer_id name report logical_date status @current_run_id why_not")
_RESULTS = Table(
    "@run_id ~validated_at outcome #record_count authority reason -changed -@confirmed_by",
    "\nvalidation results: none yet",
)
_CHANGES = Table("sequence ~at status_after @from_run @to_run cause", "\nauthority changes: none yet")
_RECORDED = Table("~at kind actor -before -after reason -command", "\noperators' acts: none yet")
_LEASES = Table("lease owner number ~until", "no lease is held")
_BACKUP = Table("position sha256")
_RESTORATION = Table("position replaced #lost kept")
_COMPACTION = Table("#bytes_before #bytes_after")

_ACTS = {
    Operation.RETRY: "Set failed partitions to pending and lift terminal marks; the next run attempts them.",
    Operation.HOLD: """Stop attempting these partitions until they are released.

    With --since and --until also days that were never attempted, of the accounts and reports named or configured.
    """,
    Operation.RELEASE: "Lift holds; what was due before is due again.",
    Operation.MARK_TERMINAL: "Give partitions up: they are not attempted again until `state retry`.",
    Operation.ACCEPT: """Take the run that is held for a decision since rows of the day vanished; the former rows go.

    The control plane puts the acceptance on record; the validator makes it effective before this ends. To drop the
    held run instead, revoke it.
    """,
}


@app.command("inspect")
def inspect(
    selection: Selection,
    options: Annotated[ListOptions, columns_of(_ROWS)],
    config: ConfigOption = DEFAULT_FILE,
    status: Annotated[list[PartitionStatus] | None, typer.Option("--status", help="May be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many rows.")] = None,
) -> None:
    """List the ledger's rows; changes nothing on disk. A partition without a row is pending and not listed."""
    pipeline = open_pipeline(config)
    rows = map(state_row, pipeline.states(**selection.given, statuses=tuple(status or ()), limit=limit))
    if options.format_ is ListFormat.JSON:
        print_json(list(rows))
    elif options.format_ is ListFormat.CSV:
        print_csv(ROW_FIELDS, rows)
    else:
        print_table(_ROWS, named(rows, pipeline), options)


@dataclass(frozen=True, slots=True)
class ActOptions(Selection):
    """The partitions that an act is about, and how it is performed and printed."""

    keys: KeysArgument = None
    all_: Annotated[bool, typer.Option("--all", help="Every partition to which it applies.")] = False
    config: ConfigOption = DEFAULT_FILE
    dry_run: DryRunOption = False
    yes: YesOption = False
    events: EventsOption = False


_DoneOptions = Annotated[TableOptions, columns_of(_DONE)]


def _act(operation: Operation) -> Callable[..., None]:
    """The command of an operation that needs nothing but the partitions it is about."""

    def act(
        options: ActOptions,
        table: _DoneOptions,
        reason: Annotated[str, typer.Option("--reason", help="Goes on record.")] = "",
    ) -> None:
        _perform(operation, options, table, reason)

    return act


for _operation, _help in _ACTS.items():
    app.command(_operation.value, help=_help)(_act(_operation))


@app.command("revoke")
def revoke(
    run: Annotated[
        str, typer.Option("--run", metavar="RUN_ID", help="The run that is wrong, or the last part of its id.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Goes on record.")],
    options: ActOptions,
    table: _DoneOptions,
) -> None:
    """Withdraw authority from a run for good: the newest other good run takes its place, or the day is failed.

    The control plane puts the revocation on record; the validator makes it effective before this ends.
    """
    _perform(Operation.REVOKE, options, table, reason, run)


def _perform(operation: Operation, options: ActOptions, table: TableOptions, reason: str, run: str = "") -> None:
    selection = PartitionSelection(tuple(options.keys or ()), **options.given, all=options.all_)
    pipeline, dry_run = open_pipeline(options.config), options.dry_run
    require_reason_of(operation, reason)
    run_id = pipeline.run_named(run, selection) if run else None
    keys = pipeline.select(operation, selection, run_id)
    if not dry_run:
        confirm_above(_MANY, len(keys), counted(len(keys), "partition"), options.yes)
    observer = EventLines() if options.events else NullObserver()
    result = pipeline.act(
        operation, keys, reason, selection=selection, run_id=run_id, dry_run=dry_run, observer=observer
    )
    document = result.to_document()
    count = counted(len(keys), "partition")
    title = f"{operation}: {count} would be changed" if dry_run else f"{operation}: {result.done:,} of {count} done"
    rows, empty = named(document["partitions"], pipeline), f"{operation}: there is no partition to which it applies"
    print_rows(_DONE, rows, table, title, empty=empty, document=document)
    if not dry_run and result.done < len(keys):
        raise typer.Exit(int(ExitCode.INCOMPLETE))


@app.command("history")
def history(
    key: Annotated[str, typer.Argument(metavar="KEY", help="source/customer/report/YYYY-MM-DD")],
    options: Annotated[TableOptions, columns_of(_RESULTS, _CHANGES, _RECORDED)],
    config: ConfigOption = DEFAULT_FILE,
) -> None:
    """Show the validation results, authority changes and operator's acts of one partition. Changes nothing."""
    partition = PartitionKey.parse(key)
    document = open_pipeline(config).history(partition).to_document()
    if options.format_ is Format.JSON:
        print_json(document)
        return
    state = document["state"]
    marks = f", {' and '.join(document['marks'])}" if document["marks"] else ""
    print_note(f"{partition}: {state['status']}{marks}")
    if state["last_error"]:
        print_note(f"last error: {state['last_error']}")
    for result in document["results"]:
        result["changed"] = changes_text(result["changes"])
    print_table(_RESULTS, document["results"], options, "\nvalidation results")
    print_table(_CHANGES, document["authority_changes"], options, "\nauthority changes")
    print_table(_RECORDED, document["acts"], options, "\noperators' acts")


@app.command("leases")
def leases(
    *,
    break_: Annotated[
        str, typer.Option("--break", metavar="LEASE", help="Take this one from its holder, which died or has to stop.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Goes on record; needed to break a lease.")] = "",
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    options: Annotated[TableOptions, columns_of(_LEASES)],
) -> None:
    """List who holds which account and report now, and until when if the lease is not renewed.

    A lease that a dead process left ends by itself. One whose end is far away is of a clock that was ahead; a run takes
    it once it was not renewed for run.lease_seconds.
    """
    pipeline = open_pipeline(config)
    found = (pipeline.break_lease(break_, reason, dry_run=dry_run),) if break_ else pipeline.leases()
    names = ("owner", "number")
    rows = [{"lease": one.scope, **members_of(one, names), "until": plain(one.expires_at)} for one in found]
    title = f"{'would be' if dry_run else 'is'} taken from its holder" if break_ else ""
    print_rows(_LEASES, rows, options, title)


@app.command("backup")
def backup(
    file: FileArgument, options: Annotated[TableOptions, columns_of(_BACKUP)], config: ConfigOption = DEFAULT_FILE
) -> None:
    """Write the ledger to a new file, as of one moment, and read it back. Other commands go on meanwhile."""
    with waiting("writing the backup"):
        document = open_pipeline(config).back_up_ledger(file).to_document()
    print_rows(_BACKUP, [document], options, f"{file} is written", document=document)


@app.command("restore")
def restore(
    file: FileArgument,
    options: Annotated[TableOptions, columns_of(_RESTORATION)],
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
) -> None:
    """Put a backup in the place of the ledger, which no command may have open and which is kept beside it."""
    with waiting("reading the backup"):
        document = open_pipeline(config).restore_ledger(file, dry_run=dry_run).to_document()
    title = f"the ledger {'would be' if dry_run else 'is'} the one in {file}"
    print_rows(_RESTORATION, [document], options, title, document=document)
    print_note("Next: gads-etl validate, then gads-etl warehouse load --reconcile; docs/backup.md says why.")


@app.command("compact")
def compact(
    *,
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    options: Annotated[TableOptions, columns_of(_COMPACTION)],
) -> None:
    """Convert what earlier versions wrote in the ledger, and give the space that it does not use back to the disk.

    Stopped at any moment, it loses nothing; run it again. Other commands may read meanwhile; writers wait.
    """
    with waiting("compacting the ledger"):
        document = open_pipeline(config).compact_ledger(dry_run=dry_run, say=print_note).to_document()
    title = f"{document['bytes_freed']:,} bytes {'would be' if dry_run else 'are'} given back"
    print_rows(_COMPACTION, [document], options, title, document=document)


@app.command("gaps")
def gaps(selection: Selection, options: GapOptions, config: ConfigOption = DEFAULT_FILE) -> None:
    """List the days from --since to --until that are expected and not success, and why; without days, all of them.

    Of the accounts named, or else configured, or else those of the list that was last drawn. Exit code 1 if there are
    any, or if it is not known which accounts are expected.
    """
    found = open_pipeline(config).gaps(**selection.given)
    print_gaps(options, found, "not success", "", completeness_document(found))
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))
