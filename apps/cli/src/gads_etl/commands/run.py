"""`gads-etl run`: extract, seal, validate."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    ReportOption,
    SinceOption,
    UntilOption,
)
from gads_etl.printing import Format


def run(
    config: ConfigOption = DEFAULT_FILE,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    report: ReportOption = None,
    reprocess: Annotated[
        bool, typer.Option("--reprocess", help="Take partitions that are success again, under a new run.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Order a retry of those that are failed; goes on record.")
    ] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, help="How many at once.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked for, and ask for no report.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Extract every account, report and day that is not success yet, and have each validated.

    A day is a day of the account's time zone, and only days that are over there are taken. Without --since and --until
    these are the days that each report still restates, and today for a snapshot. What others on the same ledger are
    at is left to them.
    """
    from gads_etl.checking import require_sound_reports
    from gads_etl.composition import new_run
    from gads_etl.configuration import load_configuration
    from gads_etl.execution import execute_run, foresee
    from gads_etl.printing import print_json
    from gads_etl.run_report import plan_document, print_plan, print_run, run_document
    from gads_etl.run_wish import RunOptions
    from gads_etl.warehouse_access import load_warehouse, print_load

    configuration = load_configuration(config)
    options = RunOptions(since, until, tuple(customer or ()), tuple(report or ()), reprocess, retry_failed)
    require_sound_reports(configuration, options.reports)
    if dry_run:
        plan = foresee(configuration, options)
        print_json(plan_document(plan)) if format_ is Format.JSON else print_plan(plan)
        return
    result = execute_run(configuration, options, new_run(" ".join(["gads-etl", *sys.argv[1:]])), workers)
    print_json(run_document(result)) if format_ is Format.JSON else print_run(result)
    if configuration.warehouse.load_after_run:
        print_load(load_warehouse(configuration))
    if result.credentials is not None:
        raise result.credentials
    if result.exit_code:
        raise typer.Exit(int(result.exit_code))
