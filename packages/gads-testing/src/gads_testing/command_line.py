from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

GAARF = "google-ads-api-report-fetcher==1.18.3"
SCRIPT = Path(sys.executable).with_name("gads-etl")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command(Protocol):
    def __call__(self, *arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> Done: ...


@pytest.fixture(scope="session")
def gads_etl_script() -> Path:
    """The console script of the environment that runs the tests."""
    return SCRIPT


@pytest.fixture(scope="session")
def gads_etl() -> Command:
    """Run `gads-etl` as a user does: a process of its own, with pipes for stdout and stderr."""

    def run(*arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            [str(SCRIPT), *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Start `gads-etl emulator serve` with the arguments given; returns the folder with the client's configuration.

    It keeps everything: the tests ask for days of fixed dates, whenever they run.
    """
    running: list[subprocess.Popen[str]] = []

    def serve(*arguments: object) -> Path:
        folder = tmp_path_factory.mktemp("emulator")
        process = subprocess.Popen(
            [
                *(str(SCRIPT), "emulator", "serve", "--config-dir", str(folder), "--history", "unlimited"),
                *map(str, arguments),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if "Ctrl-C" in line:
                return folder
        raise AssertionError(f"the emulator ended with {process.wait()}")

    yield serve
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def agency(emulator: Callable[..., Path]) -> Path:
    """The client's configuration of a synthetic agency that all tests share."""
    return emulator("--synthetic", "--seed", 3, "--accounts", 3, "--since", "2024-01-01", "--until", "2024-12-31")


@pytest.fixture(scope="session")
def customers(agency: Path, gads_etl: Command, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The clients of the shared agency."""
    from gads_emulator import SyntheticAgency, SyntheticSettings

    return list(SyntheticAgency(SyntheticSettings(seed=3, accounts=3)).client_ids)


REPORTS = """
[[reports]]
name = "campaign"
query = '''
SELECT customer.id, campaign.id, campaign.name, campaign.status, segments.date, segments.device,
  metrics.impressions, metrics.clicks, metrics.cost_micros
FROM campaign
'''
[[reports]]
name = "account"
query = "SELECT customer.id, segments.date, metrics.impressions, metrics.clicks, metrics.cost_micros FROM customer"
"""


@pytest.fixture(scope="session")
def gaarf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Google's report fetcher as its users install it, in an environment of its own; needs the package index."""
    uv = shutil.which("uv")
    assert uv is not None, "uv makes the fetcher's environment"
    folder = tmp_path_factory.mktemp("gaarf")
    python = folder / "venv" / "bin" / "python"
    # Away from this workspace, whose own settings for uv are not theirs.
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, "venv"], cwd=folder, check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", str(python), GAARF], cwd=folder, check=True)
    return python.with_name("gaarf")


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Write a gads.toml for the client's configuration in a folder; returns its path."""

    def write(client: Path, customer_ids: list[str], reports: str = REPORTS, extra: str = "") -> Path:
        path = tmp_path / "gads.toml"
        path.write_text(
            '[google_ads]\nhistory = "unlimited"\n'
            f"configuration = {json.dumps(str(client / 'google-ads.yaml'))}\n"
            f"ca_certificate = {json.dumps(str(client / 'ca.pem'))}\n"
            f"customer_ids = {json.dumps(customer_ids)}\n"
            '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n'
            "[extraction]\nmax_attempts = 2\n" + extra + reports
        )
        return path

    return write


@pytest.fixture
def digest_of() -> Callable[[Path], dict[str, bytes]]:
    """The content of every file below a folder, by relative path."""

    def digest(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return digest
