"""`gads-etl state history KEY`: all that is on record of one partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_etl.options import DEFAULT_FILE, ConfigOption
from gads_etl.printing import Format

if TYPE_CHECKING:
    from gads_domain.partition_key import PartitionKey
    from gads_domain.ports.ledger import StateReader
    from gads_domain.state import RecordedAct, ValidationResult


def history(
    key: Annotated[str, typer.Argument(metavar="KEY", help="source/customer/report/YYYY-MM-DD")],
    config: ConfigOption = DEFAULT_FILE,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Show attempts with their checks and what a restatement changed, moves of authority, and acts. Changes nothing."""
    from gads_domain.partition_key import PartitionKey
    from gads_etl.composition import open_ledger_reader
    from gads_etl.configuration import load_configuration
    from gads_etl.known_names import require_known_keys
    from gads_etl.printing import print_json, print_table, say

    partition, configuration = PartitionKey.parse(key), load_configuration(config)
    with open_ledger_reader(configuration) as ledger:
        require_known_keys(configuration, ledger, [partition])
        document = history_document(partition, ledger)
    if format_ is Format.JSON:
        print_json(document)
        return
    state = document["state"]
    marks = f", {' and '.join(document['marks'])}" if document["marks"] else ""
    say(f"{partition}: {state['status']}{marks}")
    if state["last_error"]:
        say(f"last error: {state['last_error']}")
    print_table(
        "attempts",
        ["run", "judged", "outcome", "#rows", "believed", "reason", "changed"],
        [
            [
                attempt["run_id"],
                attempt["judged_at"][:19],
                attempt["outcome"],
                attempt["record_count"],
                _belief(attempt["run_id"], document),
                attempt["reason"],
                _changes(attempt["changes"]),
            ]
            for attempt in document["attempts"]
        ],
    )
    print_table(
        "moves",
        ["#sequence", "at", "status", "from run", "to run", "cause"],
        [
            [m["sequence"], m["at"][:19], m["status_after"], m["from_run"], m["to_run"], m["cause"]]
            for m in document["moves"]
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


def history_document(key: PartitionKey, ledger: StateReader) -> dict[str, Any]:
    """All of it as JSON."""
    from gads_domain.state_row import authority_change_row, state_row

    found = ledger.history(key)
    return {
        "state": state_row(found.state),
        "marks": sorted(mark.value for mark in ledger.marks(key)),
        "revoked": sorted(run.value for run in found.revoked),
        "attempts": [_attempt(attempt) for attempt in found.results],
        "moves": [authority_change_row(entry) for entry in ledger.authority_changes_of(key)],
        "acts": [_act(act) for act in ledger.acts(key)],
    }


def _attempt(attempt: ValidationResult) -> dict[str, Any]:
    from gads_domain.clock import iso_utc

    return {
        "run_id": attempt.run_id.value,
        "outcome": attempt.outcome.value,
        "judged_at": iso_utc(attempt.validated_at),
        "record_count": attempt.record_count,
        "schema_version": attempt.schema_version,
        "reason": None if attempt.failure is None else str(attempt.failure),
        "retryable": None if attempt.failure is None else attempt.failure.retryable,
        "checks": [
            {"name": c.name, "passed": c.passed, "detail": c.detail, "figures": dict(c.figures)} for c in attempt.checks
        ],
        "changes": None if attempt.changes is None else dict(attempt.changes),
    }


def _act(recorded: RecordedAct) -> dict[str, Any]:
    from gads_domain.clock import iso_utc

    act = recorded.act
    return {
        "kind": recorded.kind,
        "at": iso_utc(act.at),
        "actor": act.actor,
        "by_policy": act.by_policy,
        "command": act.command,
        "filter": act.filter,
        "reason": act.reason,
        "before": recorded.before or recorded.status_before.value,
        "after": recorded.after or recorded.status_after.value,
    }


def _belief(run_id: str, document: dict[str, Any]) -> str:
    if run_id in document["revoked"]:
        return "revoked"
    return "yes" if run_id == document["state"]["current_run_id"] else ""


def _changes(changes: dict[str, Any] | None) -> str:
    """Rows added, removed and changed, and the sums that moved."""
    if not changes:
        return ""
    rows = [f"{sign}{changes[name]}" for sign, name in _ROWS if name in changes]
    metrics = changes.get("metrics", {})
    moved = [f"{name} {m['before']}→{m['after']}" for name, m in metrics.items() if m["before"] != m["after"]]
    return ", ".join([" ".join(rows), *moved]).strip(", ")


_ROWS = (("+", "rows_added"), ("-", "rows_removed"), ("~", "rows_changed"))


def add_to(app: typer.Typer) -> None:
    """Put the command under `gads-etl state`."""
    app.command("history")(history)
