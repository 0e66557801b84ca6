"""The bucket as a sink: readers' view, plus writers and the sweep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from gads_domain.errors import AlreadySealedError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import Leftover
from gads_domain.run import RunId
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.condition import Condition, condition_of, require_safe, try_out
from gads_sink_s3.reader import S3Reader
from gads_sink_s3.sweep import sweep
from gads_sink_s3.writer import S3PartitionWriter


class S3Sink(S3Reader):
    """`RawSink` below a location. The bucket must exist. Threads may share it.

    The first writer of a process asks the server whether it honours the condition that a seal rests on, and is
    refused with `ConfigurationError` if it does not, unless the operator has declared a single writer.
    """

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket)

    def open_writer(self, key: PartitionKey, run_id: RunId) -> S3PartitionWriter:
        """Begin a payload; raises `AlreadySealedError`, `ConfigurationError`, `CredentialsError` or `StorageError`."""
        with self._reported(f"cannot write {key} of run {run_id}"):
            condition = condition_of(self._bucket)
            require_safe(self._bucket, condition)
            if self._bucket.read(f"{partition_prefix(key, run_id)}/{METADATA_NAME}") is not None:
                raise AlreadySealedError(f"{key} of run {run_id} is sealed")
        return S3PartitionWriter(self._bucket, key, run_id, conditional=condition is Condition.HONOURED)

    def check(self) -> None:
        """Write, read, list and remove an object of its own.

        Raises `ConfigurationError`, `CredentialsError` or `StorageError`.
        """
        require_safe(self._bucket, self._try_out())

    def describe(self) -> tuple[str, ...]:
        """Where partitions go and what keeps two writers apart; asks the server."""
        location = self._bucket.location
        condition = self._try_out()
        lines = [
            f"{location} at {location.endpoint}, region {location.region or 'as the bucket says'}",
            f"If-None-Match on a PUT is {condition.value}",
        ]
        if condition is not Condition.HONOURED:
            declared = "declared by the operator" if location.single_writer else "not declared: writers are refused"
            lines.append(f"a single writer is {declared}")
        return tuple(lines)

    def sweep(self, older_than: timedelta, *, dry_run: bool) -> Iterator[Leftover]:
        """Take away what dead writers left: see `SweepableSink`."""
        return sweep(self._bucket, older_than, dry_run=dry_run, now=datetime.now(UTC))

    def _try_out(self) -> Condition:
        with self._reported("cannot use the bucket"):
            return try_out(self._bucket)
