"""What the control plane keeps beside the statuses: marks, revocations and leases."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gads_domain.errors import FailureReason, InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus


class Mark(StrEnum):
    """What the control plane may put on a partition. A mark is not a status: consumers and the validator ignore it."""

    HELD = "held"
    """Held by an operator: it is not attempted until it is released."""
    TERMINAL = "terminal"
    """Given up by policy or an operator: it is not attempted until an operator lifts the mark."""


class ActKind(StrEnum):
    """What an act of the control plane did."""

    RETRY = "retry"
    """`failed` to `pending`."""
    HOLD = "hold"
    RELEASE = "release"
    MARK_TERMINAL = "mark_terminal"
    UNMARK_TERMINAL = "unmark_terminal"
    FORGET = "forget"
    """A report of an account is not expected any more, on no day."""
    REVOKE = "revoke"
    """The revocation of a run, which takes effect when the validator next looks at the partition."""
    ACCEPT = "accept"
    """A run that lost rows and is held is accepted; takes effect as a revocation does."""
    BREAK_LEASE = "break_lease"
    """A lease is taken from its holder; recorded of the day on which that was done."""


MARKING = {Mark.HELD: ActKind.HOLD, Mark.TERMINAL: ActKind.MARK_TERMINAL}
"""The act that puts a mark on."""

UNMARKING = {Mark.HELD: ActKind.RELEASE, Mark.TERMINAL: ActKind.UNMARK_TERMINAL}
"""The act that takes a mark off."""


@dataclass(frozen=True, slots=True)
class SchedulingState:
    """What a planner needs to know about a partition that has a row or a mark.

    - `last_tried_at`: when its newest run was validated; for `success`, when its row was last written. None if it
      was never attempted.
    - `tries`: how many runs failed since the newest run that passed and since an operator's last `retry`, whichever is
      later; what policy retried goes on counting. Of `success`: how many runs newer than the authoritative one failed.
    - `failure`: why the newest of these tries failed; None if there is none, as for a partition whose run was
      revoked.
    - `held_run`: the run that is held for a decision, if there is one.
    """

    key: PartitionKey
    status: PartitionStatus
    last_tried_at: datetime | None = None
    tries: int = 0
    failure: FailureReason | None = None
    marks: frozenset[Mark] = frozenset()
    held_run: RunId | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of `owner` to spend operations on `scope` until `expires_at`.

    `number` fences: of two leases of one ledger the later one has the higher number, and a call with the number of a
    lost lease is refused. `left_behind` says of a lease that was taken that the one before it was not given back: its
    holder died, or was interrupted.
    """

    scope: str
    owner: str
    number: int
    expires_at: datetime
    left_behind: bool = field(default=False, compare=False)


SHORTEST_RETENTION = timedelta(days=1)
"""No run goes sooner after it was superseded: no writer of it may be at work any more."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long superseded runs are kept, and how many of a partition in any case.

    Raises `InvalidValueError` for less than `SHORTEST_RETENTION` or a negative number.
    """

    superseded: timedelta
    keep: int = 0

    def __post_init__(self) -> None:
        if self.superseded < SHORTEST_RETENTION:
            raise InvalidValueError(f"superseded runs are kept for {SHORTEST_RETENTION.days} day or more")
        if self.keep < 0:
            raise InvalidValueError(f"{self.keep} is not a number of runs to keep")


def scope_of(source: str, customer_id: str, report: str) -> str:
    """The scope of a lease: one report of one account, so that no two leases ever overlap in part."""
    return f"{source}/{customer_id}/{report}"


def scheduling_text(
    status: PartitionStatus, marks: Iterable[Mark], revoked: Iterable[RunId] = (), accepted: Iterable[RunId] = ()
) -> str:
    """The scheduling state of a partition as an act records it: `failed held`, `success revoked=<run>`."""
    runs = {"revoked": revoked, "accepted": accepted}
    named = {name: ",".join(sorted(run.value for run in some)) for name, some in runs.items()}
    given = [f"{name}={text}" for name, text in named.items() if text]
    return " ".join([status.value, *sorted(mark.value for mark in marks), *given])
