"""What happens, as facts: one type of event for each, for whoever watches."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

from gads_domain.clock import iso_utc


@dataclass(frozen=True, slots=True)
class Event:
    """A fact at a time (UTC); `run_id` is empty for what no run did."""

    at: datetime
    run_id: str

    def __reduce__(self) -> tuple[type[Event], tuple[Any, ...]]:
        """Pickled as a call of its type: workers tell of every partition, and a dataclass's own way costs twice."""
        kind = type(self)
        return kind, tuple(getattr(self, member) for member in _form_of(kind)[1])


@dataclass(frozen=True, slots=True)
class RunPlanned(Event):
    """A plan was made and is about to be carried out."""

    operations: int
    partitions: int
    by_reason: dict[str, int]
    skipped: int


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """A plan was carried out, or as much of it as could be: `reason` is `done`, or why it ended before."""

    reason: str
    operations: int


@dataclass(frozen=True, slots=True)
class SliceEvent(Event):
    """A fact about adjacent days of one report of one account."""

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
class SliceDeferred(SliceEvent):
    """A slice was not asked for after all: `code` is `leased`, `quota` or `done`.

    `awaited` says that it may still be: somebody has its lease, who may be dead.
    """

    code: str


@dataclass(frozen=True, slots=True)
class SliceInterrupted(SliceEvent):
    """A slice was begun and could not be judged; what was sealed of it will be judged by the next run."""

    reason: str


@dataclass(frozen=True, slots=True)
class SliceEnded(SliceEvent):
    """A worker is through with a slice; `operations` of the quota were spent on it."""

    operations: int


@dataclass(frozen=True, slots=True)
class PartitionEvent(Event):
    """A fact about one partition."""

    customer_id: str
    report: str
    logical_date: date


@dataclass(frozen=True, slots=True)
class PartitionSealed(PartitionEvent):
    """A run sealed the partition."""

    record_count: int


@dataclass(frozen=True, slots=True)
class PartitionUnsealed(PartitionEvent):
    """A run asked for the partition and did not seal it."""

    reason: str


@dataclass(frozen=True, slots=True)
class PartitionValidated(PartitionEvent):
    """The validator judged `validated_run`; it `passed`, was `rejected` or was `unsealed`."""

    validated_run: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AuthorityChanged(PartitionEvent):
    """Status or authority moved."""

    status_before: str
    status_after: str
    from_run: str
    to_run: str


@dataclass(frozen=True, slots=True)
class PartitionRecovered(PartitionEvent):
    """What an earlier run sealed was judged now, and so not asked for again."""


@dataclass(frozen=True, slots=True)
class ActRecorded(PartitionEvent):
    """The control plane acted on the partition, on record."""

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
    """An order to withdraw `revoked_run` was put on record."""

    revoked_run: str


@dataclass(frozen=True, slots=True)
class QuotaReached(Event):
    """No operation is left of the day's budget; `by_api` says that the API itself refused."""

    budget: str
    day: date
    by_api: bool


@dataclass(frozen=True, slots=True)
class WorkerLost(Event):
    """A worker process died while it was at work; another takes its place."""

    worker: int


@dataclass(frozen=True, slots=True)
class CredentialsRefused(Event):
    """The API does not accept who is asking; the run ends."""

    reason: str


class Observer(Protocol):
    """Hears of facts, in the order in which the orchestrator learns of them.

    Law: what an observer does changes nothing, and it returns at once. What it raises ends the run.
    """

    def on_events(self, *events: Event) -> None:
        """`events` happened, in this order; what a worker tells at once is heard at once."""
        ...


class NullObserver:
    """Hears everything and does nothing."""

    def on_events(self, *events: Event) -> None:
        """Nothing."""


def event_name(kind: type[Event]) -> str:
    """The stable name of an event type: `SliceStarted` is `slice_started`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__).lower()


def event_document(event: Event) -> dict[str, Any]:
    """The event as JSON can say it, its name under `event`."""
    name, members = _form_of(type(event))
    document: dict[str, Any] = {"event": name}
    for member in members:
        document[member] = _plain(getattr(event, member))
    return document


_forms: dict[type[Event], tuple[str, tuple[str, ...]]] = {}


def _form_of(kind: type[Event]) -> tuple[str, tuple[str, ...]]:
    """The name and the members of every event of this type, found out once."""
    known = _forms.get(kind)
    if known is None:
        known = _forms[kind] = event_name(kind), tuple(field.name for field in fields(kind))
    return known


_utc_text = lru_cache(maxsize=16)(iso_utc)
"""Remembered: what a worker tells at once it saw at the same time."""


def _plain(value: object) -> object:
    kind = type(value)
    if kind is str or kind is int:
        return value
    if isinstance(value, datetime):
        return _utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
