"""How much faster eight workers are than one, where each call of the API takes 50 ms more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ACCOUNTS = int(os.environ.get("GADS_FAN_OUT_ACCOUNTS", "200"))
"""Fewer make it shorter; the ratio hangs on the cores and not on this."""

_ENDED = re.compile(r"\(([\d.]+) s\)$", re.MULTILINE)
"""What a line of progress ends with: the seconds since the start."""

_PROGRAM = Path(__file__).with_name("slow_api_process.py")
_REPORTS = "".join(
    f'\n[[reports]]\nname = "{name}"\nquery = "SELECT customer.id, {fields}, segments.date, metrics.clicks FROM {of}"\n'
    for name, fields, of in (
        ("own_account", "customer.currency_code", "customer"),
        ("own_campaign", "campaign.id", "campaign"),
        ("own_status", "campaign.id, campaign.status", "campaign"),
        ("own_name", "campaign.id, campaign.name", "campaign"),
    )
)


@pytest.fixture
def slow_api(tmp_path: Path) -> Iterator[list[str]]:
    """The accounts of the slow API, its files in `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, str(_PROGRAM), str(tmp_path), str(ACCOUNTS), "0.05"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()
    process.communicate("")


def _measure(
    folder: Path, gads_etl_script: Path, accounts: list[str], workers: int, days: int, *words: str
) -> dict[str, Any]:
    """Slices a second from when all workers are warm on, so that imports do not count, and the time of the last one."""
    config = folder / f"gads-{workers}-{days}.toml"
    config.write_text(
        f'[google_ads]\nconfiguration = "google-ads.yaml"\nca_certificate = "ca.pem"\n'
        f"customer_ids = {json.dumps(accounts)}\n"
        f'[storage]\nsink = "file:raw-{workers}-{days}"\nstate = "sqlite:state-{workers}-{days}.db"\n{_REPORTS}'
    )
    until = f"2024-05-{days:02d}"
    dates = ["-c", str(config), "--since", "2024-05-01", "--until", until]
    command = [str(gads_etl_script), "run", *words, *dates, "--workers", str(workers), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    ended = sorted(float(seconds) for seconds in _ENDED.findall(done.stderr))
    # All workers are warm by the time as many slices have ended as there are workers, three times over.
    warm = ended[3 * workers :]
    return {
        "slices": len(ended),
        "partitions": len(json.loads(done.stdout)["partitions"]),
        "unchanged": json.loads(done.stdout)["unchanged"],
        "a_second": (len(warm) - 1) / (warm[-1] - warm[0]),
        "whole": ended[-1],
    }


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("days", [30, 1])
def test_eight_workers_against_one(days: int, slow_api: list[str], tmp_path: Path, gads_etl_script: Path) -> None:
    for kind, words in (("new", ()), ("unchanged", ("--reprocess",))):
        found = {workers: _measure(tmp_path, gads_etl_script, slow_api, workers, days, *words) for workers in (1, 8)}
        for workers, figures in found.items():
            assert figures["unchanged"] == (figures["partitions"] if kind == "unchanged" else 0)
            print(
                f"\n{workers} workers, {days} {kind} days a call: {figures['slices']} calls, "
                f"{figures['partitions']:,} days, {figures['a_second']:.1f} calls/s when warm, "
                f"{figures['whole']:.1f} s in all",
                end="",
            )
        print(
            f"\n8 workers are {found[8]['a_second'] / found[1]['a_second']:.1f} times as fast as one when warm, "
            f"{found[1]['whole'] / found[8]['whole']:.1f} times in all ({kind})"
        )
        assert found[8]["a_second"] > found[1]["a_second"]
