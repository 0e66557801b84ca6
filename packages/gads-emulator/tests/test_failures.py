"""The refusals of `api.toml` against the code that raises them and the client that knows them."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter

import gads_emulator
from gads_domain.package_data import tables_of
from gads_emulator.api_versions import error_codes
from gads_gaql.catalogue import versions
from gads_gaql.resource_rules import CHANGE_TIMES

REFUSALS: dict[str, dict[str, str]] = tables_of("gads_emulator", "api.toml")["refusals"]


def test_the_client_knows_every_refusal() -> None:
    named = {f"{group}.{code}" for group, messages in REFUSALS.items() for code in messages}
    named |= {
        f"{resource}_error.{code}"
        for resource in CHANGE_TIMES
        for code in tables_of("gads_emulator", "api.toml")["change_refusals"]
    }
    assert named - error_codes(versions()[-1]) == set()


def test_every_refusal_is_raised_with_the_details_of_its_message() -> None:
    messages = {code: text for group in REFUSALS.values() for code, text in group.items()}
    calls = [call for file in Path(gads_emulator.__file__).parent.rglob("*.py") for call in _refusals(file)]
    literal = [(code, details) for code, details in calls if code]
    wanted = {code: {name for _, name, _, _ in Formatter().parse(text) if name} for code, text in messages.items()}
    assert [(code, details) for code, details in literal if wanted[code] - {"trigger"} != details] == []
    # A code that is computed names an error of the parser, whose message is its only detail.
    assert {details for code, details in calls if not code} == {frozenset({"message"})}
    assert {code for code in messages.keys() - dict(literal).keys() if wanted[code] != {"message"}} == set()


def _refusals(file: Path) -> list[tuple[str, frozenset[str | None]]]:
    """Return the code (empty unless it is literal) and the names of the details of each call of `refusal`."""
    return [
        (
            str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else "",
            frozenset(keyword.arg for keyword in node.keywords),
        )
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "refusal"
    ]
