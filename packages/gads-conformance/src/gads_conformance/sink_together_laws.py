"""The laws of `SealsTogether`, for the sinks that are one; each test is named by its number in the port."""

from __future__ import annotations

from pathlib import Path

import pytest

from gads_conformance.sink_samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink_suite import Backdoor, SinkSuite, files_of
from gads_conformance.sink_worker import Order, SinkWorker
from gads_domain.errors import AlreadySealedError, StorageError
from gads_domain.metadata import PartitionMetadata
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import PartitionWriter, RawReader, RawSink, SealsTogether

_MANY = 40
_RUN = sample_run()


class TogetherLaws(SinkSuite):
    """Every law of sealing together; a subclass gives what a sink's suite wants."""

    def test_together_1_each_is_answered_with_its_own_seal(self, sink: RawSink, reader: RawReader) -> None:
        """In the order of the writers; payloads of no bytes, few and many among them."""
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

    def test_together_1_none_hangs_on_another(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        """Who lost a race, who has ended before and who is there twice fail alone, and leave nothing."""
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
        for number in range(_MANY):
            if number == ended:
                assert reader.runs(sample_key(number)) == []
            else:
                expected = b"faster" if number in lost else b"mine"
                assert stored_payload(reader, sample_key(number), _RUN) == expected
                assert len(files_of(backdoor, sample_key(number), _RUN)) == 2
        seal(sink, sample_key(ended), _RUN, [b"another try"])

    def test_together_1_nothing_is_sealed_of_nobody(self, sink: RawSink, backdoor: Backdoor) -> None:
        """No writers, no answers, and nothing is touched."""
        assert isinstance(sink, SealsTogether)
        assert sink.finalize_together([]) == []
        assert list(backdoor.names()) == []

    def test_together_2_what_was_sealed_does_not_live_in_the_writers_process(self, sink_url: str, base: Path) -> None:
        """Its writer killed, another process reads it. That it survives the machine is for the adapter's own tests."""
        orders = [Order(sample_key(number), _RUN, seed=number, size=1000) for number in range(5)]
        with SinkWorker(sink_url, base) as writer:
            assert writer.ask("seal_together", *orders) == {"done": [PartitionMetadata.__name__] * len(orders)}
            writer.kill()
        with SinkWorker(sink_url, base) as other:
            for order in orders:
                assert other.ask("read", order) == {"done": order.payload.hex()}


def _begun(sink: RawSink, number: int, payload: bytes) -> PartitionWriter:
    writer = sink.open_writer(sample_key(number), _RUN)
    writer.write(payload)
    return writer
