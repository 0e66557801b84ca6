"""The recipes for Airflow, Dagster and cron, run by those: a run is green exactly if all that is expected is there."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tomllib
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_testing.command_line import SCRIPT, Command, Done

pytestmark = [pytest.mark.recipes, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
AIRFLOW, DAGSTER = "apache-airflow==3.3.2", "dagster==1.13.29"
REPORT = """
[[reports]]
name = "account"
query = "SELECT customer.id, segments.date, metrics.impressions, metrics.clicks FROM customer"
"""
Run = Callable[[], Done]


def _run(*command: object, **env: object) -> Done:
    """Run a command that finds gads-etl and gads-etl-round on its PATH."""
    paths = [str(SCRIPT.parent), str(EXAMPLES / "cron"), os.environ["PATH"]]
    done = subprocess.run(
        [*map(str, command)],
        env={**os.environ, "PATH": os.pathsep.join(paths), **{name: str(value) for name, value in env.items()}},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Install a package into an environment of its own, no newer than the workspace's; returns its scripts."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    made: dict[str, Path] = {}

    def install(package: str) -> Path:
        if package not in made:
            folder = tmp_path_factory.mktemp("environment")
            newest = ("--exclude-newer", settings["exclude-newer"])
            for command in (
                ("venv", folder / "venv"),
                ("pip", "install", "--python", folder / "venv" / "bin" / "python", *newest, package),
            ):
                done = _run("uv", "--no-config", "--quiet", *command)
                assert done.code == 0, done.err
            made[package] = folder / "venv" / "bin"
        return made[package]

    return install


def _copied(recipe: str, folder: Path, delay: str, shorter: str) -> Path:
    """The recipe as it is, but for the wait before it tries again."""
    text = (EXAMPLES / recipe).read_text(encoding="utf-8")
    assert text.count(delay) == 1
    folder.mkdir()
    copy = folder / Path(recipe).name
    copy.write_text(text.replace(delay, shorter), encoding="utf-8")
    return copy


def _airflow(environment: Callable[[str], Path], folder: Path, config: Path) -> Run:
    program = environment(AIRFLOW) / "airflow"
    _copied("airflow/gads_etl_dag.py", folder / "dags", "minutes=5", "seconds=1")
    env = {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": False, "GADS_ETL_CONFIG": config}
    migrated = _run(program, "db", "migrate", **env)
    assert migrated.code == 0, migrated.err
    return lambda: _run(program, "dags", "test", "gads_etl", **env)


def _dagster(environment: Callable[[str], Path], folder: Path, config: Path) -> Run:
    program = environment(DAGSTER) / "dagster"
    recipe = _copied("dagster/gads_etl_definitions.py", folder / "code", "delay=300", "delay=1")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "in_process.yaml").write_text("execution: {config: {in_process: {}}}\n")
    command = (program, "job", "execute", "-f", recipe, "-j", "gads_etl", "-c", folder / "in_process.yaml")
    return lambda: _run(*command, DAGSTER_HOME=folder, GADS_ETL_CONFIG=config)


def _cron(environment: Callable[[str], Path], folder: Path, config: Path) -> Run:
    """The command of the crontab, by the shell that cron uses."""
    line = (EXAMPLES / "cron" / "crontab").read_text(encoding="utf-8").splitlines()[-1].split(maxsplit=5)[5]
    for place, path in (("/etc/gads-etl/gads.toml", config), ("/var/lib/gads-etl/serve.log", folder / "serve.log")):
        assert place in line
        line = line.replace(place, shlex.quote(str(path)))
    return lambda: _run("/bin/sh", "-c", line)


@dataclass(frozen=True)
class Scene:
    """A local API, a configuration whose accounts the API lists, and a scheduler."""

    name: str
    run: Run
    config: Path
    api: dict[str, Any]
    gads_etl: Command

    def strike(self, *faults: dict[str, Any]) -> None:
        """Replace the faults of the API."""
        body = json.dumps({"faults": faults}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.api["faults_url"], body)) as answer:
            assert answer.status == 200

    def attempts(self) -> dict[str, int]:
        rows = self.gads_etl("state", "inspect", "-c", self.config, "--format", "json").json
        return {f"{row['customer_id']} {row['logical_date']}": row["attempt_count"] for row in rows}

    def assert_green(self) -> None:
        done = self.run()
        assert done.code == 0, done.out + done.err
        if self.name == "cron":
            assert (done.out, done.err) == ("", "")

    def assert_red(self, code: int, *texts: str) -> None:
        """The run fails and says why; that of cron on stderr, which it mails, and with the exit code."""
        done = self.run()
        assert done.code != 0, done.out + done.err
        if self.name == "cron":
            assert (done.code, done.out) == (code, ""), done.err
        assert [text for text in texts if text not in done.out + done.err] == [], done.out + done.err


@pytest.fixture(params=["airflow", "dagster", "cron"])
def scene(
    request: pytest.FixtureRequest,
    environment: Callable[[str], Path],
    emulator: Callable[..., Path],
    project: Callable[..., Path],
    gads_etl: Command,
    tmp_path: Path,
) -> Scene:
    today = datetime.now(UTC).date()
    days = ("--since", today - timedelta(days=40), "--until", today + timedelta(days=1))
    folder = emulator("--synthetic", "--seed", 3, "--accounts", 2, *days)
    config = project(folder, [], REPORT)
    home = tmp_path / "scheduler"
    home.mkdir()
    scheduler = {"airflow": _airflow, "dagster": _dagster, "cron": _cron}[request.param]
    api = json.loads((folder / "emulator.json").read_text())
    return Scene(request.param, scheduler(environment, home, config), config, api, gads_etl)


def test_a_run_is_red_while_one_account_is_denied_and_green_when_all_is_complete(scene: Scene) -> None:
    denied, _ = scene.api["customer_ids"]
    scene.strike({"customers": [denied], "error": "authorization_error.USER_PERMISSION_DENIED"})
    scene.assert_red(1, denied, "USER_PERMISSION_DENIED")
    attempts = scene.attempts()
    assert set(attempts.values()) == {1}
    # Nothing is due, since policy does not retry a refusal; the failed days on record keep it red.
    scene.assert_red(1, denied, "USER_PERMISSION_DENIED")
    assert scene.attempts().items() >= attempts.items()

    scene.strike()
    retried = scene.gads_etl("state", "retry", "--all", "-c", scene.config, "--reason", "access is back")
    assert retried.code == 0, retried.err
    scene.assert_green()
    attempts = scene.attempts()
    scene.assert_green()
    assert scene.attempts().items() >= attempts.items(), "nothing was due"

    scene.strike({"methods": ["Token"], "oauth_error": "invalid_grant"})
    scene.assert_red(4, "invalid_grant")


@pytest.mark.parametrize(
    "fault",
    [
        {"methods": ["Token"], "oauth_error": "invalid_grant"},
        {"error": "authorization_error.USER_PERMISSION_DENIED"},
    ],
    ids=["access revoked", "every account denied"],
)
def test_a_run_that_extracts_nothing_is_red(scene: Scene, fault: dict[str, Any]) -> None:
    scene.strike(fault)
    scene.assert_red(4)
    assert not (scene.config.parent / "raw").exists()


def test_what_passes_by_itself_is_tried_again(scene: Scene) -> None:
    # Both tries of the first call.
    scene.strike({"status": "UNAVAILABLE", "first": 2})
    if scene.name == "cron":
        scene.assert_red(75, "UNAVAILABLE")
    scene.assert_green()
    assert scene.attempts() != {}
