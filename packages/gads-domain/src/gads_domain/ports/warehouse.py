"""Tables that are kept equal to what the ledger vouches for; contracts/warehouse/v1 is what their readers rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId


@dataclass(frozen=True, slots=True, order=True)
class LoadedPartition:
    """The one run whose rows a warehouse shows for a logical partition: its pointer."""

    key: PartitionKey
    run_id: RunId
    record_count: int
    schema_version: int
    seal_sha256: str


@dataclass(frozen=True, slots=True)
class WarehousePosition:
    """The place in a ledger's log that the tables are equal to; `cursor` is the consumer's, kept as it came."""

    ledger_id: str
    position: int
    cursor: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A partition to show from now on, in place of whatever is shown for its key.

    `payload` is a local Parquet file whose bytes were checked, with the columns of `schema` in their order.
    """

    partition: LoadedPartition
    schema: TableSchema
    payload: Path


class LoadMode(StrEnum):
    """How a step was found."""

    FEED = "feed"
    """By following the change feed from the position before."""
    RECONCILE = "reconcile"
    """By comparing all pointers with the ledger."""


@dataclass(frozen=True, slots=True)
class LoadStep:
    """What leads from one position to a later one, all at once.

    `after` is the position that the step builds on, None for an empty warehouse. `replace` comes in chunks and is
    read once; the files of a chunk are there until the next is asked for. No key is in it twice or also in `remove`.
    """

    mode: LoadMode
    source: str
    after: WarehousePosition | None
    to: WarehousePosition
    at: datetime
    replace: Iterable[Sequence[Replacement]]
    remove: Sequence[PartitionKey]


@dataclass(frozen=True, slots=True)
class LoadedStep:
    """What a step came to: partitions that were shown anew, replaced, removed; rows written."""

    added: int
    replaced: int
    removed: int
    rows: int


@dataclass(frozen=True, slots=True)
class PartitionContent:
    """What rows a partition has, summed up.

    `sums` has the sum of each metric by its column (None if all are null); two contents with one `digest` are of
    equal rows in any order.
    """

    key: PartitionKey
    run_id: RunId
    record_count: int
    sums: Mapping[str, int | float | None]
    digest: str


class Warehouse(Protocol):
    """Tables of rows, a pointer a partition, and the position that both stand for.

    Laws:

    1. `apply` is one transaction: rows, pointers, load records and position move together or not at all, whatever
       ends it; an error of `replace` comes out as it was raised.
    2. `apply` of a step that builds on another position than the stored one raises `LedgerConflictError` and changes
       nothing.
    3. For each pointer the tables hold exactly the rows of its payload, marked with its run, and no other rows.
    4. A pointer and its rows go in the same step.
    5. Reading changes nothing; an absent warehouse reads as an empty one and is not created.
    6. Rows of schema versions that do not extend each other never share a table; a version that only adds columns
       does, and the rows before it have null there. One version with two schemas is refused with `UsageError`.
    7. `contents` of what was applied equals `measure` of the payloads that were.
    8. A payload with another number of rows than its partition's is refused with `DamagedPartitionError`.
    9. Somebody who reads while a step is applied sees the position, pointers and rows of before or of after.
    10. Nothing but `unplaced` speaks of rows and pointers whose account, day or run is none; a step of
        `LoadMode.RECONCILE` removes them.

    Any method raises `HeldElsewhereError` if another process holds what it needs, `StorageError` if the storage fails,
    `UnsupportedContractError` for a warehouse of another major version of the contract.
    """

    def position(self) -> WarehousePosition | None:
        """Where the tables are; None if nothing was ever loaded."""
        ...

    def reports(self) -> list[str]:
        """The reports that have, or had, rows here; sorted."""
        ...

    def pointers(self, report: str) -> list[LoadedPartition]:
        """What is shown of `report`, in key order."""
        ...

    def untrue(self) -> list[PartitionKey]:
        """The keys whose rows are not as many as their pointer says, or of another run, or that have several pointers.

        Somebody else wrote there.
        """
        ...

    def unplaced(self) -> Mapping[str, int]:
        """How many rows and pointers can be of no partition, by the table that they are in, if any are."""
        ...

    def contents(self, report: str) -> Iterator[PartitionContent]:
        """What the tables of `report` hold, rows without a pointer included."""
        ...

    def measure(self, replacements: Sequence[Replacement]) -> list[PartitionContent]:
        """What `contents` would say of these payloads, in their order."""
        ...

    def is_current(self) -> bool:
        """Whether catalogue and views are those that this software makes; an absent warehouse is."""
        ...

    def apply(self, step: LoadStep) -> LoadedStep:
        """Carry out `step`, and bring catalogue and views up to date in the same transaction."""
        ...

    def close(self) -> None:
        """Let go of the warehouse."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class WarehouseAdapter(Protocol):
    """Opens the warehouse that a URL names. A relative path in the URL is taken from `base`."""

    def open_warehouse(self, url: str, base: Path) -> Warehouse:
        """Open it; touches nothing yet. Raises `ConfigurationError`."""
        ...
