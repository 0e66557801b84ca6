"""`gads-etl alerts`: what is wrong, and who was told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gads_domain.visible_text import visible
from gads_etl.exit_codes import ExitCode
from gads_etl.options import DEFAULT_FILE, ConfigOption, DryRunOption, open_pipeline
from gads_terminal.command_group import group_of_commands
from gads_terminal.output import Format, print_json
from gads_terminal.table import print_rows
from gads_terminal.table_options import FormatOption, Table, TableOptions, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gads_alerts.delivery import Delivery

app = group_of_commands("Show the alerts that are open, and send what is due.")

_ALERTS = Table("severity text ~raised_at delivered -rule -destination -~notified_at -~resolved_at", "no alert is open")


@app.command("list")
def list_(
    *,
    config: ConfigOption = DEFAULT_FILE,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were resolved lately.")] = False,
    options: Annotated[TableOptions, columns_of(_ALERTS)],
) -> None:
    """List the alerts that are open, newest first. Evaluates nothing: `serve` and `alerts check` do."""
    from gads_alerts.notification import alert_row

    rows = [alert_row(state) for state in open_pipeline(config).alerts(open_only=not all_)]
    print_rows(_ALERTS, rows, options)


@app.command("check")
def check(
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Evaluate [[alerts]] once and send what is due, as serve does; for a scheduler, or for a second machine.

    Exit code 1 if a destination did not take what was due, which is due again after five minutes.
    """
    deliveries = open_pipeline(config).check_alerts(dry_run=dry_run)
    _end(deliveries, format_, "would get" if dry_run else "got")


@app.command("test")
def send_test(config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Send a test to each destination, and say which took it. Exit code 1 if one did not."""
    _end(open_pipeline(config).test_alerts(), format_, "got")


def _end(deliveries: Sequence[Delivery], format_: Format, got: str) -> None:
    if format_ is Format.JSON:
        print_json([one.to_document() for one in deliveries])
    else:
        for one in deliveries:
            head = f"{one.destination} {got if not one.failure else 'did not take'}: {one.message.title}"
            why = [f"  why: {one.failure}"] if one.failure else []
            lines = [head, *why, *(f"  {line}" for line in one.message.body().splitlines())]
            sys.stdout.writelines(f"{visible(line)}\n" for line in lines)
        if not deliveries:
            sys.stdout.write("nothing is due\n")
    if any(one.failure for one in deliveries):
        raise typer.Exit(int(ExitCode.INCOMPLETE))
