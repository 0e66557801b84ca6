"""Where raw partitions are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import BinaryIO, Protocol, Self, runtime_checkable

from gads_domain.errors import InvalidValueError
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId


class PartitionWriter(Protocol):
    """One try at writing the payload of `(key, run_id)`; used once, by one thread at a time.

    Laws:

    1. Nothing written is visible to any reader before `finalize` returns; the seal is the last thing that appears.
    2. `finalize` seals exactly the bytes that were written and returns the metadata as sealed. The size, the sha256
       and the payload's name in it are the sink's own findings.
    3. Of all writers of one `(key, run_id)`, in any process on any machine, at most one ever seals; the others'
       `finalize` raises `AlreadySealedError`, and what they wrote is gone or swept later.
    4. When `finalize` has returned, the partition survives a crash of the machine.
    5. `abort`, leaving the `with` block without `finalize`, an exception or the death of the process leave no trace
       that a reader can see, and the same run may open the partition again. `abort` twice, or after `finalize`,
       does nothing.
    6. After `finalize` or `abort`, `write` raises `StorageError`.
    """

    def write(self, data: bytes | memoryview) -> int:
        """Append `data` to the payload and return its length; raises `StorageFullError` or `StorageError`."""

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        """Seal what was written; raises `AlreadySealedError`, `StorageFullError` or `StorageError`."""

    def abort(self) -> None:
        """Give up, and take away what was written."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RawReader(Protocol):
    """Sealed partitions, for reading alone.

    Laws:

    1. Only sealed partitions exist: a key or run without a seal is neither listed nor readable.
    2. Two reads of one sealed partition give the same bytes, whatever is written meanwhile.
    3. What is read is what is stored: a damaged seal is listed and its bytes are handed out, so that the validator
       can say what is wrong with it.
    4. Of a seal that is longer than `metadata_codec.LARGEST_SEAL`, and so is damaged, one byte beyond that is read and
       no more.
    """

    def runs(self, key: PartitionKey) -> list[RunId]:
        """The sealed runs of `key`, oldest first; empty if there are none."""

    def sealed(
        self, *, source: str | None = None, customer_id: str | None = None, report: str | None = None
    ) -> Iterator[tuple[PartitionKey, RunId]]:
        """All sealed partitions, in key and run order, narrowed from the left: source, then customer, then report.

        Raises `InvalidValueError` for a part given without those left of it.

        What does not follow the layout is passed over.
        """

    def metadata_bytes(self, key: PartitionKey, run_id: RunId) -> bytes:
        """The bytes of the seal as stored; raises `NotSealedError`."""

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """Open the payload that the seal names: readable, seekable, to be closed by the caller.

        Raises `DamagedPartitionError` if it is not there, `InvalidValueError` if the name cannot be a payload's.
        """


class RawSink(RawReader, Protocol):
    """Storage of raw partitions, for writing too.

    Laws:

    1. `open_writer` of a sealed `(key, run_id)` raises `AlreadySealedError` at once.
    2. Any number of writers may be open, for one partition or many; they never see each other's bytes.
    3. Nothing sealed is ever changed by the sink, or removed but by `PrunableSink.remove`.
    """

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PartitionWriter:
        """Begin the payload of `key` in the run `run_id`; raises `AlreadySealedError` or `StorageError`."""

    def check(self) -> None:
        """Make sure that partitions could be written here, and leave nothing behind.

        Raises `ConfigurationError` or `StorageError`.
        """


@runtime_checkable
class SealsTogether(Protocol):
    """A sink to which many seals cost less together than one after the other.

    Laws:

    1. Each writer ends as by a `finalize` of its own: its answer is the metadata as sealed, or the error that
       `finalize` would have raised, and then it is given up. What becomes of one hangs on no other.
    2. When the call has returned, every partition that was answered with metadata survives a crash of the machine.
    """

    def finalize_together(
        self, writers: Sequence[tuple[PartitionWriter, PartitionFacts]]
    ) -> list[PartitionMetadata | Exception]:
        """Seal what each of `writers`, which this sink opened, has written; the answers are in their order."""


LONGEST_WRITE = timedelta(hours=24)
"""How long after it was opened a writer may count on what it stored; where a sweep could have taken it without a
trace, a later `finalize` raises `StorageError`."""

LEAST_SWEEP_AGE = timedelta(hours=36)
"""The youngest age a sweep may be asked for: longer than any writer's life, with a margin for clocks that differ."""


class LeftoverKind(StrEnum):
    """What a writer left behind."""

    ORPHAN = "orphan"
    """A whole payload that no seal names."""
    UNFINISHED = "unfinished"
    """A payload that was never whole."""
    PROBE = "probe"
    """What a check of the storage could not take away."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What no reader sees: its path from the sink's root, when it was last touched, how many bytes if that is known."""

    path: str
    kind: LeftoverKind
    since: datetime
    size: int | None


def require_sweep_age(older_than: timedelta) -> timedelta:
    """Return `older_than` if no writer could still need what is that old; raises `InvalidValueError`."""
    if older_than < LEAST_SWEEP_AGE:
        raise InvalidValueError(
            f"{older_than} is too young an age to sweep by: its writer may still be at work",
            hint=f"sweep what is older than {LEAST_SWEEP_AGE} or more",
        )
    return older_than


@runtime_checkable
class SweepableSink(Protocol):
    """A sink that can take away what dead writers left.

    Laws:

    1. A sweep never touches a seal, a payload that a seal names, one that a seal could yet name, or anything that
       does not follow the layout. Where a seal is damaged, its payloads stay.
    2. It takes what is older than `older_than` and nothing younger. A dry run finds the same and takes nothing.
    3. Sweeps may run beside writers, readers and other sweeps.
    """

    def sweep(self, older_than: timedelta, *, dry_run: bool) -> Iterator[Leftover]:
        """What was left before `older_than` ago, each removed before it is yielded unless `dry_run`.

        Raises `InvalidValueError` at once for an age below `LEAST_SWEEP_AGE`; `StorageError` on the way.
        """


@runtime_checkable
class PrunableSink(Protocol):
    """A sink that can remove sealed runs. Whether a run may go is for the caller to know.

    Laws:

    1. When `remove` has returned, none of the runs is listed or readable, and neither its seal nor a payload of it is
       stored in any version; a crash of the machine changes nothing of that.
    2. The payloads of a run go first and its seal last: at whatever moment the process or the machine dies, each run is
       whole, or sealed without its payload, or gone. Removing it again finishes.
    3. Nothing else is touched: no other run, of the same partition neither, no bytes that a writer has not sealed, and
       nothing that does not follow the layout.
    4. A run whose seal is damaged, or whose payload is missing, is removed like any other. Of a run that is not sealed
       nothing is removed.
    5. Removals may run beside other removals, readers, and writers of other runs. A reader of a run that goes finds it
       whole, or raises `DamagedPartitionError` or `NotSealedError`.
    """

    def remove(self, partitions: Sequence[tuple[PartitionKey, RunId]]) -> list[int]:
        """Remove these sealed runs; for each, in order, the bytes that were freed, 0 if it is not sealed.

        No writer of any of them may be at work any more. Raises `ConfigurationError` or `StorageError`, and then some
        of them may be gone.
        """


@runtime_checkable
class AddressedReader(Protocol):
    """A reader whose payloads other programs can open themselves.

    Laws:

    1. An address is an absolute path or a URL, and ends with the path that the layout gives the payload. It is the same
       for every reader of one storage, and asks the storage nothing.
    """

    def address(self, key: PartitionKey, run_id: RunId, payload_name: str) -> str:
        """Where the payload lies; raises `InvalidValueError` if the name cannot be a payload's."""


@runtime_checkable
class DescribableSink(Protocol):
    """A sink that can say what an operator should know of the storage it found."""

    def describe(self) -> tuple[str, ...]:
        """One finding a line, without secrets; may ask the storage, and raises as `RawSink.check` does."""
