from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gads_conformance.sink_laws import SinkLaws
from gads_conformance.sink_race_laws import kill_writers
from gads_conformance.sink_state_machine import EXAMPLES, run_sink_machine
from gads_domain.ports.sink import RawReader, RawSink

FEW = settings(EXAMPLES, max_examples=3)
"""The machine sends some twenty requests a step."""
LONG = settings(EXAMPLES, max_examples=60, stateful_step_count=50)
"""Some 50,000 requests: minutes, where the games that a file system plays would take an hour."""


class TestS3SinkOnARealServer(SinkLaws):
    @pytest.fixture
    def sink_url(self, storage: Any) -> str:
        return str(storage.url)

    @pytest.fixture
    def backdoor(self, storage: Any) -> Any:
        return storage

    def test_sink_behaves_as_its_model(self, sink_url: str, base: Path) -> None:
        run_sink_machine(sink_url, base, FEW)

    @pytest.mark.campaign
    @pytest.mark.timeout(1800)
    def test_sink_behaves_as_its_model_campaign(self, sink_url: str, base: Path) -> None:
        run_sink_machine(sink_url, base, LONG)

    def test_writer_5_a_killed_writer_leaves_no_trace(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader
    ) -> None:
        kill_writers(sink_url, base, sink, reader, rounds=2)


@pytest.mark.campaign
class TestS3SinkOfASingleWriter(SinkLaws):
    """Without the condition every law holds that one writer at a time can be held to; the races are not among them."""

    @pytest.fixture
    def sink_url(self, careless_storage: Any) -> str:
        return str(careless_storage.through(careless_storage.endpoint, single_writer="true"))

    @pytest.fixture
    def backdoor(self, careless_storage: Any) -> Any:
        return careless_storage

    def test_sink_behaves_as_its_model(self, sink_url: str, base: Path) -> None:
        run_sink_machine(sink_url, base, FEW)

    @pytest.mark.timeout(1800)
    def test_sink_behaves_as_its_model_campaign(self, sink_url: str, base: Path) -> None:
        run_sink_machine(sink_url, base, LONG)


for _race in ("test_writer_3_of_racing_processes_one_seals", "test_writer_3_of_racing_processes_one_seals_campaign"):
    setattr(TestS3SinkOfASingleWriter, _race, None)
