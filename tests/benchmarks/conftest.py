"""The server that replays encoded pages, for the benchmarks of extraction."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROCESS = Path(__file__).with_name("extraction_speed_process.py")


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A server in a process of its own; its folder, and what it says of itself: query, rows, bytes of a row."""
    folder = tmp_path_factory.mktemp("replay")
    server = subprocess.Popen(
        [sys.executable, PROCESS, "serve", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield folder, json.loads(server.stdout.readline())
    finally:
        server.communicate(timeout=30)
