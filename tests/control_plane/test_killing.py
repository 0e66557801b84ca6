"""Orchestrators and workers killed at random moments, and two at once: nothing asked twice, nothing lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.state import PartitionState, PartitionStatus
from gads_testing.daemon_process import LEDGER, SINK, Scene

_PATIENCE = 60.0


def _start(scene: Scene) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gads_testing.daemon_process", json.dumps(asdict(scene))], stderr=subprocess.PIPE
    )


def _children(pid: int) -> list[int]:
    """The worker processes of an orchestrator, and the one that forks them."""
    try:
        found = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(worker for child in found for worker in _children(child))]


def _calls(scene: Scene) -> int:
    return len(scene.lines("calls"))


def _kill_at_random(scene: Scene, kills: int, chance: random.Random) -> Counter[str]:
    """Kill an orchestrator or one of its workers, again and again, while there is work; who was killed."""
    killed: Counter[str] = Counter()
    process = _start(scene)
    while sum(killed.values()) < kills:
        before, deadline = _calls(scene), time.monotonic() + _PATIENCE
        wanted = before + chance.randrange(1, 6)
        while _calls(scene) < wanted and process.poll() is None:
            assert time.monotonic() < deadline, "nothing is done any more"
            time.sleep(0.005)
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr and process.stderr.read()
            break
        time.sleep(chance.uniform(0, 2 * scene.call_seconds))
        children = _children(process.pid)
        if children and chance.random() < 0.5:
            os.kill(chance.choice(children), signal.SIGKILL)
            killed["worker"] += 1
        else:
            process.kill()
            process.wait()
            killed["orchestrator"] += 1
            process = _start(scene)
    process.kill()
    process.wait()
    return killed


def _finish(scene: Scene) -> None:
    deadline = time.monotonic() + 10 * _PATIENCE
    while True:
        assert time.monotonic() < deadline
        done = _start(scene)
        _, errors = done.communicate(timeout=10 * _PATIENCE)
        assert done.returncode == 0, errors
        with ledger_adapter(LEDGER).open_reader(LEDGER, scene.base) as ledger:
            if all(state.status is PartitionStatus.SUCCESS for state in ledger.get_many(scene.all_keys())):
                return


def _check(scene: Scene, kills: int) -> tuple[int, int]:
    assert scene.lines("violations") == []
    reader = sink_adapter(SINK).open_reader(SINK, scene.base)
    sealed = list(reader.sealed())
    with ledger_adapter(LEDGER).open_reader(LEDGER, scene.base) as ledger:
        for key, run in sealed:
            assert run in {attempt.run_id for attempt in ledger.history(key).results}, "sealed and never validated"
    assert Counter(key for key, _run in sealed) == Counter(scene.all_keys()), "a day was sealed by two runs"
    asked = Counter[str]()
    for customer_id, report, first, last, _run in scene.lines("calls"):
        asked.update(
            str(key)
            for key in scene.all_keys()
            if (key.customer_id, key.report) == (customer_id, report) and first <= key.logical_date.isoformat() <= last
        )
    again = sum(count - 1 for count in asked.values())
    # A call that died before it sealed anything has to be made again; two workers at most die of one kill.
    assert again <= kills * scene.workers * scene.days_a_request
    return len(scene.lines("calls")), again


@pytest.mark.parametrize(
    ("kills", "size"),
    [
        (5, (4, 2, 30)),
        pytest.param(100, (40, 3, 60), marks=[pytest.mark.campaign, pytest.mark.timeout(7200)]),
    ],
)
def test_r36_r37_killed_at_random_nothing_is_asked_twice_and_nothing_lost(
    kills: int, size: tuple[int, int, int], tmp_path: Path
) -> None:
    scene = Scene(str(tmp_path), *size, lease_seconds=3.0)
    killed = _kill_at_random(scene, kills, random.Random(7))
    assert sum(killed.values()) >= min(kills, 3)
    _finish(scene)
    calls, again = _check(scene, sum(killed.values()))
    print(f"\nkilled {dict(killed)}: {calls} calls for {len(scene.all_keys())} days, {again} days asked again unsealed")


@pytest.mark.parametrize(
    ("seconds", "size"),
    [
        (60.0, (12, 2, 10)),
        pytest.param(300.0, (400, 4, 30), marks=[pytest.mark.campaign, pytest.mark.timeout(1200)]),
    ],
)
def test_r33_two_daemons_on_one_ledger_extract_no_slice_twice(
    seconds: float, size: tuple[int, int, int], tmp_path: Path
) -> None:
    scene = Scene(str(tmp_path), *size, days_a_request=1 if seconds < 100 else 2, call_seconds=0.05)
    both = [_start(scene), _start(scene)]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(process.poll() is None for process in both):
        time.sleep(0.05)
    for process in both:
        process.kill()
        process.wait()
    assert scene.lines("violations") == []
    calls = [tuple(call[:4]) for call in scene.lines("calls")]
    assert max(Counter(calls).values()) == 1
    runs = Counter(call[4] for call in scene.lines("calls"))
    assert len(runs) >= 2, "one did everything"
    print(f"\n{len(calls)} calls in {len(runs)} runs: {sorted(runs.values(), reverse=True)[:6]}")


def test_r38_one_worker_that_dies_of_a_report_costs_that_report_alone(tmp_path: Path) -> None:
    scene = Scene(str(tmp_path), 1, 2, 5, workers=1, deadly="report_0")
    process = _start(scene)
    deadline = time.monotonic() + _PATIENCE
    while (states := _states(scene)) is None or any(state.status is PartitionStatus.PENDING for state in states):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    failed, good = states[:5], states[5:]
    assert {str(state.last_error).partition(":")[0] for state in failed} == {"worker_lost"}
    assert {state.status for state in good} == {PartitionStatus.SUCCESS}


def _states(scene: Scene) -> list[PartitionState] | None:
    if not (scene.base / "ledger.db").exists():
        return None
    with ledger_adapter(LEDGER).open_reader(LEDGER, scene.base) as ledger:
        return ledger.get_many(scene.all_keys())
