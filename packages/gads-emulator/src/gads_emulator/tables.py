"""The package's data files: tables in TOML, each read once."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def read_tables(name: str) -> dict[str, Any]:
    """Return the tables of a data file, such as `api.toml`; the path is relative to the package."""
    return tomllib.loads((resources.files("gads_emulator") / name).read_text("utf-8"))
