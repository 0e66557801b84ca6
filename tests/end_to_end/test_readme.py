"""Every command of the README is run: here, or, for the two that set a machine up, by CI."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

_found = importlib.util.spec_from_file_location("readme_command", ROOT / ".ci" / "readme_command.py")
assert _found is not None
assert _found.loader is not None
_module = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_module)

COMMANDS: list[str] = _module.commands((ROOT / "README.md").read_text(encoding="utf-8"))
RUN_BY_CI = ("gads-etl demo", "pytest -n 3 --dist worksteal")
MARKED = re.compile(r"uv run pytest -m (\w+)( -s)?")


def test_two_commands_set_a_machine_up_and_ci_runs_them() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for end in RUN_BY_CI:
        assert len([command for command in COMMANDS if command.endswith(end)]) == 1
        assert f'readme "{end}"' in script


def test_marked_suites_have_tests(pytester_free_collection: dict[str, int]) -> None:
    marks = [match[1] for command in COMMANDS if (match := MARKED.fullmatch(command))]
    assert sorted(marks) == ["benchmark", "campaign"]
    assert all(pytester_free_collection[mark] > 0 for mark in marks)


@pytest.fixture
def pytester_free_collection() -> dict[str, int]:
    """How many files use each marker; collecting them all for this would take as long as the suite."""
    sources = [
        path.read_text()
        for pattern in ("packages/*/tests", "apps/*/tests", "tests", "packages/*/src")
        for folder in ROOT.glob(pattern)
        for path in folder.rglob("*.py")
    ]
    return {mark: sum(f"mark.{mark}" in source for source in sources) for mark in ("benchmark", "campaign")}


def test_the_rest_works_in_its_order_for_one_real_account(
    gads_etl: Any, tmp_path: Path, agency: Path, customers: list[str]
) -> None:
    rest = [c for c in COMMANDS if not c.endswith(RUN_BY_CI) and not MARKED.fullmatch(c)]
    assert all(command.startswith("uv run gads-etl ") for command in rest)
    assert len(rest) >= 8
    certificate = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(agency / "ca.pem")}
    for command in rest:
        done = gads_etl(*shlex.split(command)[3:], cwd=tmp_path, env=certificate)
        assert done.code == 0, (command, done.err)
        if command.endswith(" init"):
            # What the README tells the reader to do by hand.
            shutil.copy(agency / "google-ads.yaml", tmp_path)
            text = (tmp_path / "gads.toml").read_text()
            (tmp_path / "gads.toml").write_text(text.replace("customer_ids = []", f'customer_ids = ["{customers[0]}"]'))


def test_exit_codes_are_those_of_the_code() -> None:
    from gads_etl.exit_codes import ExitCode

    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode} | {130}


def test_every_package_is_listed_and_every_link_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
    assert [link for link in links if not (ROOT / link).exists()] == []
    members = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert {f"packages/{name}/README.md" for name in members} <= set(links)
