"""The laws of `PartitionWriter`, one by one, as far as one process can show them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gads_conformance.sink_samples import (
    sample_facts,
    sample_key,
    sample_payload,
    sample_run,
    seal,
    stored_payload,
)
from gads_conformance.sink_suite import Backdoor, SinkSuite, files_of
from gads_conformance.sink_worker import Order, SinkWorker
from gads_domain.errors import AlreadySealedError, InvalidValueError, NotSealedError, StorageError
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, RawReader, RawSink
from gads_domain.run import RunId

_KEY = sample_key()
_RUN = sample_run()
_MANY = 3 * 1024 * 1024 + 7


class _InterruptedError(Exception):
    pass


def assert_invisible(reader: RawReader, key: PartitionKey, run_id: RunId) -> None:
    """No reader can tell that anybody ever tried to write the partition."""
    assert reader.runs(key) == []
    assert list(reader.sealed()) == []
    with pytest.raises(NotSealedError):
        reader.metadata_bytes(key, run_id)
    with pytest.raises(NotSealedError):
        reader.open_payload(key, run_id, "payload-0123456789abcdef.parquet")


def _abort(writer: PartitionWriter) -> None:
    writer.abort()


def _leave(writer: PartitionWriter) -> None:
    with writer:
        pass


def _raise(writer: PartitionWriter) -> None:
    with pytest.raises(_InterruptedError), writer:
        raise _InterruptedError


def _forget(writer: PartitionWriter) -> None:
    del writer


def _fail_to_finalize(writer: PartitionWriter) -> None:
    with pytest.raises(InvalidValueError):
        writer.finalize(sample_facts(schema_version=0))


WAYS_TO_GIVE_UP = [_abort, _leave, _raise, _forget, _fail_to_finalize]


class WriterLaws(SinkSuite):
    """PartitionWriter: one try at writing the payload of `(key, run_id)`."""

    @pytest.mark.parametrize("size", [0, 10, _MANY])
    def test_writer_1_nothing_written_is_visible_before_finalize_returns(
        self, sink: RawSink, reader: RawReader, size: int
    ) -> None:
        """Nothing written is visible to any reader before `finalize` returns."""
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(sample_payload(1, size))
            assert_invisible(reader, _KEY, _RUN)
            assert_invisible(sink, _KEY, _RUN)
            writer.finalize(sample_facts())
        assert reader.runs(_KEY) == [_RUN]

    def test_writer_1_the_partition_is_its_payload_and_its_seal(self, sink: RawSink, backdoor: Backdoor) -> None:
        """The seal is the last thing that appears: nothing is left beside it, and it lies where the layout says."""
        metadata = seal(sink, _KEY, _RUN)
        assert set(files_of(backdoor, _KEY, _RUN)) == {"metadata.json", metadata.payload_name}
        assert len(backdoor.names()) == 2

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
    def test_writer_2_finalize_seals_exactly_the_bytes_that_were_written(
        self, sink: RawSink, reader: RawReader, backdoor: Backdoor, chunks: list[bytes]
    ) -> None:
        """`finalize` seals exactly the bytes that were written and returns the metadata as sealed."""
        payload = b"".join(chunks)
        with sink.open_writer(_KEY, _RUN) as writer:
            assert [writer.write(chunk) for chunk in chunks] == [len(chunk) for chunk in chunks]
            metadata = writer.finalize(sample_facts())
        assert stored_payload(reader, _KEY, _RUN) == payload
        assert reader.metadata_bytes(_KEY, _RUN) == encode_metadata(metadata)
        assert files_of(backdoor, _KEY, _RUN)[metadata.payload_name] == payload

    def test_writer_2_takes_memoryviews_and_does_not_keep_them(self, sink: RawSink, reader: RawReader) -> None:
        """`finalize` seals exactly the bytes that were written, though the caller uses the buffer again."""
        buffer = bytearray(b"before")
        with sink.open_writer(_KEY, _RUN) as writer:
            assert writer.write(memoryview(buffer)) == 6
            buffer[:] = b"after!"
            writer.write(memoryview(buffer)[:5])
            writer.finalize(sample_facts())
        assert stored_payload(reader, _KEY, _RUN) == b"beforeafter"

    def test_writer_2_size_sum_and_name_are_the_sinks_own_findings(self, sink: RawSink) -> None:
        """The size, the sha256 and the payload's name are the sink's own findings, the rest is what it was told."""
        facts = replace(sample_facts(), record_count=99, request_ids=("a", "b"))
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(b"four")
            metadata = writer.finalize(facts)
        assert (metadata.key, metadata.run_id, metadata.facts) == (_KEY, _RUN, facts)
        assert metadata.payload_bytes == 4
        assert metadata.payload_sha256 == hashlib.sha256(b"four").hexdigest()
        assert PAYLOAD_NAME.fullmatch(metadata.payload_name)

    def test_writer_2_no_two_writers_use_one_payload_name(self, sink: RawSink) -> None:
        """The payload's name carries its writer's nonce."""
        names = {seal(sink, _KEY, sample_run(n)).payload_name for n in range(5)}
        assert len(names) == 5

    def test_writer_3_of_two_open_writers_one_seals(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        """At most one writer ever seals; the other's `finalize` raises `AlreadySealedError`."""
        with sink.open_writer(_KEY, _RUN) as first, sink.open_writer(_KEY, _RUN) as second:
            first.write(b"first")
            second.write(sample_payload(2, _MANY))
            second.finalize(sample_facts())
            before = files_of(backdoor, _KEY, _RUN)
            with pytest.raises(AlreadySealedError):
                first.finalize(sample_facts())
            first.abort()
        after = files_of(backdoor, _KEY, _RUN)
        assert {name: after[name] for name in before if name in after} == {
            name: data for name, data in before.items() if name in after
        }
        assert stored_payload(reader, _KEY, _RUN) == sample_payload(2, _MANY)
        assert len(after) == 2, "what the loser wrote is still there"

    def test_writer_3_two_runs_of_one_key_both_seal(self, sink: RawSink, reader: RawReader) -> None:
        """At most one writer of one `(key, run_id)` seals: another run is another partition."""
        with sink.open_writer(_KEY, sample_run(1)) as one, sink.open_writer(_KEY, sample_run(2)) as two:
            one.write(b"one")
            two.write(b"two")
            two.finalize(sample_facts())
            one.finalize(sample_facts())
        assert reader.runs(_KEY) == [sample_run(1), sample_run(2)]
        assert stored_payload(reader, _KEY, sample_run(1)) == b"one"
        assert stored_payload(reader, _KEY, sample_run(2)) == b"two"

    def test_writer_4_what_finalize_sealed_does_not_live_in_the_writers_process(
        self, sink_url: str, base: Path
    ) -> None:
        """When `finalize` has returned, the partition survives: its writer killed, another process reads it.

        That it survives the machine is shown where the storage can be watched, in the adapter's own tests.
        """
        order = Order(_KEY, _RUN, seed=1, size=100_000)
        with SinkWorker(sink_url, base) as writer:
            assert "done" in writer.ask("seal", order)
            writer.kill()
        with SinkWorker(sink_url, base) as other:
            assert other.ask("read", order) == {"done": order.payload.hex()}

    @pytest.mark.parametrize("size", [0, 10, _MANY])
    @pytest.mark.parametrize("give_up", WAYS_TO_GIVE_UP)
    def test_writer_5_giving_up_leaves_no_trace_and_the_run_may_begin_again(
        self, sink: RawSink, reader: RawReader, size: int, give_up: Callable[[PartitionWriter], None]
    ) -> None:
        """`abort`, leaving without `finalize` or an exception leave no trace, and the same run may open it again."""
        writer = sink.open_writer(_KEY, _RUN)
        writer.write(sample_payload(1, size))
        give_up(writer)
        del writer
        assert_invisible(reader, _KEY, _RUN)
        seal(sink, _KEY, _RUN, [b"second try"])
        assert stored_payload(reader, _KEY, _RUN) == b"second try"

    @pytest.mark.parametrize("size", [0, 10, _MANY])
    def test_writer_5_abort_takes_away_what_was_written(self, sink: RawSink, backdoor: Backdoor, size: int) -> None:
        """Give up, and take away what was written."""
        with sink.open_writer(_KEY, _RUN) as writer:
            writer.write(sample_payload(1, size))
        assert backdoor.names() == []

    def test_writer_5_abort_again_does_nothing(self, sink: RawSink, reader: RawReader) -> None:
        """`abort` twice, or after `finalize`, does nothing."""
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

    def test_writer_6_an_aborted_writer_writes_no_more(self, sink: RawSink, reader: RawReader) -> None:
        """After `abort`, `write` raises `StorageError`; so does `finalize`."""
        writer = sink.open_writer(_KEY, _RUN)
        writer.abort()
        with pytest.raises(StorageError):
            writer.write(b"late")
        with pytest.raises(StorageError):
            writer.finalize(sample_facts())
        assert_invisible(reader, _KEY, _RUN)

    def test_writer_6_a_writer_that_has_sealed_writes_no_more(self, sink: RawSink, reader: RawReader) -> None:
        """After `finalize`, `write` raises `StorageError`; so does a second `finalize`."""
        writer = sink.open_writer(_KEY, _RUN)
        writer.write(b"sealed")
        writer.finalize(sample_facts())
        with pytest.raises(StorageError):
            writer.write(b"late")
        with pytest.raises(StorageError):
            writer.finalize(sample_facts())
        assert stored_payload(reader, _KEY, _RUN) == b"sealed"
