"""The laws of `PartitionWriter` that one process can show."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from gads_conformance.law import law
from gads_conformance.sink.samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink.suite import Backdoor, SinkSuite, assert_invisible, files_of
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.errors import AlreadySealedError, InvalidValueError, StorageError
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.metadata_codec import encode_metadata
from gads_domain.ports.sink import PartitionWriter, RawReader, RawSink

_KEY = sample_key()
_RUN = sample_run()
_MANY = 3 * 1024 * 1024 + 7


def _give_up(writer: PartitionWriter, how: str) -> None:
    match how:
        case "abort":
            writer.abort()
        case "leave":
            with writer:
                pass
        case "raise":
            with pytest.raises(ZeroDivisionError), writer:
                raise ZeroDivisionError
        case "fail to finalize":
            with pytest.raises(InvalidValueError):
                writer.finalize(sample_facts(schema_version=0))


class WriterLaws(SinkSuite):
    """Laws of `PartitionWriter`."""

    @law("PartitionWriter", 1)
    @pytest.mark.parametrize("size", [0, 10, _MANY])
    def test_nothing_is_visible_before_finalize_returns(self, sink: RawSink, reader: RawReader, size: int) -> None:
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(sample_payload(1, size))
            assert_invisible(reader, _KEY, _RUN)
            assert_invisible(sink, _KEY, _RUN)
            writer.finalize(sample_facts())
        assert reader.runs(_KEY) == [_RUN]

    @law("PartitionWriter", 1)
    def test_the_partition_is_its_payload_and_its_seal(self, sink: RawSink, backdoor: Backdoor) -> None:
        metadata = seal(sink, _KEY, _RUN)
        assert set(files_of(backdoor, _KEY, _RUN)) == {"metadata.json", metadata.payload_name}
        assert len(backdoor.names()) == 2

    @law("PartitionWriter", 2)
    @pytest.mark.parametrize(
        "chunks",
        [
            [],
            [b""],
            [b"x"],
            [b"one", b"", b"two"],
            [sample_payload(1, _MANY)],
            [sample_payload(n, 70_001) for n in range(20)],
            [b"small", sample_payload(2, _MANY), b"small again"],
        ],
        ids=["nothing", "empty", "one byte", "three", "large", "many", "mixed"],
    )
    def test_finalize_seals_exactly_the_bytes_that_were_written(
        self, sink: RawSink, reader: RawReader, backdoor: Backdoor, chunks: list[bytes]
    ) -> None:
        payload = b"".join(chunks)
        with sink.open_writer(_KEY, _RUN) as writer:
            assert [writer.write(chunk) for chunk in chunks] == [len(chunk) for chunk in chunks]
            metadata = writer.finalize(sample_facts())
        assert stored_payload(reader, _KEY, _RUN) == payload
        assert reader.metadata_bytes(_KEY, _RUN) == encode_metadata(metadata)
        assert files_of(backdoor, _KEY, _RUN)[metadata.payload_name] == payload

    @law("PartitionWriter", 2)
    def test_takes_memoryviews_and_does_not_keep_them(self, sink: RawSink, reader: RawReader) -> None:
        buffer = bytearray(b"before")
        with sink.open_writer(_KEY, _RUN) as writer:
            assert writer.write(memoryview(buffer)) == 6
            buffer[:] = b"after!"
            writer.write(memoryview(buffer)[:5])
            writer.finalize(sample_facts())
        assert stored_payload(reader, _KEY, _RUN) == b"beforeafter"

    @law("PartitionWriter", 2)
    def test_size_sum_and_name_are_the_sinks_own(self, sink: RawSink) -> None:
        facts = replace(sample_facts(), record_count=99, request_ids=("a", "b"))
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(b"four")
            metadata = writer.finalize(facts)
        assert (metadata.key, metadata.run_id, metadata.facts) == (_KEY, _RUN, facts)
        assert metadata.payload_bytes == 4
        assert metadata.payload_sha256 == hashlib.sha256(b"four").hexdigest()
        assert PAYLOAD_NAME.fullmatch(metadata.payload_name)

    @law("PartitionWriter", 2)
    def test_no_two_writers_use_one_payload_name(self, sink: RawSink) -> None:
        names = {seal(sink, _KEY, sample_run(n)).payload_name for n in range(5)}
        assert len(names) == 5

    @law("PartitionWriter", 3)
    def test_of_two_open_writers_one_seals(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        with sink.open_writer(_KEY, _RUN) as first, sink.open_writer(_KEY, _RUN) as second:
            first.write(b"first")
            second.write(sample_payload(2, _MANY))
            second.finalize(sample_facts())
            before = files_of(backdoor, _KEY, _RUN)
            with pytest.raises(AlreadySealedError):
                first.finalize(sample_facts())
            first.abort()
        after = files_of(backdoor, _KEY, _RUN)
        assert after.items() <= before.items(), "what was sealed has changed"
        assert stored_payload(reader, _KEY, _RUN) == sample_payload(2, _MANY)
        assert len(after) == 2, "what the loser wrote is still there"

    @law("PartitionWriter", 3)
    def test_two_runs_of_one_key_both_seal(self, sink: RawSink, reader: RawReader) -> None:
        with sink.open_writer(_KEY, sample_run(1)) as one, sink.open_writer(_KEY, sample_run(2)) as two:
            one.write(b"one")
            two.write(b"two")
            two.finalize(sample_facts())
            one.finalize(sample_facts())
        assert reader.runs(_KEY) == [sample_run(1), sample_run(2)]
        assert stored_payload(reader, _KEY, sample_run(1)) == b"one"
        assert stored_payload(reader, _KEY, sample_run(2)) == b"two"

    @law("PartitionWriter", 4)
    def test_a_seal_outlives_the_process_of_its_writer(self, sink_url: str, base: Path) -> None:
        one = SamplePartition(_KEY, _RUN, seed=1, size=100_000)
        with SinkWorker(sink_url, base) as writer:
            assert "done" in writer.do("seal", one)
            writer.kill()
        with SinkWorker(sink_url, base) as other:
            assert other.do("read", one) == {"done": one.payload.hex()}

    @law("PartitionWriter", 5)
    @pytest.mark.parametrize("size", [0, 10, _MANY])
    @pytest.mark.parametrize("how", ["abort", "leave", "raise", "forget", "fail to finalize"])
    def test_giving_up_leaves_no_trace_and_the_run_may_begin_again(
        self, sink: RawSink, reader: RawReader, size: int, how: str
    ) -> None:
        writer = sink.open_writer(_KEY, _RUN)
        writer.write(sample_payload(1, size))
        _give_up(writer, how)
        del writer
        assert_invisible(reader, _KEY, _RUN)
        seal(sink, _KEY, _RUN, [b"second try"])
        assert stored_payload(reader, _KEY, _RUN) == b"second try"

    @law("PartitionWriter", 5)
    @pytest.mark.parametrize("size", [0, 10, _MANY])
    def test_abort_takes_away_what_was_written(self, sink: RawSink, backdoor: Backdoor, size: int) -> None:
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(sample_payload(1, size))
        assert backdoor.names() == []

    @law("PartitionWriter", 5)
    def test_abort_again_does_nothing(self, sink: RawSink, reader: RawReader) -> None:
        aborted = sink.open_writer(_KEY, _RUN)
        aborted.write(b"gone")
        aborted.abort()
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(b"kept")
            aborted.abort()
            writer.finalize(sample_facts())
            writer.abort()
            aborted.abort()
        assert stored_payload(reader, _KEY, _RUN) == b"kept"

    @law("PartitionWriter", 6)
    def test_an_aborted_writer_writes_no_more(self, sink: RawSink, reader: RawReader) -> None:
        writer = sink.open_writer(_KEY, _RUN)
        writer.abort()
        _assert_ended(writer)
        assert_invisible(reader, _KEY, _RUN)

    @law("PartitionWriter", 6)
    def test_a_writer_that_has_sealed_writes_no_more(self, sink: RawSink, reader: RawReader) -> None:
        writer = sink.open_writer(_KEY, _RUN)
        writer.write(b"sealed")
        writer.finalize(sample_facts())
        _assert_ended(writer)
        assert stored_payload(reader, _KEY, _RUN) == b"sealed"


def _assert_ended(writer: PartitionWriter) -> None:
    with pytest.raises(StorageError):
        writer.write(b"late")
    with pytest.raises(StorageError):
        writer.finalize(sample_facts())
