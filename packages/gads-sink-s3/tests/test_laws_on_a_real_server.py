from __future__ import annotations

from typing import Any

import pytest

from gads_conformance import PruneLaws, SinkLaws
from gads_conformance.sink.laws import CrashLaws, ModelLaws
from gads_conformance.sink.reader_laws import ReaderLaws, StorageLaws
from gads_conformance.sink.suite import Effort
from gads_conformance.sink.writer_laws import WriterLaws

FEW = Effort(kills=2, examples=3)
"""The machine sends some twenty requests a step."""
LONG = Effort(races=100, racing_processes=8, kills=100, examples=60, steps=50)
"""Some 50,000 requests: minutes, where the examples that a file system gets would take an hour."""


class TestS3SinkOnARealServer(SinkLaws, PruneLaws):
    quick, campaign = FEW, LONG

    @pytest.fixture
    def sink_url(self, storage: Any) -> str:
        return str(storage.url)

    @pytest.fixture
    def backdoor(self, storage: Any) -> Any:
        return storage


@pytest.mark.campaign
class TestS3SinkOfASingleWriter(WriterLaws, ReaderLaws, StorageLaws, CrashLaws, ModelLaws):
    """Without the condition every law holds that one writer at a time can be held to; races are not among them."""

    quick, campaign = FEW, LONG

    @pytest.fixture
    def sink_url(self, careless_storage: Any) -> str:
        return str(careless_storage.through(careless_storage.endpoint, single_writer="true"))

    @pytest.fixture
    def backdoor(self, careless_storage: Any) -> Any:
        return careless_storage
