"""Payloads as files of one's own: checked bytes for software that reads Parquet and no Arrow stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gads_consumer.atomic_file import storage_error
from gads_consumer.partitions import TrustedPartition
from gads_consumer.payloads import PayloadReader, fetched
from gads_consumer.seals import Seal, SealReader
from gads_domain.metadata import TableSchema
from gads_domain.ports.sink import RawReader

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class PayloadCopy:
    """A copy of a partition's payload: a Parquet file with the columns of `schema`, without those of its identity."""

    partition: TrustedPartition
    schema: TableSchema
    path: Path
    size: int


def copied(
    partitions: Sequence[TrustedPartition], reader: RawReader, folder: Path, *, integrity: bool
) -> Iterator[PayloadCopy]:
    """The payloads of `partitions`, each written to `folder` when it is asked for; see `Consumer.copy_payloads`."""
    payloads = PayloadReader(reader, integrity)
    groups = fetched(partitions, SealReader(reader), payloads, lambda _: None)
    with closing(groups):  # type: ignore[type-var]  # a generator; its threads are to end with it
        number = 0
        for group in groups:
            for payload in group:
                path = folder / f"{number:07d}.parquet"
                number += 1
                try:
                    if payload.data is None:
                        _stream(payload.seal, payloads, path)
                    else:
                        path.write_bytes(payload.data)
                except OSError as error:
                    raise storage_error(error, f"copies of payloads in {folder}") from error
                yield PayloadCopy(payload.seal.partition, payload.seal.schema, path, payload.seal.payload_bytes)


def _stream(seal: Seal, payloads: PayloadReader, path: Path) -> None:
    """Copy in bounded memory; what is summed is what is written."""
    digest = hashlib.sha256()
    with closing(payloads.open(seal)) as source, path.open("wb") as target:
        while data := source.read(_CHUNK):
            digest.update(data)
            target.write(data)
    payloads.require_copied(seal, digest.hexdigest())
