"""Read-only access to what the ledger holds authoritative; contracts/consumer/v1 says what may be relied on."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gads_consumer.changes import Changes, Delta, current_after
from gads_consumer.completeness import Question, Readiness, why_not
from gads_consumer.cursor import AsOf, Cursor, confirmed, cursor_as_of, cursor_at
from gads_consumer.errors import (
    IncompleteError,
    LedgerAbsentError,
    ManifestError,
    PastUnknownError,
    UnknownReportError,
)
from gads_consumer.payloads import PayloadCopy, copied
from gads_consumer.pruned_runs import PruneAwareReader
from gads_consumer.selection import Day, one_report, select
from gads_consumer.snapshot import OpenPins, Pinned, Snapshot
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import Clock, SystemClock, from_iso_utc
from gads_domain.completeness import Answer, Completeness, Freshness
from gads_domain.current_partition import CurrentPartition
from gads_domain.erasure import require_none_erased
from gads_domain.expectations import Expectations
from gads_domain.gaps import Gap
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey, require_name
from gads_domain.ports.ledger import StateReader
from gads_domain.ports.sink import RawReader
from gads_domain.sink_presence import require_sink_of
from gads_domain.state import PartitionStatus, StateFilter

if TYPE_CHECKING:
    from gads_consumer.manifest import Manifest


class Consumer:
    """Reads authoritative partitions. Threads may share it; snapshots may be used after it is closed.

    Every method raises `LedgerAbsentError`, `LedgerError` or `HeldElsewhereError` if the ledger cannot be read. An
    account that was erased is not expected, and is in no snapshot, whatever the position; where it is named, what is
    not about changes raises `AccountErasedError`, which says when it was.
    """

    def __init__(
        self,
        ledger: StateReader,
        reader: RawReader,
        *,
        source: str = GOOGLE_ADS,
        integrity: bool = True,
        clock: Clock | None = None,
        freshness: Freshness | None = None,
        open_pins: OpenPins | None = None,
    ) -> None:
        self._ledger = ledger
        self._reader = PruneAwareReader(reader, ledger)
        self._open_pins = open_pins
        self._source = require_name(source, "source")
        self._integrity = integrity
        self._clock = clock or SystemClock()
        self._freshness = freshness or Freshness()
        self._ledger_id = self._known_ledger()

    @classmethod
    def open(
        cls,
        *,
        state: str,
        sink: str,
        base: Path | str | None = None,
        source: str = GOOGLE_ADS,
        integrity: bool = True,
        clock: Clock | None = None,
        freshness: Freshness | None = None,
    ) -> Self:
        """Open the ledger and the sink that the URLs name, such as `sqlite:state/ledger.db` and `file:raw`, read-only.

        Each scheme needs its adapter: `gads-state-sqlite` for `sqlite:`, `gads-sink-local` for `file:`, `gads-sink-s3`
        for `s3:`. A relative path is taken from `base`, by default the working directory. With `integrity` every
        payload is held to the sha256 that was sealed; without it presence, size and seal still are. `freshness` says
        when a day is due and how old an account list may be. Raises `ConfigurationError` for a scheme without an
        installed adapter, `LedgerAbsentError`, and `SinkLostError` for a sink without what is authoritative.
        """
        folder = Path.cwd() if base is None else Path(base)
        reader = sink_adapter(sink).open_reader(sink, folder)
        ledger = ledger_adapter(state).open_reader(state, folder)
        try:
            require_sink_of(ledger, reader)
            return cls(
                ledger,
                reader,
                source=source,
                integrity=integrity,
                clock=clock,
                freshness=freshness,
                open_pins=lambda: ledger_adapter(state).open_pins(state, folder),
            )
        except BaseException:
            ledger.close()
            raise

    def reports(self) -> list[str]:
        """The reports that the ledger knows, sorted."""
        self._known_ledger()
        return self._ledger.reports(self._source)

    @property
    def freshness(self) -> Freshness:
        """When a day is due, and how old an account list may be."""
        return self._freshness

    def expectations(self) -> Expectations:
        """The account list as last drawn, and what is on record as expected of it."""
        self._known_ledger()
        return self._ledger.expectations(self._source)

    def held(self) -> list[PartitionKey]:
        """The partitions whose newest run is held for a decision: their rows are read, and they count as missing."""
        self._known_ledger()
        return [row.key for row in self._ledger.find(StateFilter(self._source, held=True))]

    def cursor(self) -> str:
        """The end of the log now, from which `changes` continues after everything up to now."""
        return str(self._at(None))

    def snapshot(
        self,
        report: str,
        *,
        since: Day | None = None,
        until: Day | None = None,
        customers: str | Iterable[str] | None = None,
        as_of: AsOf | None = None,
        complete: bool = False,
    ) -> Snapshot:
        """Resolve once what is authoritative, now or `as_of` a past position or moment, and pin it.

        `since` and `until` are both included; None means no bound, and for `customers` all that are known. With
        `complete` raises `IncompleteError` unless all that was asked for is authoritative, as `ready` says, or if
        there is nothing: for each account from `since` or else its first expected day to `until` or else its last day
        that is due. A moment means the last authority change stamped at or before it. Raises `UnknownReportError`,
        `PastUnknownError`, `ClockSkewError`, `InvalidValueError`.
        """
        asked = select(self._source, one_report(report), since, until, customers)
        self._require_not_erased(asked.customer_ids)
        at = self._at(as_of)
        if complete:
            found, _ = self._question(asked).completeness(at.position)
            if not found or found.not_due:
                raise _incomplete(found)
        snapshot = self._resolved(asked, at, complete=complete)
        if complete and not snapshot.partitions:
            # Nothing was expected yet, or not in these days.
            raise IncompleteError(f"no partition of {report} that was asked for is authoritative")
        return snapshot

    def load(self, path: Path | str) -> Snapshot:
        """The snapshot that was saved to `path`; raises `ManifestError`, also for one of another ledger.

        Raises `AccountErasedError` if it holds partitions of an account that was erased since.
        """
        from gads_consumer.manifest import read_manifest

        manifest = read_manifest(Path(path))
        known = self._known_ledger()
        if manifest.ledger_id != known:
            raise ManifestError(
                f"{path} is of the ledger {manifest.ledger_id}; this is {known}",
                hint="open the consumer on that ledger, or use load_snapshot with the sink alone",
            )
        self._require_not_erased({one.key.customer_id for one in manifest.current()})
        return _pinned_by(manifest, self._reader, integrity=self._integrity, open_pins=self._open_pins)

    def changes(
        self,
        *,
        after: str | None = None,
        reports: str | Iterable[str] | None = None,
        customers: str | Iterable[str] | None = None,
    ) -> Changes:
        """The changes of authority behind the cursor `after` (None: from the beginning), in order, up to now.

        Keep `Changes.cursor` once the changes are applied, in one transaction with them if possible, and pass it
        next time: then each is met at least once, and one that is met again changes nothing. Raises
        `PastUnknownError` for another ledger's cursor or a log that was rolled back, `UnknownReportError`,
        `InvalidValueError`.
        """
        selected = select(self._source, reports, customers=customers)
        self._require_known(selected)
        end = self._at(None)
        return Changes(self._ledger, self._from(after), end, selected)

    def delta(self, report: str, *, after: str | None = None, customers: str | Iterable[str] | None = None) -> Delta:
        """All that changed in one report behind the cursor `after` (None: everything authoritative), as one step.

        Several changes of one partition come as one. The snapshot of a delta holds what changed and lists nothing as
        missing; `gaps` and `ready` do. Raises what `changes` raises.
        """
        asked = select(self._source, one_report(report), customers=customers)
        if after is None:
            snapshot = self._resolved(asked, self._at(None))
            return Delta(tuple(one.key for one in snapshot.partitions), (), snapshot, snapshot.cursor)
        end, start = self._at(None), self._from(after)
        self._require_known(asked)
        last = {change.key: change for change in Changes(self._ledger, start, end, asked)}
        kept = tuple(sorted(change.partition for change in last.values() if change.partition is not None))
        removed = tuple(sorted(key for key, change in last.items() if change.partition is None))
        pinned = Pinned(asked, end, self._clock.now(), kept, {}, start)
        snapshot = Snapshot(pinned, self._reader, integrity=self._integrity, open_pins=self._open_pins)
        return Delta(tuple(sorted(last)), removed, snapshot, str(end))

    def copy_payloads(
        self, partitions: Sequence[CurrentPartition], folder: Path | str
    ) -> Generator[PayloadCopy, None, None]:
        """Copy the payloads of partitions that snapshots or changes handed out to `folder`, as Parquet files.

        In their order, somewhat ahead of what is asked for, under names of their own; a copy may be removed once it is
        used, and the folder once the iterator is closed. Raises `PartitionGoneError`, `PartitionAlteredError`,
        `NewerContractError`, `StorageError`.
        """
        return copied(partitions, self._reader, Path(folder), integrity=self._integrity)

    def gaps(
        self,
        reports: str | Iterable[str],
        *,
        since: Day | None = None,
        until: Day | None = None,
        customers: str | Iterable[str] | None = None,
    ) -> list[Gap]:
        """The expected partitions that are due and not authoritative, and why; by account, report and day.

        From `since` on every selected account is expected on each day, without it each from its first expected day on.
        `until` is included; without it each account's last day that is due. `customers` are expected whether or not a
        list selects them. No gap where it is unknown what is expected would read as complete: this raises
        `IncompleteError`, and `ready` says unknown. Raises `UnknownReportError`, `InvalidValueError`.
        """
        asked = select(self._source, reports, since, until, customers)
        self._known_ledger()
        found, _ = self._question(asked).completeness()
        if found.answer is Answer.UNKNOWN:
            raise _incomplete(found)
        return [gap for gaps in found.gaps for gap in gaps]

    def watermark(
        self,
        report: str,
        *,
        customers: str | Iterable[str] | None = None,
        since: Day | None = None,
        as_of: AsOf | None = None,
    ) -> date | None:
        """The last day up to which there is no gap, for every one of `customers`, or else of the accounts expected.

        It counts from `since`, or else for each account from its first expected day, and ends for each at its own last
        authoritative day; an account that left and is complete holds nothing back. None if any account lacks its first
        day, or if it is unknown what is expected. Days behind a gap do not count. Raises `UnknownReportError`,
        `InvalidValueError`.
        """
        asked = select(self._source, one_report(report), since, None, customers)
        return self._question(asked).watermarks(self._at(as_of).position)[report]

    def ready(
        self,
        reports: str | Iterable[str],
        *,
        day: Day | None = None,
        customers: str | Iterable[str] | None = None,
        since: Day | None = None,
    ) -> Readiness:
        """May I publish `day`? True in a condition if all `reports` of all accounts expected are authoritative.

        From `since` to `day`, both included; without `since` that is `day` alone, and without both all that is
        expected and due. The accounts are those of `customers`, or else those that the last list selects and those of
        which these days were expected before. It is not true where it is unknown what is expected, nor where a day that
        is named is not over in its account's zone or not due yet. The answer is of one position, and
        `snapshot(..., as_of=answer.position)` holds exactly what was found complete, whatever happens meanwhile. Raises
        `UnknownReportError`, `InvalidValueError`.
        """
        asked = select(self._source, reports, day if since is None else since, day, customers)
        question = self._question(asked)
        found, position = question.completeness()
        marked = replace(asked, since=None if since is None else asked.since, until=None)
        marks = replace(question, asked=marked).watermarks(position)
        at = cursor_at(self._ledger, self._known_ledger(), position)
        return Readiness(asked.since, asked.until, found, marks, position, str(at))

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _known_ledger(self) -> str:
        """The ledger's id, after checking that it is there and still the one that was opened."""
        found = self._ledger.ledger_id()
        if found is None:
            raise LedgerAbsentError("there is no ledger at the state URL")
        known = getattr(self, "_ledger_id", found)
        if found != known:
            raise PastUnknownError(
                f"the ledger {known} was replaced by {found} while it was open",
                hint="open the consumer anew and begin from a snapshot",
            )
        return found

    def _at(self, as_of: AsOf | None) -> Cursor:
        return cursor_as_of(self._ledger, self._known_ledger(), as_of, self._clock.now())

    def _from(self, after: str | None) -> Cursor:
        ledger_id = self._known_ledger()
        return Cursor.after(ledger_id, None) if after is None else confirmed(self._ledger, ledger_id, after)

    def _resolved(self, asked: StateFilter, at: Cursor, *, complete: bool = False) -> Snapshot:
        entries = list(self._ledger.as_of(asked, at.position))
        if not entries:
            self._require_known(asked)
        partitions: list[CurrentPartition] = []
        others: dict[PartitionKey, PartitionStatus] = {}
        for entry in entries:
            partition = current_after(entry)
            if partition is None:
                others[entry.key] = entry.status_after
            else:
                partitions.append(partition)
        held = frozenset(row.key for row in self._ledger.find(replace(asked, held=True)))
        pinned = Pinned(asked, at, self._clock.now(), tuple(partitions), others, held=held, complete=complete)
        return Snapshot(pinned, self._reader, integrity=self._integrity, open_pins=self._open_pins)

    def _question(self, asked: StateFilter) -> Question:
        """What is asked, against what is on record; raises `UnknownReportError` for a report without record and row."""
        self._require_not_erased(asked.customer_ids)
        expectations = self._ledger.expectations(self._source)
        self._require_known(asked, {one.report for one in expectations.expected})
        return Question(self._ledger, asked, expectations, self._clock.now(), self._freshness)

    def _require_not_erased(self, customer_ids: Collection[str]) -> None:
        """Raise `AccountErasedError` for an account that is named and whose erasure is in force."""
        if customer_ids:
            require_none_erased(self._ledger.erasures(self._source), customer_ids)

    def _require_known(self, asked: StateFilter, expected: Collection[str] = ()) -> None:
        unknown = [name for name in asked.reports if name not in expected]
        known = sorted({*self.reports(), *expected}) if unknown else []
        unknown = [name for name in unknown if name not in known]
        if unknown:
            raise UnknownReportError(
                f"the ledger has no partition of the report {', '.join(unknown)}",
                hint=f"it knows {', '.join(known)}" if known else "it holds no partition at all yet",
            )


def _incomplete(found: Completeness) -> IncompleteError:
    if found.answer is Answer.UNKNOWN:
        return IncompleteError(
            f"it is unknown what is expected: {found.unknown}",
            hint="let gads-etl list the accounts, or name those that you expect and the first day",
        )
    return IncompleteError(why_not(found))


def load_snapshot(path: Path | str, *, sink: str, base: Path | str | None = None, integrity: bool = True) -> Snapshot:
    """The snapshot that was saved to `path`, without the ledger: what is pinned is immutable, so the sink suffices.

    Raises `ManifestError`, `NewerContractError`, `ConfigurationError`.
    """
    from gads_consumer.manifest import read_manifest

    reader = sink_adapter(sink).open_reader(sink, Path.cwd() if base is None else Path(base))
    return _pinned_by(read_manifest(Path(path)), reader, integrity=integrity)


def _pinned_by(
    manifest: Manifest, reader: RawReader, *, integrity: bool, open_pins: OpenPins | None = None
) -> Snapshot:
    asked = select(manifest.source, manifest.report, manifest.since, manifest.until, manifest.customers)
    at = Cursor.parse(manifest.cursor)
    behind = None if manifest.after is None else Cursor.parse(manifest.after)
    pinned = Pinned(asked, at, from_iso_utc(manifest.resolved_at), manifest.current(), manifest.others(), behind)
    return Snapshot(pinned, reader, integrity=integrity, open_pins=open_pins)
