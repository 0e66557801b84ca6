"""The laws of `RawReader` and `RawSink`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from gads_conformance.law import law
from gads_conformance.sink.samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink.suite import Backdoor, SinkSuite, assert_invisible, files_of
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, DamagedPartitionError, InvalidValueError, NotSealedError
from gads_domain.layout import METADATA_NAME, key_prefix, partition_prefix
from gads_domain.metadata_codec import LARGEST_SEAL
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader, RawSink

_KEY = sample_key()
_RUN = sample_run()
_PREFIX = partition_prefix(_KEY, _RUN)
_PAYLOAD = "payload-0123456789abcdef.parquet"

FOREIGN_PATHS = [
    "metadata.json",
    "README",
    ".hidden/metadata.json",
    "google_ads/metadata.json",
    "google_ads/customer_id=1/metadata.json",
    f"Google_Ads/{_PREFIX.split('/', 1)[1]}/metadata.json",
    _PREFIX.replace("customer_id=", "customer_id=0") + "/metadata.json",
    _PREFIX.replace("customer_id=", "customer=") + "/metadata.json",
    _PREFIX.replace("customer_id=1234567890", "customer_id=123-456-7890") + "/metadata.json",
    _PREFIX.replace("report=", "report=Campaign") + "/metadata.json",
    _PREFIX.replace("2024-06-01", "20240601") + "/metadata.json",
    _PREFIX.replace("2024-06-01", "2024-02-30") + "/metadata.json",
    _PREFIX.replace("2024-06-01", "2024-W22-6") + "/metadata.json",
    _PREFIX.replace("run_id=2", "run_id=x2") + "/metadata.json",
    f"{key_prefix(_KEY)}/metadata.json",
    f"{_PREFIX}/{_PAYLOAD}",
    f"{_PREFIX}/METADATA.JSON",
    f"{_PREFIX}/metadata.json.bak",
    f"{_PREFIX}/deeper/metadata.json",
]


class ReaderLaws(SinkSuite):
    """Laws of `RawReader`."""

    @law("RawReader", 1)
    def test_an_empty_storage_reads_as_empty(self, reader: RawReader, backdoor: Backdoor) -> None:
        assert_invisible(reader, _KEY, _RUN)
        assert backdoor.names() == []

    @law("RawReader", 1)
    def test_a_payload_without_a_seal_does_not_exist(self, reader: RawReader, backdoor: Backdoor) -> None:
        backdoor.put(f"{_PREFIX}/{_PAYLOAD}", b"left by a dead writer")
        assert_invisible(reader, _KEY, _RUN)

    @law("RawReader", 1)
    def test_another_run_of_a_sealed_key_does_not_exist(self, sink: RawSink, reader: RawReader) -> None:
        metadata = seal(sink, _KEY, _RUN)
        for key, run_id in [(_KEY, sample_run(1)), (sample_key(1), _RUN)]:
            with pytest.raises(NotSealedError):
                reader.metadata_bytes(key, run_id)
            with pytest.raises(NotSealedError):
                reader.open_payload(key, run_id, metadata.payload_name)

    @law("RawReader", 2)
    def test_two_reads_give_the_same_bytes(self, sink: RawSink, reader: RawReader) -> None:
        payload = sample_payload(1, 300_000)
        metadata = seal(sink, _KEY, _RUN, [payload])
        with reader.open_payload(_KEY, _RUN, metadata.payload_name) as stream:
            half = stream.read(150_000)
            seal(sink, _KEY, sample_run(1), [sample_payload(2, 300_000)])
            with pytest.raises(AlreadySealedError):
                sink.open_writer(_KEY, _RUN)
            with sink.open_writer(_KEY, sample_run(2)) as writer:
                writer.write(sample_payload(3, 300_000))
            assert half + stream.read() == payload
        assert stored_payload(reader, _KEY, _RUN) == payload
        assert reader.metadata_bytes(_KEY, _RUN) == sink.metadata_bytes(_KEY, _RUN)

    @law("RawReader", 2)
    def test_a_payload_is_seekable(self, sink: RawSink, reader: RawReader) -> None:
        metadata = seal(sink, _KEY, _RUN, [b"0123456789"])
        with reader.open_payload(_KEY, _RUN, metadata.payload_name) as stream:
            assert stream.readable()
            assert stream.seekable()
            assert stream.seek(-3, 2) == 7
            assert stream.read() == b"789"
            assert stream.seek(2) == 2
            assert stream.read(3) == b"234"
            assert stream.tell() == 5

    @law("RawReader", 3)
    @pytest.mark.parametrize("damage", [b"", b"{", b"\x00\xff", b'{"seal_sha256":"0"}\n'])
    def test_a_damaged_seal_is_listed_and_returned(
        self, sink: RawSink, reader: RawReader, backdoor: Backdoor, damage: bytes
    ) -> None:
        metadata = seal(sink, _KEY, _RUN)
        backdoor.put(f"{_PREFIX}/{METADATA_NAME}", damage)
        assert reader.runs(_KEY) == [_RUN]
        assert list(reader.sealed()) == [(_KEY, _RUN)]
        assert reader.metadata_bytes(_KEY, _RUN) == damage
        with reader.open_payload(_KEY, _RUN, metadata.payload_name) as stream:
            assert stream.read() == b"payload"

    @law("RawReader", 4)
    def test_of_an_endless_seal_little_is_read(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        seal(sink, _KEY, _RUN)
        backdoor.put(f"{_PREFIX}/{METADATA_NAME}", b" " * (LARGEST_SEAL + 10))
        assert len(reader.metadata_bytes(_KEY, _RUN)) == LARGEST_SEAL + 1

    @law("RawReader", 3)
    def test_a_damaged_payload_is_returned(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        metadata = seal(sink, _KEY, _RUN)
        backdoor.put(f"{_PREFIX}/{metadata.payload_name}", b"flipped")
        with reader.open_payload(_KEY, _RUN, metadata.payload_name) as stream:
            assert stream.read() == b"flipped"

    @law("RawReader", 3)
    def test_a_missing_payload_is_damage(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        metadata = seal(sink, _KEY, _RUN)
        backdoor.remove(f"{_PREFIX}/{metadata.payload_name}")
        assert reader.runs(_KEY) == [_RUN]
        with pytest.raises(DamagedPartitionError):
            reader.open_payload(_KEY, _RUN, metadata.payload_name)

    @law("RawReader", 3)
    @pytest.mark.parametrize(
        "name",
        [
            "",
            "metadata.json",
            "../metadata.json",
            "../../secret",
            "/etc/hostname",
            f"../{_RUN}/{_PAYLOAD}",
            f"./{_PAYLOAD}",
            _PAYLOAD + "\n",
            _PAYLOAD + "\0",
            _PAYLOAD.upper(),
            "payload-0123456789abcde.parquet",
        ],
    )
    def test_only_payload_names_are_opened(self, sink: RawSink, reader: RawReader, name: str) -> None:
        seal(sink, _KEY, _RUN)
        with pytest.raises(InvalidValueError):
            reader.open_payload(_KEY, _RUN, name)

    def test_partitions_are_listed_in_key_and_run_order(self, sink: RawSink, reader: RawReader) -> None:
        keys = [
            PartitionKey(source, customer_id, report, date(2024, month, 1))
            for source in ("google_ads", "other")
            for customer_id in ("9", "10", "100")
            for report in ("ad", "ad_group")
            for month in (2, 11)
        ]
        sealed = [(key, sample_run(n)) for key in keys for n in (2, 1)]
        for key, run_id in sealed:
            seal(sink, key, run_id)
        assert list(reader.sealed()) == sorted(sealed)
        assert list(reader.sealed(source="other")) == sorted(s for s in sealed if s[0].source == "other")
        narrowed = [s for s in sealed if s[0].source == "google_ads" and s[0].customer_id == "10"]
        assert list(reader.sealed(source="google_ads", customer_id="10")) == sorted(narrowed)
        narrowed = [s for s in narrowed if s[0].report == "ad"]
        assert list(reader.sealed(source="google_ads", customer_id="10", report="ad")) == sorted(narrowed)
        assert list(reader.sealed(source="nothing")) == []
        assert list(reader.sealed(source="google_ads", customer_id="1")) == []
        assert [reader.runs(key) for key in keys] == [[sample_run(1), sample_run(2)]] * len(keys)

    @pytest.mark.parametrize(
        "narrowing",
        [
            {"customer_id": "1"},
            {"report": "campaign"},
            {"source": "google_ads", "report": "campaign"},
            {"source": "../google_ads"},
            {"source": "google_ads", "customer_id": ""},
            {"source": "google_ads", "customer_id": "1/report=campaign"},
        ],
    )
    def test_a_listing_is_narrowed_from_the_left_only(self, reader: RawReader, narrowing: dict[str, str]) -> None:
        with pytest.raises(InvalidValueError):
            list(reader.sealed(**narrowing))

    def test_files_outside_the_layout_are_ignored(self, sink: RawSink, reader: RawReader, backdoor: Backdoor) -> None:
        for path in FOREIGN_PATHS:
            backdoor.put(path, b"{}")
        assert_invisible(reader, _KEY, _RUN)
        seal(sink, _KEY, _RUN)
        assert list(reader.sealed()) == [(_KEY, _RUN)]
        assert reader.runs(_KEY) == [_RUN]
        assert set(FOREIGN_PATHS) <= set(backdoor.names())

    def test_a_reader_cannot_write(self, reader: RawReader) -> None:
        public = {name for name in dir(reader) if not name.startswith("_")}
        assert public - {"address"} == {"runs", "sealed", "metadata_bytes", "open_payload"}


class StorageLaws(SinkSuite):
    """Laws of `RawSink`."""

    @law("RawSink", 1)
    def test_a_sealed_partition_is_not_opened_again(self, sink: RawSink, sink_url: str, base: Path) -> None:
        seal(sink, _KEY, _RUN)
        with pytest.raises(AlreadySealedError):
            sink.open_writer(_KEY, _RUN)
        with pytest.raises(AlreadySealedError):
            sink_adapter(sink_url).open_sink(sink_url, base).open_writer(_KEY, _RUN)
        with SinkWorker(sink_url, base) as other:
            assert other.do("open", SamplePartition(_KEY, _RUN, 0, 0)) == {"error": "already_sealed"}

    @law("RawSink", 1)
    def test_damage_does_not_open_a_partition_again(self, sink: RawSink, backdoor: Backdoor) -> None:
        seal(sink, _KEY, _RUN)
        backdoor.put(f"{_PREFIX}/{METADATA_NAME}", b"")
        with pytest.raises(AlreadySealedError):
            sink.open_writer(_KEY, _RUN)

    @law("RawSink", 2)
    def test_writers_never_see_each_others_bytes(self, sink: RawSink, reader: RawReader) -> None:
        keys = [sample_key(day) for day in range(120)]
        writers = [sink.open_writer(key, _RUN) for key in keys]
        rivals = [sink.open_writer(keys[0], _RUN) for _ in range(10)]
        for turn in range(3):
            for number, writer in enumerate([*writers, *rivals]):
                writer.write(sample_payload(number * 3 + turn, 1000))
        for rival in rivals:
            rival.abort()
        for writer in reversed(writers):
            writer.finalize(sample_facts())
        for number, key in enumerate(keys):
            expected = b"".join(sample_payload(number * 3 + turn, 1000) for turn in range(3))
            assert stored_payload(reader, key, _RUN) == expected

    @law("RawSink", 2)
    def test_threads_may_share_a_sink(self, sink: RawSink, reader: RawReader) -> None:
        partitions = [SamplePartition(sample_key(n), _RUN, seed=n, size=n * 20_000) for n in range(24)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda one: seal(sink, one.key, one.run_id, [one.payload]), partitions))
        assert [stored_payload(reader, one.key, _RUN) for one in partitions] == [one.payload for one in partitions]

    @law("RawSink", 3)
    def test_nothing_sealed_is_changed_or_removed(self, sink: RawSink, backdoor: Backdoor) -> None:
        rival = sink.open_writer(_KEY, _RUN)
        rival.write(b"too late")
        seal(sink, _KEY, _RUN)
        before = files_of(backdoor, _KEY, _RUN)
        with pytest.raises(AlreadySealedError):
            rival.finalize(sample_facts())
        with pytest.raises(AlreadySealedError):
            sink.open_writer(_KEY, _RUN)
        with sink.open_writer(_KEY, sample_run(1)) as writer:
            writer.write(b"given up")
        seal(sink, _KEY, sample_run(2))
        sink.check()
        assert files_of(backdoor, _KEY, _RUN) == before

    def test_check_leaves_nothing(self, sink: RawSink, backdoor: Backdoor) -> None:
        sink.check()
        assert backdoor.names() == []
        seal(sink, _KEY, _RUN)
        before = sorted(backdoor.names())
        sink.check()
        assert sorted(backdoor.names()) == before
