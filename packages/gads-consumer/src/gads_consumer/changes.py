"""The change feed: each move of authority, in order, from a cursor on; contracts/consumer/v1/change.schema.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gads_consumer.cursor import Cursor
from gads_consumer.partitions import vouched_for
from gads_consumer.snapshot import Snapshot
from gads_domain.clock import iso_utc
from gads_domain.current_partition import CurrentPartition
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.run import RunId
from gads_domain.state import AuthorityChange

PAGE = 1_000
"""Moves read from the ledger at once."""


class ChangeKind(StrEnum):
    """What became of the partition."""

    VOUCHED = "vouched"
    """It had no run to be believed and has one now: add its rows."""
    RESTATED = "restated"
    """Another run is to be believed: replace its rows."""
    WITHDRAWN = "withdrawn"
    """No run is to be believed any more: remove its rows."""


@dataclass(frozen=True, slots=True)
class Change:
    """One move of authority. `cursor` is where to go on after it; `partition` is what to believe now, None: nothing."""

    kind: ChangeKind
    key: PartitionKey
    partition: CurrentPartition | None
    previous_run_id: RunId | None
    at: datetime
    position: int
    cursor: str

    @property
    def customer_id(self) -> str:
        """The account."""
        return self.key.customer_id

    @property
    def logical_date(self) -> date:
        """The day, in the account's own time zone."""
        return self.key.logical_date

    def to_record(self) -> dict[str, str | int | None]:
        """The change as a flat document, as change.schema.json has it."""
        now = self.partition
        return {
            "change_version": "1.0",
            "cursor": self.cursor,
            "position": self.position,
            "at": iso_utc(self.at),
            "kind": self.kind.value,
            "source": self.key.source,
            "customer_id": self.key.customer_id,
            "report": self.key.report,
            "logical_date": self.key.logical_date.isoformat(),
            "run_id": None if now is None else now.run_id.value,
            "previous_run_id": None if self.previous_run_id is None else self.previous_run_id.value,
            "record_count": None if now is None else now.record_count,
            "schema_version": None if now is None else now.schema_version,
            "seal_sha256": None if now is None else now.seal_sha256,
        }


class Changes(Iterator[Change]):
    """The changes behind a cursor up to the end of the log at the time of asking, each once, read page by page.

    `cursor` is at every moment where to go on after what was handed out so far; when the iteration has ended it is
    behind everything that was looked at, so that changes of others are not looked at again.
    """

    def __init__(self, ledger: StateReader, start: Cursor, end: Cursor, wanted: Callable[[PartitionKey], bool]) -> None:
        self._end = end
        self._cursor = start
        self._wanted = wanted
        self._changes = self._read(ledger, start)

    @property
    def cursor(self) -> str:
        """Where to go on; keep it together with what the changes led to."""
        return str(self._cursor)

    def __iter__(self) -> Changes:
        return self

    def __next__(self) -> Change:
        return next(self._changes)

    def _read(self, ledger: StateReader, start: Cursor) -> Iterator[Change]:
        position = start.position
        while position < self._end.position:
            entries = ledger.authority_changes(after=position, limit=PAGE)
            for entry in entries:
                if entry.sequence <= self._end.position and entry.changes_authority and self._wanted(entry.key):
                    self._cursor = Cursor.after(start.ledger_id, entry)
                    yield _change(entry, str(self._cursor))
            position = entries[-1].sequence if entries else self._end.position
        if self._end.position > self._cursor.position:
            self._cursor = self._end


def _change(entry: AuthorityChange, cursor: str) -> Change:
    if entry.to_run is None:
        kind = ChangeKind.WITHDRAWN
    elif entry.from_run is None:
        kind = ChangeKind.VOUCHED
    else:
        kind = ChangeKind.RESTATED
    return Change(kind, entry.key, vouched_for(entry), entry.from_run, entry.at, entry.sequence, cursor)


@dataclass(frozen=True, slots=True)
class Delta:
    """What to do to get from one position to a later one: delete the rows of `replaced`, add those of `snapshot`.

    `replaced` are all partitions that moved in between, the `withdrawn` ones among them; `snapshot` holds those of
    them that are vouched for at the later position. `cursor` is where the next delta begins.
    """

    replaced: tuple[PartitionKey, ...]
    withdrawn: tuple[PartitionKey, ...]
    snapshot: Snapshot
    cursor: str
