"""The guide, the examples and the recipes name only what there is: every command, option and exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from gads_etl.exit_codes import ExitCode
from gads_etl.main import app

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
UNIT = (ROOT / "examples" / "systemd" / "gads-etl.service").read_text(encoding="utf-8")
CONTAINER = (ROOT / "examples" / "container" / "Containerfile").read_text(encoding="utf-8")
PYTHON_RECIPES = [
    (ROOT / "examples" / name).read_text(encoding="utf-8")
    for name in ("airflow/gads_etl_dag.py", "dagster/gads_etl_definitions.py")
]
ROUND = ROOT / "examples" / "cron" / "gads-etl-round"
COMMANDS = sorted(set(re.findall(r"gads-etl ((?:[a-z-]+ ?)[^`\n\"|;>]*)", GUIDE)))
RECIPES = [
    *(
        " ".join(re.findall(r'"(.+?)"', call))
        for text in PYTHON_RECIPES
        for call in re.findall(r'[ (]gads_etl\((".+?)\)', text)
    ),
    *re.findall(r'gads-etl ([a-z].*?) "', ROUND.read_text(encoding="utf-8")),
]


@pytest.fixture(scope="module")
def tree() -> Any:
    return typer.main.get_command(app)


def test_the_guide_names_commands() -> None:
    assert len(COMMANDS) > 10


def test_each_recipe_attempts_what_is_due_and_then_asks_for_gaps() -> None:
    assert [" ".join(line.split()[:2]) for line in RECIPES] == ["serve --once", "state gaps"] * 3


def _started_by_examples() -> list[str]:
    """What the unit and the container call, without the program's own name."""
    (unit,) = re.findall(r"^ExecStart=\S+/gads-etl (.*)$", UNIT, re.MULTILINE)
    (container,) = re.findall(r"^CMD (\[.*\])$", CONTAINER, re.MULTILINE)
    return [unit, " ".join(json.loads(container))]


@pytest.mark.parametrize("line", [*COMMANDS, *RECIPES, *_started_by_examples()])
def test_every_command_and_option_of_the_guide_exists(line: str, tree: Any) -> None:
    words = line.split()
    command = tree
    while hasattr(command, "commands") and words and words[0] in command.list_commands(None):
        command = command.get_command(None, words.pop(0))
    assert not hasattr(command, "commands"), f"{line!r} is no whole command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_recipes_try_again_where_the_guide_says_so() -> None:
    (later,) = re.findall(r"^\| (\d+) \| .* \| calls again later \|$", GUIDE, re.MULTILINE)
    assert int(later) == ExitCode.LATER
    assert [re.findall(r"^LATER = (\d+)$", text, re.MULTILINE) for text in PYTHON_RECIPES] == [[later]] * 2


@pytest.mark.parametrize(
    ("attempt", "complete", "code", "mailed"),
    [
        (0, 0, 0, False),
        (0, 1, 1, True),
        (1, 0, 1, True),
        (1, 1, 1, True),
        (4, 0, 4, True),
        (70, 1, 70, True),
        (75, 0, 75, False),
        (75, 1, 75, True),
    ],
)
def test_a_round_of_cron_passes_the_exit_code_on_and_mails_why(
    attempt: int, complete: int, code: int, mailed: bool, tmp_path: Path
) -> None:
    program = tmp_path / "gads-etl"
    program.write_text(
        f'#!/bin/sh\ncase $1 in serve) echo "why $@"; exit {attempt} ;; *) echo "gaps $@"; exit {complete} ;; esac\n'
    )
    program.chmod(0o755)
    done = subprocess.run(
        [str(ROUND), "gads.toml", str(tmp_path / "serve.log")],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert (tmp_path / "serve.log").read_text() == "why serve --once --config gads.toml\n"
    parts = [f"exit code {code};", "why serve", "gaps state gaps --config gads.toml"] if mailed else []
    assert [part for part in parts if part not in done.stderr] == []
    assert bool(done.stderr) == mailed
