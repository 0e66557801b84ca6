from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gads_conformance.sink_laws import SinkLaws
from gads_conformance.sink_race_laws import kill_writers, race
from gads_conformance.sink_state_machine import EXAMPLES, run_sink_machine
from gads_domain.ports.sink import RawReader, RawSink
from gads_testing.s3.servers import Storage


class TestS3SinkOnMoto(SinkLaws):
    """The shape of the calls. Races and the whole machine are for a real server: see test_laws_on_a_real_server."""

    @pytest.fixture
    def sink_url(self, moto_endpoint: str, bucket_name: str) -> str:
        return f"s3://{bucket_name}/deep/raw?endpoint={moto_endpoint}"

    @pytest.fixture
    def backdoor(self, moto: Any, moto_endpoint: str, bucket_name: str) -> Storage:
        return Storage(moto_endpoint, bucket_name, "deep/raw", (), moto)

    def test_sink_behaves_as_its_model(self, sink_url: str, base: Path) -> None:
        run_sink_machine(sink_url, base, settings(EXAMPLES, max_examples=1))

    def test_writer_3_of_racing_processes_one_seals(
        self, sink_url: str, base: Path, reader: RawReader, backdoor: Any
    ) -> None:
        race(sink_url, base, reader, backdoor, rounds=2, processes=2)

    def test_writer_5_a_killed_writer_leaves_no_trace(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader
    ) -> None:
        kill_writers(sink_url, base, sink, reader, rounds=1)

    @pytest.mark.campaign
    @pytest.mark.timeout(900)
    def test_sink_behaves_as_its_model_campaign(self, sink_url: str, base: Path) -> None:
        run_sink_machine(sink_url, base, settings(EXAMPLES, max_examples=40))

    @pytest.mark.campaign
    @pytest.mark.timeout(900)
    def test_writer_5_a_killed_writer_leaves_no_trace_campaign(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader
    ) -> None:
        kill_writers(sink_url, base, sink, reader, rounds=20)


class TestS3SinkAtTheRootOfABucket(SinkLaws):
    """The same without a prefix, where paths and keys are one; in part, since the rest cannot tell."""

    @pytest.fixture
    def sink_url(self, moto_endpoint: str, bucket_name: str) -> str:
        return f"s3://{bucket_name}?endpoint={moto_endpoint}"

    @pytest.fixture
    def backdoor(self, moto: Any, moto_endpoint: str, bucket_name: str) -> Storage:
        return Storage(moto_endpoint, bucket_name, "", (), moto)


for _law in [name for name in dir(SinkLaws) if name.startswith("test_") and not name.startswith("test_reader")]:
    setattr(TestS3SinkAtTheRootOfABucket, _law, None)
