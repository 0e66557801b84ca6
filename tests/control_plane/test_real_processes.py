"""`gads-etl` itself, its workers and the official client against the local API: killed at random, and two at once."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader
from gads_domain.state import PartitionStatus
from gads_emulator import CA_NAME, EmulatorServer, SyntheticAgency, SyntheticSettings

FIRST = date(2024, 3, 1)
REPORTS = """
[[reports]]
name = "campaign"
query = "SELECT customer.id, campaign.id, campaign.name, segments.date, metrics.clicks FROM campaign"
[[reports]]
name = "customer"
query = "SELECT customer.id, segments.date, metrics.impressions, metrics.cost_micros FROM customer"
"""
_ASKED = re.compile(r"FROM (\w+) WHERE .*segments\.date (?:BETWEEN '([\d-]+)' AND '([\d-]+)'|= '([\d-]+)')", re.DOTALL)


@dataclass
class WatchedApi:
    """The local API, slowed down; notes every day that it is asked for, and those asked for though they are sealed."""

    folder: Path
    accounts: int
    seconds: float
    asked: Counter[PartitionKey] = field(default_factory=Counter)
    again: list[PartitionKey] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reader(self) -> RawReader:
        return sink_adapter("file:raw").open_reader("file:raw", self.folder)

    def slow(self, answer: Callable[[Any], Iterator[bytes]]) -> Callable[[Any], Iterator[bytes]]:
        def served(call: Any) -> Iterator[bytes]:
            keys = _keys_of(call)
            sealed = [key for key in keys if self.reader.runs(key)]
            with self._lock:
                self.asked.update(keys)
                self.again += sealed
            time.sleep(self.seconds if keys else 0)  # the network that a local API does not have
            return answer(call)

        return served


def _keys_of(call: Any) -> list[PartitionKey]:
    found = _ASKED.search(str(getattr(call.request, "query", "")))
    if found is None:
        return []
    report, first, last, only = found.groups()
    since, until = date.fromisoformat(first or only), date.fromisoformat(last or only)
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    return [PartitionKey("google_ads", call.customer_id, report, day) for day in days]


@dataclass(frozen=True)
class ServedDeployment:
    api: WatchedApi
    configuration: Path
    keys: frozenset[PartitionKey]
    script: Path

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self.api.folder / "output").open("ab")
        command = [str(self.script), words[0], "-c", str(self.configuration), *words[1:], "--workers", "2"]
        with log:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def undone(self) -> dict[PartitionKey, str]:
        """What is not `success`, and why."""
        with ledger_adapter("sqlite:x").open_reader("sqlite:state.db", self.api.folder) as ledger:
            states = ledger.get_many(sorted(self.keys))
        return {s.key: f"{s.status} {s.last_error}" for s in states if s.status is not PartitionStatus.SUCCESS}

    def check(self) -> None:
        """No sealed day was requested again, every sealed day is validated, and no day has two runs."""
        assert self.api.again == []
        sealed = list(self.api.reader.sealed())
        with ledger_adapter("sqlite:x").open_reader("sqlite:state.db", self.api.folder) as ledger:
            for key, run in sealed:
                assert run in {attempt.run_id for attempt in ledger.history(key).results}, "sealed and never validated"
        assert Counter(key for key, _ in sealed) == Counter(self.keys)


@pytest.fixture
def deployment(tmp_path: Path, gads_etl_script: Path, request: pytest.FixtureRequest) -> Iterator[ServedDeployment]:
    accounts, days, seconds, per_call = request.param
    api = WatchedApi(tmp_path, accounts, seconds)
    last = FIRST + timedelta(days=days - 1)
    settings = SyntheticSettings(seed=4, accounts=accounts, campaigns=3, first=FIRST, last=last, keeps_everything=True)
    agency = SyntheticAgency(settings)
    with EmulatorServer(agency, wrap=api.slow) as server:
        server.write_client_configuration(tmp_path)
        path = tmp_path / "gads.toml"
        path.write_text(
            f'[google_ads]\nconfiguration = "google-ads.yaml"\nca_certificate = "{CA_NAME}"\n'
            f"customer_ids = {json.dumps(list(agency.client_ids))}\n"
            '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n'
            f"[extraction]\nmax_days_per_request = {per_call}\n"
            "[run]\nlease_seconds = 5\nlook_seconds = 1\n"
            # What has cost three workers their life is on record as failed, and retried by policy.
            f"[retry]\nfirst_delay_minutes = 0.02\nlargest_delay_minutes = 0.02\nmax_attempts = 100\n"
            # These days are years old by now.
            f"max_age_days = 100000\n{REPORTS}"
        )
        keys = frozenset(
            PartitionKey("google_ads", customer_id, report, FIRST + timedelta(days=number))
            for customer_id in agency.client_ids
            for report in ("campaign", "customer")
            for number in range(days)
        )
        yield ServedDeployment(api, path, keys, gads_etl_script)


def _workers_of(pid: int) -> list[int]:
    """The worker processes, and the one that forks them."""
    try:
        found = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(worker for child in found for worker in _workers_of(child))]


def _backfill(deployment: ServedDeployment) -> subprocess.Popen[bytes]:
    last = max(key.logical_date for key in deployment.keys)
    days = ["--since", FIRST.isoformat(), "--until", last.isoformat()]
    return deployment.start("backfill", *days, "--yes")


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("deployment", [(60, 60, 0.05, 5)], indirect=True)
def test_r36_r37_killed_a_hundred_times_nothing_sealed_is_asked_again_and_nothing_is_lost(
    deployment: ServedDeployment,
) -> None:
    chance = random.Random(3)
    killed: Counter[str] = Counter()
    process = _backfill(deployment)
    while sum(killed.values()) < 100:
        wanted = deployment.api.asked.total() + chance.randrange(1, 40)
        while deployment.api.asked.total() < wanted and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        if process.poll() is not None:
            assert process.returncode == 0
            break
        workers = _workers_of(process.pid)
        if workers and chance.random() < 0.5:
            os.kill(chance.choice(workers), signal.SIGKILL)
            killed["worker"] += 1
        else:
            process.kill()
            process.wait()
            killed["orchestrator"] += 1
            process = _backfill(deployment)
    assert process.wait(timeout=1200) in (0, 1)
    deadline = time.monotonic() + 600
    while undone := deployment.undone():
        assert time.monotonic() < deadline, list(undone.items())[:5]
        _backfill(deployment).wait(timeout=600)
    deployment.check()
    more = deployment.api.asked.total() - len(deployment.keys)
    print(f"\nkilled {dict(killed)}; {len(deployment.keys):,} days, {more} asked again, none of them sealed")
    assert sum(killed.values()) == 100


@pytest.mark.campaign
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("deployment", [(60, 100, 0.3, 2)], indirect=True)
def test_r33_two_daemons_for_five_minutes_ask_for_no_slice_twice(deployment: ServedDeployment) -> None:
    with deployment.configuration.open("a") as file:
        file.write("\n")
    text = deployment.configuration.read_text().replace("[run]\n", f"[run]\nbackfill_since = {FIRST}\n")
    deployment.configuration.write_text(text)
    both = [deployment.start("serve"), deployment.start("serve")]
    time.sleep(300)  # as long as they are to be watched
    for process in both:
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
    for process in both:
        assert process.wait(timeout=20) == 0
    assert deployment.api.again == []
    assert max(deployment.api.asked.values()) == 1, "a day was asked for twice"
    runs = Counter(run for _, run in deployment.api.reader.sealed())
    print(f"\n{deployment.api.asked.total():,} days asked for, each once, by {len(runs)} runs")
    assert len(runs) >= 2, "one did everything"
