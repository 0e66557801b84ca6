"""The tree of commands: the README lists it, every help is whole, and shared options mean the same everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from gads_etl.main import COMMANDS, app

README = Path(__file__).parents[1] / "README.md"
SHARED = (
    "--config",
    "--customer",
    "--report",
    "--since",
    "--until",
    "--format",
    "--yes",
    "--dry-run",
    "--json-events",
    "--wide",
    "--columns",
)


def _commands(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        is_group = hasattr(command, "commands")
        if is_group:
            yield from _commands(command, (*names, name))
        if not is_group or command.invoke_without_command:
            yield " ".join((*names, name)), command


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    return dict(_commands(typer.main.get_command(app)))


def test_the_readme_lists_every_command_and_no_other(tree: dict[str, Any]) -> None:
    listed = re.findall(r"^\| `([^`]+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(tree)


def test_every_help_has_a_purpose_a_line_an_option_and_points_to_the_exit_codes(tree: dict[str, Any]) -> None:
    for name, command in tree.items():
        assert re.match(r"[A-Z][^\n]{15,}\.", command.help), name
        assert command.epilog.startswith("Exit codes:"), name
        for parameter in command.params:
            assert getattr(parameter, "help", None), (name, parameter.name)


@pytest.mark.parametrize("entry", COMMANDS, ids=[entry[0] for entry in COMMANDS])
def test_the_list_of_commands_says_what_their_help_says_first(entry: tuple[str, str, str, str]) -> None:
    name, *_, line = entry
    command = typer.main.get_command(app).get_command(None, name)  # type: ignore[attr-defined]  # a group
    assert command.help.split("\n")[0] == line


def test_shared_options_mean_the_same_everywhere(tree: dict[str, Any]) -> None:
    for shared in SHARED:
        found = {
            (tuple(parameter.opts), parameter.metavar, parameter.multiple)
            for command in tree.values()
            for parameter in command.params
            if shared in parameter.opts
        }
        assert len(found) == 1, (shared, found)


def test_the_version_is_on_stdout() -> None:
    script = Path(sys.executable).with_name("gads-etl")
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"gads-etl {version('gads-etl')}\n", "")
