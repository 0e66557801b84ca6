"""Another process that uses the sink: `python -m gads_conformance.sink_worker URL BASE`.

Reads one JSON request a line and answers each with one JSON line. `SinkWorker` is the side that asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gads_conformance.sink_samples import sample_facts, sample_payload, stored_payload
from gads_domain.adapters import sink_adapter
from gads_domain.errors import GadsError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, RawSink, SealsTogether
from gads_domain.run import RunId

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """A partition to write: its payload is `sample_payload(seed, size)`."""

    key: PartitionKey
    run_id: RunId
    seed: int
    size: int

    @property
    def payload(self) -> bytes:
        """The bytes to be sealed."""
        return sample_payload(self.seed, self.size)

    def to_json(self) -> list[Any]:
        """As it goes over the pipe."""
        return [str(self.key), self.run_id.value, self.seed, self.size]

    @classmethod
    def from_json(cls, values: list[Any]) -> Order:
        """Read what `to_json` wrote."""
        return cls(PartitionKey.parse(values[0]), RunId(values[1]), values[2], values[3])


class SinkWorker:
    """A process with a sink of its own; killed when the block ends."""

    def __init__(self, url: str, base: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gads_conformance.sink_worker", url, str(base)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def send(self, do: str, *orders: Order) -> None:
        """Ask, without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "orders": [order.to_json() for order in orders]}) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next answer; an error of the sink comes as `{"error": code}`. Empty if the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else {}

    def ask(self, do: str, *orders: Order) -> dict[str, Any]:
        """Ask and wait for the answer."""
        self.send(do, *orders)
        return self.receive()

    def kill(self) -> None:
        """End the process as SIGKILL ends it: at whatever it was about to do."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class _Worker:
    def __init__(self, sink: RawSink) -> None:
        self._sink = sink
        self._writer: PartitionWriter | None = None

    def answer(self, do: str, orders: list[Order]) -> dict[str, Any]:
        try:
            return {"done": getattr(self, f"do_{do}")(*orders)}
        except GadsError as error:
            return {"error": error.code}

    def do_open(self, order: Order) -> None:
        self._writer = self._sink.open_writer(order.key, order.run_id)

    def do_prepare(self, order: Order) -> None:
        self.do_open(order)
        assert self._writer is not None
        payload = memoryview(order.payload)
        for start in range(0, len(payload), _CHUNK):
            self._writer.write(payload[start : start + _CHUNK])

    def do_finalize(self) -> str:
        assert self._writer is not None
        return self._writer.finalize(sample_facts()).payload_sha256

    def do_seal(self, *orders: Order) -> None:
        for order in orders:
            self.do_prepare(order)
            self.do_finalize()

    def do_seal_together(self, *orders: Order) -> list[str]:
        assert isinstance(self._sink, SealsTogether)
        writers = []
        for order in orders:
            self.do_prepare(order)
            assert self._writer is not None
            writers.append((self._writer, sample_facts()))
        answers = self._sink.finalize_together(writers)
        return [type(answer).__name__ for answer in answers]

    def do_read(self, order: Order) -> str:
        return stored_payload(self._sink, order.key, order.run_id).hex()


def _serve(url: str, base: Path) -> None:
    worker = _Worker(sink_adapter(url).open_sink(url, base))
    for line in sys.stdin:
        request = json.loads(line)
        answer = worker.answer(request["do"], [Order.from_json(values) for values in request["orders"]])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
