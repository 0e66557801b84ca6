"""The laws of `RawSink`, `RawReader` and `PartitionWriter` as one pytest class that a sink's adapter subclasses.

    class TestMySink(SinkLaws):
        @pytest.fixture
        def sink_url(self) -> str: ...
        @pytest.fixture
        def backdoor(self, sink_url: str, base: Path) -> Backdoor: ...

The sink is always opened through its entry point, since other processes of the suite open it too. `sink_url` names an
empty storage of one test alone.
"""

from __future__ import annotations

from gads_conformance.sink_race_laws import RaceLaws
from gads_conformance.sink_reader_laws import ReaderLaws, StorageLaws
from gads_conformance.sink_state_machine import StateMachineLaws
from gads_conformance.sink_writer_laws import WriterLaws


class SinkLaws(WriterLaws, ReaderLaws, StorageLaws, RaceLaws, StateMachineLaws):
    """Every law of a sink; a subclass gives the fixtures of `SinkSuite`."""
