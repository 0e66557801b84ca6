"""Run `gads-etl` with the arguments given, and print on stderr which modules of ours ran a function, one a line."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

from gads_etl.main import run

entered: dict[str, None] = {}


def _is_import(frame: FrameType | None) -> bool:
    """Whether the frame runs because a module is imported: class bodies, decorators, constants."""
    while frame is not None:
        code = frame.f_code
        is_main = frame.f_globals.get("__name__") == "__main__"
        if (code.co_name == "<module>" and not is_main) or code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def profile(frame: FrameType, event: str, _argument: Any) -> None:
    name = frame.f_globals.get("__name__", "")
    if event == "call" and name.startswith("gads_") and name not in entered and not _is_import(frame):
        entered[name] = None


threading.setprofile(profile)
sys.setprofile(profile)
try:
    run(sys.argv[1:])
finally:
    sys.setprofile(None)
    threading.setprofile(None)
    sys.stderr.write("\n".join(["modules:", *entered, ""]))
