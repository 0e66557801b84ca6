"""A package from outside the repository brings a sink and a ledger, and nothing of the repository changes for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gads_testing import REPOSITORY
from gads_testing.command_line import Command

SAMPLE = REPOSITORY / "examples" / "outsider"
DAYS = ("--since", "2024-03-01", "--until", "2024-03-03")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, installed as pip installs it without a network: its modules, and a `.dist-info` with entry points."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(SAMPLE / "src", site, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    project: dict[str, Any] = tomllib.loads((SAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{scheme} = {target}\n" for scheme, target in points.items())
        for group, points in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    return site


@pytest.mark.timeout(360)
def test_its_adapters_keep_the_laws(installed: Path, tmp_path: Path) -> None:
    for name in ("tests", "pyproject.toml"):
        source = SAMPLE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile", "ci"),
            *("--basetemp", str(tmp_path / "tmp"), "tests"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


def test_a_pipeline_runs_on_its_urls(
    installed: Path, gads_etl: Command, agency: Path, customers: list[str], project: Callable[..., Path], tmp_path: Path
) -> None:
    path = project(agency, customers[:1])
    path.write_text(
        path.read_text().replace("file:raw", "pocket:raw.db").replace("sqlite:state.db", "pocket:ledger.bin")
    )
    environment = {"PYTHONPATH": str(installed)}
    run = gads_etl("run", "-c", path, *DAYS, "--format", "json", env=environment)
    assert run.code == 0, run.err
    exported = gads_etl(
        *("consume", "export", "campaign", tmp_path / "campaign.parquet", "-c", path, "--complete", *DAYS),
        *("--format", "json"),
        env=environment,
    )
    assert exported.code == 0, exported.err
    assert exported.json["rows"] > 3
    assert {file.name for file in tmp_path.iterdir()} >= {"raw.db", "ledger.bin"}
    status = gads_etl("status", "-c", path, "--format", "json", env=environment).json
    assert status["activity_unknown"] == "this kind of ledger records no heartbeats and no rounds"
    assert [one["authoritative"] for one in status["reports"]] == [3, 3]
    refused = gads_etl("state", "inspect", "-c", path)
    assert refused.code == 2
    assert "nothing installed opens pocket:" in refused.err
