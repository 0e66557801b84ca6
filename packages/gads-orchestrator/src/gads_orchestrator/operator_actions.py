"""What operators do to partitions: retry, hold, release, mark terminal, revoke; in batches, with one event each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    return True


def operate(
    operation: Operation,
    keys: Sequence[PartitionKey],
    ledger: ControlPlaneLedger,
    act: OperatorAct,
    observer: Observer,
    run_id: RunId | None = None,
) -> list[Outcome]:
    """Do `operation` to each of `keys`, a few hundred a transaction; what was not done says why.

    A retry also lifts a terminal mark. `run_id` is the run to revoke; it takes effect at the next validation.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        outcomes += _WAYS[operation](_Acting(ledger, act, observer, run_id), batch)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Acting:
    ledger: ControlPlaneLedger
    act: OperatorAct
    observer: Observer
    run_id: RunId | None

    def tell(self, kind: type[ActRecorded], keys: Iterable[PartitionKey], *more: str) -> None:
        act = self.act
        told = [
            kind(act.at, "", key.customer_id, key.report, key.logical_date, act.actor, act.reason, *more)
            for key in keys
        ]
        self.observer.on_events(*told)


def _retry(acting: _Acting, keys: Sequence[PartitionKey]) -> list[Outcome]:
    lifted = acting.ledger.unmark(keys, Mark.TERMINAL, acting.act)
    acting.tell(PartitionTakenUp, _those(keys, lifted))
    moved = acting.ledger.retry(keys, acting.act)
    acting.tell(PartitionRetried, _those(keys, moved))
    statuses = [state.status for state in acting.ledger.get_many(keys)]
    return [
        Outcome(key, "" if was_lifted or was_moved else f"it is {status}, not failed")
        for key, was_lifted, was_moved, status in zip(keys, lifted, moved, statuses, strict=True)
    ]


def _hold(acting: _Acting, keys: Sequence[PartitionKey]) -> list[Outcome]:
    done = acting.ledger.mark(keys, Mark.HELD, acting.act)
    acting.tell(PartitionHeld, _those(keys, done))
    return _outcomes(keys, done, "it is held already")


def _release(acting: _Acting, keys: Sequence[PartitionKey]) -> list[Outcome]:
    done = acting.ledger.unmark(keys, Mark.HELD, acting.act)
    acting.tell(PartitionReleased, _those(keys, done))
    return _outcomes(keys, done, "it is not held")


def _mark_terminal(acting: _Acting, keys: Sequence[PartitionKey]) -> list[Outcome]:
    done = acting.ledger.mark(keys, Mark.TERMINAL, acting.act)
    acting.tell(PartitionGivenUp, _those(keys, done))
    return _outcomes(keys, done, "it is terminal already")


def _revoke(acting: _Acting, keys: Sequence[PartitionKey]) -> list[Outcome]:
    assert acting.run_id is not None
    run_id = acting.run_id
    done = acting.ledger.revoke([(key, run_id) for key in keys], acting.act)
    acting.tell(RunRevoked, _those(keys, done), run_id.value)
    return _outcomes(keys, done, "the run has no validation result here, or is revoked already")


_WAYS: dict[Operation, Callable[[_Acting, Sequence[PartitionKey]], list[Outcome]]] = {
    Operation.RETRY: _retry,
    Operation.HOLD: _hold,
    Operation.RELEASE: _release,
    Operation.MARK_TERMINAL: _mark_terminal,
    Operation.REVOKE: _revoke,
}


def _those(keys: Sequence[PartitionKey], done: Sequence[bool]) -> list[PartitionKey]:
    return [key for key, was_done in zip(keys, done, strict=True) if was_done]


def _outcomes(keys: Sequence[PartitionKey], done: Sequence[bool], why_not: str) -> list[Outcome]:
    return [Outcome(key, "" if was_done else why_not) for key, was_done in zip(keys, done, strict=True)]
