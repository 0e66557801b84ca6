from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_domain.adapters import sink_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext, RunId
from gads_emulator import Call, EmulatorServer, Selection, SyntheticAgency, SyntheticSettings, trust_process_authority
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.report_source import GoogleAdsReportSource
from gads_testing.staged_extraction import FIRST, LAST, REPORT, FixedClock, Naps

API_VERSION = "v26"

Script = Callable[[Call, Selection], Iterator[bytes]]


class Stage:
    """What the emulator plays: the real answer, or the script that a test puts here."""

    def __init__(self) -> None:
        self.script: Script | None = None
        self.calls: list[Call] = []

    def wrap(self, real: Selection) -> Selection:
        def answer(call: Call) -> Iterator[bytes]:
            self.calls.append(call)
            script = self.script
            return real(call) if script is None else script(call, real)

        return answer


@pytest.fixture(scope="session")
def _session_stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session", autouse=True)
def _authority() -> None:
    """gRPC reads what it trusts once a process, at its first channel."""
    trust_process_authority()


@pytest.fixture(scope="session")
def emulator(_session_stage: Stage) -> Iterator[EmulatorServer]:
    settings = SyntheticSettings(
        seed=3, accounts=3, campaigns=4, first=date(2024, 1, 1), last=date(2024, 3, 31), keeps_everything=True
    )
    with EmulatorServer(SyntheticAgency(settings), wrap=_session_stage.wrap) as server:
        yield server


@pytest.fixture(scope="session")
def configuration(emulator: EmulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return emulator.write_client_configuration(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def connection(configuration: Path) -> Iterator[GoogleAdsConnection]:
    with GoogleAdsConnection.open(configuration, API_VERSION) as opened:
        yield opened


@pytest.fixture
def stage(_session_stage: Stage) -> Iterator[Stage]:
    _session_stage.calls.clear()
    yield _session_stage
    _session_stage.script = None


@pytest.fixture
def account(emulator: EmulatorServer) -> str:
    return next(number for number, account in emulator.agency.accounts.items() if not account.manager)


@pytest.fixture
def manager(emulator: EmulatorServer) -> str:
    return next(number for number, account in emulator.agency.accounts.items() if account.manager)


@pytest.fixture
def sink(tmp_path: Path) -> RawSink:
    return sink_adapter("file:raw").open_sink("file:raw", tmp_path)


@pytest.fixture
def run() -> RunContext:
    return RunContext(RandomRunIds(SystemClock()).new_run_id())


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def source(connection: GoogleAdsConnection, naps: Naps) -> GoogleAdsReportSource:
    retry = RetryPolicy(attempts=3, sleep=naps, chance=lambda: 0.5)
    return GoogleAdsReportSource(connection, clock=FixedClock(), retry=retry)


@pytest.fixture
def slice_(account: str) -> ReportSlice:
    return ReportSlice(account, REPORT, FIRST, LAST)


@pytest.fixture
def every_writer_is_ended(sink: RawSink, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens: a writer that was opened is sealed or aborted, and not left to the garbage collector."""
    kind: Any = type(sink)
    real = kind.open_writer
    opened: list[_WatchedWriter] = []

    def open_writer(self: RawSink, key: PartitionKey, run_id: RunId) -> _WatchedWriter:
        opened.append(_WatchedWriter(real(self, key, run_id)))
        return opened[-1]

    monkeypatch.setattr(kind, "open_writer", open_writer)
    yield
    assert all(writer.ended for writer in opened)


class _WatchedWriter:
    def __init__(self, inner: PartitionWriter) -> None:
        self._inner = inner
        self.ended = False

    def write(self, data: bytes | memoryview) -> int:
        return self._inner.write(data)

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        sealed = self._inner.finalize(facts)
        self.ended = True
        return sealed

    def abort(self) -> None:
        self._inner.abort()
        self.ended = True
