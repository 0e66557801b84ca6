"""API bytes to sealed Parquet through the official client's channel, against the usual way and the bare bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROCESS = Path(__file__).with_name("extraction_speed_process.py")
MILLION = 1_000_000
ROUNDS = 3


def measured(what: str, folder: Path, rows: int) -> dict[str, float]:
    """One client in a fresh process."""
    done = subprocess.run(
        [sys.executable, PROCESS, what, folder, str(rows)], check=True, stdout=subprocess.PIPE, text=True, timeout=300
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_extraction_speed(replay: tuple[Path, dict[str, Any]]) -> None:
    folder, served = replay
    sealed, drained = [], []
    for _ in range(ROUNDS):  # in turn, so that what else the machine does meets both alike
        sealed.append(measured("extract", folder, MILLION))
        drained.append(measured("drain", folder, MILLION))
    runs = {
        "to sealed Parquet": max(sealed, key=rate),
        "MessageToDict + Parquet": measured("dicts", folder, 50_000),
        "draining the bytes": max(drained, key=rate),
    }
    print(f"\n13 fields, {served['row_bytes']:.0f} bytes a row, TLS")
    for name, run in runs.items():
        print(f"{name:<26}{run['rows']:>10,} rows {run['seconds']:>7.2f} s {rate(run):>12,.0f} rows/s")
    ours, dicts, bare = (rate(run) for run in runs.values())
    print(f"{ours / dicts:.1f} x MessageToDict; 1/{bare / ours:.1f} of draining")
    assert ours >= 20 * dicts
    assert ours >= bare / 5


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_report(replay: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = replay
    peaks = {rows: measured("extract", folder, rows)["peak_bytes"] for rows in (MILLION, 4 * MILLION)}
    for rows, peak in peaks.items():
        print(f"\n{rows:>10,} rows: peak {peak / 2**20:,.0f} MiB", end="")
    print(f"; ratio {peaks[4 * MILLION] / peaks[MILLION]:.2f}")
    assert peaks[4 * MILLION] <= 1.3 * peaks[MILLION]


def rate(run: dict[str, float]) -> float:
    return run["rows"] / run["seconds"]
