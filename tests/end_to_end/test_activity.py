"""That `gads-etl serve` lives is seen from another process, and so is that it was killed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gads_domain.activity import Heartbeat, lost
from gads_domain.adapters import ledger_adapter
from gads_domain.ports.activity import ActivityLedgerAdapter, ActivityReader

RUN = "[run]\nheartbeat_seconds = 1\nlook_seconds = 0.2\n"


def when(reader: ActivityReader, condition: Callable[[Heartbeat], bool]) -> Heartbeat:
    """The newest heartbeat, once it is as the condition says."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = reader.heartbeats(1)
        if found and condition(found[0]):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"{reader.heartbeats()}")


def test_a_killed_daemon_is_silent_within_its_interval(
    tmp_path: Path, gads_etl_script: Path, project: Any, agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers[:1], extra=RUN)
    command = [str(gads_etl_script), "serve", "-c", str(config), "--report", "account"]
    adapter = ledger_adapter("sqlite:state.db")
    assert isinstance(adapter, ActivityLedgerAdapter)
    with adapter.open_activity_reader("sqlite:state.db", tmp_path) as reader:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            idle = when(reader, lambda beat: beat.doing.startswith("idle until"))
            assert (idle.pid, idle.is_silent(datetime.now(UTC))) == (process.pid, False)
            later = when(reader, lambda beat: beat.beat_at > idle.beat_at + timedelta(seconds=0.9))
            assert later.process == idle.process, "it beats while it idles"
            process.kill()
            killed_at = time.monotonic()
        silent = when(reader, lambda beat: beat.is_silent(datetime.now(UTC)))
        assert time.monotonic() - killed_at <= 2, "the interval, and what looking takes"
        assert lost(reader.heartbeats(), datetime.now(UTC)) == [silent]
        assert silent.ended_at is None
        assert {(one.process, one.ended) for one in reader.rounds(9)} == {(silent.process, "done")}
