"""Each numbered law in a port's docstring has a test in gads-conformance that is marked with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gads_conformance
from gads_conformance import laws_of

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "packages/gads-domain/src/gads_domain"


def _numbered_laws() -> Iterator[tuple[str, int]]:
    for file in sorted(DOMAIN.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                laws = (ast.get_docstring(node) or "").partition("Laws:")[2]
                yield from ((node.name, int(number)) for number in re.findall(r"^(\d+)\. ", laws, re.MULTILINE))


def _tested_laws() -> Iterator[tuple[str, int]]:
    for name in dir(gads_conformance):
        suite = getattr(gads_conformance, name)
        if name.endswith("Laws"):
            yield from laws_of(suite)


def test_each_law_has_a_test_and_each_marked_test_its_law() -> None:
    laws = set(_numbered_laws())
    assert len({port for port, _ in laws}) >= 12
    assert set(_tested_laws()) == laws
