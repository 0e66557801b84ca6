"""The SQL files beside the modules."""

import re
from pathlib import Path


def blocks(file: str) -> dict[str, str]:
    """The parts of `file`, each below a line `-- name: …`, by name."""
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {name: part.strip() for name, part in zip(parts[::2], parts[1::2], strict=True)}
