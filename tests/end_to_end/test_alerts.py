"""A daemon that is killed is told of by another one."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gads_domain.adapters import ledger_adapter
from gads_domain.ports.activity import ActivityLedgerAdapter, ActivityReader
from gads_testing.alert_destinations import SECRET, webhook

SETTINGS = """
[run]
heartbeat_seconds = 2
look_seconds = 0.2
[[alerts]]
name = "ops"
url_env = "GADS_HOOK_URL"
watch = ["daemon"]
"""


def when(found: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def idles(reader: ActivityReader, process: subprocess.Popen[bytes]) -> bool:
    return any(one.pid == process.pid and one.doing.startswith("idle") for one in reader.heartbeats())


def test_the_second_daemon_tells_that_the_first_was_killed(
    tmp_path: Path, gads_etl_script: Path, project: Any, agency: Path, customers: list[str], monkeypatch: Any
) -> None:
    config = project(agency, customers[:1], extra=SETTINGS)
    adapter = ledger_adapter("sqlite:state.db")
    assert isinstance(adapter, ActivityLedgerAdapter)
    command = [str(gads_etl_script), "serve", "-c", str(config), "--report", "account"]
    with ExitStack() as opened:
        hook = opened.enter_context(webhook())
        monkeypatch.setenv("GADS_HOOK_URL", hook.url)
        reader = opened.enter_context(adapter.open_activity_reader("sqlite:state.db", tmp_path))
        log = opened.enter_context((tmp_path / "daemons.log").open("w"))

        def served() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
            opened.callback(process.wait)
            opened.callback(process.kill)
            when(lambda: idles(reader, process), "a daemon idles")
            return process

        first, second = served(), served()
        assert hook.received == []
        first.kill()
        when(lambda: hook.received, "the second tells that the first is silent")
        when(lambda: "sent to ops" in (tmp_path / "daemons.log").read_text(), "and says that it did")
        second.send_signal(signal.SIGTERM)
        assert second.wait(10) == 0
        (message,) = hook.received
    assert message["title"] == "gads-etl: 1 critical"
    assert f"(pid {first.pid}) sends no heartbeat since" in message["message"]
    assert SECRET not in (tmp_path / "daemons.log").read_text()
