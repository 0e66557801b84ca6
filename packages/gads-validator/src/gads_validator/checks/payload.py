"""Checks on the payload: its size, its sum, that it can be read, its number of rows, its columns."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa

from gads_domain.errors import DamagedPartitionError, StorageError
from gads_domain.metadata import PartitionMetadata, TableSchema
from gads_domain.state import CheckResult
from gads_payload.reader import open_payload
from gads_payload.schema import arrow_schema, table_schema_of

PAYLOAD_SIZE = "payload_size"
PAYLOAD_SHA256 = "payload_sha256"
READABLE = "readable"
RECORD_COUNT = "record_count"
SCHEMA_FINGERPRINT = "schema_fingerprint"

HELD_BYTES = 8 * 1024 * 1024
"""A payload up to this size is read once and held; a larger one is streamed twice, for its sum and for its rows."""

_FIRST_READ = 64 * 1024
"""What is read first: a buffer for the largest payload that is held costs more than reading a small one."""

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MeasuredPayload:
    """A payload's size in bytes and SHA-256 (hex) as found, and where its rows are to be read from."""

    size: int
    sha256: str
    source: BinaryIO


def measure(stream: BinaryIO) -> MeasuredPayload:
    """Read the whole payload once; raises `StorageError` if the storage fails while it is read."""
    with reading():
        first = min(_FIRST_READ, HELD_BYTES + 1)
        head = stream.read(first)
        if len(head) == first:
            head += stream.read(HELD_BYTES + 1 - first)
        if len(head) <= HELD_BYTES:
            digest = hashlib.sha256(head).hexdigest()
            # A native reader spares the decoder the way through a Python object at every read.
            return MeasuredPayload(len(head), digest, cast("BinaryIO", pa.BufferReader(head)))
        running = hashlib.sha256(head)
        size = len(head)
        del head
        while chunk := stream.read(_CHUNK):
            running.update(chunk)
            size += len(chunk)
        stream.seek(0)
        return MeasuredPayload(size, running.hexdigest(), stream)


def check_size(metadata: PartitionMetadata, payload: MeasuredPayload) -> CheckResult:
    """The payload has as many bytes as were sealed."""
    expected = metadata.payload_bytes
    detail = "" if payload.size == expected else f"{payload.size} bytes, sealed as {expected}"
    return CheckResult.of(PAYLOAD_SIZE, detail, expected_bytes=expected, found_bytes=payload.size)


def check_sha256(metadata: PartitionMetadata, payload: MeasuredPayload) -> CheckResult:
    """The payload is the very bytes that were sealed."""
    expected = metadata.payload_sha256
    if payload.sha256 != expected:
        detail = f"{payload.sha256[:12]}…, sealed as {expected[:12]}…"
        return CheckResult.of(PAYLOAD_SHA256, detail, expected_sha256=expected, found_sha256=payload.sha256)
    return CheckResult.of(PAYLOAD_SHA256, found_sha256=payload.sha256)


def check_readable(payload: MeasuredPayload) -> tuple[CheckResult, pa.Table | None, int]:
    """Parquet that opens, and every row group decodes; with the rows and the number that the footer gives."""
    try:
        with open_payload(payload.source) as opened:
            announced = opened.row_count
            table = opened.read()
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        detail = f"a column holds what its type cannot: {str(error).splitlines()[0]}"
        return CheckResult.of(READABLE, detail), None, 0
    except DamagedPartitionError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        return CheckResult.of(READABLE, error.message), None, 0
    return CheckResult.of(READABLE, columns=table.num_columns), table, announced


def check_record_count(metadata: PartitionMetadata, table: pa.Table, announced: int) -> CheckResult:
    """There are as many rows as were sealed, both by the footer and by count."""
    expected = metadata.facts.record_count
    holds = expected == table.num_rows == announced
    detail = "" if holds else f"{table.num_rows} rows and {announced} by the footer, sealed as {expected}"
    return CheckResult.of(
        RECORD_COUNT, detail, expected_rows=expected, found_rows=table.num_rows, footer_rows=announced
    )


def check_schema(metadata: PartitionMetadata, table: pa.Table) -> CheckResult:
    """The payload has the columns that its metadata names, with those types, in that order."""
    expected = metadata.facts.schema
    found = expected if table.schema.equals(arrow_schema(expected)) else table_schema_of(table.schema)
    return _same_schema(expected, found, "the payload is not of the sealed schema")


def check_drift(metadata: PartitionMetadata, pinned: TableSchema) -> CheckResult:
    """The sealed schema is the one that this `schema_version` of the report was fixed to."""
    facts = metadata.facts
    return _same_schema(pinned, facts.schema, f"schema_version {facts.schema_version} stands for another schema")


def _same_schema(expected: TableSchema, found: TableSchema, complaint: str) -> CheckResult:
    figures = {"expected_fingerprint": expected.fingerprint, "found_fingerprint": found.fingerprint}
    if expected.fingerprint == found.fingerprint:
        return CheckResult.of(SCHEMA_FINGERPRINT, **figures)
    return CheckResult.of(SCHEMA_FINGERPRINT, f"{complaint}: {'; '.join(expected.differences(found))}", **figures)


@contextmanager
def reading() -> Iterator[None]:
    """A storage that fails while it is read proves nothing about what is stored."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"the payload could not be read: {error.strerror or error}") from error
