"""`gads-etl state`: what the ledger says."""

from __future__ import annotations

from typing import Annotated

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
from gads_etl.printing import ListFormat

app = group_of_commands("What the ledger says of each partition.")


@app.callback()
def _group() -> None:
    """What the ledger says of each partition."""


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
    from gads_domain.errors import UsageError
    from gads_domain.state import PartitionStatus, StateFilter
    from gads_domain.state_row import ROW_FIELDS, state_row
    from gads_etl.composition import open_ledger_reader
    from gads_etl.configuration import load_configuration
    from gads_etl.known_names import require_known
    from gads_etl.printing import print_csv, print_json, print_table

    require_order(since, until)
    try:
        statuses = tuple(PartitionStatus(text) for text in status or ())
    except ValueError:
        raise UsageError(f"{status} is not a status", hint="pending, success or failed") from None
    wanted = StateFilter(
        customer_ids=tuple(customer or ()), reports=tuple(report or ()), since=since, until=until, statuses=statuses
    )
    configuration = load_configuration(config)
    with open_ledger_reader(configuration) as ledger:
        require_known(configuration, ledger, wanted.customer_ids, wanted.reports)
        rows = (state_row(state) for state in ledger.find(wanted, limit=limit))
        if format_ is ListFormat.JSON:
            print_json(list(rows))
        elif format_ is ListFormat.CSV:
            print_csv(ROW_FIELDS, rows)
        else:
            heads = [f"#{name}" if name in ("record_count", "attempt_count") else name for name in ROW_FIELDS]
            print_table("", heads, ([row[name] for name in ROW_FIELDS] for row in rows))
