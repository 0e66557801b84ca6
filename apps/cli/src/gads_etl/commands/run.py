"""`gads-etl run | plan | backfill | serve`: extract, seal, validate."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gads_domain.errors import UsageError
from gads_domain.figures import counted
from gads_etl.commands.ui import HttpOption, page_at
from gads_etl.commands.warehouse import load_tables
from gads_etl.exit_codes import ExitCode
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    DryRunOption,
    EventsOption,
    Logs,
    ReportOption,
    Selection,
    WorkersOption,
    YesOption,
    confirm_above,
    open_pipeline,
)
from gads_etl.outcome_report import (
    OutcomeOptions,
    OutcomeOrPlanOptions,
    PlanOptions,
    print_forecast,
    print_outcome,
)
from gads_etl.progress import RunProgress
from gads_etl.signals import stopped_by_signals
from gads_orchestrator.outcome import Ending
from gads_pipeline.serve_tally import ServeTally
from gads_pipeline.stop import Stop, Stopped
from gads_pipeline.work_request import RunOptions
from gads_terminal.output import print_note
from gads_terminal.table_options import TableOptions

if TYPE_CHECKING:
    from gads_orchestrator.events import Observer
    from gads_orchestrator.plan import WorkPlan
    from gads_pipeline import Pipeline
    from gads_pipeline.outcome import Outcome

ForceOption = Annotated[
    bool, typer.Option("--force", help="Request a --customer that the account list does not select.")
]

MetricsOption = Annotated[
    Path | None,
    typer.Option("--metrics-file", metavar="FILE", help="When it ends, write metrics for node_exporter to FILE."),
]

_MANY = 1000
"""How many partitions are backfilled without confirmation."""


def run(
    *,
    selection: Selection,
    config: ConfigOption = DEFAULT_FILE,
    reprocess: Annotated[
        bool,
        typer.Option("--reprocess", help="Extract also what is success; unchanged days are not sealed again."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry partitions that are failed; goes on record.")
    ] = False,
    force: ForceOption = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Read no sealed day back before it is confirmed as unchanged.")
    ] = False,
    workers: WorkersOption = None,
    dry_run: DryRunOption = False,
    table: OutcomeOrPlanOptions,
    logs: Logs,
    metrics: MetricsOption = None,
) -> None:
    """Extract and validate every account, report and day that is not success yet.

    A day is a day of the account's time zone, and only days that are over there are extracted. Without --since and
    --until these are the days that each report still restates, and today for a snapshot report. What another process
    on the same ledger is working on is left to it. Exit code 1 if one of these days is missing afterwards, 75 if
    calling it again attempts all that is missing.
    """
    pipeline = open_pipeline(config)
    options = RunOptions(**selection.given, reprocess=reprocess, retry_failed=retry_failed, force=force, trust=trust)
    if dry_run:
        print_forecast(pipeline.plan_run(options), table, pipeline.account_names())
        return
    with (
        logs.observing(pipeline, progress := RunProgress(), outcome_is_printed=True) as logged,
        _measured(metrics, pipeline, logged) as observer,
    ):
        with progress, _interruptible() as stop:
            progress.begin("preparing")
            outcome = pipeline.run(options, workers=workers, observer=observer, stop=stop)
        _end(pipeline, outcome, table, logs, observer)


def plan(
    *,
    selection: Selection,
    config: ConfigOption = DEFAULT_FILE,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many requests.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="Show every request.")] = False,
    table: PlanOptions,
) -> None:
    """Show what serve would do now, in order, what it costs, and what it skips.

    Changes nothing. The API lists the accounts, since a day is a day of the account's time zone; no report is
    requested. Without --since it goes back to run.backfill_since of the configuration, or to what is still restated.
    """
    pipeline = open_pipeline(config)
    forecast = pipeline.plan(RunOptions(**selection.given))
    print_forecast(forecast, table, pipeline.account_names(), None if all_ else limit)


def backfill(
    *,
    selection: Selection,
    config: ConfigOption = DEFAULT_FILE,
    force: ForceOption = False,
    workers: WorkersOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    table: OutcomeOrPlanOptions,
    logs: Logs,
    events: EventsOption = False,
    metrics: MetricsOption = None,
) -> None:
    """Extract every day of a range that is not success, newest first.

    Held and terminal days are skipped. It may be interrupted and run again at any time, also beside other processes on
    the same ledger. Exit code 1 if a day of the range is missing afterwards, 75 if calling it again attempts all that
    is missing; the output names each.
    """
    pipeline = open_pipeline(config)
    options = RunOptions(**selection.given, force=force)
    if dry_run:
        print_forecast(pipeline.plan_backfill(options), table, pipeline.account_names())
        return

    progress = RunProgress()

    def confirm(plan: WorkPlan) -> None:
        confirm_above(
            _MANY,
            plan.partitions,
            f"{counted(plan.partitions, 'partition')} in {counted(plan.operations, 'request')}",
            yes,
        )

    others = () if events else (progress,)
    with (
        logs.observing(pipeline, *others, events=events, outcome_is_printed=True) as logged,
        _measured(metrics, pipeline, logged) as observer,
    ):
        with progress, _interruptible() as stop:
            outcome = pipeline.backfill(options, workers=workers, observer=observer, stop=stop, confirm=confirm)
        _end(pipeline, outcome, table, logs, observer)


def serve(
    *,
    config: ConfigOption = DEFAULT_FILE,
    customer: CustomerOption = None,
    report: ReportOption = None,
    workers: WorkersOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end; for a scheduler.")] = False,
    http: HttpOption = None,
    table: OutcomeOptions,
    logs: Logs,
    events: EventsOption = False,
    metrics: MetricsOption = None,
) -> None:
    """Do whatever is due, for as long as it runs.

    That is new days and restatements by schedule, retries, and backfills. SIGTERM and Ctrl-C end it within ten seconds.
    Several may serve one ledger; they share the work. With --once it prints the outcome, and the exit code is 1 if
    something that is expected is missing, due now or not, and 75 if a later call attempts all that is missing.
    """
    if metrics is not None and not once:
        raise UsageError("--metrics-file is for what ends by itself", hint="add --once")
    pipeline = open_pipeline(config)
    options = RunOptions(customers=tuple(customer or ()), reports=tuple(report or ()))
    progress = RunProgress("waiting for what is due")
    others = (progress,) if sys.stderr.isatty() and not events else ()
    with (
        logs.observing(pipeline, *others, events=events, outcome_is_printed=once) as logged,
        _measured(metrics, pipeline, logged) as measured,
        progress,
        stopped_by_signals() as stop,
        page_at(http, pipeline, measured) as observer,
    ):
        tally = ServeTally(observer)
        try:
            if not once:
                pipeline.serve(options, workers=workers, observer=tally, stop=stop)
                print_note(f"ended: {tally}")
                return
            outcome = pipeline.serve_once(options, workers=workers, observer=tally, stop=stop)
        except Stopped:
            print_note(f"ended while the API or the warehouse was waited for: {tally}")
            if once:
                raise typer.Exit(int(ExitCode.LATER)) from None
            return
    code = print_outcome(outcome, table, skipped=False, names_failures=logs.for_people)
    if outcome.load_failure is not None:
        raise outcome.load_failure
    if code:
        raise typer.Exit(int(code))


@contextmanager
def _interruptible() -> Iterator[Stop]:
    try:
        with stopped_by_signals() as stop:
            yield stop
    except Stopped:
        raise KeyboardInterrupt from None


def _measured(file: Path | None, pipeline: Pipeline, observer: Observer) -> AbstractContextManager[Observer]:
    """What `observer` gets is counted, and written to `file` in the end, if there is one."""
    if file is None:
        return nullcontext(observer)
    from gads_metrics.text_file import written_metrics  # and prometheus_client

    return written_metrics(file, pipeline.status, version("gads-etl"), observer)


def _end(pipeline: Pipeline, outcome: Outcome, table: TableOptions, logs: Logs, observer: Observer) -> None:
    """Print the outcome, load the warehouse if that is configured, and exit with the outcome's code."""
    try:
        code = print_outcome(outcome, table, names_failures=logs.for_people)
        sys.stdout.flush()
        if outcome.ended == Ending.STOPPED:
            raise KeyboardInterrupt
    finally:
        if outcome.ended != Ending.STOPPED and pipeline.configuration.warehouse.load_after_run:
            print_note(str(load_tables(pipeline, observer, run_id="".join(outcome.run_ids[-1:]))))
    if code:
        raise typer.Exit(int(code))
