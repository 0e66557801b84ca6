"""`gads-etl demo`, and each command that it prints to be run next, by the shell from the same folder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def printed(gads_etl_script: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder in which the demo was called by its name, and what it printed there."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, *_shell("gads-etl demo --dir 'my demo'", folder, gads_etl_script)


def _environment(script: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}"}


def _shell(command: str, folder: Path, script: Path) -> tuple[str, str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=_environment(script),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout, done.stderr


def _commands(text: str) -> list[str]:
    return re.findall(r"^  (\S.* --config .*)$", text, re.MULTILINE)


def test_it_prints_what_it_did_and_what_to_run_next(printed: tuple[Path, str, str]) -> None:
    _, out, err = printed
    assert "126 of 126 partitions are success" in out
    assert "FROM reporting.campaign_daily" in err
    assert re.search(r"^Brand \| Search 1 +\d", out, re.MULTILINE)
    found = _commands(err)
    assert [command.split()[1] for command in found[-2:]] == ["status", "ui"], "it ends with where to look"


def test_each_command_runs_as_it_is_printed(printed: tuple[Path, str, str], gads_etl_script: Path) -> None:
    folder, _, err = printed
    *commands, status, ui = _commands(err)
    assert len(commands) == 6
    for command in commands:
        assert command.startswith("gads-etl ")
        _shell(command, folder, gads_etl_script)
    out, _ = _shell(status, folder, gads_etl_script)
    assert "COMPLETE: 252 of 252 expected partitions authoritative" in out
    serving = subprocess.Popen(
        ["bash", "-c", f"exec {ui} --http 127.0.0.1:0"],
        cwd=folder,
        env=_environment(gads_etl_script),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert serving.stderr is not None
    assert serving.stderr.readline().startswith("Serving http://127.0.0.1:")
    serving.terminate()
    assert serving.wait(20) == 0


def test_called_by_uv_or_by_its_path_it_prints_that(gads_etl_script: Path, tmp_path: Path) -> None:
    elsewhere = [folder for folder in os.environ["PATH"].split(":") if Path(folder) != gads_etl_script.parent]
    environment = {**os.environ, "PATH": ":".join(elsewhere)}
    by_path = f"{gads_etl_script} init {tmp_path}/one.toml"
    by_uv = f"uv run --project {ROOT} --no-sync gads-etl init {tmp_path}/two.toml"
    for command in (by_path, by_uv):
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
        typed, _, path = command.partition(" init ")
        assert done.stderr.endswith(f"then run {typed} check --config {path}\n")
