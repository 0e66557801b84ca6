"""The guide and the examples name only what there is: every command and option, and Python that compiles."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from gads_etl.main import app

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
UNIT = (ROOT / "examples" / "systemd" / "gads-etl.service").read_text(encoding="utf-8")
CONTAINER = (ROOT / "examples" / "container" / "Containerfile").read_text(encoding="utf-8")
# A command as an argument list reads as one on a line does.
COMMANDS = sorted(set(re.findall(r"gads-etl ((?:[a-z-]+ ?)[^`\n\"|;>]*)", re.sub(r'", "', " ", GUIDE))))


@pytest.fixture(scope="module")
def tree() -> Any:
    return typer.main.get_command(app)


def test_the_guide_names_commands() -> None:
    assert len(COMMANDS) > 10


def _started_by_examples() -> list[str]:
    """What the unit and the container call, without the program's own name."""
    (unit,) = re.findall(r"^ExecStart=\S+/gads-etl (.*)$", UNIT, re.MULTILINE)
    (container,) = re.findall(r"^CMD (\[.*\])$", CONTAINER, re.MULTILINE)
    return [unit, " ".join(json.loads(container))]


@pytest.mark.parametrize("line", [*COMMANDS, *_started_by_examples()])
def test_every_command_and_option_of_the_guide_exists(line: str, tree: Any) -> None:
    words = line.split()
    command = tree
    while hasattr(command, "commands") and words and words[0] in command.list_commands(None):
        command = command.get_command(None, words.pop(0))
    assert not hasattr(command, "commands"), f"{line!r} is no whole command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
def test_the_recipes_compile(code: str) -> None:
    compile(code, "docs/operating.md", "exec")
