"""A snapshot: what was authoritative at one position of the ledger's log, pinned for good."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from gads_consumer.atomic_file import write_atomically
from gads_consumer.cursor import Cursor
from gads_consumer.payloads import PayloadFile, located
from gads_consumer.scan import BATCH_ROWS, Scan
from gads_domain.account_days import DayRange
from gads_domain.clock import SystemClock, iso_utc
from gads_domain.current_partition import CurrentPartition
from gads_domain.day_ranges import without
from gads_domain.errors import UsageError
from gads_domain.gaps import HELD, AuthoritativeDays, Gap, find_gaps, gap_reason
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.pins import Pin, PinLedger
from gads_domain.ports.sink import RawReader
from gads_domain.state import PartitionStatus, StateFilter

if TYPE_CHECKING:
    from gads_consumer.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Pinned:
    """What makes a snapshot: what was asked for, the place in the log that answers it, and the partitions found.

    `others` has the status of the partitions that are known and not authoritative, as far as the ledger was asked. Of a
    delta `behind` is where it begins: it holds and expects only what changed since. `complete` says that all that is
    expected of what was asked for is there.
    """

    asked: StateFilter
    at: Cursor
    resolved_at: datetime
    partitions: tuple[CurrentPartition, ...]
    others: Mapping[PartitionKey, PartitionStatus]
    behind: Cursor | None = None
    held: frozenset[PartitionKey] = frozenset()
    complete: bool = False

    @property
    def source(self) -> str:
        """The source, which every snapshot is asked of."""
        assert self.asked.source is not None
        return self.asked.source


OpenPins = Callable[[], PinLedger]
"""Opens the ledger for pins."""


class Snapshot:
    """The authoritative run of each partition, by account and day; `Consumer.snapshot` makes one.

    Partitions are immutable, so every scan of one snapshot gives the same rows, whatever is restated meanwhile. It
    speaks the Arrow PyCapsule protocol with all columns; for a choice of them use `scan`.
    """

    def __init__(
        self, pinned: Pinned, reader: RawReader, *, integrity: bool, open_pins: OpenPins | None = None
    ) -> None:
        self._open_pins = open_pins
        self._pinned = pinned
        self._reader = reader
        self._integrity = integrity

    @property
    def report(self) -> str:
        """The report."""
        return self._pinned.asked.reports[0]

    @property
    def partitions(self) -> tuple[CurrentPartition, ...]:
        """What is pinned, by account and day: each with its run, rows, schema version and seal."""
        return self._pinned.partitions

    @property
    def position(self) -> int:
        """The position in the ledger's log that the snapshot is of."""
        return self._pinned.at.position

    @property
    def cursor(self) -> str:
        """Where to go on with the change feed after this snapshot."""
        return str(self._pinned.at)

    @property
    def ledger_id(self) -> str:
        """The ledger that the snapshot was taken from."""
        return self._pinned.at.ledger_id

    @property
    def resolved_at(self) -> datetime:
        """When the ledger was asked, by this machine's clock."""
        return self._pinned.resolved_at

    @property
    def record_count(self) -> int:
        """The rows of all partitions."""
        return sum(partition.record_count for partition in self.partitions)

    @property
    def schema_versions(self) -> tuple[int, ...]:
        """The schema versions of the partitions, ascending."""
        return tuple(sorted({partition.schema_version for partition in self.partitions}))

    @cached_property
    def missing(self) -> tuple[Gap, ...]:
        """The gaps of this snapshot: the days asked for that are not authoritative, for each account, and those whose
        newest run was held for a decision when this was made.

        Where no bound was given it is the first or last day that the ledger knows of the report and accounts; where
        no account was named, the accounts are those that it knows of the report in those days. The snapshot of a delta
        was asked for what changed, and has none; nor has one that was asked for with `complete`.
        """
        if self._pinned.behind is not None or self._pinned.complete:
            return ()
        asked, others = self._pinned.asked, self._pinned.others
        keys = [*others, *(one.key for one in self.partitions)]
        days = [key.logical_date for key in keys]
        since = asked.since or min(days, default=None)
        until = asked.until or max(days, default=None)
        if since is None or until is None:
            return ()
        good = (one.key for one in self.partitions if one.key not in self._pinned.held)
        there = AuthoritativeDays.of(self._pinned.at.position, good).days
        pairs = [(one, self.report) for one in asked.customer_ids or {key.customer_id for key in keys}]
        missing = {pair: without((DayRange(since, until),), there.get(pair, ())) for pair in pairs}
        rows = {key: (status, gap_reason(status)) for key, status in others.items()}
        rows |= dict.fromkeys(self._pinned.held, (PartitionStatus.SUCCESS, HELD))
        return tuple(gap for found in find_gaps(self._pinned.source, missing, rows) for gap in found)

    def scan(
        self,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 -- it is what Arrow calls it
        *,
        identity: bool = False,
        unify: bool = False,
    ) -> Scan:
        """A scan of some columns (None: all) and of the rows for which `filter` is true.

        Both may name `_customer_id`, `_logical_date` and `_run_id`, which say where a row is from; `identity` adds
        the three at the end. `unify` reads several schema versions as one, missing columns null.
        """
        return Scan(
            self.partitions,
            self._reader,
            integrity=self._integrity,
            columns=columns,
            filter=filter,
            identity=identity,
            unify=unify,
        )

    def columns(
        self, only: Sequence[str] | None = None, exclude: Sequence[str] | None = None, *, unify: bool = False
    ) -> list[str] | None:
        """The names of the columns `only`, or of all but those to `exclude`; None for all.

        They may be named as in the payload or as in GAQL. Raises `UsageError` if both are given, or for a column to
        exclude that is not there.
        """
        if only is not None and exclude is not None:
            raise UsageError("columns to take and columns to leave out are given", hint="give one of them")
        if exclude is None:
            return None if only is None else list(map(_column, only))
        known, left_out = self.scan(unify=unify).schema.names, list(map(_column, exclude))
        if unknown := [name for name in left_out if name not in known]:
            raise UsageError(f"no column is named {', '.join(unknown)}", hint=f"there are {', '.join(known)}")
        return [name for name in known if name not in left_out]

    def files(self, *, unify: bool = False) -> list[PayloadFile]:
        """The payloads of all partitions where they are sealed, for engines that read Parquet themselves.

        They are what a folder of the sink is not: one run a day, without superseded runs and what failed. They stay
        as they are whatever is restated meanwhile. Raises `SchemaMismatchError` for several schema versions unless
        `unify`, `NothingAuthoritativeError`, `PartitionGoneError`, `PartitionAlteredError`, `ConfigurationError`.
        """
        _ = self.scan(unify=unify).schema  # one table, or an error
        return located(self.partitions, self._reader)

    def to_table(self, *, identity: bool = False, unify: bool = False) -> pa.Table:
        """All rows at once; raises what reading raises (see `Scan`)."""
        return self.scan(identity=identity, unify=unify).to_table()

    def to_batches(
        self, *, rows: int = BATCH_ROWS, identity: bool = False, unify: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most `rows`, in bounded memory."""
        return self.scan(identity=identity, unify=unify).to_batches(rows=rows)

    def manifest(self) -> Manifest:
        """The snapshot as a document."""
        # Manifests need pydantic, which takes as long to import as everything else here; few consumers need them.
        from gads_consumer.manifest import MANIFEST_VERSION, Manifest, ManifestGap, ManifestPartition

        asked = self._pinned.asked
        return Manifest(
            manifest_version=MANIFEST_VERSION,
            ledger_id=self.ledger_id,
            position=self.position,
            cursor=self.cursor,
            resolved_at=iso_utc(self.resolved_at),
            source=self._pinned.source,
            report=self.report,
            since=asked.since,
            until=asked.until,
            customers=asked.customer_ids or None,
            after=None if self._pinned.behind is None else str(self._pinned.behind),
            partitions=tuple(
                ManifestPartition(
                    customer_id=one.customer_id,
                    logical_date=one.logical_date,
                    run_id=one.run_id.value,
                    record_count=one.record_count,
                    schema_version=one.schema_version,
                    seal_sha256=one.seal_sha256,
                )
                for one in self.partitions
            ),
            not_vouched_for=tuple(
                ManifestGap(customer_id=key.customer_id, logical_date=key.logical_date, status=_gap_status(status))
                for key, status in sorted(self._pinned.others.items())
            ),
        )

    def pin(self, *, until: datetime, name: str | None = None) -> Pin:
        """Keep all runs of the snapshot in the sink until `until` (aware), whatever is superseded meanwhile.

        A pin is on record in the ledger under `name`, by default the report and a sum of the runs; one of the same name
        is replaced, which is how it is made longer. Raises `PrunedRunError` if a run is gone already, and then keeps
        none, `AccountErasedError`, `InvalidValueError` for a time that is past or more than 400 days ahead, and
        `UsageError` for a snapshot that was loaded without its ledger.
        """
        if self._open_pins is None:
            raise UsageError(
                "this snapshot was loaded without its ledger", hint="load it by Consumer.load, and pin that one"
            )
        with self._open_pins() as pins:
            runs = [(one.key, one.run_id) for one in self.partitions]
            digest = hashlib.sha256("\n".join(f"{key} {run}" for key, run in runs).encode()).hexdigest()
            return pins.pin(name or f"{self.report} {digest[:12]}", runs, until, SystemClock().now())

    def save(self, path: Path | str) -> None:
        """Write the manifest, whole or not at all; a file of that name is replaced. Raises `StorageError`."""
        from gads_consumer.manifest import encode_manifest

        data = encode_manifest(self.manifest())
        write_atomically(Path(path), lambda stream: stream.write(data))

    def __arrow_c_schema__(self) -> object:
        """The schema of all columns as a PyCapsule."""
        return self.scan().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """All rows as a PyCapsule of a stream."""
        return self.scan().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        days = [one.logical_date for one in self.partitions]
        span = f", {min(days)} to {max(days)}" if days else ""
        return (
            f"<Snapshot of {self.report} as of position {self.position}: {len(self.partitions)} partitions"
            f"{span}, {self.record_count} rows>"
        )


def _gap_status(status: PartitionStatus) -> Literal["pending", "failed"]:
    return "failed" if status is PartitionStatus.FAILED else "pending"


def _column(name: str) -> str:
    return name.strip().replace(".", "_")
