"""A sink around a real one, which is watched, and fails where the watch raises an error."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.run import RunId


class Step(Enum):
    """A call that a sink gets for a partition."""

    OPEN = auto()
    WRITE = auto()
    FINALIZE = auto()


Watch = Callable[[Step, PartitionKey, RunId], None]


@dataclass
class Fault:
    """A watch that raises `error` at each `step` after the first `after` of them; `raised` says that it did."""

    step: Step
    error: Exception
    after: int = 0
    raised: bool = False

    def __call__(self, step: Step, key: PartitionKey, run_id: RunId) -> None:
        if step is self.step:
            self.raised = self.after == 0
            if self.raised:
                raise self.error
            self.after -= 1


def watched(inner: RawSink, watch: Watch) -> RawSink:
    """A sink that calls `watch` before each step, and then passes the call on to `inner`."""
    return _WatchedSink(inner, watch)


class _WatchedSink:
    def __init__(self, inner: RawSink, watch: Watch) -> None:
        self._inner, self._watch = inner, watch
        # Named one by one, so that it is no sink that seals together even if `inner` is one.
        self.check, self.runs, self.sealed = inner.check, inner.runs, inner.sealed
        self.metadata_bytes, self.open_payload = inner.metadata_bytes, inner.open_payload

    def open_writer(self, key: PartitionKey, run_id: RunId) -> "_WatchedWriter":
        self._watch(Step.OPEN, key, run_id)
        return _WatchedWriter(self._inner.open_writer(key, run_id), lambda step: self._watch(step, key, run_id))


class _WatchedWriter:
    def __init__(self, inner: PartitionWriter, watch: Callable[[Step], None]) -> None:
        self._inner, self._watch = inner, watch
        self.abort = inner.abort

    def write(self, data: bytes | memoryview) -> int:
        self._watch(Step.WRITE)
        return self._inner.write(data)

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        self._watch(Step.FINALIZE)
        return self._inner.finalize(facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)
