"""Plans and executes runs, backfills and the daemon: opens what they need, and closes it whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError, FailureReason, GadsError, StorageError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import OperatorAct
from gads_orchestrator.budget import listing, rest_error
from gads_orchestrator.daemon import Daemon
from gads_orchestrator.events import Observer
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.outcome import Ending, joined, partitions
from gads_orchestrator.plan import WorkPlan, WorkRequest, daily_operations, plan_work
from gads_orchestrator.worker_pool import WorkerProcesses
from gads_pipeline.account_erasure import without_erased
from gads_pipeline.account_selection import SelectedAccounts, select_accounts
from gads_pipeline.activity import Activity
from gads_pipeline.alert_watch import watching_alerts
from gads_pipeline.command_completeness import CommandCompleteness, completeness_of
from gads_pipeline.composition import (
    actor_name,
    api_access,
    api_files,
    check_ledger,
    connected,
    new_run,
    open_ledger_for_control_plane,
    open_ledger_reader,
    open_sink,
    open_sink_reader,
    require_sink,
)
from gads_pipeline.drawn_accounts import drawn_list, record_on_existing_ledger
from gads_pipeline.events import CompletenessRead, DaysFailed, Notice, SinkPruned
from gads_pipeline.forecast import Forecast
from gads_pipeline.ledger_queries import not_erased
from gads_pipeline.outcome import Outcome
from gads_pipeline.seen_sizes import SeenSize, seen_sizes
from gads_pipeline.served_accounts import ServedAccounts
from gads_pipeline.warehouse_load import load_warehouse
from gads_pipeline.work_request import (
    RunOptions,
    backfill_request,
    days_meant,
    due_request,
    needs_accounts,
    notes_on_history,
    planned_accounts,
    requested,
)
from gads_pipeline.worker_setup import WorkerSetup, worker_modules

if TYPE_CHECKING:
    from gads_domain.ports.ledger import ControlPlaneLedger, StateReader
    from gads_extractor.connection import GoogleAdsConnection
    from gads_orchestrator.outcome import RunOutcome
    from gads_pipeline.composition import ApiFiles
    from gads_pipeline.configuration import Configuration
    from gads_pipeline.stop import Stop


_MOST_LINES = 50
"""How many ranges of failed days a round of the daemon names; `state gaps` lists all."""


@dataclass(slots=True)
class Execution:
    """How plans are made and executed: for which configuration and command, by how many workers, seen by whom.

    `workers` is by default what the configuration says. `command` goes on record with each run. `load_failure` is why
    the last load of the warehouse failed.
    """

    configuration: Configuration
    command: str
    observer: Observer
    stop: Stop
    workers: int | None = None
    load_failure: GadsError | None = field(default=None, init=False)
    _loaded: bool = field(default=False, init=False)
    _next_prune: datetime | None = field(default=None, init=False)
    _activity: Activity = field(init=False)

    def __post_init__(self) -> None:
        self.observer = self._activity = Activity(self.configuration, self.command, self.observer)

    def forecast(self, options: RunOptions, *, backfill: bool) -> Forecast:
        """What `execute` would do. Lists the accounts only if the days depend on their time zones."""
        self._require_usable(options)
        now, selected = SystemClock().now(), None
        with open_ledger_reader(self.configuration) as ledger:
            expectations = ledger.expectations(GOOGLE_ADS)
        if needs_accounts(self.configuration, options, now, expectations):
            with api_access(self.configuration) as connection:
                selected = select_accounts(self.configuration, connection, options.customers, force=options.force)
        record_on_existing_ledger(self.configuration, drawn_list(self.configuration, selected, options.customers, now))
        request, notes = (backfill_request if backfill else requested)(self.configuration, options, selected, now)
        return self._planned(request, notes, options.customers)

    def forecast_due(self, options: RunOptions) -> Forecast:
        """What the daemon would do now."""
        self.configuration.sections(options.reports)
        with api_access(self.configuration) as connection:
            selected = select_accounts(self.configuration, connection, options.customers)
        accounts, notes = planned_accounts(selected)
        since, now = options.since or self.configuration.run.backfill_since, SystemClock().now()
        record_on_existing_ledger(self.configuration, drawn_list(self.configuration, selected, options.customers, now))
        request = due_request(self.configuration, accounts, options.reports, now, since, options.until)
        return self._planned(request, (*notes, *notes_on_history(request)), options.customers)

    def execute(
        self, options: RunOptions, confirm: Callable[[WorkPlan], None] | None = None, *, backfill: bool
    ) -> Outcome:
        """Execute what `options` ask for, account by account in its own days, in worker processes.

        What the API would refuse for certain goes on record with its reason and is not requested. `confirm` gets the
        plan before anything is requested; what it raises ends the execution.
        """
        self._require_usable(options)
        now, selected, connection = SystemClock().now(), None, None
        with (
            closing(WorkerProcesses(self._count, preload=worker_modules(self.configuration))) as pool,
            ExitStack() as opened,
        ):
            files = opened.enter_context(self._api_files())
            with open_ledger_reader(self.configuration) as reader:
                expectations, is_first = reader.expectations(GOOGLE_ADS), reader.ledger_id() is None
            # What is wrong with the API's access is found before there is a ledger; later, when there is work.
            with self.stop.interrupting():
                if needs_accounts(self.configuration, options, now, expectations):
                    connection = opened.enter_context(connected(self.configuration, files))
                elif is_first:
                    pool.open(WorkerSetup(self.configuration, files))
            ledger = opened.enter_context(open_ledger_for_control_plane(self.configuration))
            opened.enter_context(self._activity.recorded())
            if connection is not None:
                with self.stop.interrupting():
                    selected = self._selected(ledger, connection, options)
            request, notes = (backfill_request if backfill else requested)(self.configuration, options, selected, now)
            drawn = drawn_list(self.configuration, selected, options.customers, now, options)
            if drawn is not None:
                ledger.record_list(drawn)
            request, left_out = without_erased(request, ledger, options.customers)
            notes = (*notes, *left_out)
            for note in notes:
                self._note(note)
            plan = plan_work(request, ledger)
            if confirm is not None:
                confirm(plan)
            pool.factory = WorkerSetup(self.configuration, files, selected)
            run, control = new_run(self.command, ledger), self._control(ledger, options, awaits_leases=True)
            outcome = execute_plan(plan, run, control, pool, self.stop.is_set)
            customers = {account.customer_id for account in request.accounts}
            days = days_meant(request, options.days)
            completeness = completeness_of(self.configuration, ledger, request, days, customers)
            self._report(outcome, completeness, ledger)
            return Outcome(self.configuration, (outcome,), completeness, notes)

    def execute_due(self, options: RunOptions) -> Outcome:
        """Execute what is due now, planning anew while there is more to do."""
        executions: list[RunOutcome] = []
        with self._daemon(options, awaits_leases=True) as daemon:
            while (outcome := daemon.look()) is not None:
                executions.append(outcome)
                if outcome.ended != Ending.REPLAN:
                    break
            if not executions:
                self._load_tables()  # an earlier call may have failed to
            completeness = self._completeness_due(daemon, options)
        return Outcome(self.configuration, tuple(executions), completeness, load_failure=self.load_failure)

    def serve(self, options: RunOptions) -> None:
        """Execute what is due, again and again, until the stop is requested."""
        with (
            watching_alerts(self.configuration, self._activity.inner) as (self._activity.inner, begin),
            self._daemon(options, awaits_leases=False) as daemon,
        ):
            begin()
            daemon.serve()

    def _completeness_due(self, daemon: Daemon, options: RunOptions) -> CommandCompleteness:
        request = daemon.request_at(SystemClock().now())
        ledger = daemon.control.ledger
        customers = options.customers or not_erased(ledger, self.configuration.google_ads.customer_ids)
        return completeness_of(self.configuration, ledger, request, None, customers)

    @contextmanager
    def _daemon(self, options: RunOptions, *, awaits_leases: bool) -> Iterator[Daemon]:
        configuration, reports = self.configuration, self.configuration.reports(options.reports)
        doing = self._activity.doing
        with (
            self._api_files() as files,
            open_ledger_for_control_plane(configuration) as ledger,
            self._activity.recorded(),
        ):

            def list_accounts() -> SelectedAccounts:
                doing("listing the accounts")
                with self.stop.interrupting(), connected(configuration, files) as connection:
                    selected = self._selected(ledger, connection, options)
                drawn = drawn_list(configuration, selected, options.customers, SystemClock().now())
                if drawn is not None:
                    ledger.record_list(drawn)
                return selected

            served = ServedAccounts(
                list_accounts,
                ledger,
                SystemClock().now(),
                lambda selected: pool.open_anew(WorkerSetup(configuration, files, selected)),
                self._note,
            )
            setup = WorkerSetup(configuration, files, served.selected)
            pool = WorkerProcesses(self._count, setup, preload=worker_modules(configuration))
            self._note(f"accounts served: {len(served.selected.accounts)}, reports: {len(reports)}")

            noted: set[str] = set()

            def request_at(now: datetime) -> WorkRequest:
                doing("looking for what is due")
                since = configuration.run.backfill_since
                request = due_request(configuration, served.planned_at(now), options.reports, now, since)
                request, left_out = without_erased(request, ledger, options.customers)
                for note in dict.fromkeys(left_out).keys() - noted:
                    self._note(note)
                noted.update(left_out)
                return request

            def idle() -> FailureReason | None:
                if not awaits_leases:
                    self._prune()
                if not self._loaded:
                    self._load_tables()
                return None if self.load_failure is None else FailureReason.of(self.load_failure)

            def ended(outcome: RunOutcome) -> None:
                self._load_tables(_run_of(outcome))
                if not awaits_leases:
                    self._prune()
                self._report(outcome, self._completeness_due(daemon, options), ledger)

            try:
                daemon = Daemon(
                    request_at,
                    lambda: new_run(self.command, ledger),
                    self._control(ledger, options, awaits_leases=awaits_leases),
                    pool,
                    self.stop,
                    look_seconds=configuration.run.look_seconds,
                    ended=ended,
                    idle=idle,
                    waiting=self._activity.waiting,
                )
                yield daemon
            finally:
                pool.close()

    def _report(self, outcome: RunOutcome, completeness: CommandCompleteness, ledger: StateReader) -> None:
        """Emit what an execution attempted in vain, and how things stand after it."""
        now, run = SystemClock().now(), _run_of(outcome)
        attempted = () if outcome.is_whole else partitions(outcome, ledger)
        unwell = ((found.state.key, found.reason) for found in attempted if found.reason is not None)
        for days in islice(joined(unwell), _MOST_LINES):
            key, last = days.first, days.last.logical_date
            name = completeness.answer.names.get(key.customer_id, "")
            event = DaysFailed(now, run, key.customer_id, name, key.report, key.logical_date, last, days.reason)
            self.observer.on_events(event)
        document = completeness.to_document()
        del document["gaps"]
        document["unknown"] = document["unknown"] or ""
        self.observer.on_events(CompletenessRead(now, run, **document))

    @property
    def _count(self) -> int:
        return self.workers or self.configuration.run.workers

    def _note(self, message: str) -> None:
        self.observer.on_events(Notice(SystemClock().now(), "", message))

    @contextmanager
    def _api_files(self) -> Iterator[ApiFiles]:
        """Try sink and ledger, so that no operation is spent on what could not be kept; then the API's files."""
        require_sink(self.configuration)
        open_sink(self.configuration).check()
        check_ledger(self.configuration)
        with api_files(self.configuration) as files:
            yield files

    def _selected(
        self, ledger: ControlPlaneLedger, connection: GoogleAdsConnection, options: RunOptions
    ) -> SelectedAccounts:
        """The selected accounts; each request is counted, and allowed whatever is left: no plan without it."""
        quota = self.configuration.quota
        operations = listing(
            ledger, quota.budget, SystemClock(), quota.longest_rest, lambda rest: self._note(rest_error(rest).message)
        )
        known = ledger.expectations(GOOGLE_ADS).accounts
        placed = {account.customer_id for account in known if account.manager_path}
        return select_accounts(
            self.configuration, connection, options.customers, force=options.force, placed=placed, quota=operations
        )

    def _control(self, ledger: ControlPlaneLedger, options: RunOptions, *, awaits_leases: bool) -> Control:
        lease_length = timedelta(seconds=self.configuration.run.lease_seconds)
        quota = self.configuration.quota
        return Control(
            ledger,
            SystemClock(),
            quota.budget,
            self.observer,
            lease_length=lease_length,
            awaits_leases=awaits_leases,
            longest_rest=quota.longest_rest if awaits_leases else timedelta(),
            restatement=self.configuration.restatement.policy(trust=options.trust),
        )

    def _planned(self, request: WorkRequest, notes: tuple[str, ...], named: Sequence[str]) -> Forecast:
        from gads_pipeline.check import changed_columns  # the fields of the API, which reading the ledger does without
        from gads_pipeline.deadlines import warnings

        configuration, quota = self.configuration, self.configuration.quota
        with open_ledger_reader(configuration) as ledger:
            spent, rests = ledger.spent(quota.name, request.now), ledger.rests(quota.name, request.now)
            request, left_out = without_erased(request, ledger, named)
            found = (*changed_columns(configuration, ledger), *warnings(configuration, ledger, request.now))
            warned = tuple(f"warning: {one.subject}: {one.message}" for one in found)
            plan = plan_work(request, ledger)
            sizes, unseen = self._sizes(plan, ledger)
            served = {account.customer_id for account in ledger.expectations(GOOGLE_ADS).selected}
        served.update(account.customer_id for account in request.accounts)
        daily = len(served) * daily_operations(configuration.reports(), request.max_days_per_request)
        notes = (*notes, *left_out, *warned, *unseen)
        seals_unchanged = configuration.restatement.seal_unchanged
        return Forecast(plan, spent, tuple(rests), quota.limit, notes, daily, sizes, seals_unchanged)

    def _sizes(self, plan: WorkPlan, ledger: StateReader) -> tuple[dict[str, SeenSize], tuple[str, ...]]:
        """What sealed partitions take in the sink, and why that is unknown if the sink cannot be read."""
        customers = {account.customer_id for account in plan.request.accounts}
        try:
            return seen_sizes(ledger, open_sink_reader(self.configuration), plan.by_report, customers), ()
        except (StorageError, ConfigurationError) as error:
            return {}, (f"warning: bytes are unknown, since the sink cannot be read: {error.message}",)

    def _require_usable(self, options: RunOptions) -> None:
        """Refuse a report that the API would refuse, and an account that is not configured."""
        from gads_pipeline.check import require_sound_reports  # the parser, which reading the ledger does without

        require_sound_reports(self.configuration, options.reports)
        if self.configuration.google_ads.customer_ids:
            self.configuration.customers(options.customers)

    def _prune(self) -> None:
        """Remove superseded runs if that is due; a failure is emitted, and the next try is as far away as after it."""
        retention, now = self.configuration.retention, SystemClock().now()
        if retention.policy is None or self.stop.is_set() or (self._next_prune is not None and now < self._next_prune):
            return
        from gads_pipeline.retention import prune  # once a day

        self._activity.doing("removing superseded runs")
        self._next_prune = now + timedelta(hours=retention.prune_hours)
        act = OperatorAct(now, actor_name(), self.command, f"superseded for {retention.superseded_days} days")
        try:
            done = prune(self.configuration, act, stopping=self.stop.is_set)
        except GadsError as error:
            self._note(f"warning: superseded runs were not pruned; it is tried again: {error.message}")
            return
        self.observer.on_events(SinkPruned(SystemClock().now(), "", done.runs.total(), done.freed.total()))

    def _load_tables(self, run_id: str = "") -> None:
        if not self.configuration.warehouse.load_after_run or self.stop.is_set():
            return
        self._activity.doing("loading the warehouse")
        emitted = "" if self.load_failure is None else self.load_failure.code
        try:
            within = self.stop.interrupting()
            load_warehouse(self.configuration, self.observer, run_id, emitted_failure=emitted, within=within)
        except GadsError as error:
            self.load_failure, self._loaded = error, False
            return
        self.load_failure, self._loaded = None, True


def _run_of(outcome: RunOutcome) -> str:
    return "" if outcome.run is None else outcome.run.run_id.value
