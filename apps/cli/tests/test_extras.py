"""Without its extras the command line works, and names the extra where one is needed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# What `pip install gads-etl` alone leaves out is hidden from a process of its own.
BARE = """
import importlib.metadata, sys
hidden = {"gads_emulator", "gads_sink_s3", "gads_ui", "gads_warehouse_duckdb", "minio", "duckdb"}
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
found = importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **chosen: [p for p in found(**chosen) if p.name not in {"s3", "duckdb"}]
from gads_etl.main import run
run(sys.argv[1:])
"""


def bare(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BARE, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gads.toml").write_text(
        '[google_ads]\ncustomer_ids = ["1234567890"]\n\n[google_ads.emulator]\n\n'
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n\n[[reports]]\nname = "campaign"\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["demo"], "emulator"),
        (["emulator", "serve", "--synthetic"], "emulator"),
        (["run", "--since", "2024-05-01", "--until", "2024-05-01"], "emulator"),
        (["check"], "emulator"),
        (["ui"], "ui"),
        (["serve", "--http", "127.0.0.1:0"], "ui"),
        (["warehouse", "load"], "duckdb"),
        (["warehouse", "status"], "duckdb"),
    ],
)
def test_a_command_names_the_extra_that_it_needs(folder: Path, words: list[str], extra: str) -> None:
    done = bare(folder, *words)
    assert done.returncode == 2, done.stderr
    assert f"gads-etl[{extra}]" in done.stderr
    assert f"pip install 'gads-etl[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "raw").exists()


def test_a_url_names_the_extra_that_it_needs(folder: Path) -> None:
    file = folder / "gads.toml"
    file.write_text(file.read_text().replace("file:raw", "s3://bucket"))
    done = bare(folder, "validate")
    assert done.returncode == 2
    assert "s3: needs gads-etl[s3]" in done.stderr
    assert "pip install 'gads-etl[s3]'" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["check", "--offline"], ["state", "inspect"], ["reports", "list"]])
def test_whatever_needs_no_extra_does_without(folder: Path, words: list[str]) -> None:
    done = bare(folder, *words)
    assert done.returncode == 0, done.stderr


def test_all_is_every_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert extras["all"] == [f"gads-etl[{','.join(name for name in extras if name != 'all')}]"]
