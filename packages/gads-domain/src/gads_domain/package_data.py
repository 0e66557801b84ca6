"""The data files beside a package's modules, each read once; a path is relative to the package."""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def tables_of(package: str, file: str) -> dict[str, Any]:
    """The tables of a TOML file."""
    return tomllib.loads((resources.files(package) / file).read_text("utf-8"))


@cache
def statements_of(package: str, file: str) -> dict[str, str]:
    """The statements of an SQL file by their names: each stands below a line `-- name: …`."""
    text = (resources.files(package) / file).read_text("utf-8")
    _, *parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {name: part.strip() for name, part in zip(parts[::2], parts[1::2], strict=True)}
