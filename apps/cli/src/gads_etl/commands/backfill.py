"""`gads-etl backfill`: every day of a range that was never attempted, or is to be tried again by policy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gads_etl.confirming import YesOption, confirm_above
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
    from gads_domain.ports.ledger import StateReader
    from gads_etl.account_selection import SelectedAccounts
    from gads_etl.composition import ApiFiles
    from gads_orchestrator.plan import WorkPlan

    _Planned = tuple[WorkPlan, SelectedAccounts | None]

_MANY = 1000


def backfill(
    config: ConfigOption = DEFAULT_FILE,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    report: ReportOption = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, help="How many at once.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked for, and ask for no report.")
    ] = False,
    yes: YesOption = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
    events: Annotated[bool, typer.Option("--json-events", help="Events on stderr as JSON lines.")] = False,
) -> None:
    """Attempt every day from --since to --until that is not success, newest first; held and terminal days stay out.

    May be interrupted and run again at any time, also beside others on the same ledger. Exit code 1 if any partition
    that was attempted is not success, or one was left out that is not; the output names each.
    """
    from dataclasses import replace

    from gads_domain.clock import SystemClock
    from gads_domain.errors import CredentialsError, UsageError
    from gads_etl.composition import api_files, new_run, open_ledger_for_control_plane, open_ledger_reader, open_sink
    from gads_etl.configuration import load_configuration
    from gads_etl.control_plane import accounts_of, named_accounts, request_of
    from gads_etl.event_lines import EventLines
    from gads_etl.exit_codes import ExitCode
    from gads_etl.printing import print_json
    from gads_etl.run_wish import RunOptions, needs_accounts
    from gads_etl.warehouse_access import load_warehouse, print_load
    from gads_etl.work_report import missing_of, print_work, print_work_json, print_work_plan, work_plan_document
    from gads_etl.working_together import carried_out, selected_by
    from gads_orchestrator.advice import advice
    from gads_orchestrator.budget import counting
    from gads_orchestrator.plan import always_open, plan_work
    from gads_orchestrator.requested_run import states_of
    from gads_orchestrator.selection import Reason, SelectDue

    if since is None or until is None:
        raise UsageError("which days?", hint="give --since YYYY-MM-DD and --until YYYY-MM-DD, both included")
    require_order(since, until)
    configuration = load_configuration(config)
    sections = configuration.control_plane
    names = [section.name for section in configuration.sections(report or [])]
    selection = SelectDue(sections.retry.policy, frozenset(Reason) - {Reason.RESTATEMENT, Reason.REQUESTED})
    options = RunOptions(since, until, tuple(customer or ()), tuple(names))
    now, limit = SystemClock().now(), sections.quota.operations_per_day

    def planned(files: ApiFiles, ledger: StateReader, count: Callable[[], None] | None) -> _Planned:
        selected = None
        if needs_accounts(configuration, options, now):
            selected = selected_by(configuration, files, options.customers, count)
            accounts = accounts_of(selected)
        else:
            accounts = named_accounts(configuration.customers(options.customers))
        request = request_of(configuration, accounts, names, now, selection, since, until)
        return plan_work(replace(request, opened_at=always_open), ledger), selected

    if dry_run:
        with api_files(configuration) as files, open_ledger_reader(configuration) as reader:
            found, _ = planned(files, reader, None)
            quota = reader.quota(sections.quota.name, sections.quota.budget.day_of(now))
        if format_ is Format.JSON:
            print_json(work_plan_document(found, quota, limit, None))
        else:
            print_work_plan(found, quota, limit, 50)
        return
    open_sink(configuration).check()
    with api_files(configuration) as files, open_ledger_for_control_plane(configuration) as ledger:
        found, selected = planned(files, ledger, counting(ledger, sections.quota.budget, SystemClock()))
        confirm_above(_MANY, found.partitions, f"{found.partitions:,} partitions, {found.operations:,} requests", yes)
        run = new_run(" ".join(["gads-etl", *sys.argv[1:]]))
        result = carried_out(found, run, configuration, files, selected, ledger, EventLines(as_json=events), workers)
        tell = print_work_json if format_ is Format.JSON else print_work
        missing = missing_of(found, ledger)
        tally = tell(result, states_of(ledger, found.keys()), missing, lambda failures: advice(failures, ledger))
    if configuration.warehouse.load_after_run:
        print_load(load_warehouse(configuration))
    if result.reason == "credentials":
        raise CredentialsError(result.detail)
    if tally.unwell or missing:
        raise typer.Exit(int(ExitCode.INCOMPLETE))
