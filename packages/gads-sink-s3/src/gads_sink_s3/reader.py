"""Reads sealed partitions from a bucket."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

from gads_domain.errors import DamagedPartitionError, InvalidValueError, NotSealedError
from gads_domain.layout import (
    METADATA_NAME,
    key_prefix,
    narrowed_prefix,
    parse_prefix,
    partition_prefix,
    require_payload_name,
)
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_s3.bucket import Bucket, Piece
from gads_sink_s3.errors import S3RequestError, as_gads_error, reported
from gads_sink_s3.payload_stream import FIRST_FETCH, Fetch, PayloadStream

_FRESH_SECONDS = 60.0
_MOST_SEALS = 4096


class S3Reader:
    """`RawReader` of what is below a location; sends GETs alone. Threads may share it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._recent = RecentSeals()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._bucket.location)!r})"

    def runs(self, key: PartitionKey) -> list[RunId]:
        """The sealed runs of `key`, oldest first; lists the objects of this key alone."""
        return [run_id for _, run_id in self._below(key_prefix(key))]

    def sealed(
        self, *, source: str | None = None, customer_id: str | None = None, report: str | None = None
    ) -> Iterator[tuple[PartitionKey, RunId]]:
        """All sealed partitions, in key and run order, narrowed from the left; one request for about 500 of them."""
        return self._below(narrowed_prefix(source, customer_id, report))

    def metadata_bytes(self, key: PartitionKey, run_id: RunId) -> bytes:
        """The bytes of the seal as stored; raises `NotSealedError`."""
        seal = self._seal(key, run_id)
        self._recent.note(key, run_id)
        return seal

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """Open a payload of the sealed `(key, run_id)`; up to 1 MiB comes at once, the rest as it is read.

        A seal that `metadata_bytes` returned within the last minute is not read again, once.
        Raises `InvalidValueError` for a name that no payload has, `NotSealedError`, `DamagedPartitionError` if it is
        not there. Reading from it raises `DamagedPartitionError` once it is no longer what was opened.
        """
        require_payload_name(payload_name)
        if not self._recent.take(key, run_id):
            self._seal(key, run_id)
        path = f"{partition_prefix(key, run_id)}/{payload_name}"
        what = f"{payload_name} of {key} in run {run_id}"
        with self._reported(f"cannot read {what}"):
            opening = self._bucket.read_range(path, 0, FIRST_FETCH)
        if opening is None:
            raise DamagedPartitionError(f"{what} is missing")
        return io.BufferedReader(PayloadStream(opening, self._fetch(path, what, opening.etag)), 64 * 1024)

    def _seal(self, key: PartitionKey, run_id: RunId) -> bytes:
        with self._reported(f"cannot read the seal of {key} in run {run_id}"):
            seal = self._bucket.read(f"{partition_prefix(key, run_id)}/{METADATA_NAME}")
        if seal is None:
            raise NotSealedError(f"{key} has no sealed partition of run {run_id}")
        return seal

    def _fetch(self, path: str, what: str, etag: str) -> Fetch:
        def fetch(start: int, length: int) -> Piece:
            try:
                piece = self._bucket.read_range(path, start, length, etag)
            except S3RequestError as error:
                if not error.is_refused_condition and error.status != 416:
                    raise as_gads_error(error, f"cannot read {what}", str(self._bucket.location)) from error
                piece = None
            if piece is None or not piece.data:
                raise DamagedPartitionError(f"{what} changed while it was read")
            return piece

        return fetch

    def address(self, key: PartitionKey, run_id: RunId, payload_name: str) -> str:
        """The URL `s3://bucket/…` of a payload, without the endpoint; raises `InvalidValueError`."""
        location, path = self._bucket.location, f"{partition_prefix(key, run_id)}/{require_payload_name(payload_name)}"
        return f"s3://{location.bucket}/{location.key(path)}"

    def _below(self, prefix: str) -> Iterator[tuple[PartitionKey, RunId]]:
        with self._reported(f"cannot list {prefix or 'partitions'}"):
            for stored in self._bucket.below(prefix):
                folder, _, name = stored.path.rpartition("/")
                if name == METADATA_NAME:
                    try:
                        found = parse_prefix(folder)
                    except InvalidValueError:
                        continue
                    yield found

    def _reported(self, doing: str) -> AbstractContextManager[None]:
        return reported(doing, str(self._bucket.location))


class RecentSeals:
    """Seals that were read within a minute, so that opening the payload need not read them again, once for each.

    Threads may share it; it holds 4096 at most.
    """

    def __init__(self) -> None:
        self._until: dict[tuple[PartitionKey, RunId], float] = {}
        self._lock = threading.Lock()

    def note(self, key: PartitionKey, run_id: RunId) -> None:
        """The seal was read just now."""
        with self._lock:
            self._until.pop((key, run_id), None)
            self._until[key, run_id] = time.monotonic() + _FRESH_SECONDS
            if len(self._until) > _MOST_SEALS:
                del self._until[next(iter(self._until))]

    def take(self, key: PartitionKey, run_id: RunId) -> bool:
        """Whether the seal was read within the last minute, and has not been taken since."""
        with self._lock:
            return self._until.pop((key, run_id), 0.0) > time.monotonic()
