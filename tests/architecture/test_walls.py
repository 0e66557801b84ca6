"""Every wall of .importlinter holds, covers every member, and would be seen to fall."""

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
PREFIX = "importlinter:contract:"


def _walls() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def _lines(text: str) -> list[str]:
    return [line for line in text.split() if line]


def _contracts() -> dict[str, configparser.SectionProxy]:
    walls = _walls()
    return {name.removeprefix(PREFIX): walls[name] for name in walls.sections() if name.startswith(PREFIX)}


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


def _plants() -> list[tuple[str, str, str]]:
    plants = []
    for identifier, contract in _contracts().items():
        if contract["type"] == "forbidden":
            for source in _lines(contract["source_modules"]):
                plants += [(identifier, source, target) for target in _lines(contract["forbidden_modules"])]
        else:
            modules = _lines(contract["modules"])
            plants += [(identifier, a, b) for a in modules for b in modules if a != b]
    return plants


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter prints when every wall has a breach of every kind it forbids."""
    tree = tmp_path_factory.mktemp("planted")
    for name, path in _member_modules().items():
        shutil.copytree(path, tree / name, ignore=shutil.ignore_patterns("__pycache__", "fields"))
    for source, target in {(source, target) for _identifier, source, target in _plants()}:
        planted = tree / source / f"planted_{target.replace('.', '_')}.py"
        planted.write_text(f"import {target}\n")
    return _lint(tree).stdout


def test_walls_hold() -> None:
    done = _lint()
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_member_is_under_the_walls() -> None:
    members = set(_member_modules())
    assert set(_lines(_walls()["importlinter"]["root_packages"])) == members
    walled = {source for _identifier, source, _target in _plants()}
    assert walled == members


@pytest.mark.parametrize(("identifier", "source", "target"), _plants())
def test_planted_violation_is_caught(fallen: str, identifier: str, source: str, target: str) -> None:
    title = _contracts()[identifier]["name"]
    sections = re.split(r"\n(?=[^\n]+\n-{5,}\n)", fallen.split("Broken contracts", 1)[1])
    (section,) = [part for part in sections if part.strip().startswith(title)]
    planted = f"{source}.planted_{target.replace('.', '_')}"
    assert re.search(rf"{re.escape(planted)} -> {re.escape(target)}\b", section), section


def test_domain_package_imports_nothing_by_itself() -> None:
    assert (ROOT / "packages/gads-domain/src/gads_domain/__init__.py").read_text() == ""
    assert (ROOT / "packages/gads-domain/src/gads_domain/ports/__init__.py").read_text() == ""


def test_importing_a_key_does_not_import_state() -> None:
    code = "import sys, gads_domain.partition_key; assert 'gads_domain.state' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
