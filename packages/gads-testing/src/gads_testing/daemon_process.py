"""A daemon that tests kill: the real sink and ledger, and an API that records its calls.

python -m gads_testing.daemon_process SCENE_AS_JSON
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.errors import GadsError
from gads_domain.metadata import KnownContent
from gads_domain.metadata_codec import seal_sha256
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import NOTHING_KNOWN, OperationQuota, RowProgress, Sealed, SliceResult
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.run import RunContext, RunId
from gads_orchestrator.budget import Budget, QuotaGate
from gads_orchestrator.daemon import Daemon
from gads_orchestrator.execution import Control
from gads_orchestrator.plan import Account, WorkRequest
from gads_orchestrator.retry_policy import RetryPolicy
from gads_orchestrator.selection import SelectDue
from gads_orchestrator.worker import WorkerContext
from gads_orchestrator.worker_pool import WorkerProcesses
from gads_testing.seal_validator import SealValidator
from gads_testing.simulated_api import FACTS, failed_slice

SINK, LEDGER = "file:raw", "sqlite:ledger.db"
LAST = date(2024, 5, 31)


@dataclass(frozen=True)
class Scene:
    """What the daemon extracts, in which folder, how long a call takes, and which report kills the worker."""

    folder: str
    accounts: int
    reports: int
    days: int
    workers: int = 2
    days_a_request: int = 5
    call_seconds: float = 0.02
    lease_seconds: float = 5.0
    deadly: str = ""

    @property
    def base(self) -> Path:
        return Path(self.folder)

    @property
    def first(self) -> date:
        return LAST - timedelta(days=self.days - 1)

    def all_keys(self) -> list[PartitionKey]:
        return [
            PartitionKey("google_ads", str(1000 + account), f"report_{report}", self.first + timedelta(days=day))
            for account in range(self.accounts)
            for report in range(self.reports)
            for day in range(self.days)
        ]

    def write(self, name: str, line: object) -> None:
        """Append a line; short appends of several processes do not mix."""
        descriptor = os.open(self.base / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.close(descriptor)

    def lines(self, name: str) -> list[list[str]]:
        path = self.base / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class RecordingApi:
    """Records each call, and each day of it that was sealed already."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
    ) -> SliceResult:
        assert quota is not None
        if slice_.report.name == self._scene.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            quota.take()
        except GadsError as error:
            return failed_slice(slice_, error, 0)
        for key in slice_.keys:
            if sink.runs(key):
                self._scene.write("violations", [str(key), "was requested after it was sealed"])
        days = [slice_.first.isoformat(), slice_.last.isoformat()]
        self._scene.write("calls", [slice_.customer_id, slice_.report.name, *days, run.run_id.value])
        time.sleep(self._scene.call_seconds)  # what the network takes
        outcomes = []
        for key in slice_.keys:
            with sink.open_writer(key, run.run_id) as writer:
                writer.write(str(key).encode())
                outcomes.append(Sealed(key, writer.finalize(FACTS)))
        return SliceResult(tuple(outcomes), 1)


@dataclass(frozen=True)
class RecordingContext:
    """The factory that each worker process gets."""

    scene: Scene

    def __call__(self) -> AbstractContextManager[WorkerContext]:
        return self._open()

    @contextmanager
    def _open(self) -> Iterator[WorkerContext]:
        base, clock = self.scene.base, SystemClock()
        sink = sink_adapter(SINK).open_sink(SINK, base)
        adapter = ledger_adapter(LEDGER)
        with (
            adapter.open_for_validator(LEDGER, base) as ledger,
            adapter.open_for_control_plane(LEDGER, base) as control,
        ):
            gate = QuotaGate(control, Budget("filed"), clock)

            def digests(key: PartitionKey, run_id: RunId) -> tuple[str, str]:
                return seal_sha256(sink.metadata_bytes(key, run_id)), "0" * 64

            validator = SealValidator(sink.runs, digests, ledger, clock)
            yield WorkerContext(RecordingApi(self.scene), sink, validator, gate, clock)


def daemon(scene: Scene, stop: threading.Event, on_idle: Callable[[], None] = lambda: None) -> None:
    """Serve the scene until no work is left or `stop` is set."""
    accounts = tuple(Account(str(1000 + number)) for number in range(scene.accounts))
    reports = tuple(ReportDefinition(f"report_{number}", "SELECT") for number in range(scene.reports))
    clock = SystemClock()
    policy = SelectDue(RetryPolicy(first_delay=timedelta(seconds=1), largest_delay=timedelta(seconds=2)))
    with ledger_adapter(LEDGER).open_for_control_plane(LEDGER, scene.base) as control:
        serving = Daemon(
            lambda now: WorkRequest(accounts, reports, now, policy, scene.first, LAST, scene.days_a_request),
            lambda: RunContext(RandomRunIds(clock).new_run_id(), f"process {os.getpid()}", "serve"),
            Control(control, clock, Budget("filed"), lease_length=timedelta(seconds=scene.lease_seconds)),
            WorkerProcesses(scene.workers, RecordingContext(scene)),
            stop,
            look_seconds=0.2,
        )
        try:
            while not stop.is_set():
                if serving.look() is None:
                    scene.write("idle", [str(os.getpid())])
                    return
                stop.wait(serving.look_seconds)
        finally:
            serving.workers.close()


if __name__ == "__main__":
    # A worker process finds what it is sent by the name of its module.
    from gads_testing import daemon_process

    daemon_process.daemon(daemon_process.Scene(**json.loads(sys.argv[1])), threading.Event())
