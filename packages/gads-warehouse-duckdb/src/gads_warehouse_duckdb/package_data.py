"""The SQL and TOML files beside the modules, each read once."""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any


def _text(file: str) -> str:
    return (resources.files("gads_warehouse_duckdb") / file).read_text(encoding="utf-8")


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of an SQL file by their names: each stands below a line `-- name: …`."""
    _, *parts = re.split(r"^-- name: (\w+)\n", _text(file), flags=re.MULTILINE)
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@cache
def document(file: str) -> dict[str, Any]:
    """The tables of a TOML file."""
    return tomllib.loads(_text(file))
