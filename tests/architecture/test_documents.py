"""Holds the prose to the code: links lead somewhere, modules exist, and retired words stay away."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "contracts/**/*.md",
        "examples/**/*.md",
        "packages/*/README.md",
        "apps/*/README.md",
        "tests/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
RETIRED = re.compile(
    r"\b(stretch|stretches|judge[ds]?|verdicts?|vouche?[ds]?|wish|fulfil|foresee|rooms?|believe[ds]?)\b", re.IGNORECASE
)
PROSE = {".gaql", ".json", ".md", ".py", ".sql", ".toml"}


def _anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_documents() -> None:
    assert len(DOCUMENTS) > 30


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = document.parent / place if place else document
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def test_modules_that_the_architecture_names_exist() -> None:
    names = set(re.findall(r"`(gads_\w+(?:\.\w+)*)`", ARCHITECTURE))
    assert len(names) > 30
    assert sorted(name for name in names if importlib.util.find_spec(name) is None) == []


def test_the_architecture_names_every_package() -> None:
    members = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert {name for name in members if f"`{name}`" not in ARCHITECTURE} == set()


def test_retired_words_stay_away() -> None:
    found = []
    for top in ("packages", "apps", "docs", "contracts", "README.md"):
        top_path = ROOT / top
        for path in [top_path] if top_path.is_file() else sorted(top_path.rglob("*")):
            if path.suffix in PROSE and path.is_file():
                lines = path.read_text(encoding="utf-8").splitlines()
                found += [
                    f"{path.relative_to(ROOT)}:{number}: {match[0]}"
                    for number, line in enumerate(lines, 1)
                    for match in RETIRED.finditer(line)
                ]
    assert found == []
