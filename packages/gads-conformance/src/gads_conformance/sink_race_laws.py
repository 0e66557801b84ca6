"""The laws of sinks where several processes meet: races for one seal, and writers killed at any moment."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from gads_conformance.sink_samples import sample_key, sample_run, seal, stored_payload
from gads_conformance.sink_suite import Backdoor, SinkSuite, files_of
from gads_conformance.sink_worker import Order, SinkWorker
from gads_domain.errors import AlreadySealedError
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader, RawSink

_SIZES = (0, 1_000, 400_000)
_LONGEST_LIFE = 0.12  # seconds: what a worker needs to start, and to seal a handful


class RaceLaws(SinkSuite):
    """PartitionWriter, laws 3 and 5, between processes."""

    def test_writer_3_of_racing_processes_one_seals(
        self, sink_url: str, base: Path, reader: RawReader, backdoor: Backdoor
    ) -> None:
        """Of all writers of one `(key, run_id)`, in any process, at most one ever seals."""
        race(sink_url, base, reader, backdoor, rounds=20, processes=4)

    @pytest.mark.campaign
    @pytest.mark.timeout(1800)
    def test_writer_3_of_racing_processes_one_seals_campaign(
        self, sink_url: str, base: Path, reader: RawReader, backdoor: Backdoor
    ) -> None:
        """One winner, 100 times of 100, among 8 processes."""
        race(sink_url, base, reader, backdoor, rounds=100, processes=8)

    def test_writer_5_a_killed_writer_leaves_no_trace(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader
    ) -> None:
        """The death of the process leaves no trace that a reader can see, and the same run may begin again."""
        kill_writers(sink_url, base, sink, reader, rounds=5)

    @pytest.mark.campaign
    @pytest.mark.timeout(1800)
    def test_writer_5_a_killed_writer_leaves_no_trace_campaign(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader
    ) -> None:
        """The same, at 100 moments."""
        kill_writers(sink_url, base, sink, reader, rounds=100)


def race(url: str, base: Path, reader: RawReader, backdoor: Backdoor, rounds: int, processes: int) -> None:
    """Let `processes` seal the same partition at once, `rounds` times; raises `AssertionError` unless one wins each."""
    with ExitStack() as stack:
        workers = [stack.enter_context(SinkWorker(url, base)) for _ in range(processes)]
        for number in range(rounds):
            key, run_id = sample_key(number), sample_run()
            size = _SIZES[number % len(_SIZES)]
            orders = [Order(key, run_id, number * processes + n, size) for n in range(processes)]
            for worker, order in zip(workers, orders, strict=True):
                worker.send("prepare", order)
            assert [worker.receive() for worker in workers] == [{"done": None}] * processes
            assert reader.runs(key) == []
            for worker in workers:
                worker.send("finalize")
            answers = [worker.receive() for worker in workers]
            winners = [n for n, answer in enumerate(answers) if "done" in answer]
            losers = [answer for answer in answers if "done" not in answer]
            assert len(winners) == 1, f"round {number}: {len(winners)} processes sealed {key}"
            assert losers == [{"error": "already_sealed"}] * (processes - 1)
            assert stored_payload(reader, key, run_id) == orders[winners[0]].payload
            assert len(files_of(backdoor, key, run_id)) == 2, "what the losers wrote is still there"


def kill_writers(url: str, base: Path, sink: RawSink, reader: RawReader, rounds: int) -> None:
    """Kill a writing process at a random moment, `rounds` times, reading all the while.

    Raises `AssertionError` if a reader saw a partition that is not whole, a sealed one changed, or the run could not
    begin again.
    """
    chance = random.Random(20240602)  # the moments depend on the machine all the same
    for number in range(rounds):
        run_id = sample_run(number)
        orders = [Order(sample_key(day), run_id, number * 100 + day, chance.choice(_SIZES)) for day in range(40)]
        expected = {order.key: order for order in orders}
        deadline = time.monotonic() + chance.uniform(0.0, _LONGEST_LIFE)
        with SinkWorker(url, base) as worker:
            assert worker.ask("read", orders[0]) == {"error": "not_sealed"}
            worker.send("seal", *orders)
            while time.monotonic() < deadline:
                _assert_whole(reader, expected)
            worker.kill()
        survivors = _assert_whole(reader, expected)
        before = {order.key: reader.metadata_bytes(order.key, run_id) for order in survivors}
        for order in orders:
            if order in survivors:
                with pytest.raises(AlreadySealedError):
                    sink.open_writer(order.key, run_id)
            else:
                seal(sink, order.key, run_id, [order.payload])
        assert _assert_whole(reader, expected) == orders
        assert {key: reader.metadata_bytes(key, run_id) for key in before} == before


def _assert_whole(reader: RawReader, expected: dict[PartitionKey, Order]) -> list[Order]:
    run_id = next(iter(expected.values())).run_id
    seen = []
    for key, sealed_run in reader.sealed():
        if sealed_run == run_id:
            order = expected[key]
            assert decode_metadata(reader.metadata_bytes(key, run_id)).payload_bytes == order.size
            assert stored_payload(reader, key, run_id) == order.payload
            seen.append(order)
    return seen
