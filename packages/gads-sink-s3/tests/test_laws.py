from typing import Any

import pytest

from gads_conformance import AddressLaws, PruneLaws, SinkLaws
from gads_conformance.sink.reader_laws import ReaderLaws
from gads_conformance.sink.suite import Effort
from gads_testing.s3.servers import Storage


class TestS3SinkOnMoto(SinkLaws, PruneLaws):
    """The shape of the calls. Races and the whole machine are for a real server: see test_laws_on_a_real_server."""

    quick = Effort(races=2, racing_processes=2, kills=1, examples=1)
    campaign = Effort(races=2, racing_processes=2, kills=20, examples=40)

    @pytest.fixture
    def sink_url(self, moto_endpoint: str, bucket_name: str) -> str:
        return f"s3://{bucket_name}/deep/raw?endpoint={moto_endpoint}"

    @pytest.fixture
    def backdoor(self, moto: Any, moto_endpoint: str, bucket_name: str) -> Storage:
        return Storage(moto_endpoint, bucket_name, "deep/raw", (), moto)


class TestS3SinkAtTheRootOfABucket(ReaderLaws, AddressLaws):
    """The same without a prefix, where paths and keys are one; in part, since the rest is the same."""

    @pytest.fixture
    def sink_url(self, moto_endpoint: str, bucket_name: str) -> str:
        return f"s3://{bucket_name}?endpoint={moto_endpoint}"

    @pytest.fixture
    def backdoor(self, moto: Any, moto_endpoint: str, bucket_name: str) -> Storage:
        return Storage(moto_endpoint, bucket_name, "", (), moto)
