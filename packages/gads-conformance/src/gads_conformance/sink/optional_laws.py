"""The laws of `SweepableSink`, `SealsTogether` and `AddressedReader`, for the sinks that are one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from gads_conformance.law import law, required
from gads_conformance.sink.samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink.suite import Backdoor, SinkSuite, files_of
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.errors import AlreadySealedError, InvalidValueError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.metadata import PartitionMetadata
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import (
    LEAST_SWEEP_AGE,
    AddressedReader,
    Leftover,
    LeftoverKind,
    PartitionWriter,
    RawReader,
    RawSink,
    SealsTogether,
    SweepableSink,
)

SweepAhead = Callable[[timedelta, bool], list[Leftover]]
"""Sweeps by the least age as if this much time had passed; the second argument is whether it is a dry run."""

_MANY = 40
_RUN = sample_run()
ORPHAN = "payload-0123456789abcdef.parquet"
YOUNGER, OLDER = LEAST_SWEEP_AGE - timedelta(hours=1), LEAST_SWEEP_AGE + timedelta(hours=1)


class SweepLaws(SinkSuite):
    """Every law of `SweepableSink`. A subclass gives `sweep_ahead` and the fixtures of `SinkSuite`."""

    sweep_ahead = required("Sweeps the storage that `sink_url` names.")

    @law("SweepableSink", 1)
    def test_a_sweep_takes_only_what_no_seal_can_name(
        self, sink: RawSink, backdoor: Backdoor, sweep_ahead: SweepAhead
    ) -> None:
        sealed, damaged, dead = (partition_prefix(sample_key(number), sample_run()) for number in range(3))
        for number in (0, 1):
            seal(sink, sample_key(number), sample_run(), [b"sealed"])
        backdoor.put(f"{damaged}/{METADATA_NAME}", b"{")
        for folder in (sealed, damaged, dead):
            backdoor.put(f"{folder}/{ORPHAN}", b"left over")
        for name in ("README", f"{sealed}/notes.txt", f"elsewhere/{ORPHAN}", f"{sealed}/deeper/{ORPHAN}"):
            backdoor.put(name, b"foreign")
        before = set(backdoor.names())
        expected = {f"{sealed}/{ORPHAN}", f"{dead}/{ORPHAN}"}
        taken = sweep_ahead(OLDER, False)
        assert {one.path for one in taken} == expected
        assert {one.kind for one in taken} == {LeftoverKind.ORPHAN}
        assert set(backdoor.names()) == before - expected
        assert stored_payload(sink, sample_key(0), sample_run()) == b"sealed"

    @law("SweepableSink", 2)
    def test_a_dry_run_finds_the_same_and_takes_nothing(self, backdoor: Backdoor, sweep_ahead: SweepAhead) -> None:
        backdoor.put(f"{partition_prefix(sample_key(), sample_run())}/{ORPHAN}", b"left over")
        before = backdoor.names()
        assert sweep_ahead(YOUNGER, True) == sweep_ahead(YOUNGER, False) == []
        found = sweep_ahead(OLDER, True)
        assert len(found) == 1
        assert backdoor.names() == before
        assert [one.path for one in sweep_ahead(OLDER, False)] == [one.path for one in found]
        assert sweep_ahead(OLDER, False) == []

    @law("SweepableSink", 2)
    def test_too_small_an_age_is_refused_at_once(self, sink: RawSink) -> None:
        assert isinstance(sink, SweepableSink)
        with pytest.raises(InvalidValueError):
            sink.sweep(YOUNGER, dry_run=True)

    @law("SweepableSink", 3)
    def test_a_sweep_disturbs_neither_writers_nor_readers(self, sink: RawSink) -> None:
        assert isinstance(sink, SweepableSink)
        seal(sink, sample_key(1), sample_run(), [b"sealed"])
        payload = sample_payload(1, 100_000)
        with sink.open_writer(sample_key(), sample_run()) as writer:
            writer.write(payload)
            assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
        seal(sink, sample_key(), sample_run(), [payload])
        assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
        assert stored_payload(sink, sample_key(), sample_run()) == payload
        assert stored_payload(sink, sample_key(1), sample_run()) == b"sealed"

    @law("SweepableSink", 3)
    def test_several_sweeps_at_once_take_all(self, backdoor: Backdoor, sweep_ahead: SweepAhead) -> None:
        for number in range(8):
            backdoor.put(f"{partition_prefix(sample_key(number), sample_run())}/{ORPHAN}", b"left over")
        with ThreadPoolExecutor(3) as pool:
            taken = [one.path for some in pool.map(lambda _: sweep_ahead(OLDER, False), range(3)) for one in some]
        assert len(set(taken)) == 8
        assert backdoor.names() == []


class AddressLaws(SinkSuite):
    """The law of `AddressedReader`. A subclass gives the fixtures of `SinkSuite`."""

    @law("AddressedReader", 1)
    def test_an_address_is_whole_and_ends_with_the_layout(self, sink: RawSink, reader: RawReader) -> None:
        assert isinstance(reader, AddressedReader)
        found = reader.address(sample_key(), _RUN, ORPHAN)  # of no partition that is there: nothing is asked
        assert found.endswith(f"/{partition_prefix(sample_key(), _RUN)}/{ORPHAN}")
        assert found.startswith("/") or "://" in found
        assert isinstance(sink, AddressedReader)
        assert sink.address(sample_key(), _RUN, ORPHAN) == found
        with pytest.raises(InvalidValueError):
            reader.address(sample_key(), _RUN, "../payload-0123456789abcdef.parquet")


class JointSealLaws(SinkSuite):
    """Every law of `SealsTogether`. A subclass gives the fixtures of `SinkSuite`."""

    @law("SealsTogether", 1)
    def test_each_is_answered_with_its_own_seal(self, sink: RawSink, reader: RawReader) -> None:
        assert isinstance(sink, SealsTogether)
        payloads = [sample_payload(number, (0, 10, 400_000)[number % 3]) for number in range(_MANY)]
        writers = [_begun(sink, number, payload) for number, payload in enumerate(payloads)]
        answers = sink.finalize_together([(writer, sample_facts(n)) for n, writer in enumerate(writers)])
        for number, (answer, payload) in enumerate(zip(answers, payloads, strict=True)):
            assert isinstance(answer, PartitionMetadata)
            assert answer == decode_metadata(reader.metadata_bytes(sample_key(number), _RUN))
            assert answer.facts.record_count == number
            assert stored_payload(reader, sample_key(number), _RUN) == payload
            with pytest.raises(StorageError):
                writers[number].write(b"more")

    @law("SealsTogether", 1)
    def test_one_failure_concerns_no_other(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        assert isinstance(sink, SealsTogether)
        writers = [_begun(sink, number, b"mine") for number in range(_MANY)]
        lost, ended, twin = (3, 17), 30, 9
        for number in lost:
            seal(sink, sample_key(number), _RUN, [b"faster"])
        writers[ended].abort()
        writers.append(_begun(sink, twin, b"the twin's"))
        answers = sink.finalize_together([(writer, sample_facts()) for writer in writers])
        failed = {number: type(answer) for number, answer in enumerate(answers) if isinstance(answer, Exception)}
        assert failed == {3: AlreadySealedError, 17: AlreadySealedError, ended: StorageError, _MANY: AlreadySealedError}
        assert reader.runs(sample_key(ended)) == []
        for number in {*range(_MANY)} - {ended}:
            assert stored_payload(reader, sample_key(number), _RUN) == (b"faster" if number in lost else b"mine")
            assert len(files_of(backdoor, sample_key(number), _RUN)) == 2
        seal(sink, sample_key(ended), _RUN, [b"another try"])

    @law("SealsTogether", 1)
    def test_without_writers_nothing_happens(self, sink: RawSink, backdoor: Backdoor) -> None:
        assert isinstance(sink, SealsTogether)
        assert sink.finalize_together([]) == []
        assert list(backdoor.names()) == []

    @law("SealsTogether", 2)
    def test_joint_seals_outlive_the_process_of_their_writer(self, sink_url: str, base: Path) -> None:
        partitions = [SamplePartition(sample_key(number), _RUN, seed=number, size=1000) for number in range(5)]
        with SinkWorker(sink_url, base) as writer:
            assert writer.do("seal_together", *partitions) == {"done": [PartitionMetadata.__name__] * len(partitions)}
            writer.kill()
        with SinkWorker(sink_url, base) as other:
            for one in partitions:
                assert other.do("read", one) == {"done": one.payload.hex()}


def _begun(sink: RawSink, number: int, payload: bytes) -> PartitionWriter:
    writer = sink.open_writer(sample_key(number), _RUN)
    writer.write(payload)
    return writer
