"""Weeks of an agency in seconds: troubles, operators and restarts come from a seed; what must hold is checked."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from simulated_rooms import LightValidator, SeededRunIds, SimulatedApi, SimulatedClock, SimulatedSink, Trouble

from gads_domain.adapters import ledger_adapter
from gads_domain.control import Mark
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.report import ReportDefinition, ReportKind
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, PartitionStatus, StateFilter, ValidationOutcome
from gads_orchestrator.budget import Budget, QuotaGate
from gads_orchestrator.events import Event, SliceStarted
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.plan import Account, WorkRequest, plan_work
from gads_orchestrator.retry_policy import RetryPolicy
from gads_orchestrator.selection import Reason, SelectDue
from gads_orchestrator.worker import WorkerContext
from gads_orchestrator.worker_pool import InThisProcess

FIRST_DAY = date(2024, 3, 1)
ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin", "Australia/Sydney")
POLICY = RetryPolicy(first_delay=timedelta(hours=1), largest_delay=timedelta(hours=12), max_attempts=6)
ALLOWED_MOVES = {
    ("pending", "success", "validate"),
    ("pending", "failed", "validate"),
    ("failed", "success", "validate"),
    ("success", "success", "validate"),
    ("success", "success", "order"),
    ("success", "failed", "order"),
    ("failed", "success", "order"),
    ("failed", "pending", "retry"),
}
"""contracts/retry/v1, line 1: from, to, and the cause under which the log has it."""


@dataclass
class Size:
    """How large a life is lived."""

    accounts: int = 50
    reports: int = 5
    days: int = 60
    cycles_a_day: int = 3


@dataclass
class Life:
    """What one seed came to."""

    size: Size
    operations: int = 0
    partitions: int = 0
    by_reason: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    held: int = 0
    terminal: int = 0
    attempts: int = 0


def reports_of(count: int) -> tuple[ReportDefinition, ...]:
    """Windows of every kind: short ones, a longer one, a snapshot, one with a day a request."""
    kinds = [
        ReportDefinition("campaign", "SELECT", restatement_days=3),
        ReportDefinition("click", "SELECT", restatement_days=1, max_days_per_request=1, history_days=90),
        ReportDefinition("budget", "SELECT", kind=ReportKind.SNAPSHOT),
        ReportDefinition("conversions", "SELECT", restatement_days=7),
        ReportDefinition("keyword", "SELECT", restatement_days=2),
    ]
    return tuple(kinds[:count])


class _Watch:
    """Order of purposes within each run."""

    def __init__(self) -> None:
        self.order: dict[str, list[int]] = defaultdict(list)
        self.by_reason: Counter[str] = Counter()

    def on_events(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, SliceStarted):
                self.order[event.run_id].append(Reason[event.reason.upper()])
                self.by_reason[event.reason] += 1


def live(seed: int, size: Size, folder: Path) -> Life:
    """Live through `size.days` days, then two quiet weeks; raises `AssertionError` where something does not hold."""
    chance = Random(seed)
    start = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 6, tzinfo=UTC)
    clock, sink = SimulatedClock(start), SimulatedSink()
    run_ids = SeededRunIds(clock, seed)
    accounts = tuple(Account(str(1_000 + n), ZONES[n % len(ZONES)]) for n in range(size.accounts))
    reports = reports_of(size.reports)
    # Enough for a usual day and some catching up, too little for everything at once.
    budget = Budget("simulated", limit=size.accounts * size.reports * 3)
    trouble = _troubles(chance, size, accounts, start)
    backfill_since = FIRST_DAY - timedelta(days=20)
    watch = _Watch()
    adapter, url = ledger_adapter("sqlite:x"), f"sqlite:ledger-{seed}.db"
    with ExitStack() as opened:
        ledger = opened.enter_context(adapter.open_for_validator(url, folder))
        control = opened.enter_context(adapter.open_for_control_plane(url, folder))
        gate = QuotaGate(control, budget, clock)
        api = SimulatedApi(clock, sink, trouble, seed, gate)
        validator = LightValidator(sink, ledger, clock)
        context = WorkerContext(api, sink, validator, gate, clock)  # type: ignore[arg-type]  # of a sink, runs is asked alone
        operators = _Operators(chance, control, validator, clock, accounts, reports)
        for day in range(size.days + 14):
            quiet = day >= size.days
            if quiet:
                trouble.blips, trouble.outages, trouble.quota_days, trouble.denied = 0.0, [], {}, {}
                operators.retry_what_policy_does_not()
            else:
                operators.act(trouble)
            for cycle in range(size.cycles_a_day):
                begins = start + timedelta(days=day, hours=cycle * 24 / size.cycles_a_day)
                clock.moment = max(clock.moment, begins)
                request = WorkRequest(accounts, reports, clock.now(), SelectDue(POLICY), since=backfill_since)
                run = RunContext(run_ids.new_run_id(), "simulated", "serve")
                plan = plan_work(request, control)
                execute_plan(plan, run, Control(control, clock, budget, watch), InThisProcess(context))
        life = Life(size, len(api.asked), by_reason=watch.by_reason)
        _check(life, control, api, budget, watch, accounts, reports, operators)
        told = [(a.at, a.customer_id, a.report, a.first, a.last, a.answer) for a in api.asked]
        log = [
            (e.sequence, str(e.key), e.cause, e.status_after.value, str(e.to_run)) for e in control.authority_changes()
        ]
        life.digest = hashlib.sha256(repr((told, log)).encode()).hexdigest()
    return life


def _troubles(chance: Random, size: Size, accounts: tuple[Account, ...], start: datetime) -> Trouble:
    ids = [account.customer_id for account in accounts]

    def at() -> datetime:
        return start + timedelta(hours=chance.uniform(0, size.days * 24))

    trouble = Trouble(blips=0.02)
    for _ in range(max(1, size.days // 10)):
        begins = at()
        whom = ids if chance.random() < 0.3 else chance.sample(ids, max(1, len(ids) // 5))
        trouble.outages.append((begins, begins + timedelta(hours=chance.uniform(1, 30)), frozenset(whom)))
    for customer_id in chance.sample(ids, max(1, len(ids) // 8)):
        begins = at()
        trouble.denied[customer_id] = (begins, begins + timedelta(days=chance.uniform(0.5, 10)))
    for _ in range(max(1, size.days // 20)):
        day = (at()).date()
        trouble.quota_days[day] = chance.randrange(0, size.accounts * size.reports)
    return trouble


class _Operators:
    """People, from the same chance."""

    def __init__(
        self,
        chance: Random,
        control: ControlPlaneLedger,
        validator: LightValidator,
        clock: SimulatedClock,
        accounts: tuple[Account, ...],
        reports: tuple[ReportDefinition, ...],
    ) -> None:
        self._chance = chance
        self._control = control
        self._validator = validator
        self._clock = clock
        self._accounts = accounts
        self._reports = reports
        self.held: set[PartitionKey] = set()
        self.retries = 0

    def act(self, trouble: Trouble) -> None:
        """A hold now and then, a release, a run that turned out wrong, retries where an account came back."""
        control, chance = self._control, self._chance
        day = self._clock.now().date()
        if chance.random() < 0.3:
            keys = [self._some_key(day - timedelta(days=chance.randrange(1, 6))) for _ in range(3)]
            control.mark(keys, Mark.HELD, self._act("looks odd"))
            self.held |= set(keys)
        if self.held and chance.random() < 0.4:
            keys = chance.sample(sorted(self.held), max(1, len(self.held) // 2))
            control.unmark(keys, Mark.HELD, self._act("was fine"))
            self.held -= set(keys)
        if chance.random() < 0.3:
            key = self._some_key(day - timedelta(days=chance.randrange(1, 9)))
            state = control.get(key)
            if state.current_run_id is not None:
                assert control.revoke([(key, state.current_run_id)], self._act("wrong")) == [True]
                self._validator.validate([key])
        if chance.random() < 0.5:
            back = [c for c, (_, ends) in trouble.denied.items() if ends <= self._clock.now()]
            if back:
                self._retry(StateFilter(customer_ids=tuple(back), statuses=(PartitionStatus.FAILED,)))

    def retry_what_policy_does_not(self) -> None:
        """The week's tidying up."""
        self._retry(StateFilter(statuses=(PartitionStatus.FAILED,)))

    def _retry(self, wanted: StateFilter) -> None:
        found = list(self._control.scheduling_states(wanted))
        keys = [s.key for s in found if s.failure is not None and not s.failure.retryable and not s.marks]
        self.retries += sum(self._control.retry(keys, self._act("the account came back")))

    def _some_key(self, day: date) -> PartitionKey:
        account, report = self._chance.choice(self._accounts), self._chance.choice(self._reports)
        return PartitionKey("google_ads", account.customer_id, report.name, day)

    def _act(self, reason: str) -> OperatorAct:
        return OperatorAct(self._clock.now(), "operator", "state", reason)


def _check(
    life: Life,
    control: ControlPlaneLedger,
    api: SimulatedApi,
    budget: Budget,
    watch: _Watch,
    accounts: tuple[Account, ...],
    reports: tuple[ReportDefinition, ...],
    operators: _Operators,
) -> None:
    per_day = Counter(budget.day_of(asked.at) for asked in api.asked)
    for day, count in per_day.items():
        assert budget.limit is not None
        assert count <= budget.limit, f"{count} operations on {day}, of which there are {budget.limit}"
        assert control.quota(budget.name, day).spent == count
    for run, order in watch.order.items():
        assert order == sorted(order), f"run {run} let earlier purposes wait"
    for entry in control.authority_changes():
        assert (entry.status_before.value, entry.status_after.value, entry.cause) in ALLOWED_MOVES
    scheduling_states = {s.key: s for s in control.scheduling_states(StateFilter())}
    last = (FIRST_DAY + timedelta(days=life.size.days - 2)).toordinal()
    for account in accounts:
        for report in reports:
            begins = FIRST_DAY if report.kind is ReportKind.SNAPSHOT else FIRST_DAY - timedelta(days=20)
            for ordinal in range(begins.toordinal(), last + 1):
                key = PartitionKey("google_ads", account.customer_id, report.name, date.fromordinal(ordinal))
                scheduling = scheduling_states.get(key)
                if scheduling is None and report.kind is ReportKind.SNAPSHOT:
                    continue  # that day nothing could be asked, and a snapshot of it can never be made up for
                assert scheduling is not None, f"{key} was never attempted"
                life.partitions += 1
                _check_key(life, control, key, scheduling.status, scheduling.marks, operators)


def _check_key(
    life: Life,
    control: ControlPlaneLedger,
    key: PartitionKey,
    status: PartitionStatus,
    marks: frozenset[Mark],
    operators: _Operators,
) -> None:
    if Mark.HELD in marks:
        life.held += 1
        assert key in operators.held
    elif Mark.TERMINAL in marks:
        life.terminal += 1
        (act, *_) = [a for a in control.acts(key) if a.kind == "mark_terminal"]
        assert act.act.reason
    else:
        assert status is PartitionStatus.SUCCESS, f"{key} is {status} and nobody says why"
    history = control.history(key)
    life.attempts += len(history.results)
    resets = sum(1 for act in control.acts(key) if act.kind == "retry" and not act.act.by_policy)
    in_a_row = worst = 0
    for attempt in history.results:
        in_a_row = 0 if attempt.outcome is ValidationOutcome.PASSED else in_a_row + 1
        worst = max(worst, in_a_row)
    assert worst <= POLICY.max_attempts * (1 + resets), f"{key} failed {worst} times in a row"
