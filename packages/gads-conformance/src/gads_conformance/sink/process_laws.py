"""The laws of sinks between processes: races for one seal, and writers killed at any moment."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from gads_conformance.law import law
from gads_conformance.sink.samples import sample_key, sample_run, seal, stored_payload
from gads_conformance.sink.suite import Backdoor, Effort, SinkSuite, files_of
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.errors import AlreadySealedError
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader, RawSink

_SIZES = (0, 1_000, 400_000)
_LONGEST_LIFE = 0.12  # seconds: what a worker needs to start, and to seal a handful


class RaceLaws(SinkSuite):
    """What holds of several processes that write one partition at once."""

    @law("PartitionWriter", 3)
    def test_of_racing_processes_one_seals(
        self, sink_url: str, base: Path, reader: RawReader, backdoor: Backdoor, effort: Effort
    ) -> None:
        race(sink_url, base, reader, backdoor, effort.races, effort.racing_processes)


class CrashLaws(SinkSuite):
    """What holds after the death of a process that writes."""

    @law("PartitionWriter", 5)
    def test_a_killed_writer_leaves_no_trace(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader, effort: Effort
    ) -> None:
        chance = random.Random(20240602)  # the moments depend on the machine all the same
        for number in range(effort.kills):
            run_id = sample_run(number)
            partitions = [
                SamplePartition(sample_key(day), run_id, number * 100 + day, chance.choice(_SIZES)) for day in range(40)
            ]
            expected = {one.key: one for one in partitions}
            deadline = time.monotonic() + chance.uniform(0.0, _LONGEST_LIFE)
            with SinkWorker(sink_url, base) as worker:
                assert worker.do("read", partitions[0]) == {"error": "not_sealed"}
                worker.begin("seal", *partitions)
                while time.monotonic() < deadline:
                    _assert_whole(reader, expected)
                worker.kill()
            survivors = _assert_whole(reader, expected)
            before = {one.key: reader.metadata_bytes(one.key, run_id) for one in survivors}
            for one in partitions:
                if one in survivors:
                    with pytest.raises(AlreadySealedError):
                        sink.open_writer(one.key, run_id)
                else:
                    seal(sink, one.key, run_id, [one.payload])
            assert _assert_whole(reader, expected) == partitions
            assert {key: reader.metadata_bytes(key, run_id) for key in before} == before


def race(url: str, base: Path, reader: RawReader, backdoor: Backdoor, rounds: int, processes: int) -> None:
    """Let `processes` seal the same partition at once, `rounds` times; raises `AssertionError` unless one wins each."""
    with ExitStack() as stack:
        workers = [stack.enter_context(SinkWorker(url, base)) for _ in range(processes)]
        for number in range(rounds):
            key, run_id = sample_key(number), sample_run()
            size = _SIZES[number % len(_SIZES)]
            rivals = [SamplePartition(key, run_id, number * processes + n, size) for n in range(processes)]
            for worker, rival in zip(workers, rivals, strict=True):
                worker.begin("prepare", rival)
            assert [worker.receive() for worker in workers] == [{"done": None}] * processes
            assert reader.runs(key) == []
            for worker in workers:
                worker.begin("finalize")
            answers = [worker.receive() for worker in workers]
            winners = [rival for rival, answer in zip(rivals, answers, strict=True) if "done" in answer]
            assert len(winners) == 1, f"round {number}: {len(winners)} processes sealed {key}"
            assert answers.count({"error": "already_sealed"}) == processes - 1
            assert stored_payload(reader, key, run_id) == winners[0].payload
            assert len(files_of(backdoor, key, run_id)) == 2, "what the losers wrote is still there"


def _assert_whole(reader: RawReader, expected: dict[PartitionKey, SamplePartition]) -> list[SamplePartition]:
    run_id = next(iter(expected.values())).run_id
    seen = []
    for key, sealed_run in reader.sealed():
        if sealed_run == run_id:
            one = expected[key]
            assert decode_metadata(reader.metadata_bytes(key, run_id)).payload_bytes == one.size
            assert stored_payload(reader, key, run_id) == one.payload
            seen.append(one)
    return seen
