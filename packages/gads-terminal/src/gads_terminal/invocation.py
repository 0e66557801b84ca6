"""How a program was called, so that what it prints to be run next runs as it is printed."""

import os
import shlex
import shutil
import sys
from pathlib import Path

_RUNNERS = ("uv", "uvx")


def typed_for(name: str) -> str:
    """What is typed before the arguments of the program `name`, as the shell takes it, from where it was called.

    That is its name if the PATH leads to it, and otherwise its path. Where uv runs it, in an environment of which the
    shell knows nothing, it is what was typed for that: `uv run --no-dev gads-etl`.
    """
    return _typed_for_uv(name) or _typed_for_script(name)


def _typed_for_uv(name: str) -> str:
    """Empty if the process was not started by uv."""
    if "UV" not in os.environ:
        return ""
    try:
        words = Path(f"/proc/{os.getppid()}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    except (OSError, UnicodeDecodeError):  # only Linux says how another process was called
        return f"uv run {name}"
    if not words or Path(words[0]).name not in _RUNNERS:
        return ""
    typed = words[: len(words) - len(sys.argv[1:])]
    if typed[1:3] == ["tool", "uvx"]:  # what uvx becomes
        typed[:3] = [str(Path(typed[0]).with_name("uvx"))]
    runner = Path(typed[0]).name
    return shlex.join([runner if shutil.which(runner) else typed[0], *typed[1:]])


def _typed_for_script(name: str) -> str:
    found, script = shutil.which(name), Path(sys.argv[0])
    if found is not None and script.exists() and Path(found).samefile(script):
        return name
    if script.suffix == ".py":  # python -m
        return shlex.join([sys.executable, str(script)])
    return shlex.quote(sys.argv[0])
