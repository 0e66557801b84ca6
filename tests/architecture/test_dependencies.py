"""What a package imports is declared by it; what its tests import is declared by it or in the workspace's dev group."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(file.parent for file in ROOT.glob("*/*/pyproject.toml"))
PROVIDERS = packages_distributions()


def _names(lines: list[str]) -> set[str]:
    return {re.split(r"[~<>=\[; ]", line)[0].lower() for line in lines}


def _declared_in(member: Path) -> set[str]:
    project = tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return {project["name"], *_names(project["dependencies"]), *(name for extra in extras for name in _names(extra))}


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _undeclared(folder: Path, known: set[str], beside: set[str]) -> list[str]:
    """The imports in `folder` that are not of the standard library, `beside` or a known distribution."""
    missing = []
    for file in sorted(folder.rglob("*.py")):
        for module in sorted(set(_imported(ast.parse(file.read_text(encoding="utf-8"))))):
            providers = {name.lower() for name in PROVIDERS.get(module, [])} | {module.replace("_", "-")}
            if module not in sys.stdlib_module_names | beside and not providers & known:
                missing.append(f"{file.relative_to(ROOT)} imports {module}")
    return missing


def test_members_are_found() -> None:
    assert len(MEMBERS) > 15


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_what_a_package_imports_is_declared(member: Path) -> None:
    own = {path.name for path in (member / "src").iterdir()} | {"_typeshed"}  # the type checker's own
    assert _undeclared(member / "src", _declared_in(member), own) == []


@pytest.mark.parametrize("folder", [*MEMBERS, ROOT], ids=lambda folder: folder.name)
def test_what_tests_import_is_declared(folder: Path) -> None:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    members = {member.name if member.parent.name == "packages" else "gads-etl" for member in MEMBERS}
    known = _names(workspace["dependency-groups"]["dev"]) | members
    known |= set() if folder == ROOT else _declared_in(folder)
    beside = {path.stem for path in (folder / "tests").rglob("*.py")}
    assert _undeclared(folder / "tests", known, beside) == []
