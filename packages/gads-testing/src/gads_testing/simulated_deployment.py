"""An orchestrator over a simulated API and sink and a real ledger, driven step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gads_domain.adapters import ledger_adapter
from gads_domain.control import SchedulingState
from gads_domain.partition_key import PartitionKey
from gads_domain.report import ReportDefinition
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, PartitionStatus, StateFilter
from gads_orchestrator.budget import Budget, QuotaGate
from gads_orchestrator.events import Event
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.outcome import RunOutcome
from gads_orchestrator.plan import Account, WorkPlan, WorkRequest, plan_work
from gads_orchestrator.retry_policy import RetryPolicy
from gads_orchestrator.selection import SelectDue, SelectionPolicy
from gads_orchestrator.worker import Task, WorkerContext, work_on
from gads_orchestrator.worker_pool import Done, Lost, Message, Workers
from gads_testing.seal_validator import SealValidator
from gads_testing.simulated_api import SeededRunIds, SimulatedApi, SimulatedClock, SimulatedSink, Trouble
from gads_testing.worker_in_process import InThisProcess

NOON = datetime(2024, 6, 10, 12, tzinfo=UTC)
YESTERDAY = date(2024, 6, 9)
REPORT = ReportDefinition("campaign", "SELECT", restatement_days=3)
ONE_DAY = ReportDefinition("campaign", "SELECT", restatement_days=1)
ACCOUNT = Account("1")
POLICY = RetryPolicy(first_delay=timedelta(hours=1), largest_delay=timedelta(hours=8), max_attempts=4, max_age_days=60)


def key_of(day: date, account: str = "1", report: str = "campaign") -> PartitionKey:
    return PartitionKey("google_ads", account, report, day)


KEY = key_of(YESTERDAY)
PENDING, SUCCESS, FAILED = PartitionStatus.PENDING, PartitionStatus.SUCCESS, PartitionStatus.FAILED


class SimulatedDeployment:
    """One instance of the orchestrator; `second_instance()` is another on the same ledger.

    `beside` is the instance whose storage, clock, budget and troubles of the API this one shares.
    """

    def __init__(
        self,
        folder: Path,
        now: datetime = NOON,
        *,
        limit: int | None = None,
        seed: int = 1,
        beside: SimulatedDeployment | None = None,
    ) -> None:
        self.folder, self.seed = folder, seed
        self.clock: SimulatedClock = beside.clock if beside else SimulatedClock(now)
        self.sink: SimulatedSink = beside.sink if beside else SimulatedSink()
        self.trouble: Trouble = beside.trouble if beside else Trouble()
        self.budget: Budget = beside.budget if beside else Budget("t", limit)
        url = "sqlite:ledger.db"
        self.ledger = ledger_adapter(url).open_for_validator(url, folder)
        self.control = ledger_adapter(url).open_for_control_plane(url, folder)
        self.gate = QuotaGate(self.control, self.budget, self.clock)
        self.before_seal: Callable[[PartitionKey], None] = lambda key: None
        self.api = SimulatedApi(
            self.clock, self.sink, self.trouble, seed, before_seal=lambda key: self.before_seal(key)
        )
        self.validator = SealValidator(self.sink.runs, self.sink.digests, self.ledger, self.clock)
        self.run_ids = SeededRunIds(self.clock, seed)
        self.events: list[Event] = []

    def second_instance(self) -> SimulatedDeployment:
        return SimulatedDeployment(self.folder, seed=self.seed + 1, beside=self)

    def close(self) -> None:
        self.control.close()
        self.ledger.close()

    def on_events(self, *events: Event) -> None:
        self.events += events

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

    def execute(
        self,
        plan: WorkPlan,
        *,
        workers: Workers | None = None,
        stopping: Callable[[], bool] = lambda: False,
        longest_rest: timedelta = timedelta(),
    ) -> RunOutcome:
        run = RunContext(self.run_ids.new_run_id(self.control.newest_run()), "simulated", "serve")
        control = Control(
            self.control,
            self.clock,
            self.budget,
            self,
            longest_rest=longest_rest,
            sleep=lambda seconds: self.pass_time(seconds=seconds),
        )
        return execute_plan(plan, run, control, workers or InThisProcess(self.context), stopping)

    def cycle(self, *reports: ReportDefinition, longest_rest: timedelta = timedelta(), **request: object) -> RunOutcome:
        return self.execute(self.plan(*reports, **request), longest_rest=longest_rest)

    def act(self, reason: str = "because", *, by_policy: bool = False, filter_: str = "") -> OperatorAct:
        return OperatorAct(self.clock.now(), "operator", "gads-etl state", reason, filter_, by_policy)

    def scheduling(self, key: PartitionKey) -> SchedulingState:
        (found,) = self.control.scheduling_states(
            StateFilter("google_ads", (key.customer_id,), (key.report,), key.logical_date, key.logical_date)
        )
        return found

    def pass_time(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    def start_outage(self, hours: float = 100, accounts: tuple[str, ...] = ("1",)) -> None:
        """Let the API fail these accounts from now on."""
        now = self.clock.now()
        self.trouble.outages = [(now, now + timedelta(hours=hours), frozenset(accounts))]

    def end_troubles(self) -> None:
        self.trouble.outages, self.trouble.denied, self.trouble.quota_days = [], {}, {}

    def requested_days(self) -> list[date]:
        """Each day of each call of the API."""
        return [
            call.first + timedelta(days=number)
            for call in self.api.calls
            for number in range((call.last - call.first).days + 1)
        ]


class DyingWorkers:
    """A worker in this process that dies `deaths` times, after sealing one day in each of the first `seals`."""

    def __init__(self, deployment: SimulatedDeployment, deaths: int, seals: int = 0) -> None:
        self.deployment, self.deaths, self.seals = deployment, deaths, seals
        self.task: Task | None = None

    def idle(self) -> list[int]:
        return [] if self.task else [0]

    def give(self, worker: int, task: Task) -> None:
        self.task = task

    def wait(self, seconds: float) -> list[Message]:
        task, self.task = self.task, None
        assert task is not None
        if self.deaths and task.give_up is None:
            self.deaths -= 1
            if self.seals:
                self.seals -= 1
                self.deployment.sink.seal(task.slice_.keys[self.seals], task.run.run_id, "rows")
            return [Lost(0)]
        return [Done(0, work_on(task, self.deployment.context, self.deployment.events.extend))]

    def close(self) -> None:
        return
