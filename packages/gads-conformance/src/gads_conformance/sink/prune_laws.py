"""The laws of `PrunableSink`, for the sinks that can remove a sealed run."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gads_conformance.law import law
from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink.suite import Backdoor, Effort, SinkSuite, assert_invisible, files_of
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.errors import DamagedPartitionError, NotSealedError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import PrunableSink, RawReader, RawSink

_KEY = sample_key()
_OLD, _NEW = sample_run(1), sample_run(2)
_ORPHAN = "payload-0123456789abcdef.parquet"
_MANY = 30


class PruneLaws(SinkSuite):
    """Every law of `PrunableSink`. A subclass gives the fixtures of `SinkSuite`."""

    @law("PrunableSink", 1)
    def test_a_removed_run_is_gone(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        assert isinstance(sink, PrunableSink)
        seal(sink, _KEY, _OLD, [sample_payload(1, 300_000)])
        backdoor.put(f"{partition_prefix(_KEY, _OLD)}/{_ORPHAN}", b"of a writer that lost")
        stored = sum(len(content) for content in files_of(backdoor, _KEY, _OLD).values())
        assert sink.remove([(_KEY, _OLD)]) == [stored]
        assert_invisible(reader, _KEY, _OLD)
        assert_invisible(sink, _KEY, _OLD)
        assert backdoor.names() == []

    @law("PrunableSink", 1)
    def test_several_runs_go_by_one_call(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        assert isinstance(sink, PrunableSink)
        partitions = [(sample_key(day), run) for day in range(5) for run in (_OLD, _NEW)]
        for key, run_id in partitions[:-1]:
            seal(sink, key, run_id)
        freed = sink.remove(partitions[::-1])
        assert [size > 0 for size in freed] == [False, *[True] * (len(partitions) - 1)]
        assert list(reader.sealed()) == []
        assert backdoor.names() == []
        assert sink.remove([]) == []

    @law("PrunableSink", 2)
    def test_a_killed_removal_leaves_whole_runs_or_seals_without_payload(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader, backdoor: Backdoor, effort: Effort
    ) -> None:
        assert isinstance(sink, PrunableSink)
        chance = random.Random(20240603)
        for number in range(effort.kills):
            run_id = sample_run(number)
            partitions = [SamplePartition(sample_key(day), run_id, number * 100 + day, 1000) for day in range(_MANY)]
            for one in partitions:
                seal(sink, one.key, run_id, [one.payload])
            with SinkWorker(sink_url, base) as worker:
                assert worker.do("read", partitions[0]) == {"done": partitions[0].payload.hex()}
                worker.begin("remove", *partitions)
                time.sleep(chance.uniform(0.0, 0.01))
                worker.kill()
            for one in partitions:
                _assert_whole_or_unreadable(reader, backdoor, one)
            sink.remove([(one.key, run_id) for one in partitions])
            assert backdoor.names() == []

    @law("PrunableSink", 2, 4)
    def test_a_half_removed_run_is_removed(self, sink: RawSink, backdoor: Backdoor) -> None:
        assert isinstance(sink, PrunableSink)
        metadata = seal(sink, _KEY, _OLD)
        backdoor.remove(f"{partition_prefix(_KEY, _OLD)}/{metadata.payload_name}")
        (freed,) = sink.remove([(_KEY, _OLD)])
        assert freed > 0
        assert backdoor.names() == []

    @law("PrunableSink", 3)
    def test_all_else_stays(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        assert isinstance(sink, PrunableSink)
        prefix = partition_prefix(_KEY, _OLD)
        others = [(_KEY, _NEW), (_KEY, sample_run(10)), (sample_key(1), _OLD), (sample_key(report="campaigns"), _OLD)]
        for key, run_id in [(_KEY, _OLD), *others]:
            seal(sink, key, run_id, [str((key, run_id)).encode()])
        foreign = [f"{prefix}/notes.txt", f"{prefix}/deeper/{_ORPHAN}", f"{prefix}-copy/{METADATA_NAME}"]
        for name in foreign:
            backdoor.put(name, b"foreign")
        mine = set(files_of(backdoor, _KEY, _OLD)) - {name.removeprefix(f"{prefix}/") for name in foreign}
        before = set(backdoor.names())
        with sink.open_writer(_KEY, sample_run(3)) as writer:
            writer.write(b"at work")
            sink.remove([(_KEY, _OLD)])
        assert set(backdoor.names()) == before - {f"{prefix}/{name}" for name in mine}
        for key, run_id in others:
            assert stored_payload(reader, key, run_id) == str((key, run_id)).encode()

    @law("PrunableSink", 4)
    @pytest.mark.parametrize("damage", [b"", b"{"])
    def test_a_damaged_run_is_removed(self, sink: RawSink, backdoor: Backdoor, damage: bytes) -> None:
        assert isinstance(sink, PrunableSink)
        seal(sink, _KEY, _OLD)
        backdoor.put(f"{partition_prefix(_KEY, _OLD)}/{METADATA_NAME}", damage)
        sink.remove([(_KEY, _OLD)])
        assert backdoor.names() == []

    @law("PrunableSink", 4)
    def test_of_a_run_that_is_not_sealed_nothing_is_removed(self, sink: RawSink, backdoor: Backdoor) -> None:
        assert isinstance(sink, PrunableSink)
        assert sink.remove([(_KEY, _OLD)]) == [0]
        seal(sink, _KEY, _NEW)
        backdoor.put(f"{partition_prefix(_KEY, _OLD)}/{_ORPHAN}", b"a writer may be about to seal it")
        before = sorted(backdoor.names())
        assert sink.remove([(_KEY, _OLD)]) == [0]
        assert sorted(backdoor.names()) == before

    @law("PrunableSink", 5)
    def test_removals_and_writers_may_meet(self, sink: RawSink, reader: RawReader) -> None:
        assert isinstance(sink, PrunableSink)
        keys = [sample_key(day) for day in range(8)]
        for key in keys:
            seal(sink, key, _OLD)
        with ThreadPoolExecutor(4) as pool:
            removals = [pool.submit(sink.remove, [(key, _OLD) for key in keys]) for _ in range(2)]
            sealed = [pool.submit(seal, sink, key, _NEW, [b"new"]) for key in keys]
        assert all(removal.result() for removal in removals)
        assert [one.result().key for one in sealed] == keys
        assert list(reader.sealed()) == [(key, _NEW) for key in keys]
        assert {stored_payload(reader, key, _NEW) for key in keys} == {b"new"}


def _assert_whole_or_unreadable(reader: RawReader, backdoor: Backdoor, one: SamplePartition) -> None:
    try:
        metadata = decode_metadata(reader.metadata_bytes(one.key, one.run_id))
        with reader.open_payload(one.key, one.run_id, metadata.payload_name) as payload:
            assert payload.read() == one.payload
    except DamagedPartitionError:
        return
    except NotSealedError:
        assert files_of(backdoor, one.key, one.run_id) == {}, "the seal went before the payload"
