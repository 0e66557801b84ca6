"""Laws of the ledger that only several processes can break."""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gads_conformance.ledger_samples import key_of
from gads_domain.adapters import ledger_adapter
from gads_domain.partition_key import PartitionKey
from gads_domain.state import StateFilter

_DEADLINE_SECONDS = 60


class LedgerRaceLaws:
    """Real processes at once on one ledger. A subclass gives `ledger_url` and `base`."""

    def test_creation_by_many_processes_makes_one_ledger(self, ledger_url: str, base: Path) -> None:
        """Those who create it at once all get the same one."""
        with _workers("create", ledger_url, base, count=4) as workers:
            names = {json.loads(line) for worker in workers for line in _output(worker)}
        assert len(names) == 1

    def test_of_competing_changes_exactly_one_wins_a_version(self, ledger_url: str, base: Path) -> None:
        """Compare-and-set holds between processes: no version of a row is won twice, no winner is lost."""
        _check_competition(ledger_url, base, rounds=10)

    def test_a_follower_of_the_log_misses_nothing(self, ledger_url: str, base: Path) -> None:
        """Whoever polls by cursor while others commit sees every entry once, in order."""
        _check_following(ledger_url, base, writers=3, rounds=10)

    def test_validator_law_2_a_killed_writer_leaves_all_of_a_batch_or_nothing(
        self, ledger_url: str, base: Path
    ) -> None:
        """SIGKILL loses nothing that was acknowledged and leaves no part of what was not."""
        _check_killing(ledger_url, base, kills=3)

    @pytest.mark.campaign
    @pytest.mark.timeout(900)
    def test_of_many_competing_changes_exactly_one_wins_a_version(self, ledger_url: str, base: Path) -> None:
        """The same, for a minute."""
        _check_competition(ledger_url, base, rounds=60)

    @pytest.mark.campaign
    @pytest.mark.timeout(900)
    def test_a_follower_of_a_long_log_misses_nothing(self, ledger_url: str, base: Path) -> None:
        """The same, for a minute."""
        _check_following(ledger_url, base, writers=4, rounds=300)

    @pytest.mark.campaign
    @pytest.mark.timeout(900)
    def test_validator_law_2_a_writer_killed_often_leaves_all_of_a_batch_or_nothing(
        self, ledger_url: str, base: Path
    ) -> None:
        """The same, sixty times."""
        _check_killing(ledger_url, base, kills=60)


def _check_competition(url: str, base: Path, rounds: int) -> None:
    with _workers("compete", url, base, count=8, rounds=rounds) as workers:
        won = [tuple(json.loads(line)) for worker in workers for line in _output(worker)]
    assert won, "nobody won anything"
    assert max(Counter(won).values()) == 1, "one version of a row was won twice"
    wins = Counter(key for key, _version in won)
    with ledger_adapter(url).open_reader(url, base) as reader:
        for text, count in wins.items():
            history = reader.history(PartitionKey.parse(text))
            assert history.state.version == count
            assert len(history.results) == count
            assert history.state.attempt_count == count


def _check_following(url: str, base: Path, writers: int, rounds: int) -> None:
    with (
        _workers("follow", url, base, count=2) as followers,
        _workers("write", url, base, count=writers, rounds=rounds) as others,
    ):
        for other in others:
            _output(other)
        with ledger_adapter(url).open_reader(url, base) as reader:
            log = [entry.sequence for entry in reader.authority_changes()]
        assert len(log) == writers * rounds
        for follower in followers:
            _say(follower, str(log[-1]))
            seen = [json.loads(line) for line in _output(follower)]
            assert seen == log


def _check_killing(url: str, base: Path, kills: int) -> None:
    moments = random.Random(20240601)
    acknowledged: set[int] = set()
    with ledger_adapter(url).open_for_validator(url, base) as ledger:
        size = 40
        for kill in range(kills):
            with _workers("batches", url, base, count=1, first=1 + kill * 10_000, size=size) as (worker,):
                acknowledged.update(_killed_while_recording(worker, moments))
            rows = Counter(int(state.key.customer_id) for state in ledger.find(StateFilter()))
            moves = Counter(int(entry.key.customer_id) for entry in ledger.authority_changes())
            assert acknowledged <= set(rows), "what was acknowledged is lost"
            assert set(rows.values()) == {size}, "a batch is there in part"
            assert moves == rows
            for batch in sorted(rows)[-3:]:
                days = [key_of(batch, day) for day in range(size)]
                assert all(len(ledger.history(key).results) == 1 for key in days)


def _killed_while_recording(worker: subprocess.Popen[str], moments: random.Random) -> list[int]:
    """Kill at a random moment between the beginning and the end of a call; what was acknowledged until then."""
    assert worker.stdout is not None
    said = []
    took = 0.0
    for _ in range(moments.randrange(2, 5)):
        said.append(int(worker.stdout.readline()))
        began = time.monotonic()
        said.append(int(worker.stdout.readline()))
        took = time.monotonic() - began
    said.append(int(worker.stdout.readline()))
    select.select([worker.stdout], [], [], moments.random() * took)
    worker.kill()
    said += [int(line) for line in worker.stdout.read().split()]
    worker.wait(_DEADLINE_SECONDS)
    return [number for number in said if number > 0]


@contextmanager
def _workers(task: str, url: str, base: Path, count: int, **options: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that have all opened the ledger before any of them begins."""
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gads_conformance.ledger_worker",
                json.dumps({"task": task, "url": url, "base": str(base), "worker": number, **options}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        for worker in started:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in started:
            _say(worker, "go")
        yield started
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()


def _say(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def _output(worker: subprocess.Popen[str]) -> list[str]:
    output, _ = worker.communicate(timeout=_DEADLINE_SECONDS)
    assert worker.returncode == 0
    return output.splitlines()
