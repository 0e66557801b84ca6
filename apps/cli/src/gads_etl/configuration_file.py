"""Where the configuration is looked for; apart from its reading, so that `--help` needs no pydantic."""

from __future__ import annotations

from pathlib import Path

DEFAULT_FILE = Path("gads.toml")
