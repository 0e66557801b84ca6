from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gads_conformance.sink_laws import SinkLaws
from gads_conformance.sink_race_laws import kill_writers, race
from gads_conformance.sink_state_machine import EXAMPLES, run_sink_machine
from gads_domain.ports.sink import RawReader, RawSink


class Objects:
    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def names(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        return [found["Key"].removeprefix(self._prefix) for page in pages for found in page.get("Contents", [])]

    def get(self, path: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)["Body"].read()
        return body

    def put(self, path: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + path, Body=data)

    def remove(self, path: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)


class TestS3SinkOnMoto(SinkLaws):
    """The shape of the calls. Races and the whole machine are for a real server: see tests/s3 at the root."""

    @pytest.fixture
    def sink_url(self, moto_endpoint: str, bucket_name: str) -> str:
        return f"s3://{bucket_name}/deep/raw?endpoint={moto_endpoint}"

    @pytest.fixture
    def backdoor(self, moto: Any, bucket_name: str) -> Objects:
        return Objects(moto, bucket_name, "deep/raw/")

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
    def backdoor(self, moto: Any, bucket_name: str) -> Objects:
        return Objects(moto, bucket_name, "")


for _law in [name for name in dir(SinkLaws) if name.startswith("test_") and not name.startswith("test_reader")]:
    setattr(TestS3SinkAtTheRootOfABucket, _law, None)
