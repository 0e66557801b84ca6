"""The main job: attempt a plan, have every attempt judged, say how each partition stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gads_domain.clock import Clock
from gads_domain.errors import CredentialsError, ExitCode, FailureReason, GadsError, QuotaExhaustedError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader
from gads_domain.ports.report_source import ReportSource, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.ports.validation import PartitionValidator, UnsealedRun, Verdict
from gads_domain.report import Stretch, stretches
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, PartitionState, PartitionStatus
from gads_orchestrator.budget import CallGate
from gads_orchestrator.observing import RunObserver, SilentObserver
from gads_orchestrator.planning import RunPlan, RunRequest, plan_run, states_of


@dataclass(frozen=True, slots=True)
class Rooms:
    """The ports that the main job drives."""

    source: ReportSource
    sink: RawSink
    ledger: StateReader
    control: ControlPlaneLedger
    validator: PartitionValidator
    clock: Clock
    gate: CallGate | None = None
    """Counts every call of `source` against the day's budget, if there is one."""


@dataclass(slots=True)
class RunResult:
    """How every partition that was asked for stands after the run.

    `states` holds each of them once; `attempted` are those that this run tried; `recovered` were sealed by an earlier
    run that died before they were judged; `troubles` are failures that are not on the ledger, by partition.
    `credentials` is set when the API refused who was asking, `quota` when the operations of the day were spent: what
    was not asked for then is still as it was.
    """

    run: RunContext
    plan: RunPlan
    states: dict[PartitionKey, PartitionState] = field(default_factory=dict)
    attempted: set[PartitionKey] = field(default_factory=set)
    recovered: set[PartitionKey] = field(default_factory=set)
    troubles: dict[PartitionKey, FailureReason] = field(default_factory=dict)
    moved: set[PartitionKey] = field(default_factory=set)
    credentials: CredentialsError | None = None
    quota: FailureReason | None = None

    @property
    def by_status(self) -> Counter[PartitionStatus]:
        """How many partitions have each status."""
        return Counter(state.status for state in self.states.values())

    @property
    def failures(self) -> dict[PartitionKey, str]:
        """For each partition that this run tried and did not bring to a good end, and each left failed, the reason."""
        found: dict[PartitionKey, str] = {}
        for key, state in sorted(self.states.items()):
            if key in self.troubles:
                found[key] = str(self.troubles[key])
            elif state.status is not PartitionStatus.SUCCESS or (key in self.attempted and state.last_error):
                found[key] = state.last_error or f"pending: not asked for; {self.quota or 'not attempted'}"
        return found

    @property
    def exit_code(self) -> ExitCode:
        """0 if everything that was asked for is `success` and nothing that was tried failed."""
        if self.credentials is not None:
            return ExitCode.CREDENTIALS
        return ExitCode.INCOMPLETE if self.failures else ExitCode.OK


def run_reports(request: RunRequest, run: RunContext, rooms: Rooms, observer: RunObserver | None = None) -> RunResult:
    """Plan `request`, extract stretch by stretch, and have each judged before the next begins.

    What an earlier run sealed and nobody judged is judged first and not asked for again. A stretch's failure is put
    on record and changes nothing for the others. When the operations of the day are spent the run ends, and what was
    not asked for stays as it is. Raises nothing for a partition that fails; a ledger that cannot be used raises its
    `LedgerError`.
    """
    watching = observer or SilentObserver()
    plan = plan_run(request, rooms.ledger)
    result = RunResult(run, plan, {state.key: state for state in plan.left_alone})
    if plan.retried:
        act = OperatorAct(rooms.clock.now(), run.actor, run.command, "run --retry-failed")
        rooms.control.retry(plan.retried, act)
    plan = _judge_what_is_sealed(plan, request, rooms, result)
    result.plan = plan
    watching.planned(plan)
    for position, stretch in enumerate(plan.stretches):
        watching.started(stretch)
        try:
            _attempt(stretch, run, rooms, watching, result)
        except CredentialsError as error:
            result.credentials = error
            refused = [key for later in plan.stretches[position:] for key in later.keys]
            reason = FailureReason.of(error)
            _note(result, rooms.validator.validate(refused, unsealed=_unsealed(refused, run, reason)), watching)
            break
        if result.quota is not None:
            unasked = [key for later in plan.stretches[position:] for key in later.keys if key not in result.attempted]
            result.states.update({state.key: state for state in states_of(rooms.ledger, unasked)})
            break
    return result


def _judge_what_is_sealed(plan: RunPlan, request: RunRequest, rooms: Rooms, result: RunResult) -> RunPlan:
    if request.reprocess:
        return plan
    kept: list[Stretch] = []
    for stretch in plan.stretches:
        sealed = [key for key in stretch.keys if rooms.sink.runs(key)]
        verdicts = rooms.validator.validate(sealed) if sealed else []
        good = {v.after.key for v in verdicts if v.after.status is PartitionStatus.SUCCESS}
        result.recovered |= good
        result.states.update({v.after.key: v.after for v in verdicts})
        missing = [key.logical_date for key in stretch.keys if key not in good]
        kept += stretches(stretch.customer_id, stretch.report, missing, request.max_days_per_request)
    return RunPlan(tuple(kept), plan.retried, plan.left_alone)


def _attempt(stretch: Stretch, run: RunContext, rooms: Rooms, watching: RunObserver, result: RunResult) -> None:
    if rooms.gate is not None:
        rooms.gate.begin(None)
    outcomes = rooms.source.extract(stretch, run, rooms.sink, lambda rows: watching.received(stretch, rows))
    failed = {outcome.key: outcome.reason for outcome in outcomes if isinstance(outcome, Unsealed)}
    result.quota = next((reason for reason in failed.values() if reason.code == QuotaExhaustedError.code), None)
    if result.quota is not None and rooms.gate is not None and rooms.gate.refused and not rooms.gate.granted:
        return
    unsealed = {key: UnsealedRun(run.run_id, reason) for key, reason in failed.items()}
    result.attempted.update(stretch.keys)
    try:
        _note(result, rooms.validator.validate(stretch.keys, unsealed=unsealed), watching)
    except GadsError as error:
        if error.exit_code is not ExitCode.INCOMPLETE and not error.retryable:
            raise
        watching.interrupted(stretch, error)
        for key, state in zip(stretch.keys, rooms.ledger.get_many(stretch.keys), strict=True):
            result.states[key] = state
            result.troubles[key] = FailureReason.of(error)


def _unsealed(
    keys: Sequence[PartitionKey], run: RunContext, reason: FailureReason
) -> Mapping[PartitionKey, UnsealedRun]:
    return {key: UnsealedRun(run.run_id, reason) for key in keys}


def _note(result: RunResult, verdicts: list[Verdict], watching: RunObserver) -> None:
    for verdict in verdicts:
        result.states[verdict.after.key] = verdict.after
        if verdict.moved:
            result.moved.add(verdict.after.key)
    watching.judged(verdicts)
