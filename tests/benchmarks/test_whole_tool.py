"""The whole tool from the command to trusted Parquet against gaarf to CSV: CPU seconds of both on the same API."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_testing.measures import child_cpu_seconds

ROUNDS = 3


def cpu_of(*command: object, cwd: Path, ca: Path) -> float:
    """CPU seconds, user and system, of a command and all that it starts."""
    before = child_cpu_seconds()
    environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(ca)}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    used = child_cpu_seconds() - before
    assert done.returncode == 0, done.stderr[-3000:]
    return used


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_the_whole_tool(
    replay: tuple[Path, dict[str, Any]], gaarf: Path, gads_etl_script: Path, tmp_path: Path
) -> None:
    client, served = replay
    account_of = {rows: account for account, rows in served["rows"].items()}
    first = date.fromisoformat(served["first"])
    ca, yaml = client / "ca.pem", client / "google-ads.yaml"
    theirs = tmp_path / "gaarf.yaml"
    theirs.write_text(f"{yaml.read_text()}developer_token: unused\n")  # which the fetcher still asks for

    def ours(rows: int, folder: Path) -> float:
        folder.mkdir(parents=True)
        (folder / "gads.toml").write_text(
            f'[google_ads]\nhistory = "unlimited"\nconfiguration = "{yaml}"\nca_certificate = "{ca}"\n'
            f'customer_ids = ["{account_of[rows]}"]\n[storage]\nsink = "file:raw"\n'
            f'state = "sqlite:state.db"\n[[reports]]\nname = "keyword"\nquery = """{served["query"]}"""\n'
        )
        last = first + timedelta(days=rows // served["day_rows"] - 1)
        days = ("--since", first.isoformat(), "--until", last.isoformat())
        seconds = cpu_of(gads_etl_script, "run", *days, cwd=folder, ca=ca)
        listed = subprocess.run(
            [gads_etl_script, "state", "inspect", "--format", "json"], cwd=folder, capture_output=True, check=True
        )
        found = json.loads(listed.stdout)
        assert sum(one["record_count"] for one in found if one["status"] == "success") == rows
        return seconds

    def fetcher(rows: int, folder: Path) -> float:
        folder.mkdir(parents=True)
        (folder / "keyword.sql").write_text(served["query"])
        seconds = cpu_of(
            *(gaarf, "keyword.sql", f"--account={account_of[rows]}", "--output=csv"),
            *(f"--csv.destination-folder={folder}", f"--ads-config={theirs}"),
            cwd=folder,
            ca=ca,
        )
        with (folder / "keyword.csv").open("rb") as file:
            assert sum(1 for _ in file) == rows + 1
        return seconds

    print(f"\n{'rows':>10}{'gads-etl':>12}{'gaarf':>12}  CPU seconds, least of {ROUNDS} (the fetcher's 2,000,000: one)")
    figures: list[tuple[float, float]] = []
    for rows in sorted(account_of):
        rounds = 1 if figures else ROUNDS
        mine = min(ours(rows, tmp_path / f"ours-{rows}-{number}") for number in range(ROUNDS))
        other = min(fetcher(rows, tmp_path / f"gaarf-{rows}-{number}") for number in range(rounds))
        figures.append((mine, other))
        print(f"{rows:>10,}{mine:>12.2f}{other:>12.2f}  {other / mine:.1f} x", flush=True)
    (small, small_other), (large, large_other) = figures
    print(f"slope: {large - small:.2f} s against {large_other - small_other:.2f} s, ", end="")
    print(f"{(large_other - small_other) / (large - small):.1f} x")
