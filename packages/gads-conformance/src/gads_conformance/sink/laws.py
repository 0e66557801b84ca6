"""The laws of `RawSink`, `RawReader` and `PartitionWriter` in one class."""

from gads_conformance.sink.model_laws import ModelLaws
from gads_conformance.sink.process_laws import CrashLaws, RaceLaws
from gads_conformance.sink.reader_laws import ReaderLaws, StorageLaws
from gads_conformance.sink.writer_laws import WriterLaws


class SinkLaws(WriterLaws, ReaderLaws, StorageLaws, RaceLaws, CrashLaws, ModelLaws):
    """Every law of a sink. A subclass gives the fixtures of `SinkSuite`:

        class TestMySink(SinkLaws):
            @pytest.fixture
            def sink_url(self) -> str: ...
            @pytest.fixture
            def backdoor(self, base: Path) -> Backdoor: ...

    The sink is always opened through its entry point, since other processes of the suite open it too.
    """
