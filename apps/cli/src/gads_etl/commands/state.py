"""`gads-etl state`: what the ledger says of each partition, and what an operator changes there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from gads_domain.errors import UsageError
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus
from gads_domain.state_row import ROW_FIELDS, state_row
from gads_etl.command_group import group_of_commands
from gads_etl.event_lines import EventLines
from gads_etl.exit_codes import ExitCode
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    EventsOption,
    FormatOption,
    ReportOption,
    SinceOption,
    UntilOption,
    YesOption,
    confirm_above,
    open_pipeline,
)
from gads_etl.printing import Format, ListFormat, print_csv, print_json, print_note, print_table
from gads_orchestrator.events import NullObserver
from gads_orchestrator.operator_actions import Operation
from gads_pipeline import Pipeline
from gads_pipeline.ledger_queries import gap_row
from gads_pipeline.operator_acts import ActResult, PartitionSelection, require_reason

app = group_of_commands("Show and change what the ledger says of each partition.")

KeysArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY…", help="Partitions: source/customer/report/YYYY-MM-DD.", show_default=False),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Goes on record.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print which partitions are meant; change nothing.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every partition to which it applies.")]

_MANY = 100
"""How many partitions are changed without confirmation."""

_ACTS = {
    Operation.RETRY: "Set failed partitions to pending and lift terminal marks; the next run attempts them.",
    Operation.HOLD: """Stop attempting these partitions until they are released.

    With --since and --until also days that were never attempted, of the accounts and reports named or configured.
    """,
    Operation.RELEASE: "Lift holds; what was due before is due again.",
    Operation.MARK_TERMINAL: "Give partitions up: they are not attempted again until `state retry`.",
}


@app.command("inspect")
def inspect(
    config: ConfigOption = DEFAULT_FILE,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS", help="pending, success or failed; may be repeated."),
    ] = None,
    customer: CustomerOption = None,
    report: ReportOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many rows.")] = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="How to print.")] = ListFormat.TABLE,
) -> None:
    """List the ledger's rows; changes nothing on disk. A partition without a row is pending and not listed."""
    try:
        statuses = tuple(PartitionStatus(text) for text in status or ())
    except ValueError:
        raise UsageError(f"{status} is not a status", hint="pending, success or failed") from None
    states = open_pipeline(config).states(
        customers=customer or (), reports=report or (), since=since, until=until, statuses=statuses, limit=limit
    )
    rows = (state_row(state) for state in states)
    if format_ is ListFormat.JSON:
        print_json(list(rows))
    elif format_ is ListFormat.CSV:
        print_csv(ROW_FIELDS, rows)
    else:
        heads = [f"#{name}" if name in ("record_count", "attempt_count") else name for name in ROW_FIELDS]
        print_table("", heads, ([row[name] for name in ROW_FIELDS] for row in rows))


def _act(operation: Operation) -> Callable[..., None]:
    """The command of an operation that needs nothing but the partitions it is about."""

    def act(
        keys: KeysArgument = None,
        config: ConfigOption = DEFAULT_FILE,
        customer: CustomerOption = None,
        report: ReportOption = None,
        since: SinceOption = None,
        until: UntilOption = None,
        all_: AllOption = False,
        reason: ReasonOption = "",
        dry_run: DryRunOption = False,
        yes: YesOption = False,
        format_: FormatOption = Format.TABLE,
        events: EventsOption = False,
    ) -> None:
        selection = PartitionSelection(
            tuple(keys or ()), tuple(customer or ()), tuple(report or ()), since, until, all_
        )
        pipeline = open_pipeline(config)
        _perform(pipeline, operation, selection, reason, dry_run=dry_run, yes=yes, format_=format_, events=events)

    return act


for _operation, _help in _ACTS.items():
    app.command(_operation.value, help=_help)(_act(_operation))


@app.command("revoke")
def revoke(
    run: Annotated[str, typer.Option("--run", metavar="RUN_ID", help="The run that turned out wrong.")],
    reason: Annotated[str, typer.Option("--reason", help="Goes on record.")],
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_FILE,
    customer: CustomerOption = None,
    report: ReportOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    all_: AllOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    format_: FormatOption = Format.TABLE,
    events: EventsOption = False,
) -> None:
    """Withdraw authority from a run for good: the newest other good run takes its place, or the day is failed.

    The control plane puts the revocation on record; the validator makes it effective before this ends.
    """
    selection = PartitionSelection(tuple(keys or ()), tuple(customer or ()), tuple(report or ()), since, until, all_)
    _perform(
        open_pipeline(config),
        Operation.REVOKE,
        selection,
        reason,
        run_id=RunId(run),
        dry_run=dry_run,
        yes=yes,
        format_=format_,
        events=events,
    )


def _perform(
    pipeline: Pipeline,
    operation: Operation,
    selection: PartitionSelection,
    reason: str,
    *,
    run_id: RunId | None = None,
    dry_run: bool,
    yes: bool,
    format_: Format,
    events: bool,
) -> None:
    require_reason(operation, reason)
    keys = pipeline.select(operation, selection, run_id)
    if not dry_run:
        confirm_above(_MANY, len(keys), f"{len(keys):,} partitions", yes)
    observer = EventLines(as_json=True) if events else NullObserver()
    result = pipeline.act(
        operation, keys, reason, selection=selection, run_id=run_id, dry_run=dry_run, observer=observer
    )
    if format_ is Format.JSON:
        print_json(result.to_document())
    else:
        _print_act(result)
    if not dry_run and result.done < len(keys):
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _print_act(result: ActResult) -> None:
    total = len(result.outcomes)
    print_table(
        f"{result.operation}: {total:,} partitions are meant; nothing was changed"
        if result.dry_run
        else f"{result.operation}: {result.done:,} of {total:,} done",
        ["partition", "status", "authoritative run", "not done because"],
        [
            [outcome.key, state.status, state.current_run_id, outcome.why_not]
            for outcome, state in zip(result.outcomes, result.states, strict=True)
        ],
    )


@app.command("history")
def history(
    key: Annotated[str, typer.Argument(metavar="KEY", help="source/customer/report/YYYY-MM-DD")],
    config: ConfigOption = DEFAULT_FILE,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show the validation results, authority changes and operator's acts of one partition. Changes nothing."""
    partition = PartitionKey.parse(key)
    document = open_pipeline(config).history(partition).to_document()
    if format_ is Format.JSON:
        print_json(document)
        return
    state = document["state"]
    marks = f", {' and '.join(document['marks'])}" if document["marks"] else ""
    print_note(f"{partition}: {state['status']}{marks}")
    if state["last_error"]:
        print_note(f"last error: {state['last_error']}")
    print_table(
        "validation results",
        ["run", "validated", "outcome", "#rows", "authoritative", "reason", "changed"],
        [
            [
                result["run_id"],
                result["validated_at"][:19],
                result["outcome"],
                result["record_count"],
                _authority(result["run_id"], document),
                result["reason"],
                _restated(result["changes"]),
            ]
            for result in document["results"]
        ],
    )
    print_table(
        "authority changes",
        ["#sequence", "at", "status", "from run", "to run", "cause"],
        [
            [c["sequence"], c["at"][:19], c["status_after"], c["from_run"], c["to_run"], c["cause"]]
            for c in document["authority_changes"]
        ],
    )
    print_table(
        "acts",
        ["at", "kind", "actor", "before", "after", "reason", "command"],
        [
            [a["at"][:19], a["kind"], a["actor"], a["before"], a["after"], a["reason"], a["command"]]
            for a in document["acts"]
        ],
    )


def _authority(run_id: str, document: dict[str, Any]) -> str:
    if run_id in document["revoked"]:
        return "revoked"
    return "yes" if run_id == document["state"]["current_run_id"] else ""


def _restated(changes: dict[str, Any] | None) -> str:
    """Rows added, removed and changed, and the sums that differ."""
    if not changes:
        return ""
    signs = (("+", "rows_added"), ("-", "rows_removed"), ("~", "rows_changed"))
    rows = [f"{sign}{changes[name]}" for sign, name in signs if name in changes]
    metrics = changes.get("metrics", {})
    sums = [f"{name} {m['before']}→{m['after']}" for name, m in metrics.items() if m["before"] != m["after"]]
    return ", ".join([" ".join(rows), *sums]).strip(", ")


@app.command("gaps")
def gaps(
    config: ConfigOption = DEFAULT_FILE,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    report: ReportOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """List the days from --since to --until that are not success, and why; exit code 1 if there are any.

    Of the accounts named, or else configured, or else those that the ledger knows.
    """
    found = open_pipeline(config).gaps(since, until, customers=customer or (), reports=report or ())
    days = sum(gap.days for gap in found)
    documents = [gap_row(gap) for gap in found]
    if format_ is Format.JSON:
        print_json({"days": days, "gaps": documents})
    else:
        print_table(
            f"{days:,} days are not success",
            ["account", "report", "since", "until", "#days", "status", "reason"],
            [list(document.values()) for document in documents],
        )
    if found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))
