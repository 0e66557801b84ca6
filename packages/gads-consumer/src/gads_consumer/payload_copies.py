"""Payloads as files of one's own: checked bytes for software that reads Parquet and no Arrow stream."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from gads_consumer.atomic_file import storage_error
from gads_consumer.payloads import Payload, PayloadReader, Seal, worked_ahead
from gads_domain.current_partition import CurrentPartition
from gads_domain.metadata import TableSchema
from gads_domain.ports.sink import RawReader

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class PayloadCopy:
    """A copy of a partition's payload: a Parquet file with the columns of `schema`, without those of its identity."""

    partition: CurrentPartition
    schema: TableSchema
    path: Path
    size: int


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
