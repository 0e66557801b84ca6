"""A program that is killed after a while."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def seconds_of(program: str, argument: Path, killed_after: float | None) -> float:
    """How long `program` took in a process of its own, which is killed after so many seconds; None lets it end.

    The program prints `begins` when what is to be killed begins, and has to end well if it ends by itself.
    """
    with subprocess.Popen([sys.executable, "-c", program, str(argument)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        began = time.monotonic()
        try:
            assert process.wait(killed_after) == 0
        except subprocess.TimeoutExpired:
            process.kill()
    return time.monotonic() - began
