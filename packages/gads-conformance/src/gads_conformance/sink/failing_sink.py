"""Sinks around a real one: one lists the writers that are opened, one fails at a chosen call."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from types import TracebackType
from typing import BinaryIO, Self

from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.run import RunId


class Step(Enum):
    """A call that a sink gets for a partition."""

    OPEN = auto()
    WRITE = auto()
    FINALIZE = auto()


class WatchedSink:
    """Passes everything on to a sink; `opened` lists the writers that were opened, in order."""

    def __init__(self, inner: RawSink) -> None:
        self._inner = inner
        self.opened: list[tuple[PartitionKey, RunId]] = []

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PartitionWriter:
        """Pass it on."""
        self.opened.append((key, run_id))
        return self._inner.open_writer(key, run_id)

    def check(self) -> None:
        """Pass it on."""
        self._inner.check()

    def runs(self, key: PartitionKey) -> list[RunId]:
        """Pass it on."""
        return self._inner.runs(key)

    def sealed(
        self, *, source: str | None = None, customer_id: str | None = None, report: str | None = None
    ) -> Iterator[tuple[PartitionKey, RunId]]:
        """Pass it on."""
        return self._inner.sealed(source=source, customer_id=customer_id, report=report)

    def metadata_bytes(self, key: PartitionKey, run_id: RunId) -> bytes:
        """Pass it on."""
        return self._inner.metadata_bytes(key, run_id)

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """Pass it on."""
        return self._inner.open_payload(key, run_id, payload_name)


class FailingSink(WatchedSink):
    """A sink that raises `error` at each `step` after the first `after` of them; `failed` says that it did."""

    def __init__(self, inner: RawSink, step: Step, after: int, error: Exception) -> None:
        super().__init__(inner)
        self._step = step
        self._left = after
        self._error = error
        self.failed = False

    def take(self, step: Step) -> None:
        """Raise the error if `step` is the one that fails, and enough of them went well."""
        if step is not self._step:
            return
        if self._left == 0:
            self.failed = True
            raise self._error
        self._left -= 1

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PartitionWriter:
        """Pass it on, unless it fails."""
        self.take(Step.OPEN)
        return _FailingWriter(super().open_writer(key, run_id), self)


class _FailingWriter:
    def __init__(self, inner: PartitionWriter, sink: FailingSink) -> None:
        self._inner = inner
        self._sink = sink

    def write(self, data: bytes | memoryview) -> int:
        self._sink.take(Step.WRITE)
        return self._inner.write(data)

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        self._sink.take(Step.FINALIZE)
        return self._inner.finalize(facts)

    def abort(self) -> None:
        self._inner.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)
