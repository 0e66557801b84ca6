"""300 accounts × 5 reports × 30 days in one command, where one stream of fifty meets a fault: wall time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

ACCOUNTS = int(os.environ.get("GADS_WHOLE_AGENCY_ACCOUNTS", "300"))
"""Fewer make it shorter."""
WORKERS = int(os.environ.get("GADS_WHOLE_AGENCY_WORKERS", "2"))
REPORTS = ("account", "campaign", "ad_group", "keyword", "campaign_device")
DAYS = 30

PASSING: tuple[dict[str, Any], ...] = (
    {"status": "UNAVAILABLE"},
    {"status": "UNAVAILABLE", "after_rows": 1},
    {"mid_message": True},
    {"error": "internal_error.INTERNAL_ERROR"},
    {"error": "quota_error.RESOURCE_TEMPORARILY_EXHAUSTED", "retry_delay": 1},
)
LASTING: dict[str, Any] = {"error": "authorization_error.USER_PERMISSION_DENIED"}
RATE = 0.02
"""The share of streams that meet any fault; each kind has its part."""


def _faults() -> dict[str, Any]:
    """The list of accounts is spared: without it there is no job to speak of."""
    kinds = (*PASSING, LASTING)
    resources = ["customer", "campaign", "ad_group", "keyword_view"]
    each = {"methods": ["SearchStream"], "resources": resources, "probability": RATE / len(kinds)}
    return {"seed": 7, "faults": [{**each, **kind} for kind in kinds]}


class TreeMemory:
    """The largest memory that a process and all below it held at once, looked at ten times a second.

    Bytes; what several of them share is divided among them (PSS), so that the sum is what the machine must have.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self.processes = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> TreeMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            tree = list(_below(self._pid))
            held = sum(map(_proportional_size, tree))
            if held > self.peak:
                self.peak, self.processes = held, len(tree)


def _below(pid: int) -> Iterator[int]:
    yield pid
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _below(int(child))
    except OSError:  # it has ended
        return


def _proportional_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _doubled(folder: Path, report: str, grain: str) -> tuple[int, int]:
    """The rows that are sealed of a report, and how many of them are there twice."""
    payloads = f"{folder}/raw/*/*/report={report}/*/*/payload-*.parquet"
    counting = f"SELECT count(*), count(*) - count(DISTINCT ({grain})) FROM read_parquet('{payloads}')"
    with duckdb.connect() as database:
        ((rows, twice),) = database.execute(counting).fetchall()
    return rows, twice


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_an_agency_whose_api_misbehaves(emulator: Callable[..., Path], gads_etl_script: Path, tmp_path: Path) -> None:
    plan = tmp_path / "faults.json"
    plan.write_text(json.dumps(_faults()))
    size = ("--accounts", ACCOUNTS, "--campaigns", 3, "--since", "2024-05-01", "--until", "2024-05-31")
    client = emulator("--synthetic", "--seed", 13, *size, "--faults", plan)
    faults_url = json.loads((client / "emulator.json").read_text())["faults_url"]
    config = tmp_path / "gads.toml"
    config.write_text(
        f"[google_ads]\nconfiguration = {json.dumps(str(client / 'google-ads.yaml'))}\n"
        f"ca_certificate = {json.dumps(str(client / 'ca.pem'))}\n"
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n'
        + "".join(f'[[reports]]\nname = "{name}"\n' for name in REPORTS)
    )
    words = ["run", "-c", str(config), "--since", "2024-05-01", "--until", f"2024-05-{DAYS}"]
    asked = [str(gads_etl_script), *words, "--workers", str(WORKERS), "--format", "json"]

    said = tmp_path / "run.json"
    began = time.perf_counter()
    with said.open("w") as out, (tmp_path / "run.err").open("w") as err:
        process = subprocess.Popen(asked, stdout=out, stderr=err)
        with TreeMemory(process.pid) as memory:
            code = process.wait(timeout=3000)
    wall = time.perf_counter() - began

    assert code in (0, 1), (tmp_path / "run.err").read_text()[-2000:]
    outcome = json.loads(said.read_text())
    partitions = outcome["partitions"]
    status = Counter(row["status"] for row in partitions)
    with urllib.request.urlopen(faults_url) as answer:
        *passed, denied = json.load(answer)["struck"]
    rows, twice = _doubled(
        tmp_path, "keyword", "customer_id, campaign_id, ad_group_id, ad_group_criterion_criterion_id, segments_date"
    )
    files = sum(1 for _ in (tmp_path / "raw").rglob("metadata.json"))
    print(
        f"\n{ACCOUNTS} accounts, {len(REPORTS)} reports, {DAYS} days, {WORKERS} workers: "
        f"{len(partitions):,} partitions, {wall:.1f} s, "
        f"{memory.peak / 1e6:.0f} MB in {memory.processes} processes at the peak"
        f"\n{sum(passed)} faults that pass and {denied} refusals: {dict(status)}; {rows:,} rows of keywords",
        end="",
    )
    keys = {(row["customer_id"], row["report"], row["logical_date"]) for row in partitions}
    assert len(keys) == len(partitions) == ACCOUNTS * len(REPORTS) * DAYS
    left = {row["customer_id"] for row in partitions if row["status"] == "pending"}
    assert set(status) <= {"success", "failed", "pending"}
    assert left <= set(outcome["stopped_accounts"]), "only what a refused account still has is left undecided"
    assert status["failed"] == denied * DAYS
    assert code == (1 if denied else 0)
    failed = [row for row in partitions if row["status"] == "failed"]
    assert all("USER_PERMISSION_DENIED" in row["reason"] for row in failed)
    assert files == status["success"], "what is success is sealed once, what is failed is not there"
    assert rows > 0
    assert twice == 0

    urllib.request.urlopen(urllib.request.Request(faults_url, method="DELETE"))
    again = subprocess.run([*asked, "--retry-failed"], capture_output=True, text=True, check=False, timeout=600)
    assert again.returncode == 0, again.stderr[-2000:]
    taken = json.loads(again.stdout)
    assert taken["summary"] == {"pending": 0, "success": status["failed"] + status["pending"], "failed": 0}
    assert taken["completeness"]["authoritative"] == len(partitions), "nothing is missing of what is expected"
