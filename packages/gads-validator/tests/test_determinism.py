"""Any number of validators, in any order and any batches, come to the same final state."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gads_domain.errors import FailureReason
from gads_domain.ports.validation import UnsealedRun
from gads_domain.state import PartitionState
from gads_domain.state_machine import settle

WORKER = Path(__file__).with_name("validate_worker.py")
DAYS = [date(2024, 6, day) for day in range(1, 7)]
REASON = FailureReason("api", "refused", retryable=False)


def essence(state: PartitionState) -> PartitionState:
    """What must not depend on the order: all but the time and the number of moves."""
    return replace(state, updated_at=None, version=0)


def seal_kind(workshop: Any, kind: str, run: int, key: Any) -> None:
    rows = workshop.rows(3, day=key.logical_date)
    if kind == "same":
        workshop.seal(run, rows[::-1] if run % 2 else rows, key=key)
    elif kind == "restated":
        workshop.seal(run, workshop.rows(3, day=key.logical_date, metrics_clicks=run), key=key)
    elif kind == "bad":
        workshop.seal(run, rows, key=key, record_count=9)


def bring(giver: Any, taker: Any, run: int, key: Any) -> None:
    """The very same sealed run, if it is there, in another place."""
    if giver.folder(run, key).exists():
        shutil.copytree(giver.folder(run, key), taker.folder(run, key))


def start(workshop: Any, seed: int, keys: Sequence[Any]) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(workshop.base), str(seed), *map(str, keys)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def validate_at_once(workshop: Any, processes: int, keys: Sequence[Any]) -> None:
    started = [start(workshop, seed, keys) for seed in range(processes)]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(timeout=60) for process in started] == [0] * processes
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("processes", [2, 8])
def test_validators_at_once_agree_with_one_alone(new_workshop: Callable[[], Any], processes: int) -> None:
    dice = random.Random(processes)
    crowd, alone = new_workshop(), new_workshop()
    keys = [crowd.key(day=day) for day in DAYS]
    for key in keys:
        for run in range(1, 6):
            kind = dice.choice(["same", "restated", "bad", "none"])
            seal_kind(crowd, kind, run, key)
            bring(crowd, alone, run, key)
    validate_at_once(crowd, processes, keys)
    alone.validator().validate(keys)
    assert [essence(state) for state in crowd.ledger.get_many(keys)] == [
        essence(state) for state in alone.ledger.get_many(keys)
    ]
    for key in keys:
        validated = [(one.run_id, one.seal_sha256) for one in crowd.ledger.history(key).results]
        assert sorted(run for run, _ in validated) == sorted(set(alone.sink.runs(key)))
        assert settle(crowd.ledger.history(key), None, validated_at(crowd, key)) == crowd.ledger.get(key)


def validated_at(workshop: Any, key: Any) -> Any:
    return workshop.ledger.get(key).updated_at


KINDS = st.lists(st.sampled_from(["same", "restated", "bad", "unsealed"]), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(KINDS, min_size=1, max_size=3), dice=st.randoms(use_true_random=False))
def test_the_final_state_hangs_on_the_runs_alone(
    new_workshop: Callable[[], Any], days: list[list[str]], dice: random.Random
) -> None:
    """In run order and at once; or in random order and batches, some runs validated before others are sealed."""
    together, scattered = new_workshop(), new_workshop()
    todo = [(together.key(day=DAYS[n]), run, kind) for n, day in enumerate(days) for run, kind in enumerate(day, 1)]
    keys = sorted({key for key, _, _ in todo})
    for key, run, kind in todo:
        seal_kind(together, kind, run, key)
    together.validator().validate(keys)
    for key, run, kind in todo:
        if kind == "unsealed":
            together.validator().validate([key], unsealed={key: UnsealedRun(together.run(run), REASON)})

    dice.shuffle(todo)
    for key, run, kind in todo:
        bring(together, scattered, run, key)
        unsealed = {key: UnsealedRun(scattered.run(run), REASON)}
        if kind == "unsealed" or dice.random() < 0.2:
            scattered.validator().validate([key], unsealed=unsealed, recheck=dice.random() < 0.3)
        elif dice.random() < 0.5:
            scattered.validator().validate(dice.sample(keys, dice.randint(1, len(keys))))
    scattered.validator().validate(keys)

    final = [essence(state) for state in scattered.ledger.get_many(keys)]
    assert final == [essence(state) for state in together.ledger.get_many(keys)]
    assert [essence(validation.after) for validation in scattered.validator().validate(keys, recheck=True)] == final
