"""What somebody asks for by name: foreseen, carried out by whatever workers there are, and told day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import islice

from gads_domain.control import Mark
from gads_domain.errors import CredentialsError, FailureReason
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_domain.state import PartitionState, PartitionStatus
from gads_orchestrator.advice import advice
from gads_orchestrator.events import (
    AuthorityChanged,
    Event,
    Observer,
    PartitionEvent,
    PartitionRecovered,
    PartitionValidated,
    SliceDeferred,
)
from gads_orchestrator.execution import Control, WorkResult, execute_plan
from gads_orchestrator.plan import WorkPlan, WorkRequest, plan_work
from gads_orchestrator.selection import SkipReason
from gads_orchestrator.worker_pool import Workers

_KEYS_A_LOOKUP = 1000

_ELSEWHERE = "somebody else is at it; run it again when they are done"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run will do, and what it will not.

    `slices` are asked of the API, one operation each; `retried` are the failed keys among them, whose retry is
    ordered first and on record; `left_alone` are the states that stay as they are, held and terminal ones among them.
    """

    work: WorkPlan
    slices: tuple[ReportSlice, ...]
    retried: tuple[PartitionKey, ...]
    left_alone: tuple[PartitionState, ...]

    @property
    def keys(self) -> tuple[PartitionKey, ...]:
        """Every partition that will be attempted."""
        return tuple(key for slice_ in self.slices for key in slice_.keys)

    @property
    def operations(self) -> int:
        """How many operations of the developer token's daily quota this costs, retries aside.

        One SearchStream is one operation whatever it returns (Google Ads API, "API limits and quotas").
        """
        return len(self.slices)

    @property
    def why_left_alone(self) -> dict[PartitionKey, SkipReason]:
        """Why a day that is not good is left alone, such as a mark."""
        return {key: left.why for left in self.work.skipped for key in left.keys}


@dataclass(slots=True)
class RunResult:
    """How every partition that was asked for stands after the run.

    `states` holds each of them once; `attempted` are those that this run tried; `recovered` were sealed by an earlier
    run that died before they were judged; `troubles` are failures that are not on the ledger, by partition.
    `credentials` is set when the API refused who was asking, `quota` when the operations of the day were spent: what
    was not asked for then is still as it was, as is what somebody else was at, `elsewhere`. `operations` were spent.
    `hints` say what can be done about the failures.
    """

    run: RunContext
    plan: RunPlan
    states: dict[PartitionKey, PartitionState] = field(default_factory=dict)
    attempted: set[PartitionKey] = field(default_factory=set)
    recovered: set[PartitionKey] = field(default_factory=set)
    troubles: dict[PartitionKey, FailureReason] = field(default_factory=dict)
    moved: set[PartitionKey] = field(default_factory=set)
    elsewhere: set[PartitionKey] = field(default_factory=set)
    credentials: CredentialsError | None = None
    quota: FailureReason | None = None
    stopped: bool = False
    hints: tuple[str, ...] = ()
    operations: int = 0

    @property
    def by_status(self) -> Counter[PartitionStatus]:
        """How many partitions have each status."""
        return Counter(state.status for state in self.states.values())

    @property
    def failures(self) -> dict[PartitionKey, str]:
        """For each partition that this run tried and did not bring to a good end, and each left failed, the reason."""
        found: dict[PartitionKey, str] = {}
        left_alone = self.plan.why_left_alone
        for key, state in sorted(self.states.items()):
            why = left_alone.get(key)
            if key in self.troubles:
                found[key] = str(self.troubles[key])
            elif state.status is PartitionStatus.PENDING:
                found[key] = f"pending: {why.reason if why else self._why_not_asked(key)}"
            elif state.status is PartitionStatus.FAILED:
                mark = f" ({why.reason})" if why is not None and why.code in set(Mark) else ""
                found[key] = f"{state.last_error or 'failed'}{mark}"
            elif key in self.attempted and state.last_error:
                found[key] = state.last_error
        return found

    @property
    def exit_code(self) -> int:
        """0 if everything that was asked for is `success` and nothing that was tried failed."""
        if self.credentials is not None:
            return 4
        return 1 if self.failures else 0

    def _why_not_asked(self, key: PartitionKey) -> str:
        if key in self.elsewhere:
            return f"not asked for; {_ELSEWHERE}"
        if self.credentials is not None:
            return f"not asked for; {FailureReason.of(self.credentials)}"
        if self.stopped:
            return "not asked for; the run was stopped"
        return f"not asked for; {self.quota or 'not attempted'}"


def plan_run(request: WorkRequest, ledger: StateReader) -> RunPlan:
    """Compare `request` with the ledger; nothing is changed."""
    work = plan_work(request, ledger)
    planned = tuple(slice_.slice_ for slice_ in work)
    keys = {key for slice_ in planned for key in slice_.keys}
    states = list(states_of(ledger, _keys_of(request)))
    return RunPlan(
        work,
        planned,
        tuple(state.key for state in states if state.key in keys and state.status is PartitionStatus.FAILED),
        tuple(state for state in states if state.key not in keys),
    )


def run_requested(
    plan: RunPlan,
    run: RunContext,
    control: Control,
    workers: Workers,
    stopping: Callable[[], bool] = lambda: False,
) -> RunResult:
    """Carry out `plan`, as `execute_plan` does, and look up how each partition of its request stands then."""
    watch = _Watch(control.observer, run)
    done = execute_plan(plan.work, run, replace(control, observer=watch), workers, stopping)
    result = RunResult(run, plan, stopped=done.reason == "stopped", operations=done.operations)
    result.attempted, result.recovered, result.moved = watch.attempted, watch.recovered, watch.moved
    result.elsewhere = watch.elsewhere
    for slice_, failure in done.interrupted:
        result.attempted.update(slice_.keys)
        result.troubles.update(dict.fromkeys(slice_.keys, failure))
    _note_end(result, done)
    keys = [*plan.keys, *(state.key for state in plan.left_alone)]
    result.states = {state.key: state for state in states_of(control.ledger, keys)}
    result.hints = _hints(result, control.ledger)
    return result


def states_of(ledger: StateReader, keys: Iterable[PartitionKey]) -> Iterator[PartitionState]:
    """The states of any number of keys, in their order; a thousand at a time in memory."""
    rest = iter(keys)
    while batch := list(islice(rest, _KEYS_A_LOOKUP)):
        yield from ledger.get_many(batch)


def _hints(result: RunResult, ledger: StateReader) -> tuple[str, ...]:
    """Those of the failures; the hint of refused credentials goes with their own error."""
    on_record = {key: reason for key, reason in result.failures.items() if key not in result.troubles}
    troubles = (failure.hint for failure in result.troubles.values())
    found = dict.fromkeys((*troubles, *advice(on_record, ledger)))
    apart = {"", result.credentials.hint if result.credentials else ""}
    return tuple(hint for hint in found if hint not in apart)


def _note_end(result: RunResult, done: WorkResult) -> None:
    if done.failure is None:
        return
    if done.reason == "credentials":
        result.credentials = CredentialsError(done.failure.message, hint=done.failure.hint)
    elif done.reason == "quota":
        result.quota = done.failure


def _keys_of(request: WorkRequest) -> Iterator[PartitionKey]:
    for account in request.accounts:
        for report in request.reports:
            days = request.days_of(account, report)
            for ordinal in range(days.first.toordinal(), days.last.toordinal() + 1):
                yield PartitionKey(GOOGLE_ADS, account.customer_id, report.name, date.fromordinal(ordinal))


class _Watch:
    """Keeps what happened to each partition, and hands every event on."""

    def __init__(self, observer: Observer, run: RunContext) -> None:
        self._observer = observer
        self._run = run.run_id.value
        self.attempted: set[PartitionKey] = set()
        self.recovered: set[PartitionKey] = set()
        self.moved: set[PartitionKey] = set()
        self.elsewhere: set[PartitionKey] = set()

    def on_events(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, PartitionEvent):
                self._note(event)
            elif isinstance(event, SliceDeferred) and event.code == "leased":
                days = range((event.last - event.first).days + 1)
                self.elsewhere |= {_key(event.customer_id, event.report, event.first + timedelta(days=n)) for n in days}
        self._observer.on_events(*events)

    def _note(self, event: PartitionEvent) -> None:
        if isinstance(event, PartitionRecovered):
            self.recovered.add(_key_of(event))
        elif isinstance(event, AuthorityChanged):
            self.moved.add(_key_of(event))
        elif isinstance(event, PartitionValidated) and event.validated_run == self._run:
            self.attempted.add(_key_of(event))


def _key_of(event: PartitionEvent) -> PartitionKey:
    return _key(event.customer_id, event.report, event.logical_date)


def _key(customer_id: str, report: str, day: date) -> PartitionKey:
    return PartitionKey(GOOGLE_ADS, customer_id, report, day)
