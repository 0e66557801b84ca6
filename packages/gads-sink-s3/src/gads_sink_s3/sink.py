"""A bucket as a sink: what a reader has, plus writers, the check, the sweep and removal."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from gads_domain.errors import AlreadySealedError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import Leftover
from gads_domain.run import RunId
from gads_sink_s3.condition import Condition, condition_of, probe, require_safe
from gads_sink_s3.reader import S3Reader
from gads_sink_s3.removal import remove_runs
from gads_sink_s3.sweep import sweep
from gads_sink_s3.writer import S3PartitionWriter


class S3Sink(S3Reader):
    """`RawSink` below a location. The bucket must exist. Threads may share it.

    The first writer of a process probes whether the server honours the condition that a seal rests on. If it does not,
    writers are refused with `ConfigurationError`, unless the operator has declared a single writer.
    """

    def open_writer(self, key: PartitionKey, run_id: RunId) -> S3PartitionWriter:
        """Begin a payload; raises `AlreadySealedError`, `ConfigurationError` or `StorageError`."""
        with self._reported(f"cannot write {key} of run {run_id}"):
            condition = condition_of(self._bucket)
            require_safe(self._bucket, condition)
            if self._bucket.read(f"{partition_prefix(key, run_id)}/{METADATA_NAME}") is not None:
                raise AlreadySealedError(f"{key} of run {run_id} is sealed")
        return S3PartitionWriter(self._bucket, key, run_id, conditional=condition is Condition.HONOURED)

    def check(self) -> None:
        """Write, read, list and remove an object of its own; raises `ConfigurationError` or `StorageError`."""
        require_safe(self._bucket, self._probe())

    def describe(self) -> tuple[str, ...]:
        """Where partitions go and what keeps two writers apart; sends a probe."""
        location = self._bucket.location
        condition = self._probe()
        lines = [
            f"{location} at {location.endpoint}, region {location.region or 'as the bucket says'}",
            f"If-None-Match on a PUT is {condition.value}",
        ]
        if condition is not Condition.HONOURED:
            declared = "declared by the operator" if location.single_writer else "not declared: writers are refused"
            lines.append(f"a single writer is {declared}")
        return tuple(lines)

    def sweep(self, older_than: timedelta, *, dry_run: bool) -> Iterator[Leftover]:
        """Remove what killed writers left: see `SweepableSink`."""
        return sweep(self._bucket, older_than, dry_run=dry_run, now=datetime.now(UTC))

    def remove(self, partitions: Sequence[tuple[PartitionKey, RunId]]) -> list[int]:
        """Remove sealed runs, in all versions of their objects: see `PrunableSink`."""
        with self._reported("cannot remove partitions"):
            return remove_runs(self._bucket, partitions)

    def _probe(self) -> Condition:
        with self._reported("cannot use the bucket"):
            return probe(self._bucket)
