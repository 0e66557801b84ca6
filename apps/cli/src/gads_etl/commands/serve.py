"""`gads-etl serve`: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gads_etl.options import DEFAULT_FILE, ConfigOption, CustomerOption, ReportOption
from gads_etl.printing import Format

if TYPE_CHECKING:
    from gads_etl.account_selection import SelectedAccounts


def serve(
    config: ConfigOption = DEFAULT_FILE,
    customer: CustomerOption = None,
    report: ReportOption = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, help="How many at once.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Attempt what is due now, then end; for a scheduler.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
    events: Annotated[bool, typer.Option("--json-events", help="Events on stderr as JSON lines.")] = False,
) -> None:
    """Attempt whatever is due, for as long as it runs: new days and restatements by schedule, retries, backfills.

    SIGTERM and Ctrl-C end it within ten seconds. Several may serve one ledger; they share the work. With --once it
    prints what came of it, and the exit code is 1 if something that was due was not attempted, or in vain.
    """
    import time
    from datetime import datetime

    from gads_domain.clock import SystemClock
    from gads_domain.errors import CredentialsError, GadsError
    from gads_etl.composition import api_files, new_run, open_ledger_for_control_plane, open_sink
    from gads_etl.configuration import load_configuration
    from gads_etl.control_plane import accounts_of, control_of, request_of
    from gads_etl.event_lines import EventLines
    from gads_etl.exit_codes import ExitCode
    from gads_etl.once_report import NotPassed, once_document, once_exit_code, print_once
    from gads_etl.printing import print_json, say
    from gads_etl.served_accounts import ServedAccounts
    from gads_etl.warehouse_access import load_warehouse, print_load
    from gads_etl.working_together import Stopped, rooms_of, selected_by, spawned_workers, stopped_by_signals
    from gads_orchestrator.budget import counting
    from gads_orchestrator.daemon import Daemon
    from gads_orchestrator.execution import WorkResult
    from gads_orchestrator.plan import WorkRequest
    from gads_orchestrator.selection import SelectDue

    configuration = load_configuration(config)
    sections = configuration.control_plane
    names = [section.name for section in configuration.sections(report or [])]
    open_sink(configuration).check()
    try:
        with (
            stopped_by_signals() as stop,
            api_files(configuration) as files,
            open_ledger_for_control_plane(configuration) as ledger,
        ):
            count = counting(ledger, sections.quota.budget, SystemClock())

            def list_accounts() -> SelectedAccounts:
                with stop.interrupting():
                    return selected_by(configuration, files, customer or [], count)

            served = ServedAccounts(
                list_accounts,
                ledger,
                SystemClock().now(),
                lambda selected: pool.open_anew(rooms_of(configuration, files, selected)),
            )
            pool = spawned_workers(configuration, files, served.selected, workers)
            lines = EventLines(as_json=events)
            not_passed, results = NotPassed(lines), list[WorkResult]()
            selection = SelectDue(sections.retry.policy)

            def request_at(now: datetime) -> WorkRequest:
                accounts = accounts_of(served.at(now))
                return request_of(configuration, accounts, names, now, selection, sections.run.backfill_since)

            def load_tables(_result: WorkResult) -> None:
                if configuration.warehouse.load_after_run and not stop.is_set():
                    try:
                        with stop.interrupting():
                            print_load(load_warehouse(configuration))
                    except GadsError as error:
                        say(f"the warehouse was not loaded, the next run tries it again: {error.message}")

            daemon = Daemon(
                request_at,
                lambda: new_run("gads-etl serve"),
                control_of(configuration, ledger, not_passed if once else lines, awaits_leases=once),
                pool,
                stop,
                look_seconds=sections.run.look_seconds,
                ended=load_tables,
            )
            began = time.monotonic()
            if not once:
                say(f"serving {len(served.selected.accounts)} accounts and {len(names)} reports; Ctrl-C ends it")
                daemon.serve()
                say(f"ended after {time.monotonic() - began:,.0f} s")
                return
            try:
                while (result := daemon.look()) is not None:
                    results.append(result)
                    if result.reason != "enough":
                        break
            finally:
                pool.close()
            document = once_document(results, not_passed.keys, ledger)
    except Stopped:
        say("ended; what was waited for was left")
        if once:
            raise typer.Exit(int(ExitCode.INCOMPLETE)) from None
        return
    print_json(document) if format_ is Format.JSON else print_once(document)
    if document["ended"] == "credentials":
        raise CredentialsError(document["detail"])
    if code := once_exit_code(document):
        raise typer.Exit(int(code))
