"""Weeks of an agency in seconds: a seed makes troubles and operator actions, and the retry contract is checked."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from gads_domain.control import Mark
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.quota import WINDOW
from gads_domain.report import History, ReportDefinition, ReportKind
from gads_domain.state import OperatorAct, PartitionStatus, StateFilter, ValidationOutcome
from gads_orchestrator.events import SliceStarted
from gads_orchestrator.plan import Account
from gads_orchestrator.retry_policy import RetryPolicy
from gads_orchestrator.selection import Reason, SelectDue
from gads_testing.seal_validator import SealValidator
from gads_testing.simulated_api import SimulatedClock, Trouble
from gads_testing.simulated_deployment import SimulatedDeployment

FIRST_DAY = date(2024, 3, 1)
ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin", "Australia/Sydney")
POLICY = RetryPolicy(first_delay=timedelta(hours=1), largest_delay=timedelta(hours=12), max_attempts=6)
ALLOWED_CHANGES = {
    ("pending", "success", "validate"),
    ("pending", "failed", "validate"),
    ("failed", "success", "validate"),
    ("success", "success", "validate"),
    ("success", "success", "order"),
    ("success", "failed", "order"),
    ("failed", "success", "order"),
    ("success", "success", "accept"),
    ("failed", "success", "accept"),
    ("pending", "success", "accept"),
    ("failed", "pending", "retry"),
}
"""contracts/retry/v1, line 1: from, to, and the cause in the change feed."""


@dataclass
class Size:
    """How large the simulated agency is, and for how long it is simulated."""

    accounts: int = 50
    reports: int = 5
    days: int = 60
    cycles_a_day: int = 3


@dataclass
class Life:
    """What one simulation did."""

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
        ReportDefinition(
            "click", "SELECT", restatement_days=1, max_days_per_request=1, history=History("test", days=90)
        ),
        ReportDefinition("budget", "SELECT", kind=ReportKind.SNAPSHOT),
        ReportDefinition("conversions", "SELECT", restatement_days=7),
        ReportDefinition("keyword", "SELECT", restatement_days=2),
    ]
    return tuple(kinds[:count])


def live(seed: int, size: Size, folder: Path) -> Life:
    """Simulate `size.days` days and two quiet weeks; raises `AssertionError` where the retry contract is broken."""
    chance = Random(seed)
    start = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 6, tzinfo=UTC)
    accounts = tuple(Account(str(1_000 + n), ZONES[n % len(ZONES)]) for n in range(size.accounts))
    reports = reports_of(size.reports)
    # Enough for a usual day and some catching up, too little for everything at once.
    limit = size.accounts * size.reports * 3
    own = folder / f"seed-{seed}"
    own.mkdir(parents=True)
    with closing(SimulatedDeployment(own, start, limit=limit, seed=seed)) as deployment:
        clock, control = deployment.clock, deployment.control
        _plan_troubles(deployment.trouble, chance, size, accounts, start)
        operators = _Operators(chance, control, deployment.validator, clock, accounts, reports)
        for day in range(size.days + 14):
            if day >= size.days:
                deployment.end_troubles()
                deployment.trouble.blips = 0.0
                operators.retry_what_policy_does_not()
            else:
                operators.act(deployment.trouble)
            for cycle in range(size.cycles_a_day):
                clock.moment = max(clock.moment, start + timedelta(days=day, hours=cycle * 24 / size.cycles_a_day))
                selection, since = SelectDue(POLICY), FIRST_DAY - timedelta(days=20)
                deployment.cycle(*reports, accounts=accounts, selection=selection, since=since)
        return _checked_life(size, deployment, accounts, reports, operators)


def _plan_troubles(
    trouble: Trouble, chance: Random, size: Size, accounts: tuple[Account, ...], start: datetime
) -> None:
    ids = [account.customer_id for account in accounts]

    def at() -> datetime:
        return start + timedelta(hours=chance.uniform(0, size.days * 24))

    trouble.blips = 0.02
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


class _Operators:
    """Operators whose actions come from the same seed."""

    def __init__(
        self,
        chance: Random,
        control: ControlPlaneLedger,
        validator: SealValidator,
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
        """Hold, release, revoke a run, or retry the accounts that came back."""
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
        """Retry the failures that are not retryable by policy."""
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


def _checked_life(
    size: Size,
    deployment: SimulatedDeployment,
    accounts: tuple[Account, ...],
    reports: tuple[ReportDefinition, ...],
    operators: _Operators,
) -> Life:
    control, budget = deployment.control, deployment.budget
    started = [event for event in deployment.events if isinstance(event, SliceStarted)]
    life = Life(size, len(deployment.api.calls), by_reason=Counter(event.reason for event in started))
    assert budget.limit is not None
    times = sorted(call.at for call in deployment.api.calls)
    for number, at in enumerate(times):
        count = number + 1 - bisect_right(times, at - WINDOW)
        assert count <= budget.limit, f"{count} operations in 24 hours, of which there are {budget.limit}"
    now = deployment.clock.now()
    counted = control.spent(budget.name, now).count
    assert len(times) - bisect_right(times, now - WINDOW) <= counted <= len(times)
    reasons = defaultdict(list)
    for event in started:
        reasons[event.run_id].append(Reason[event.reason.upper()])
    for run, order in reasons.items():
        assert order == sorted(order), f"run {run} did not start its slices in the order of their reasons"
    for entry in control.authority_changes():
        assert (entry.status_before.value, entry.status_after.value, entry.cause) in ALLOWED_CHANGES
    scheduling_states = {s.key: s for s in control.scheduling_states(StateFilter())}
    last = (FIRST_DAY + timedelta(days=size.days - 2)).toordinal()
    for account in accounts:
        for report in reports:
            begins = FIRST_DAY if report.kind is ReportKind.SNAPSHOT else FIRST_DAY - timedelta(days=20)
            for ordinal in range(begins.toordinal(), last + 1):
                key = PartitionKey("google_ads", account.customer_id, report.name, date.fromordinal(ordinal))
                scheduling = scheduling_states.get(key)
                if scheduling is None and report.kind is ReportKind.SNAPSHOT:
                    continue  # the API failed all that day, and a snapshot cannot be taken later
                assert scheduling is not None, f"{key} was never attempted"
                life.partitions += 1
                _check_key(life, control, key, scheduling.status, scheduling.marks, operators)
    calls = [(c.at, c.customer_id, c.report, c.first, c.last, c.answer) for c in deployment.api.calls]
    changes = [
        (e.sequence, str(e.key), e.cause, e.status_after.value, str(e.to_run)) for e in control.authority_changes()
    ]
    life.digest = hashlib.sha256(repr((calls, changes)).encode()).hexdigest()
    return life


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
        assert status is PartitionStatus.SUCCESS, f"{key} is {status} for no recorded reason"
    history = control.history(key)
    life.attempts += len(history.results)
    resets = sum(1 for act in control.acts(key) if act.kind == "retry" and not act.act.by_policy)
    in_a_row = worst = 0
    for attempt in history.results:
        in_a_row = 0 if attempt.outcome is ValidationOutcome.PASSED else in_a_row + 1
        worst = max(worst, in_a_row)
    assert worst <= POLICY.max_attempts * (1 + resets), f"{key} failed {worst} times in a row"
