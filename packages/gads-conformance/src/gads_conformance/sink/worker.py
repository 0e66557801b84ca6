"""Another process that uses a sink: `python -m gads_conformance.sink.worker URL BASE`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gads_conformance.sink.samples import sample_facts, sample_payload, stored_payload
from gads_conformance.worker_process import WorkerProcess, emit
from gads_domain.adapters import sink_adapter
from gads_domain.errors import GadsError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, PrunableSink, RawSink, SealsTogether
from gads_domain.run import RunId

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class SamplePartition:
    """A partition to write, with the payload `sample_payload(seed, size)`."""

    key: PartitionKey
    run_id: RunId
    seed: int
    size: int

    @property
    def payload(self) -> bytes:
        """The bytes to be sealed."""
        return sample_payload(self.seed, self.size)


class SinkWorker(WorkerProcess):
    """A process with a sink of its own.

    An answer is `{"done": value}`, or `{"error": code}` for an error of the sink.
    """

    def __init__(self, url: str, base: Path) -> None:
        super().__init__("gads_conformance.sink.worker", url, str(base))

    def begin(self, action: str, *partitions: SamplePartition) -> None:
        """Let the worker do one of the actions of `_Worker`, without waiting for the answer."""
        self.send([action, [[str(one.key), one.run_id.value, one.seed, one.size] for one in partitions]])

    def do(self, action: str, *partitions: SamplePartition) -> Any:
        """Let the worker act as in `begin`, and wait for the answer."""
        self.begin(action, *partitions)
        return self.receive()


class _Worker:
    def __init__(self, sink: RawSink) -> None:
        self._sink = sink
        self._writers: list[PartitionWriter] = []

    def open(self, one: SamplePartition) -> None:
        self._writers.append(self._sink.open_writer(one.key, one.run_id))

    def prepare(self, *partitions: SamplePartition) -> None:
        for one in partitions:
            self.open(one)
            payload = memoryview(one.payload)
            for start in range(0, len(payload), _CHUNK):
                self._writers[-1].write(payload[start : start + _CHUNK])

    def finalize(self) -> str:
        return self._writers.pop().finalize(sample_facts()).payload_sha256

    def seal(self, *partitions: SamplePartition) -> None:
        for one in partitions:
            self.prepare(one)
            self.finalize()

    def seal_together(self, *partitions: SamplePartition) -> list[str]:
        assert isinstance(self._sink, SealsTogether)
        self.prepare(*partitions)
        answers = self._sink.finalize_together([(writer, sample_facts()) for writer in self._writers])
        return [type(answer).__name__ for answer in answers]

    def remove(self, *partitions: SamplePartition) -> list[int]:
        assert isinstance(self._sink, PrunableSink)
        return self._sink.remove([(one.key, one.run_id) for one in partitions])

    def read(self, one: SamplePartition) -> str:
        return stored_payload(self._sink, one.key, one.run_id).hex()


def _serve(url: str, base: Path) -> None:
    worker = _Worker(sink_adapter(url).open_sink(url, base))
    for line in sys.stdin:
        action, partitions = json.loads(line)
        samples = [SamplePartition(PartitionKey.parse(key), RunId(run), *rest) for key, run, *rest in partitions]
        try:
            emit({"done": getattr(worker, action)(*samples)})
        except GadsError as error:
            emit({"error": error.code})


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
