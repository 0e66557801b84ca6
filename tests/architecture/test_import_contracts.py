"""Every contract of .importlinter holds, and a violation of it is caught."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTS = {
    "layers": {"gads_domain.planted_layer": "gads_etl"},
    "adapters": {"gads_etl.planted_adapter": "gads_state_sqlite"},
    "application": {"gads_etl.planted_part": "gads_validator"},
    "command-line": {"gads_warehouse.planted_plan": "gads_orchestrator"},
    "terminal": {"gads_pipeline.planted_table": "gads_terminal"},
    "consumer": {"gads_warehouse_duckdb.planted_consumer": "gads_consumer"},
    "payload": {"gads_warehouse.planted_payload": "gads_payload"},
    "queries": {"gads_consumer.planted_query": "gads_gaql"},
    "state": {"gads_extractor.planted_state": "gads_domain.state"},
    "ledger": {"gads_state_sqlite.planted_sink": "gads_domain.ports.sink"},
    "reading": {"gads_consumer.planted_writer": "gads_payload.writer"},
    "warehouse": {"gads_warehouse.planted_ledger": "gads_domain.ports.ledger"},
    "circles": {"gads_gaql.planted_one": "gads_gaql.planted_two", "gads_gaql.planted_two": "gads_gaql.planted_one"},
}
"""For each contract the modules that break it, with what each of them imports."""


def _contracts() -> dict[str, configparser.SectionProxy]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): parser[name] for name in parser.sections() if name.startswith(prefix)}


def _member_modules() -> dict[str, Path]:
    found = {}
    for pattern in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]:
        for member in ROOT.glob(pattern):
            if (member / "pyproject.toml").exists():
                (module,) = [path for path in (member / "src").iterdir() if (path / "__init__.py").exists()]
                found[module.name] = module
    return found


def _lint(search_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "400"}  # rich folds long chains at the width of the terminal
    if search_path is not None:
        environment["PYTHONPATH"] = str(search_path)
    lint = Path(sys.executable).with_name("lint-imports")
    command = [str(lint), "--config", str(ROOT / ".importlinter"), "--no-cache", "--no-logo"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter prints when every contract is broken."""
    tree = tmp_path_factory.mktemp("planted")
    for name, path in _member_modules().items():
        shutil.copytree(path, tree / name, ignore=shutil.ignore_patterns("__pycache__", "fields"))
    for plants in PLANTS.values():
        for module, imported in plants.items():
            (tree / f"{module.replace('.', '/')}.py").write_text(f"import {imported}\n")
    return _lint(tree).stdout


def test_contracts_hold() -> None:
    done = _lint()
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_member_is_in_a_layer() -> None:
    layers = re.split(r"[\s|]+", _contracts()["layers"]["layers"].strip())
    assert sorted(layers) == sorted(_member_modules())


@pytest.mark.parametrize("identifier", _contracts())
def test_a_planted_violation_is_caught(fallen: str, identifier: str) -> None:
    sections = re.split(r"\n(?=[^\n]+\n-{5,}\n)", fallen.split("Broken contracts", 1)[1])
    (section,) = [part for part in sections if part.strip().startswith(_contracts()[identifier]["name"])]
    for module in PLANTS[identifier]:
        assert module.partition(".")[2] in section, section


def test_domain_package_imports_nothing_by_itself() -> None:
    assert (ROOT / "packages/gads-domain/src/gads_domain/__init__.py").read_text() == ""
    assert (ROOT / "packages/gads-domain/src/gads_domain/ports/__init__.py").read_text() == ""


def test_importing_a_key_does_not_import_state() -> None:
    code = "import sys, gads_domain.partition_key; assert 'gads_domain.state' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
