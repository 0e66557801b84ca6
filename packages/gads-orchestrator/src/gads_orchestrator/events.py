"""What happens, one type of event for each, for observers."""

import re
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Protocol

from gads_domain.documents import members_of


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a time (UTC); `run_id` is empty for what no run did."""

    at: datetime
    run_id: str

    def __reduce__(self) -> "tuple[type[Event], tuple[Any, ...]]":
        """Pickled as a call of its type: workers emit many, and a dataclass's own way costs twice."""
        kind = type(self)
        return kind, tuple(getattr(self, member) for member in _form_of(kind)[1])


@dataclass(frozen=True, slots=True)
class RunPlanned(Event):
    """A plan was made and is about to be executed."""

    operations: int
    partitions: int
    by_reason: dict[str, int]
    skipped: int


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """A plan was executed, or as much of it as could be.

    `ended` is `done`, `stopped` (on request), `replan` (there is more to do, in another order), or the scope of the
    failure that ended it.
    """

    ended: str
    operations: int


@dataclass(frozen=True, slots=True)
class SliceEvent(Event):
    """An event of a slice."""

    customer_id: str
    report: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SliceStarted(SliceEvent):
    """A slice was given to a worker."""

    reason: str
    worker: int


@dataclass(frozen=True, slots=True)
class RowsReceived(SliceEvent):
    """`rows` rows of the slice have arrived so far."""

    rows: int


@dataclass(frozen=True, slots=True)
class CallEnded(SliceEvent):
    """A call to the API has ended at `at`, after `seconds`; emitted when all calls of the slice have ended.

    The days are those that the call asked for, all of the slice or a part. `attempt` counts calls for the same,
    `operations` were taken from the quota, `rows` came. `code` is empty if the answer is whole, else that of the
    failure, or `abandoned` if it was not read to its end. `request_id` is the API's, empty if it named none.
    """

    attempt: int
    seconds: float
    request_id: str
    operations: int
    rows: int
    code: str


@dataclass(frozen=True, slots=True)
class SliceValidated(SliceEvent):
    """The validator has decided on `partitions` days from `first` to `last`, which took `seconds` up to `at`."""

    partitions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SliceDeferred(SliceEvent):
    """A slice was planned and is not asked for now.

    `code` is `leased` (another process works on it), `awaited` (its lease is waited for: the holder may be dead),
    `done` (another process did it meanwhile), `resting` (the API asked not to be called so yet), or the scope of the
    failure that stopped it.
    """

    code: str


@dataclass(frozen=True, slots=True)
class SliceInterrupted(SliceEvent):
    """A slice was begun and could not be validated; what was sealed of it is validated by the next run."""

    reason: str


@dataclass(frozen=True, slots=True)
class SliceEnded(SliceEvent):
    """A worker has ended its work on a slice; `operations` of the quota were spent on it."""

    operations: int


@dataclass(frozen=True, slots=True)
class PartitionEvent(Event):
    """An event of one partition."""

    customer_id: str
    report: str
    logical_date: date


@dataclass(frozen=True, slots=True)
class PartitionSealed(PartitionEvent):
    """A run sealed the partition."""

    record_count: int


@dataclass(frozen=True, slots=True)
class PartitionUnchanged(PartitionEvent):
    """A run found the rows that `confirmed_run` has sealed, which is confirmed; nothing was sealed."""

    confirmed_run: str
    record_count: int


@dataclass(frozen=True, slots=True)
class PartitionUnsealed(PartitionEvent):
    """A run asked for the partition and did not seal it."""

    reason: str


@dataclass(frozen=True, slots=True)
class PartitionValidated(PartitionEvent):
    """The validator looked at `validated_run`; it `passed`, was `rejected` or was `unsealed`.

    `code` is that of the failure; empty for a run that passed.
    """

    validated_run: str
    outcome: str
    code: str


@dataclass(frozen=True, slots=True)
class AuthorityChanged(PartitionEvent):
    """The status or the authoritative run of the partition changed."""

    status_before: str
    status_after: str
    from_run: str
    to_run: str


@dataclass(frozen=True, slots=True)
class RowsVanished(PartitionEvent):
    """`held_run` lost rows of the day and is held for a decision; the authority is where it was."""

    held_run: str


@dataclass(frozen=True, slots=True)
class PartitionRecovered(PartitionEvent):
    """What an earlier run sealed was validated now, and so not asked for again."""


@dataclass(frozen=True, slots=True)
class PartitionOvertaken(PartitionEvent):
    """A run with a later id, `newer_run`, is authoritative; what this run extracted is superseded from the start."""

    newer_run: str


@dataclass(frozen=True, slots=True)
class ActRecorded(PartitionEvent):
    """The control plane acted on the partition, and it is on record."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionRetried(ActRecorded):
    """`failed` became `pending`."""


@dataclass(frozen=True, slots=True)
class PartitionHeld(ActRecorded):
    """Nothing of it is attempted from now on."""


@dataclass(frozen=True, slots=True)
class PartitionReleased(ActRecorded):
    """A hold was lifted."""


@dataclass(frozen=True, slots=True)
class PartitionGivenUp(ActRecorded):
    """Marked terminal, by policy or by an operator."""


@dataclass(frozen=True, slots=True)
class PartitionTakenUp(ActRecorded):
    """A terminal mark was lifted."""


@dataclass(frozen=True, slots=True)
class RunRevoked(ActRecorded):
    """The revocation of `revoked_run` was put on record."""

    revoked_run: str


@dataclass(frozen=True, slots=True)
class RunAccepted(ActRecorded):
    """The acceptance of the run that was held for a decision was put on record."""


@dataclass(frozen=True, slots=True)
class RunStopped(Event):
    """A failure that reaches further than an account stopped the run: nothing more is asked for."""

    scope: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class AccountStopped(Event):
    """The API refuses an account: nothing more is asked of it in this run."""

    customer_id: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class CallsRest(Event):
    """The API asked for a rest, of one account's or one report's calls if they are named; the run waits for its end."""

    customer_id: str
    report: str
    not_before: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerLost(Event):
    """A worker process died while it was at work; another takes its place."""

    worker: int


@dataclass(frozen=True, slots=True)
class ServePaused(Event):
    """A failure that may pass keeps the daemon from its work; it tries again in `seconds`. Emitted once per failure."""

    scope: str
    code: str
    message: str
    hint: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ServeResumed(Event):
    """The daemon works again."""


class Observer(Protocol):
    """Receives events, in the order in which the orchestrator learns of them.

    Law: what an observer does changes nothing, and it returns at once. What it raises ends the run.
    """

    def on_events(self, *events: Event) -> None:
        """`events` happened, in this order; what a worker emits together arrives together."""


class NullObserver:
    """Does nothing."""

    def on_events(self, *events: Event) -> None:
        """Nothing."""


def event_name(kind: type[Event]) -> str:
    """The stable name of an event type: `SliceStarted` is `slice_started`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__).lower()


def event_document(event: Event) -> dict[str, Any]:
    """The event as JSON can say it, its name under `event`."""
    name, members = _form_of(type(event))
    return {"event": name, **members_of(event, members)}


_forms: dict[type[Event], tuple[str, tuple[str, ...]]] = {}


def _form_of(kind: type[Event]) -> tuple[str, tuple[str, ...]]:
    """The name and the members of every event of this type."""
    known = _forms.get(kind)
    if known is None:
        known = _forms[kind] = event_name(kind), tuple(field.name for field in fields(kind))
    return known
