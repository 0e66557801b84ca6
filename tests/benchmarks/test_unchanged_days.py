"""What a restated day costs that did not change: CPU, opened files, bytes, and what the ledger grows by."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gads_testing.measures import child_cpu_seconds, ledger_bytes

_DAYS = ("--since", "2024-05-01", "--until", "2024-05-31")
_REPORTS = "".join(
    f'\n[[reports]]\nname = "own_{number}"\nquery = """SELECT customer.id, campaign.id, {field}, segments.date, '
    'metrics.impressions, metrics.clicks, metrics.cost_micros FROM campaign"""\n'
    for number, field in enumerate(
        f"campaign.{name}"
        for name in (
            *("name", "status", "serving_status", "start_date_time", "end_date_time", "advertising_channel_type"),
            *("bidding_strategy_type", "resource_name", "campaign_budget", "tracking_url_template"),
        )
    )
)
_COUNTS_CALLS = """
import atexit, os, sys
calls = 0
def hook(event, arguments):
    global calls
    named = event in ("open", "os.mkdir", "os.link", "os.rename", "os.listdir", "os.scandir")
    if named and arguments and "/raw" in str(arguments[0]):
        calls += 1
def tell():
    with open(os.path.join(os.environ["GADS_CALLS"], str(os.getpid())), "w") as file:
        file.write(str(calls))
sys.addaudithook(hook)
atexit.register(tell)
leave = os._exit
os._exit = lambda code: (tell(), leave(code))
"""
"""Imported by every process of a run: counts its calls to the files of the sink."""


def _cpu_of(script: Path, config: Path, *words: str, env: dict[str, str] | None = None) -> tuple[float, Any]:
    """CPU seconds of a run and its workers, user and system, and the outcome."""
    before = child_cpu_seconds()
    command = [str(script), "run", "-c", str(config), *_DAYS, *words, "--workers", "2", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000, env=env)
    used = child_cpu_seconds() - before
    assert done.returncode == 0, done.stderr[-2000:]
    return used, json.loads(done.stdout)


def _raw(folder: Path) -> tuple[int, int]:
    files = [path for path in (folder / "raw").rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_days_that_did_not_change(
    emulator: Callable[..., Path], project: Callable[..., Path], gads_etl_script: Path, tmp_path: Path
) -> None:
    from gads_emulator import SyntheticAgency, SyntheticSettings

    agency = emulator("--synthetic", "--seed", 3, "--accounts", 4, "--since", "2024-05-01", "--until", "2024-05-31")
    clients = list(SyntheticAgency(SyntheticSettings(seed=3, accounts=4)).client_ids)
    config = project(agency, clients, _REPORTS)
    first, outcome = _cpu_of(gads_etl_script, config)
    days = len(outcome["partitions"])
    idle, _ = _cpu_of(gads_etl_script, config)
    few, _ = _cpu_of(gads_etl_script, config, "--reprocess", "--report", "own_0")
    raw, ledger = _raw(tmp_path), ledger_bytes(tmp_path / "state.db")
    again, outcome = _cpu_of(gads_etl_script, config, "--reprocess")
    assert outcome["unchanged"] == days
    raw_after, ledger_after = _raw(tmp_path), ledger_bytes(tmp_path / "state.db")
    third, _ = _cpu_of(gads_etl_script, config, "--reprocess")
    ledger_last = ledger_bytes(tmp_path / "state.db")
    counts, hook = tmp_path / "calls", tmp_path / "hook"
    counts.mkdir()
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_COUNTS_CALLS)
    counted = {**os.environ, "PYTHONPATH": str(hook), "GADS_CALLS": str(counts)}
    _cpu_of(gads_etl_script, config, "--reprocess", "--trust", env=counted)
    calls = [int(path.read_text()) for path in counts.iterdir()]
    tenth = days / 10
    print(f"\n{days:,} partitions of {sum(row['record_count'] for row in outcome['partitions']) / days:.1f} rows")
    print(f"sealed: {first:.2f} s of CPU; nothing to do: {idle:.2f} s; one report of ten unchanged: {few:.2f} s")
    print(f"all unchanged: {again:.2f} s, {third:.2f} s once more")
    print(f"  less a run with nothing to do: {1000 * (again - idle) / days:.2f} ms a partition")
    print(f"  each one more (all less a tenth): {1000 * (again - few) / (days - tenth):.2f} ms a partition")
    print(
        f"  files {raw[0]:,} -> {raw_after[0]:,}, bytes {raw[1]:,} -> {raw_after[1]:,}; calls to the sink: {sum(calls)}"
    )
    grown = [(after - before) / days for before, after in ((ledger, ledger_after), (ledger_after, ledger_last))]
    print(f"  ledger: {grown[0]:.0f} bytes a partition, {grown[1]:.0f} once more")
    assert raw_after == raw
    assert grown[0] <= 100
    assert len(calls) >= 2, "a process was not counted"
    assert sum(calls) < 20, "a run checks that the sink can be written, and asks it for no day"
