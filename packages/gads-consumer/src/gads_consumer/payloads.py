"""Seals and payloads as bytes: each read once, held to its sum on the way, ahead of decoding, or copied to files."""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa

from gads_consumer.atomic_file import storage_error
from gads_consumer.errors import NewerContractError, PartitionAlteredError, PartitionGoneError
from gads_domain.current_partition import CurrentPartition
from gads_domain.documents import members_of
from gads_domain.errors import ConfigurationError, DamagedPartitionError, NotSealedError, UnsupportedContractError
from gads_domain.metadata import PartitionMetadata, TableSchema
from gads_domain.metadata_codec import decode_known_seal
from gads_domain.ports.sink import AddressedReader, RawReader

IN_MEMORY_BYTES = 64 * 1024 * 1024
"""A payload up to this size is read whole, once; a larger one is summed in one pass and decoded in another."""

_T = TypeVar("_T")

_WORKERS = 3
_AHEAD = 4
"""Groups fetched or being fetched while another is decoded."""

_GROUP_ROWS = 100_000
_GROUP_PARTITIONS = 64
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Seal:
    """A partition and what its seal says, which is the very one that was validated."""

    partition: CurrentPartition
    metadata: PartitionMetadata


def read_seal(reader: RawReader, partition: CurrentPartition) -> Seal:
    """The seal of `partition`.

    Raises `PartitionGoneError` if there is none, `PartitionAlteredError` if it is not the one on record in the ledger,
    `NewerContractError` if it was written under another major version of the raw partition's contract.
    """
    try:
        data = reader.metadata_bytes(partition.key, partition.run_id)
    except NotSealedError:
        raise PartitionGoneError(f"{partition} is authoritative and is not in the sink") from None
    try:
        metadata = decode_known_seal(data, partition.seal_sha256)
    except UnsupportedContractError as error:
        raise NewerContractError(f"the seal of {partition}: {error.message}") from None
    except DamagedPartitionError as error:
        raise PartitionAlteredError(
            f"the seal of {partition} is not the one that was validated: {error.message}"
        ) from None
    rows, version = metadata.facts.record_count, metadata.facts.schema_version
    found = CurrentPartition(metadata.key, metadata.run_id, rows, version, partition.seal_sha256)
    if found != partition:
        raise PartitionAlteredError(f"the seal of {partition} is of {found}, {rows} rows of schema version {version}")
    return Seal(partition, metadata)


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload to decode: its bytes, or None if it is too large to be held and is opened when its turn comes."""

    seal: Seal
    data: pa.Buffer | None


@dataclass(frozen=True, slots=True)
class PayloadCopy:
    """A copy of a partition's payload: a Parquet file with the columns of `schema`, without those of its identity."""

    partition: CurrentPartition
    schema: TableSchema
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A partition's payload where it is sealed: its path or URL, and its size in bytes."""

    partition: CurrentPartition
    path: str
    size: int

    def to_record(self) -> dict[str, Any]:
        """The file as JSON."""
        names = ("customer_id", "logical_date", "run_id", "record_count", "schema_version")
        return {"path": self.path, **members_of(self.partition, names), "bytes": self.size}


class PayloadReader:
    """Reads seals and payloads; threads may share it.

    `integrity` says whether payloads' sums are checked; presence and size always are.
    """

    def __init__(self, reader: RawReader, integrity: bool) -> None:
        self._reader = reader
        self._integrity = integrity

    def seal(self, partition: CurrentPartition) -> Seal:
        """The seal of `partition`; raises as `read_seal` does."""
        return read_seal(self._reader, partition)

    def fetch(self, seal: Seal) -> Payload:
        """Read `seal`'s payload if it is not too large; raises `PartitionGoneError` or `PartitionAlteredError`."""
        if seal.metadata.payload_bytes > IN_MEMORY_BYTES:
            return Payload(seal, None)
        with closing(self._opened(seal)) as stream:
            data = stream.read()
        _require_size(seal, len(data))
        if self._integrity:
            _require_sum(seal, hashlib.sha256(data).hexdigest())
        return Payload(seal, _owned_by_arrow(data))

    def open(self, seal: Seal) -> BinaryIO:
        """Open a payload that is not held, after summing it in bounded memory; to be closed by the caller."""
        stream = self._opened(seal)
        try:
            size = stream.seek(0, 2)
            _require_size(seal, size)
            stream.seek(0)
            if self._integrity:
                digest = hashlib.sha256()
                while data := stream.read(_CHUNK):
                    digest.update(data)
                _require_sum(seal, digest.hexdigest())
                stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream

    def require_copied(self, seal: Seal, found: str) -> None:
        """Hold a copy's sum to the seal's, if sums are checked; raises `PartitionAlteredError`."""
        if self._integrity:
            _require_sum(seal, found)

    def recheck(self, seal: Seal) -> None:
        """Sum the payload whatever the settings; raises what is wrong with it, if anything is."""
        PayloadReader(self._reader, integrity=True).open(seal).close()

    def _opened(self, seal: Seal) -> BinaryIO:
        partition = seal.partition
        try:
            return self._reader.open_payload(partition.key, partition.run_id, seal.metadata.payload_name)
        except (DamagedPartitionError, NotSealedError):
            raise PartitionGoneError(f"the payload of {partition} is not in the sink") from None


def fetched(
    partitions: Sequence[CurrentPartition], payloads: PayloadReader, check: Callable[[Seal], None]
) -> Generator[list[Payload], None, None]:
    """The payloads of `partitions`, in order, a group at a time; `check` sees each seal before its payload is read."""

    def fetch(group: list[CurrentPartition]) -> list[Payload]:
        found = []
        for partition in group:
            seal = payloads.seal(partition)
            check(seal)
            found.append(payloads.fetch(seal))
        return found

    return worked_ahead(partitions, fetch)


def worked_ahead(
    partitions: Sequence[CurrentPartition], work: Callable[[list[CurrentPartition]], list[_T]]
) -> Generator[list[_T], None, None]:
    """What `work` makes of groups of `partitions`, in their order, by threads that are a handful of groups ahead.

    A group is a few files and about `_GROUP_ROWS` rows, or one larger file. Leave all handling of single files to
    `work`: a thread that has Python to run waits for each of the others.
    """
    groups = _groups(partitions)
    waiting: deque[Future[list[_T]]] = deque()
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="gads-consumer")
    try:
        for group in groups:
            waiting.append(pool.submit(work, group))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def located(partitions: Sequence[CurrentPartition], reader: RawReader) -> list[PayloadFile]:
    """The payloads of `partitions` where they are sealed, in their order; reads each seal and no payload.

    Raises what `read_seal` raises, and `ConfigurationError` for a sink whose files other programs cannot open.
    """
    if not isinstance(reader, AddressedReader):
        raise ConfigurationError(
            "the sink cannot say where its files are", hint="read the snapshot itself, or export it to a file"
        )

    def name(group: list[CurrentPartition]) -> list[PayloadFile]:
        metadata = [read_seal(reader, partition).metadata for partition in group]
        return [
            PayloadFile(partition, reader.address(partition.key, one.run_id, one.payload_name), one.payload_bytes)
            for partition, one in zip(group, metadata, strict=True)
        ]

    return [file for group in worked_ahead(partitions, name) for file in group]


def copied(
    partitions: Sequence[CurrentPartition], reader: RawReader, folder: Path, *, integrity: bool
) -> Generator[PayloadCopy, None, None]:
    """The payloads of `partitions`, each written to `folder` by the time of its turn; see `Consumer.copy_payloads`."""
    payloads, numbers = PayloadReader(reader, integrity), count()

    def copy(group: list[CurrentPartition]) -> list[tuple[Payload, Path]]:
        return [write(payloads.fetch(payloads.seal(partition))) for partition in group]

    def write(payload: Payload) -> tuple[Payload, Path]:
        path = folder / f"{next(numbers):07d}.parquet"
        if payload.data is not None:
            with _storage_errors(folder):
                path.write_bytes(payload.data)
        return payload, path

    groups = worked_ahead(partitions, copy)
    with closing(groups):
        for group in groups:
            for payload, path in group:
                seal = payload.seal
                if payload.data is None:
                    # Too large to be ahead of its turn, in memory or on the disk.
                    with _storage_errors(folder):
                        _stream(seal, payloads, path)
                yield PayloadCopy(seal.partition, seal.metadata.facts.schema, path, seal.metadata.payload_bytes)


def _groups(partitions: Sequence[CurrentPartition]) -> Iterator[list[CurrentPartition]]:
    group: list[CurrentPartition] = []
    rows = 0
    for partition in partitions:
        if group and (rows + partition.record_count > _GROUP_ROWS or len(group) == _GROUP_PARTITIONS):
            yield group
            group, rows = [], 0
        group.append(partition)
        rows += partition.record_count
    if group:
        yield group


def _owned_by_arrow(data: bytes) -> pa.Buffer:
    """A copy outside Python's heap.

    A thread of Arrow's may let go of the bytes last, after the scan and while the interpreter ends; of a Python object
    it cannot do so any more, and the process would abort (apache/arrow#34314).
    """
    buffer = pa.allocate_buffer(len(data))
    if data:
        with memoryview(buffer) as view:
            view.cast("B")[:] = data
    return buffer


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, f"copies of payloads in {folder}") from error


def _stream(seal: Seal, payloads: PayloadReader, path: Path) -> None:
    """Copy in bounded memory; what is summed is what is written."""
    digest = hashlib.sha256()
    with closing(payloads.open(seal)) as source, path.open("wb") as target:
        while data := source.read(_CHUNK):
            digest.update(data)
            target.write(data)
    payloads.require_copied(seal, digest.hexdigest())


def _require_size(seal: Seal, size: int) -> None:
    expected = seal.metadata.payload_bytes
    if size != expected:
        raise PartitionAlteredError(f"the payload of {seal.partition} has {size} bytes; {expected} were sealed")


def _require_sum(seal: Seal, found: str) -> None:
    if found != seal.metadata.payload_sha256:
        raise PartitionAlteredError(f"the payload of {seal.partition} does not have the sha256 that was sealed")
