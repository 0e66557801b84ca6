"""In each process of `gads-etl`: print on stderr at the end which modules of ours ran a function."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from types import FrameType
from typing import Any, NoReturn

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


def print_entered() -> None:
    sys.setprofile(None)
    threading.setprofile(None)
    sys.stderr.write(" ".join(["modules:", *entered, "\n"]))


atexit.register(print_entered)
_exit = os._exit


def _print_and_exit(status: int) -> NoReturn:
    """A forked worker ends so, without what its parent has still to do."""
    print_entered()
    _exit(status)


os._exit = _print_and_exit
threading.setprofile(profile)
sys.setprofile(profile)
