"""`gads-etl plan`: what is due, in order, and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

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


def plan(
    config: ConfigOption = DEFAULT_FILE,
    customer: CustomerOption = None,
    report: ReportOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many requests.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="Show every request.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Say what `serve` would attempt now, in order, what it costs, and what is left out and why. Changes nothing.

    The list of accounts is asked for, since a day is a day of the account's zone; no report is. Without --since it goes
    back to run.backfill_since of the configuration, or to what is still restated.
    """
    from gads_domain.clock import SystemClock
    from gads_etl.account_selection import select_accounts
    from gads_etl.composition import api_files, connected, open_ledger_reader
    from gads_etl.configuration import load_configuration
    from gads_etl.control_plane import accounts_of, request_of
    from gads_etl.printing import print_json
    from gads_etl.work_report import print_work_plan, work_plan_document
    from gads_orchestrator.plan import plan_work
    from gads_orchestrator.selection import SelectDue

    require_order(since, until)
    configuration = load_configuration(config)
    sections = configuration.control_plane
    names = [section.name for section in configuration.sections(report or [])]
    with api_files(configuration) as files, connected(configuration, files) as connection:
        accounts = accounts_of(select_accounts(configuration, connection, customer or []))
    now = SystemClock().now()
    first = since or sections.run.backfill_since
    request = request_of(configuration, accounts, names, now, SelectDue(sections.retry.policy), first, until)
    with open_ledger_reader(configuration) as ledger:
        found = plan_work(request, ledger)
        quota = ledger.quota(sections.quota.name, sections.quota.budget.day_of(now))
    most = None if all_ or format_ is Format.JSON else limit
    limit_a_day = sections.quota.operations_per_day
    if format_ is Format.JSON:
        print_json(work_plan_document(found, quota, limit_a_day, most))
    else:
        print_work_plan(found, quota, limit_a_day, most)
