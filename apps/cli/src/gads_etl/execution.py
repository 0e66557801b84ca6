"""A run with everything it needs opened, and closed again whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_etl.composition import (
    api_access,
    open_ledger_for_control_plane,
    open_ledger_for_validator,
    open_ledger_reader,
    open_sink,
    report_source,
    validator_of,
)
from gads_etl.control_plane import GatedStreams
from gads_etl.printing import say
from gads_etl.progress import RunProgress
from gads_etl.run_wish import RunScope, RunWish, needs_accounts, refusals, scope, scope_without_zones
from gads_orchestrator.budget import CallGate
from gads_orchestrator.planning import RunPlan, RunRequest, plan_run
from gads_orchestrator.running import Rooms, RunResult, run_reports

if TYPE_CHECKING:
    from gads_domain.ports.report_source import ReportSource
    from gads_domain.run import RunContext
    from gads_etl.configuration import Configuration
    from gads_extractor.connection import GoogleAdsConnection
    from gads_extractor.extracting import SearchStreams
    from gads_extractor.refusing import RefusalOf

_Scoping = Callable[["GoogleAdsConnection"], "tuple[RunScope, RefusalOf | None]"]


def execute(configuration: Configuration, request: RunRequest, run: RunContext) -> RunResult:
    """Carry out `request` as the run `run`, with progress on stderr.

    Sink and ledger are opened before the API is asked for anything, so that a run that could not be kept spends no
    quota. Raises `ConfigurationError`, `LedgerError`, `StorageError` or `CredentialsError` before anything is written.
    """
    return _execute(configuration, run, lambda _: (RunScope((request,)), None))


def fulfil(configuration: Configuration, wish: RunWish, run: RunContext) -> RunResult:
    """Carry out what somebody asked for, account by account in its own days; says on stderr what is left out.

    What the API would surely refuse is put on record with its reason and not asked. Raises as `execute` and
    `select_accounts` do, before anything is written.
    """
    _require_known_customers(configuration, wish)
    return _execute(configuration, run, lambda access: _scoped(configuration, wish, access))


def foresee(configuration: Configuration, wish: RunWish) -> RunPlan:
    """What `fulfil` would attempt. No report is asked for; the list of accounts is, if the days hang on their zones."""
    _require_known_customers(configuration, wish)
    if needs_accounts(configuration, wish, SystemClock().now()):
        with api_access(configuration) as access:
            found, _ = _scoped(configuration, wish, access)
    else:
        found = scope_without_zones(configuration, wish)
    with open_ledger_reader(configuration) as ledger:
        plans = [plan_run(request, ledger) for request in found.requests]
    return _joined_plans(plans)


def _require_known_customers(configuration: Configuration, wish: RunWish) -> None:
    """Refuse an account that is not configured before anything is opened, where the configuration names its own."""
    if configuration.google_ads.customer_ids:
        configuration.customers(wish.customers)


def _scoped(
    configuration: Configuration, wish: RunWish, access: GoogleAdsConnection
) -> tuple[RunScope, RefusalOf | None]:
    from gads_etl.account_selection import select_accounts

    now = SystemClock().now()
    if not needs_accounts(configuration, wish, now):
        return scope_without_zones(configuration, wish), None
    selected = select_accounts(configuration, access, wish.customers)
    found = scope(configuration, wish, selected, now)
    for note in found.notes:
        say(note)
    return found, partial(refusals, selected)


def _execute(configuration: Configuration, run: RunContext, scoping: _Scoping) -> RunResult:
    with ExitStack() as opened:
        sink = open_sink(configuration)
        sink.check()
        ledger = opened.enter_context(open_ledger_for_validator(configuration))
        control = opened.enter_context(open_ledger_for_control_plane(configuration))
        access = opened.enter_context(api_access(configuration))
        found, refusal_of = scoping(access)
        gate = CallGate(control, configuration.control_plane.quota.budget, SystemClock())
        rooms = Rooms(
            source=_source(configuration, GatedStreams(access, gate), refusal_of),
            sink=sink,
            ledger=ledger,
            control=control,
            validator=validator_of(configuration, sink, ledger),
            clock=SystemClock(),
            gate=gate,
        )
        progress = opened.enter_context(RunProgress())
        results = []
        for request in found.requests:
            results.append(run_reports(request, run, rooms, progress))
            if results[-1].credentials is not None or results[-1].quota is not None:
                break
        return _joined_results(results)


def _source(configuration: Configuration, access: SearchStreams, refusal_of: RefusalOf | None) -> ReportSource:
    from gads_extractor.refusing import RefusingSource

    source = report_source(configuration, access)
    return source if refusal_of is None else RefusingSource(source, refusal_of)


def _joined_plans(plans: list[RunPlan]) -> RunPlan:
    return RunPlan(
        tuple(stretch for plan in plans for stretch in plan.stretches),
        tuple(key for plan in plans for key in plan.retried),
        tuple(state for plan in plans for state in plan.left_alone),
    )


def _joined_results(results: list[RunResult]) -> RunResult:
    """The requests of one run have no partition in common."""
    joined = RunResult(results[0].run, _joined_plans([result.plan for result in results]))
    for result in results:
        joined.states |= result.states
        joined.attempted |= result.attempted
        joined.recovered |= result.recovered
        joined.troubles |= result.troubles
        joined.moved |= result.moved
        joined.credentials = joined.credentials or result.credentials
        joined.quota = joined.quota or result.quota
    return joined
