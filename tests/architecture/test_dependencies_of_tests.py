"""What the tests import is declared: by the package they are of, or in the workspace's dev group."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = [*ROOT.glob("packages/*/tests"), *ROOT.glob("apps/*/tests"), ROOT / "tests"]


def _declared_in(pyproject: Path, *path: str) -> set[str]:
    found = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    for name in path[:-1]:
        found = found.get(name, {})
    return {re.split(r"[<>=~\[; ]", line)[0].lower() for line in found.get(path[-1], [])}


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _undeclared(folder: Path, known: set[str], beside: set[str]) -> Iterator[str]:
    providers = packages_distributions()
    for file in sorted(folder.rglob("*.py")):
        for module in set(_imported(ast.parse(file.read_text(encoding="utf-8")))):
            if module in sys.stdlib_module_names or module in beside or module.startswith("gads_"):
                continue
            if not {name.lower() for name in providers.get(module, [])} & known:
                yield f"{file.relative_to(ROOT)} imports {module}"


def test_whatever_a_test_imports_is_declared() -> None:
    dev = _declared_in(ROOT / "pyproject.toml", "dependency-groups", "dev")
    beside = {file.stem for folder in FOLDERS for file in folder.rglob("*.py")}
    beside |= {file.parent.name for folder in FOLDERS for file in folder.rglob("__init__.py")}
    missing: list[str] = []
    for folder in FOLDERS:
        own = folder.parent / "pyproject.toml"
        known = dev | (_declared_in(own, "project", "dependencies") if folder.parent != ROOT else set())
        missing += _undeclared(folder, known, beside)
    assert missing == []
