"""The change feed: each change of authority, in order, from a cursor on; contracts/consumer/v1/change.schema.json."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gads_consumer.cursor import Cursor
from gads_consumer.snapshot import Snapshot
from gads_domain.current_partition import CurrentPartition
from gads_domain.documents import members_of
from gads_domain.errors import LedgerError
from gads_domain.partition_key import KEY_MEMBERS, Keyed, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.run import RunId
from gads_domain.state import AuthorityChange, StateFilter

PAGE = 1_000
"""Authority changes read from the ledger at once."""


class ChangeKind(StrEnum):
    """What to do with the partition's rows."""

    ADDED = "added"
    """It had no authoritative run and has one now: add its rows."""
    RESTATED = "restated"
    """Another run is authoritative: replace its rows."""
    REMOVED = "removed"
    """No run is authoritative any more: remove its rows."""


@dataclass(frozen=True, slots=True)
class Change(Keyed):
    """One change of authority. `partition` is authoritative now, None if nothing is; `cursor` is where to go on."""

    kind: ChangeKind
    key: PartitionKey
    partition: CurrentPartition | None
    previous_run_id: RunId | None
    at: datetime
    position: int
    cursor: str

    def to_record(self) -> dict[str, str | int | None]:
        """The change as a flat document, as change.schema.json has it."""
        names, now = ("run_id", "record_count", "schema_version", "seal_sha256"), self.partition
        return {
            "change_version": "2.0",
            **members_of(self, ("cursor", "position", "at", "kind", *KEY_MEMBERS, "previous_run_id")),
            **(dict.fromkeys(names) if now is None else members_of(now, names)),
        }


class Changes(Iterator[Change]):
    """The changes behind a cursor up to the end of the log at the time of asking, each once, read page by page.

    `cursor` is at every moment where to go on after what was handed out so far; when the iteration has ended it is
    behind everything that was looked at, so that changes of others are not looked at again.
    """

    def __init__(self, ledger: StateReader, start: Cursor, end: Cursor, selected: StateFilter) -> None:
        self._end = end
        self._cursor = start
        self._selected = selected
        self._changes = self._read(ledger, start)

    @property
    def cursor(self) -> str:
        """Where to go on; keep it together with what the changes led to."""
        return str(self._cursor)

    def __iter__(self) -> "Changes":
        return self

    def __next__(self) -> Change:
        return next(self._changes)

    def _read(self, ledger: StateReader, start: Cursor) -> Iterator[Change]:
        position = start.position
        while position < self._end.position:
            entries = ledger.authority_changes(after=position, limit=PAGE)
            for entry in entries:
                if (
                    entry.sequence <= self._end.position
                    and entry.changes_authority
                    and self._selected.selects(entry.key)
                ):
                    self._cursor = Cursor.after(start.ledger_id, entry)
                    yield _change(entry, str(self._cursor))
            position = entries[-1].sequence if entries else self._end.position
        if self._end.position > self._cursor.position:
            self._cursor = self._end


@dataclass(frozen=True, slots=True)
class Delta:
    """What to do to get from one position to a later one: delete the rows of `replaced`, add those of `snapshot`.

    `replaced` are all partitions that changed in between, the `removed` ones among them; `snapshot` holds those of
    them that are authoritative at the later position. `cursor` is where the next delta begins.
    """

    replaced: tuple[PartitionKey, ...]
    removed: tuple[PartitionKey, ...]
    snapshot: Snapshot
    cursor: str


def current_after(entry: AuthorityChange) -> CurrentPartition | None:
    """What is authoritative after `entry`, None if no run is; raises `LedgerError` if the entry is damaged."""
    if entry.to_run is None:
        return None
    if entry.record_count is None or entry.schema_version is None or entry.seal_sha256 is None:
        raise LedgerError(
            f"authority change {entry.sequence} names a run of {entry.key} and not its seal",
            hint="restore the ledger from a backup",
        )
    return CurrentPartition(entry.key, entry.to_run, entry.record_count, entry.schema_version, entry.seal_sha256)


def _change(entry: AuthorityChange, cursor: str) -> Change:
    if entry.to_run is None:
        kind = ChangeKind.REMOVED
    elif entry.from_run is None:
        kind = ChangeKind.ADDED
    else:
        kind = ChangeKind.RESTATED
    return Change(kind, entry.key, current_after(entry), entry.from_run, entry.at, entry.sequence, cursor)
