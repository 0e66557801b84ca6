"""A run with everything it needs opened, and closed again whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_etl.composition import (
    api_access,
    api_files,
    check_ledger,
    connected,
    open_ledger_for_control_plane,
    open_ledger_for_validator,
    open_ledger_reader,
    open_sink,
    report_source,
    validator_of,
)
from gads_etl.control_plane import GatedStreams, control_of
from gads_etl.ending import interrupted_by_sigterm
from gads_etl.printing import say
from gads_etl.progress import RunProgress
from gads_etl.run_wish import RunOptions, RunScope, needs_accounts, refusals, scope, scope_without_zones
from gads_etl.working_together import spawned_workers, stopped_by_signals
from gads_orchestrator.budget import QuotaGate, counting
from gads_orchestrator.requested_run import RunPlan, RunResult, plan_run, run_requested
from gads_orchestrator.worker import WorkerContext
from gads_orchestrator.worker_pool import InThisProcess, Workers

if TYPE_CHECKING:
    from gads_domain.ports.ledger import ControlPlaneLedger
    from gads_domain.ports.sink import RawSink
    from gads_domain.run import RunContext
    from gads_etl.account_selection import SelectedAccounts
    from gads_etl.configuration import Configuration
    from gads_extractor.connection import GoogleAdsConnection


def execute_run(
    configuration: Configuration, options: RunOptions, run: RunContext, workers: int | None = None
) -> RunResult:
    """Carry out what somebody asked for, account by account in its own days; says on stderr what is left out.

    With one worker the work is done in this process, with more in worker processes. Sink and ledger are tried before
    the API is asked for anything, so that a run that could not be kept spends no quota. What the API would surely
    refuse is put on record with its reason and not asked. Raises `ConfigurationError`, `LedgerError`, `StorageError`,
    `CredentialsError`, or as `select_accounts` does, before anything is written.
    """
    _require_known_customers(configuration, options)
    at_once = workers or configuration.control_plane.run.workers
    with ExitStack() as opened:
        if at_once == 1:
            opened.enter_context(interrupted_by_sigterm())
        sink = open_sink(configuration)
        sink.check()
        check_ledger(configuration)
        files = opened.enter_context(api_files(configuration))
        access = opened.enter_context(connected(configuration, files))
        ledger = opened.enter_context(open_ledger_for_control_plane(configuration))
        count = counting(ledger, configuration.control_plane.quota.budget, SystemClock())
        found, selected = _scoped(configuration, options, access, count)
        plan = plan_run(found.request, ledger)
        progress = opened.enter_context(RunProgress())
        progress.planned(plan)
        control = control_of(configuration, ledger, progress, awaits_leases=True)
        pool: Workers
        stopping: Callable[[], bool] = _nobody_stops
        if at_once == 1:
            context = opened.enter_context(_rooms(configuration, sink, ledger, access, selected))
            pool = InThisProcess(context, progress.on_events)
        else:
            pool = spawned_workers(configuration, files, selected, at_once)
            stopping = opened.enter_context(stopped_by_signals()).is_set
        opened.callback(pool.close)
        return run_requested(plan, run, control, pool, stopping)


def foresee(configuration: Configuration, options: RunOptions) -> RunPlan:
    """What `fulfil` would attempt. No report is asked for; the list of accounts is, if the days hang on their zones."""
    _require_known_customers(configuration, options)
    now = SystemClock().now()
    if needs_accounts(configuration, options, now):
        with api_access(configuration) as access:
            found, _ = _scoped(configuration, options, access)
    else:
        found = scope_without_zones(configuration, options, now)
    with open_ledger_reader(configuration) as ledger:
        return plan_run(found.request, ledger)


def _nobody_stops() -> bool:
    return False


def _require_known_customers(configuration: Configuration, options: RunOptions) -> None:
    """Refuse an account that is not configured before anything is opened, where the configuration names its own."""
    if configuration.google_ads.customer_ids:
        configuration.customers(options.customers)


def _scoped(
    configuration: Configuration,
    options: RunOptions,
    access: GoogleAdsConnection,
    count: Callable[[], None] | None = None,
) -> tuple[RunScope, SelectedAccounts | None]:
    from gads_etl.account_selection import select_accounts

    now = SystemClock().now()
    if not needs_accounts(configuration, options, now):
        return scope_without_zones(configuration, options, now), None
    selected = select_accounts(configuration, access, options.customers, count=count)
    found = scope(configuration, options, selected, now)
    for note in found.notes:
        say(note)
    return found, selected


@contextmanager
def _rooms(
    configuration: Configuration,
    sink: RawSink,
    control: ControlPlaneLedger,
    access: GoogleAdsConnection,
    selected: SelectedAccounts | None,
) -> Iterator[WorkerContext]:
    """What the one worker in this process needs, open as long as the context."""
    from gads_extractor.preflight import RefusingSource

    gate = QuotaGate(control, configuration.control_plane.quota.budget, SystemClock())
    source = report_source(configuration, GatedStreams(access, gate))
    if selected is not None:
        source = RefusingSource(source, partial(refusals, selected))
    with open_ledger_for_validator(configuration) as ledger:
        yield WorkerContext(source, sink, validator_of(configuration, sink, ledger), gate, SystemClock())
