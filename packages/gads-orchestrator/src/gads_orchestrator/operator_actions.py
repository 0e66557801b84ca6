"""What an operator does to partitions: retry, hold, revoke, accept and others; in batches, with one event each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gads_domain.control import Mark, SchedulingState
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.run import RunId
from gads_domain.state import OperatorAct, PartitionStatus
from gads_orchestrator.events import (
    ActRecorded,
    Observer,
    PartitionGivenUp,
    PartitionHeld,
    PartitionReleased,
    PartitionRetried,
    PartitionTakenUp,
    RunAccepted,
    RunRevoked,
)

_BATCH = 500


class Operation(StrEnum):
    """What an operator can do."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    MARK_TERMINAL = "mark-terminal"
    REVOKE = "revoke"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an operation on one partition; `why_not` is empty if it was done."""

    key: PartitionKey
    why_not: str = ""

    @property
    def done(self) -> bool:
        """Whether anything was changed."""
        return not self.why_not


def applies_to(operation: Operation, scheduling: SchedulingState) -> bool:
    """Whether a filter with `operation` selects this partition; a key that is named is always selected."""
    if operation is Operation.RETRY:
        return scheduling.status is PartitionStatus.FAILED or Mark.TERMINAL in scheduling.marks
    if operation is Operation.RELEASE:
        return Mark.HELD in scheduling.marks
    if operation is Operation.HOLD:
        return Mark.HELD not in scheduling.marks
    if operation is Operation.MARK_TERMINAL:
        return scheduling.status is not PartitionStatus.SUCCESS and Mark.TERMINAL not in scheduling.marks
    if operation is Operation.ACCEPT:
        return scheduling.held_run is not None
    return True


def operate(
    operation: Operation,
    keys: Sequence[PartitionKey],
    ledger: ControlPlaneLedger,
    act: OperatorAct,
    observer: Observer,
    run_id: RunId | None = None,
) -> list[Outcome]:
    """Do `operation` to each of `keys`, a few hundred in a transaction; an outcome says why it changed nothing.

    A retry also lifts a terminal mark. `run_id` is the run to revoke; what is accepted is the run that is held for a
    decision. Both take effect at the next validation.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(keys), _BATCH):
        outcomes += _operate(operation, keys[start : start + _BATCH], ledger, act, observer, run_id)
    return outcomes


def _operate(
    operation: Operation,
    keys: Sequence[PartitionKey],
    ledger: ControlPlaneLedger,
    act: OperatorAct,
    observer: Observer,
    run_id: RunId | None,
) -> list[Outcome]:
    def emit(kind: type[ActRecorded], done: Sequence[bool], *more: str) -> Sequence[bool]:
        changed = [key for key, was_done in zip(keys, done, strict=True) if was_done]
        common = (act.actor, act.reason, *more)
        observer.on_events(*(kind(act.at, "", k.customer_id, k.report, k.logical_date, *common) for k in changed))
        return done

    if operation is Operation.RETRY:
        lifted = emit(PartitionTakenUp, ledger.unmark(keys, Mark.TERMINAL, act))
        retried = emit(PartitionRetried, ledger.retry(keys, act))
        why_not = [f"it is {state.status}, not failed" for state in ledger.get_many(keys)]
        done: Sequence[bool] = [one or other for one, other in zip(lifted, retried, strict=True)]
        return [Outcome(key, "" if was else why) for key, was, why in zip(keys, done, why_not, strict=True)]
    if operation is Operation.HOLD:
        done, why = emit(PartitionHeld, ledger.mark(keys, Mark.HELD, act)), "it is held already"
    elif operation is Operation.RELEASE:
        done, why = emit(PartitionReleased, ledger.unmark(keys, Mark.HELD, act)), "it is not held"
    elif operation is Operation.MARK_TERMINAL:
        done, why = emit(PartitionGivenUp, ledger.mark(keys, Mark.TERMINAL, act)), "it is terminal already"
    elif operation is Operation.ACCEPT:
        held = {state.key: state.held_run_id for state in ledger.get_many(keys)}
        runs = [(key, run) for key, run in held.items() if run is not None]
        accepted = dict(zip((key for key, _ in runs), ledger.accept(runs, act), strict=True))
        done = emit(RunAccepted, [accepted.get(key, False) for key in keys])
        why = "no run of it is held for a decision, or it is accepted already"
    else:
        assert run_id is not None
        done = emit(RunRevoked, ledger.revoke([(key, run_id) for key in keys], act), run_id.value)
        why = "the run has no validation result here, or is revoked already"
    return [Outcome(key, "" if was_done else why) for key, was_done in zip(keys, done, strict=True)]
