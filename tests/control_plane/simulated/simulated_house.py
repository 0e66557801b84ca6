"""One small house of simulated rooms over a real ledger, for stories told step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

from simulated_rooms import LightValidator, SeededRunIds, SimulatedApi, SimulatedClock, SimulatedSink, Trouble

from gads_domain.adapters import ledger_adapter
from gads_domain.control import SchedulingState
from gads_domain.partition_key import PartitionKey
from gads_domain.report import ReportDefinition
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, StateFilter
from gads_orchestrator.budget import Budget, QuotaGate
from gads_orchestrator.events import Event
from gads_orchestrator.execution import Control, WorkResult, execute_plan
from gads_orchestrator.plan import Account, WorkPlan, WorkRequest, plan_work
from gads_orchestrator.retry_policy import RetryPolicy
from gads_orchestrator.selection import SelectDue, SelectionPolicy
from gads_orchestrator.worker import WorkerContext
from gads_orchestrator.worker_pool import InThisProcess, Workers

REPORT = ReportDefinition("campaign", "SELECT", restatement_days=3)
ACCOUNT = Account("1")
POLICY = RetryPolicy(first_delay=timedelta(hours=1), largest_delay=timedelta(hours=8), max_attempts=4, max_age_days=60)


class House:
    """Everything one orchestrator has, and another on the same ledger by `another()`."""

    def __init__(self, folder: Path, now: datetime, *, limit: int | None = None, seed: int = 1) -> None:
        self.folder, self.url, self.seed = folder, "sqlite:ledger.db", seed
        self.clock, self.sink, self.trouble = SimulatedClock(now), SimulatedSink(), Trouble()
        self.budget = Budget("t", limit)
        self._open()

    def _open(self) -> None:
        adapter = ledger_adapter(self.url)
        self.ledger = adapter.open_for_validator(self.url, self.folder)
        self.control = adapter.open_for_control_plane(self.url, self.folder)
        self.gate = QuotaGate(self.control, self.budget, self.clock)
        self.before_seal: Callable[[PartitionKey], None] = lambda key: None
        self.api = SimulatedApi(
            self.clock, self.sink, self.trouble, self.seed, self.gate, before_seal=lambda key: self.before_seal(key)
        )
        self.validator = LightValidator(self.sink, self.ledger, self.clock)
        self.run_ids = SeededRunIds(self.clock, self.seed)
        self.events: list[Event] = []

    def on_events(self, *events: Event) -> None:
        self.events += events

    def another(self) -> House:
        """A second instance: its own connections and run ids, the same storage, clock and API's troubles."""
        other = object.__new__(House)
        other.__dict__.update(self.__dict__)
        other.seed = self.seed + 1
        other._open()
        return other

    def close(self) -> None:
        self.control.close()
        self.ledger.close()

    @property
    def context(self) -> WorkerContext:
        return WorkerContext(self.api, self.sink, self.validator, self.gate, self.clock)  # type: ignore[arg-type]  # only runs is asked

    def request(
        self,
        *reports: ReportDefinition,
        accounts: tuple[Account, ...] = (ACCOUNT,),
        selection: SelectionPolicy | None = None,
        since: date | None = None,
        until: date | None = None,
        days: int = 31,
    ) -> WorkRequest:
        wanted = selection or SelectDue(POLICY)
        return WorkRequest(accounts, reports or (REPORT,), self.clock.now(), wanted, since, until, days)

    def plan(self, *reports: ReportDefinition, **request: object) -> WorkPlan:
        return plan_work(self.request(*reports, **request), self.control)  # type: ignore[arg-type]  # handed through

    def carry(
        self, plan: WorkPlan, *, workers: Workers | None = None, stopping: Callable[[], bool] = lambda: False
    ) -> WorkResult:
        run = RunContext(self.run_ids.new_run_id(), "house", "serve")
        control = Control(self.control, self.clock, self.budget, self)
        return execute_plan(plan, run, control, workers or InThisProcess(self.context), stopping)

    def cycle(self, *reports: ReportDefinition, **request: object) -> WorkResult:
        return self.carry(self.plan(*reports, **request))

    def act(self, reason: str = "because", *, by_policy: bool = False, filter_: str = "") -> OperatorAct:
        return OperatorAct(self.clock.now(), "operator", "gads-etl state", reason, filter_, by_policy)

    def scheduling(self, key: PartitionKey) -> SchedulingState:
        (found,) = self.control.scheduling_states(
            StateFilter("google_ads", (key.customer_id,), (key.report,), key.logical_date, key.logical_date)
        )
        return found

    def pass_time(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))


def key_of(day: date, account: str = "1", report: str = "campaign") -> PartitionKey:
    return PartitionKey("google_ads", account, report, day)
