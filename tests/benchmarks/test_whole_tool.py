"""The whole tool from the command to trusted Parquet against gaarf to CSV: CPU seconds of both on the same API."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

PROCESS = Path(__file__).with_name("extraction_speed_process.py")
GAARF = "google-ads-api-report-fetcher==1.18.3"
FIRST = date(2024, 1, 1)
DAY_ROWS = 100_000
ROWS = (200_000, 2_000_000)
QUERY = """SELECT customer.id, campaign.id, campaign.name, campaign.status, ad_group.id, ad_group.name,
  ad_group_criterion.criterion_id, ad_group_criterion.keyword.text, segments.date, segments.device,
  metrics.clicks, metrics.impressions, metrics.cost_micros
FROM keyword_view"""
ROUNDS = 3


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A server in a process of its own that replays encoded pages; its folder, and its accounts."""
    folder = tmp_path_factory.mktemp("replay")
    server = subprocess.Popen(
        [sys.executable, PROCESS, "serve", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield folder, json.loads(server.stdout.readline())
    finally:
        server.communicate(timeout=30)


@pytest.fixture(scope="module")
def gaarf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fetcher as its users install it."""
    uv = shutil.which("uv")
    assert uv is not None, "uv makes the fetcher's environment"
    folder = tmp_path_factory.mktemp("gaarf")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, "venv"], cwd=folder, check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, GAARF], cwd=folder, check=True)
    return python.with_name("gaarf")


def cpu_of(*command: object, cwd: Path, ca: Path) -> float:
    """CPU seconds, user and system, of a command and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(ca)}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-3000:]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_the_whole_tool(
    replay: tuple[Path, dict[str, Any]], gaarf: Path, gads_etl_script: Path, tmp_path: Path
) -> None:
    client, served = replay
    ca, yaml = client / "ca.pem", client / "google-ads.yaml"
    theirs = tmp_path / "gaarf.yaml"
    theirs.write_text(f"{yaml.read_text()}developer_token: unused\n")  # which the fetcher still asks for

    def ours(rows: int, folder: Path) -> float:
        folder.mkdir(parents=True)
        (folder / "gads.toml").write_text(
            f'[google_ads]\nhistory = "unlimited"\nconfiguration = "{yaml}"\nca_certificate = "{ca}"\n'
            f'customer_ids = ["{served["accounts"][ROWS.index(rows)]}"]\n[storage]\nsink = "file:raw"\n'
            f'state = "sqlite:state.db"\n[[reports]]\nname = "keyword"\nquery = """{QUERY}"""\n'
        )
        last = FIRST + timedelta(days=rows // DAY_ROWS - 1)
        days = ("--since", FIRST.isoformat(), "--until", last.isoformat())
        seconds = cpu_of(gads_etl_script, "run", *days, cwd=folder, ca=ca)
        listed = subprocess.run(
            [gads_etl_script, "state", "inspect", "--format", "json"], cwd=folder, capture_output=True, check=True
        )
        found = json.loads(listed.stdout)
        assert sum(one["record_count"] for one in found if one["status"] == "success") == rows
        return seconds

    def fetcher(rows: int, folder: Path) -> float:
        folder.mkdir(parents=True)
        (folder / "keyword.sql").write_text(QUERY)
        seconds = cpu_of(
            *(gaarf, "keyword.sql", f"--account={served['accounts'][ROWS.index(rows)]}", "--output=csv"),
            *(f"--csv.destination-folder={folder}", f"--ads-config={theirs}"),
            cwd=folder,
            ca=ca,
        )
        with (folder / "keyword.csv").open("rb") as file:
            assert sum(1 for _ in file) == rows + 1
        return seconds

    print(f"\n{'rows':>10}{'gads-etl':>12}{'gaarf':>12}  CPU seconds, least of {ROUNDS} (the fetcher's 2,000,000: one)")
    figures = []
    for rows in ROWS:
        rounds = ROUNDS if rows == ROWS[0] else 1
        mine = min(ours(rows, tmp_path / f"ours-{rows}-{number}") for number in range(ROUNDS))
        other = min(fetcher(rows, tmp_path / f"gaarf-{rows}-{number}") for number in range(rounds))
        figures.append((mine, other))
        print(f"{rows:>10,}{mine:>12.2f}{other:>12.2f}  {other / mine:.1f} x", flush=True)
    (small, small_other), (large, large_other) = figures
    print(f"slope: {large - small:.2f} s against {large_other - small_other:.2f} s, ", end="")
    print(f"{(large_other - small_other) / (large - small):.1f} x")
