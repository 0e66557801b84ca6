"""Runs killed at random moments: what was sealed stays, what was not is invisible, authority has a seal behind it."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.metadata_codec import decode_metadata, seal_sha256
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus, StateFilter
from gads_emulator import SyntheticAgency, SyntheticSettings

FIRST = date(2024, 3, 1)
ACCOUNTS = 2
REPORTS = """
[[reports]]
name = "campaign"
query = '''SELECT customer.id, campaign.id, campaign.name, segments.date, segments.device, metrics.clicks
FROM campaign'''
[[reports]]
name = "account"
query = "SELECT customer.id, segments.date, metrics.impressions, metrics.cost_micros FROM customer"
"""

Seals = dict[tuple[PartitionKey, RunId], tuple[bytes, str]]


def _read_whole(reader: RawReader, key: PartitionKey, run_id: RunId) -> tuple[bytes, str]:
    """The seal and the sum of the payload; fails if the payload is not what the seal says."""
    sealed = reader.metadata_bytes(key, run_id)
    metadata = decode_metadata(sealed)
    with reader.open_payload(key, run_id, metadata.payload_name) as payload:
        found = hashlib.sha256(payload.read()).hexdigest()
    assert (metadata.key, metadata.run_id, metadata.payload_sha256) == (key, run_id, found)
    return sealed, found


class _Watcher(threading.Thread):
    """Reads every new seal the moment it can be seen."""

    def __init__(self, reader: RawReader, known: Seals) -> None:
        super().__init__(daemon=True)
        self._reader = reader
        self.seen: Seals = dict(known)
        self.fault: BaseException | None = None
        self.stop = threading.Event()

    def run(self) -> None:
        try:
            while not self.stop.wait(0.02):
                for key, run_id in self._reader.sealed():
                    if (key, run_id) not in self.seen:
                        self.seen[key, run_id] = _read_whole(self._reader, key, run_id)
        except BaseException as fault:
            self.fault = fault


def _kill_runs(folder: Path, gads_etl: Any, script: Path, config: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    reader = sink_adapter("file:raw").open_reader("file:raw", folder)
    days = ["--since", FIRST.isoformat(), "--until"]
    known: Seals = {}
    whole = 4.0
    killed = 0
    for number in range(kills):
        until = (FIRST + timedelta(days=3 + number // 4)).isoformat()
        command = [str(script), "run", "-c", str(config), *days, until, "--retry-failed"]
        if number % 2:
            command.append("--reprocess")
        watcher = _Watcher(reader, known)
        watcher.start()
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=chance.uniform(0.2, 1.0) * whole)
            whole = (whole + time.monotonic() - began) / 2
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            whole *= 1.02
            killed += 1
        watcher.stop.set()
        watcher.join()
        assert watcher.fault is None, watcher.fault
        now = {(key, run_id): _read_whole(reader, key, run_id) for key, run_id in reader.sealed()}
        assert {pair: now[pair] for pair in watcher.seen} == watcher.seen
        known = now
        _authority_has_a_seal(folder, reader)
    assert killed >= kills // 3

    last = FIRST + timedelta(days=3 + (kills - 1) // 4)
    done = gads_etl("run", "-c", config, *days, last.isoformat(), "--retry-failed", "--format", "json")
    assert done.code == 0, done.err
    assert all(row["status"] == "success" for row in done.json["partitions"])
    expected = ACCOUNTS * REPORTS.count("[[reports]]") * ((last - FIRST).days + 1)
    assert len(done.json["partitions"]) + done.json["up_to_date"] == expected
    assert gads_etl("validate", "-c", config, "--recheck").code == 0
    assert {pair: _read_whole(reader, *pair) for pair in known} == known
    _authority_has_a_seal(folder, reader)


def _authority_has_a_seal(folder: Path, reader: RawReader) -> None:
    with ledger_adapter("sqlite:x").open_reader("sqlite:state.db", folder) as ledger:
        for state in ledger.find(StateFilter()):
            assert (state.status is PartitionStatus.SUCCESS) == (state.current_run_id is not None)
            if state.current_run_id is not None:
                assert seal_sha256(reader.metadata_bytes(state.key, state.current_run_id)) == state.seal_sha256


@pytest.mark.parametrize(
    ("kills", "seed"), [(4, 1), pytest.param(100, 2, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])]
)
def test_killed_runs_lose_nothing_and_leave_nothing_partial(
    kills: int, seed: int, gads_etl: Any, gads_etl_script: Path, emulator: Any, project: Any, tmp_path: Path
) -> None:
    settings = SyntheticSettings(seed=5, accounts=ACCOUNTS, campaigns=4)
    client = emulator("--synthetic", "--seed", 5, "--accounts", ACCOUNTS, "--campaigns", 4)
    # What a killed run was at is taken up when its lease ends.
    config = project(client, list(SyntheticAgency(settings).client_ids), REPORTS, "[run]\nlease_seconds = 5\n")
    _kill_runs(tmp_path, gads_etl, gads_etl_script, config, kills, seed)
