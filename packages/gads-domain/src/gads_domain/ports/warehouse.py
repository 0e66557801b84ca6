"""Tables that are kept equal to what is authoritative; contracts/warehouse/v1 is what their readers rely on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isclose, isnan
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from gads_domain.completeness import Freshness
from gads_domain.current_partition import CurrentPartition
from gads_domain.expectations import Expectations
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

REPORTING_VIEWS = frozenset({"accounts", "campaign_daily", "completeness", "freshness", "gaps"})
"""The views of `contracts/warehouse/v1` that are in one schema with a view for each report."""


def is_reserved(report: str) -> bool:
    """Whether a report of that name would get a table or a view whose name is another's."""
    return report in REPORTING_VIEWS or re.search(r"__(v[0-9]+|all_versions)$", report) is not None


@dataclass(frozen=True, slots=True)
class WarehousePosition:
    """The place in a ledger's log that the tables are equal to; `cursor` is the consumer's, kept as it came."""

    ledger_id: str
    position: int
    cursor: str


@dataclass(frozen=True, slots=True)
class FullLoad:
    """A load of everything that is under way: the tables are equal to no position until it ends.

    `target` is the position that it leads to. Its steps have added, replaced or removed `done` partitions so far, and
    `remaining` were left after the last of them.
    """

    target: WarehousePosition
    done: int
    remaining: int

    @property
    def ledger_id(self) -> str:
        """The ledger that is loaded."""
        return self.target.ledger_id


@dataclass(frozen=True, slots=True)
class Replacement:
    """A partition to show from now on, in place of whatever is shown for its key.

    `payload` is a local Parquet file whose bytes were checked, with the columns of `schema` in their order.
    """

    partition: CurrentPartition
    schema: TableSchema
    payload: Path


@dataclass(frozen=True, slots=True)
class LoadedExpectations:
    """What the tables should hold, so that a query can say what is missing.

    - `expectations`: the account list and what is expected of it, as the ledger has them on record.
    - `freshness`: when a day is due, and how old the account list may be.
    - `held`: the partitions whose newest run is held for a decision, which are shown and count as missing; sorted.
    """

    expectations: Expectations
    freshness: Freshness
    held: tuple[PartitionKey, ...] = ()


class LoadMode(StrEnum):
    """How a step was found."""

    FEED = "feed"
    """By following the change feed from the position before."""
    RECONCILE = "reconcile"
    """By comparing all pointers with the ledger."""


@dataclass(frozen=True, slots=True)
class LoadStep:
    """What leads from one state of the tables to a later one, all at once.

    `after` is the state that the step builds on, None for an empty warehouse; `to` is a `FullLoad` for each step of
    one but the last. No key is twice in `replace`, or also in `remove`. `discard_invalid` removes what
    `Warehouse.invalid_identity` counts. `expected` takes the place of what is expected so far; None leaves it. Of the
    accounts in `erase` everything goes.
    """

    mode: LoadMode
    source: str
    after: WarehousePosition | FullLoad | None
    to: WarehousePosition | FullLoad
    at: datetime
    replace: Sequence[Replacement]
    remove: Sequence[PartitionKey]
    discard_invalid: bool = False
    expected: LoadedExpectations | None = None
    erase: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LoadedStep:
    """The result of a step: partitions that were added, replaced and removed; rows written."""

    added: int
    replaced: int
    removed: int
    rows: int


@dataclass(frozen=True, slots=True)
class PartitionContent:
    """The rows of a partition, summed up.

    `sums` has the sum of each metric by its column (None if all are null); two contents with one `digest` are of
    equal rows in any order.
    """

    key: PartitionKey
    run_id: RunId
    record_count: int
    sums: Mapping[str, int | float | None]
    digest: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The columns and rows that a query selects."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


Figure = int | float | str | None


@dataclass(frozen=True, slots=True)
class ViewFigure:
    """A count, sum or checksum of a view: as the rows of the tables give it, and as the view shows it.

    `found` of a view that cannot be read says why.
    """

    view: str
    name: str
    expected: Figure
    found: Figure

    @property
    def agrees(self) -> bool:
        """Whether the two are equal: fractions up to what the order of adding up makes."""
        one, other = self.expected, self.found
        if isinstance(one, int | float) and isinstance(other, int | float):
            return one == other or isclose(one, other, rel_tol=1e-9) or (isnan(one) and isnan(other))
        return one == other

    def __str__(self) -> str:
        return f"view {self.view}: {self.name}: expected {self.expected}, found {self.found}"


class Warehouse(Protocol):
    """Tables of rows, a pointer for each partition, and the position that both are equal to.

    Laws:

    1. `apply` is one transaction: rows, pointers, load records and position change together or not at all, whatever
       ends it.
    2. `apply` of a step that builds on another state than the stored one raises `LedgerConflictError` and changes
       nothing.
    3. For each pointer the tables hold exactly the rows of its payload, marked with its run, and no other rows.
    4. A pointer and its rows go in the same step.
    5. Reading changes nothing; an absent warehouse reads as an empty one and is not created.
    6. Rows of schema versions that do not extend each other never share a table; a version that only adds columns
       does, and the rows before it have null there. One version with two schemas is refused with `UsageError`.
    7. `contents` of what was applied equals `measure` of the payloads that were.
    8. A payload with another number of rows than its partition's is refused with `DamagedPartitionError`.
    9. A reader sees the position, pointers and rows from before a step until the step is committed, and all of the
       later ones afterwards.
    10. Rows and pointers whose account, day or run is invalid appear in `invalid_identity` alone; a step with
        `discard_invalid` removes them.
    11. `query` answers one statement that reads; any other raises `UsageError` and changes nothing.
    12. After a step to a `FullLoad` the warehouse has what the step loaded and no position, and `full_load` returns
        it; a step from it continues the load or, with a position, ends it.
    13. `expected` is what the last step that had any brought, in the same transaction as the rest of that step.
    14. After each step every figure of `view_figures` agrees. A view that something else changed is in a figure that
        does not, `is_current` is false, and the next step makes the view again.
    15. A step with accounts to `erase` leaves no row of them in any table: not of their reports, pointers, load
        records or what is expected of them. `account_rows` counts all of these. What is of other accounts stays.

    Any method raises `HeldElsewhereError` if another process holds what it needs, `StorageError` if the storage fails,
    `UnsupportedContractError` for a warehouse of another major version of the contract.
    """

    def position(self) -> WarehousePosition | None:
        """The position that the tables are equal to; None for an empty warehouse and during a full load."""

    def full_load(self) -> FullLoad | None:
        """The full load that is under way."""

    def expected(self) -> LoadedExpectations | None:
        """What the tables should hold; None before a step has said so."""

    def reports(self) -> list[str]:
        """The reports that have, or had, rows here; sorted."""

    def pointers(self, report: str) -> list[CurrentPartition]:
        """The partitions of `report` that are shown, in key order."""

    def mismatched(self) -> list[PartitionKey]:
        """The keys whose rows are not as many as their pointer says or of another run, or that have several pointers.

        Something other than the loader wrote there.
        """

    def invalid_identity(self) -> Mapping[str, int]:
        """The number of rows and pointers that belong to no possible partition, by table; only tables with any."""

    def contents(self, report: str) -> Iterator[PartitionContent]:
        """The partitions in the tables of `report`, rows without a pointer included."""

    def measure(self, replacements: Sequence[Replacement]) -> list[PartitionContent]:
        """The contents that these payloads would have, in their order."""

    def view_figures(self, *, counts_only: bool = False) -> list[ViewFigure]:
        """Figures of each view that readers rely on; what is expected comes from the tables without the view's query.

        With `counts_only` the number of rows alone.
        """

    def account_rows(self, customer_id: str) -> Mapping[str, int]:
        """The number of rows that belong to an account, by table; only tables with any."""

    def is_current(self) -> bool:
        """Whether catalogue and views are those that this software makes; an absent warehouse is."""

    def query(self, sql: str) -> QueryResult:
        """The result of one SQL query to the tables. Raises `UsageError` if it cannot be answered."""

    def apply(self, step: LoadStep) -> LoadedStep:
        """Apply `step`, and bring catalogue and views up to date in the same transaction."""

    def close(self) -> None:
        """Release the warehouse."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class WarehouseAdapter(Protocol):
    """Opens the warehouse that a URL names. A relative path in the URL is taken from `base`."""

    def open_warehouse(self, url: str, base: Path) -> Warehouse:
        """Open it; touches nothing yet. Raises `ConfigurationError`."""
