"""Write `src/gads_warehouse_duckdb/field_meanings.json.gz` from the descriptions in the installed google-ads client.

Run by hand when the client moves: `python packages/gads-warehouse-duckdb/generate/field_meanings.py`. The same client
gives the same bytes. What it takes are the docstrings of the client's message classes, which are the API's own words.
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

MEANINGS = Path(__file__).resolve().parent.parent / "src" / "gads_warehouse_duckdb" / "field_meanings.json.gz"

_DEPTH = 4
"""How far below a resource a field may lie; messages nest without end only where the API selects nothing."""

_ATTRIBUTE = re.compile(r"^(\w+) \(.*\):$")


def newest_version() -> str:
    """The newest API version of the installed client."""
    package = importlib.import_module("google.ads.googleads")
    found = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return max((name for name in found if re.fullmatch(r"v\d+", name)), key=lambda name: int(name[1:]))


def descriptions(kind: Any) -> dict[str, str]:
    """What the class's docstring says of each of its fields, as one line."""
    lines = inspect.cleandoc(kind.__doc__ or "").splitlines()
    found: dict[str, list[str]] = {}
    name = None
    for line in lines[lines.index("Attributes:") + 1 :] if "Attributes:" in lines else []:
        heading = _ATTRIBUTE.match(line.strip()) if line.startswith("    ") and not line.startswith("     ") else None
        if heading is not None:
            name = heading[1]
            found[name] = []
        elif name is not None:
            found[name].append(line.strip())
    return {name: _plain(text) for name, text in found.items()}


def _plain(lines: list[str]) -> str:
    text = " ".join(" ".join(lines).split())
    text = re.sub(r"This field is a member of `oneof`_ ``\w+``\.", "", text)
    text = re.sub(r"`([^`<]+?) *<[^>]*>`__", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\[[^\]]*\]", r"\1", text)
    return " ".join(text.replace("``", "").split())


def meanings(version: str) -> dict[str, str]:
    """The description of each field of a `GoogleAdsRow`, by its GAQL path."""
    module = importlib.import_module(f"google.ads.googleads.{version}.services.types.google_ads_service")
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any, int]] = [("", module.GoogleAdsRow, 0)]
    while waiting:
        prefix, kind, depth = waiting.pop()
        told = descriptions(kind)
        for name, field in kind.meta.fields.items():
            path = prefix + name.rstrip("_")
            if depth > 0 and told.get(name):
                found[path] = told[name]
            if field.message is not None and depth < _DEPTH and hasattr(field.message, "meta"):
                waiting.append((path + ".", field.message, depth + 1))
    return found


def main() -> None:
    """Write the file."""
    version = newest_version()
    document = {"api_version": version, "fields": dict(sorted(meanings(version).items()))}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    MEANINGS.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
