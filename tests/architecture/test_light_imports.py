"""What starts fast starts fast because heavy things are not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("google", "grpc", "pyarrow", "pydantic", "rich", "lark", "ptars", "duckdb", "sqlite3")


def _imported(code: str) -> set[str]:
    listing = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"], ["state", "hold", "--help"], ["--version"]])
def test_help_needs_none_of_what_commands_need(words: list[str]) -> None:
    found = _imported(
        "import contextlib, io, sys\n"
        "from gads_etl.main import run\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    run({words!r})"
    )
    assert found.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module", ["gads_domain.adapters", "gads_payload.reader", "gads_state_sqlite.adapter", "gads_sink_local.adapter"]
)
def test_the_consumers_side_brings_neither_the_api_nor_the_command_line(module: str) -> None:
    found = _imported(f"import {module}")
    assert found.isdisjoint({"google", "grpc", "ptars", "lark", "typer", "rich", "gads_etl", "gads_extractor"})


def test_inspecting_state_does_not_import_the_client() -> None:
    found = _imported(
        "import contextlib\n"
        "from gads_etl.main import run\n"
        "with contextlib.suppress(SystemExit):\n"
        "    run(['state', 'inspect', '--config', 'nowhere.toml'])"
    )
    assert found.isdisjoint({"google", "grpc", "pyarrow", "ptars", "lark"})


def test_the_suites_are_imported_when_they_are_used() -> None:
    assert _imported("import gads_conformance").isdisjoint({"pytest", "hypothesis", "gads_domain.ports.sink"})
    assert "gads_conformance.ledger.laws" not in _imported("from gads_conformance import SinkLaws")
