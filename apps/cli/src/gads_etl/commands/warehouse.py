"""`gads-etl warehouse`: tables that are kept equal to the authoritative partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_etl.command_group import group_of_commands
from gads_etl.options import DEFAULT_FILE, ConfigOption
from gads_etl.printing import Format

if TYPE_CHECKING:
    from gads_warehouse import Verification, WarehouseStatus

app = group_of_commands("Load authoritative partitions into tables.")

FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]


@app.callback()
def _group() -> None:
    """Load authoritative partitions into tables."""


@app.command("load")
def load(
    config: ConfigOption = DEFAULT_FILE,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Compare every partition with the ledger instead of following its log.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Bring the tables to where the ledger is. Run twice, the second changes nothing."""
    from gads_etl.configuration import load_configuration
    from gads_etl.printing import print_json
    from gads_etl.warehouse_access import load_document, load_warehouse, print_load

    report = load_warehouse(load_configuration(config), reconcile=reconcile, dry_run=dry_run)
    print_json(load_document(report)) if format_ is Format.JSON else print_load(report)


@app.command("status")
def status(config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Show what is loaded, behind and orphaned, by report. Exits with 1 if the tables are not where the ledger is."""
    from gads_etl.configuration import load_configuration
    from gads_etl.exit_codes import ExitCode
    from gads_etl.printing import print_json, print_table, say
    from gads_etl.warehouse_access import warehouse_and_consumer
    from gads_warehouse import status as compare

    with warehouse_and_consumer(load_configuration(config)) as (warehouse, consumer):
        found = compare(consumer, warehouse)
    if format_ is Format.JSON:
        print_json(_status_document(found))
    else:
        columns = ["report", "#partitions", "#rows", "first_day", "last_day", "#behind", "#orphaned", "#mismatched"]
        print_table("", columns, (list(asdict(one).values()) for one in found.reports))
        at = "nothing is loaded" if found.loaded is None else f"the tables are at position {found.loaded.position}"
        if found.full_load is not None:
            at = (
                f"a full load to position {found.full_load.target.position} is incomplete: "
                f"{found.full_load.done:,} partitions done, {found.full_load.remaining:,} to do; "
                "gads-etl warehouse load resumes it"
            )
        say(f"{at}; the ledger is at position {found.ledger.position}")
        _print_invalid_identity(found.invalid_identity)
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


@app.command("verify")
def verify(config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Compare rows and sums of all metrics with the sealed payloads, and name every difference. Changes nothing."""
    from gads_etl.configuration import load_configuration
    from gads_etl.exit_codes import ExitCode
    from gads_etl.printing import print_json, print_table, say
    from gads_etl.warehouse_access import warehouse_and_consumer
    from gads_warehouse import verify as compare

    with warehouse_and_consumer(load_configuration(config)) as (warehouse, consumer):
        found = compare(consumer, warehouse)
    if format_ is Format.JSON:
        print_json(_verification_document(found))
    else:
        if found.differences:
            rows = [list(record.values()) for record in _differences(found)]
            print_table("", ["kind", "customer_id", "report", "logical_date", "column", "expected", "found"], rows)
        say(
            f"{found.partitions:,} partitions with {found.rows:,} rows compared: {len(found.differences):,} differences"
        )
        _print_invalid_identity(found.invalid_identity)
    if not found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _print_invalid_identity(counts: Mapping[str, int]) -> None:
    from gads_etl.printing import say

    for table, number in counts.items():
        say(f"{number:,} rows of {table} have no valid identity; gads-etl warehouse load --reconcile removes them")


def _status_document(found: WarehouseStatus) -> dict[str, Any]:
    load = found.full_load
    return {
        "version": 2,
        "position": None if found.loaded is None else found.loaded.position,
        "full_load": None
        if load is None
        else {"target": load.target.position, "done": load.done, "remaining": load.remaining},
        "ledger_position": found.ledger.position,
        "current": bool(found),
        "reports": [asdict(one) for one in found.reports],
        "invalid_identity": dict(found.invalid_identity),
    }


def _verification_document(found: Verification) -> dict[str, Any]:
    return {
        "version": 2,
        "position": None if found.loaded is None else found.loaded.position,
        "ledger_position": found.ledger.position,
        "partitions": found.partitions,
        "rows": found.rows,
        "differences": _differences(found),
        "invalid_identity": dict(found.invalid_identity),
    }


def _differences(found: Verification) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind.value,
            "customer_id": one.key.customer_id,
            "report": one.key.report,
            "logical_date": one.key.logical_date.isoformat(),
            "column": one.column,
            "expected": one.expected,
            "found": one.found,
        }
        for one in found.differences
    ]
