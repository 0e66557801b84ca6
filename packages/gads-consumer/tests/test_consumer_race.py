"""Processes restate and validate while other processes read: no torn read, no mixed read, no gap in the feed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gads_testing.local_deployment import LocalDeployment, key_of


def _race(base: Path, each: int, seals: int, seconds: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the writers and the readers say; writers end after `seals` partitions or `seconds`, readers after them."""
    started = [
        subprocess.Popen(
            [
                sys.executable,
                *("-m", "gads_testing.consumer_process"),
                json.dumps({"task": task, "base": str(base), "worker": number, "seals": seals}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for task in ("write", "read")
        for number in range(each)
    ]
    try:
        for worker in started:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in started:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        end = time.monotonic() + seconds
        for writer in started[:each]:
            with suppress(subprocess.TimeoutExpired):
                writer.wait(max(end - time.monotonic(), 0))
        reported = []
        for worker in started:
            out, _ = worker.communicate(timeout=100)
            assert worker.returncode == 0
            reported.append(json.loads(out))
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()
    return reported[:each], reported[each:]


def _check(base: Path, each: int, seals: int, seconds: float) -> None:
    deployment = LocalDeployment(base)
    deployment.make_authoritative(key_of(1, 0), 0)
    writers, readers = _race(base, each, seals, seconds)
    changes = sum(entry.changes_authority for entry in deployment.ledger.authority_changes())
    deployment.close()
    assert [fault for reader in readers for fault in reader["faults"]] == []
    assert all(writer["moved"] for writer in writers)
    # Every reader outlived the writers, so it has followed every change.
    assert [reader["changes"] for reader in readers] == [changes] * each


def test_readers_among_writers_see_whole_runs(tmp_path: Path) -> None:
    _check(tmp_path, each=2, seals=15, seconds=60)


@pytest.mark.campaign
@pytest.mark.timeout(300)
def test_four_readers_among_four_writers_see_whole_runs_for_a_minute(tmp_path: Path) -> None:
    _check(tmp_path, each=4, seals=1_000_000, seconds=60)
