"""Processes that race for one seal, and processes killed at any moment of a write that takes a while."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.laws import race
from gads_conformance.sink.samples import sample_key, sample_run, seal, stored_payload
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError

SIZES = (20_000, 0, 5_300_000)  # the last is a multipart upload
MOST_SECONDS = 1.0


def test_killed_at_any_moment_of_its_writes(storage: Any, tmp_path: Path) -> None:
    kill_at_random(storage, tmp_path, rounds=1)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_killed_at_any_moment_of_its_writes_campaign(storage: Any, tmp_path: Path) -> None:
    kill_at_random(storage, tmp_path, rounds=100)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_eight_processes_race_for_300_seals(storage: Any, tmp_path: Path) -> None:
    reader = sink_adapter(storage.url).open_reader(storage.url, tmp_path)
    race(storage.url, tmp_path, reader, storage, rounds=300, processes=8)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_half_of_eight_racing_processes_are_killed(storage: Any, tmp_path: Path) -> None:
    """Whichever wins, alive or killed, there is one seal, its payload is whole, and it never changes."""
    reader = sink_adapter(storage.url).open_reader(storage.url, tmp_path)
    chance = random.Random(6)
    for number in range(40):
        key, run_id = sample_key(number), sample_run(number)
        partitions = [
            SamplePartition(key, run_id, number * 8 + n, chance.choice(SIZES if number % 4 == 0 else SIZES[:2]))
            for n in range(8)
        ]
        workers = [SinkWorker(storage.url, tmp_path) for _ in partitions]
        try:
            for worker, one in zip(workers, partitions, strict=True):
                worker.begin("prepare", one)
            for worker in workers:
                assert worker.receive() == {"done": None}
            for worker in workers:
                worker.begin("finalize")
            until = time.monotonic() + chance.uniform(0, 0.05)
            while time.monotonic() < until:
                reader.runs(key)
            for worker in workers[:4]:
                worker.kill()
            answers = [worker.receive() for worker in workers[4:]]
        finally:
            for worker in workers:
                worker.kill()
        won = [one for one, answer in zip(partitions[4:], answers, strict=True) if "done" in answer]
        assert len(won) <= 1
        assert [answer for answer in answers if "done" not in answer] == [{"error": "already_sealed"}] * (4 - len(won))
        stands = stored_payload(reader, key, run_id)
        assert stands in [one.payload for one in (won or partitions[:4])]


def kill_at_random(storage: Any, base: Path, rounds: int) -> None:
    """Kill a writing process at a moment of its work, reading all the while; the run begins again and ends well."""
    adapter = sink_adapter(storage.url)
    sink, reader = adapter.open_sink(storage.url, base), adapter.open_reader(storage.url, base)
    chance = random.Random(20240602)
    for number in range(rounds):
        run_id = sample_run(number)
        sizes = [SIZES[-1] if day % 15 == 7 else SIZES[day % 2] for day in range(30)]
        partitions = [
            SamplePartition(sample_key(day), run_id, number * 100 + day, size) for day, size in enumerate(sizes)
        ]
        with SinkWorker(storage.url, base) as worker:
            assert worker.do("read", partitions[0]) == {"error": "not_sealed"}
            worker.begin("seal", *partitions)
            until = time.monotonic() + chance.uniform(0, MOST_SECONDS)
            while time.monotonic() < until:
                for one in partitions:
                    if run_id in reader.runs(one.key):
                        assert stored_payload(reader, one.key, run_id) == one.payload
            worker.kill()
        sealed = [one for one in partitions if run_id in reader.runs(one.key)]
        before = {one.key: reader.metadata_bytes(one.key, run_id) for one in sealed}
        for one in partitions:
            if one in sealed:
                with pytest.raises(AlreadySealedError):
                    sink.open_writer(one.key, run_id)
            else:
                seal(sink, one.key, run_id, [one.payload])
            assert stored_payload(reader, one.key, run_id) == one.payload
        assert {key: reader.metadata_bytes(key, run_id) for key in before} == before
