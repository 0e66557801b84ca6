"""Print the README's command with the given words, so that what CI runs is what a reader runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def commands(text: str) -> list[str]:
    """Every line of every bash block."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


if __name__ == "__main__":
    (found,) = [line for line in commands(README.read_text(encoding="utf-8")) if line.endswith(sys.argv[1])]
    sys.stdout.write(found + "\n")
