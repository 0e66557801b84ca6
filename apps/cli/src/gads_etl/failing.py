"""How a command ends: every exit status and every error line is decided here."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

import typer

from gads_domain.errors import GadsError
from gads_etl.exit_codes import ExitCode, exit_code_of

_HELP_WANTED = "NoArgsIsHelpError"
"""What typer raises where a command is left out, with the help as its message; the class itself is not public."""

_INTERRUPTED = 130

_EXTRAS = {"gads_emulator": "emulator", "gads_warehouse_duckdb": "duckdb"}
"""The extra that brings a package which the command line imports only where it is needed."""


def guarded(action: Callable[[], object]) -> int:
    """Run `action` and return the process's exit status, writing an error and its hint to stderr.

    An unknown exception is a fault of ours: its traceback is shown and the status is 70.
    """
    try:
        status = action()
    except typer.TyperException as error:
        if type(error).__name__ == _HELP_WANTED:
            sys.stderr.write(f"{error.format_message()}\n")
            return error.exit_code
        say_error(error.format_message(), "gads-etl COMMAND --help shows how it is meant")
        return error.exit_code
    except typer.Abort:
        say_error("not confirmed; nothing was changed")
        return int(ExitCode.USAGE)
    except GadsError as error:
        say_error(error.message, error.hint)
        return int(exit_code_of(error))
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads stdout any more: end quietly, without Python's own complaint when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.INCOMPLETE)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return _report_bug(error)
        say_error(f"this command needs gads-etl[{extra}]", f"pip install 'gads-etl[{extra}]'")
        return int(ExitCode.USAGE)
    except Exception as error:
        return _report_bug(error)
    # typer turns an interrupt into this status, without a word.
    if status == _INTERRUPTED:
        say_error("interrupted", "what was sealed is kept; run the same command again to go on")
    return status if isinstance(status, int) else int(ExitCode.OK)


def _report_bug(error: Exception) -> int:
    traceback.print_exception(error)
    say_error(f"a fault of gads-etl: {type(error).__name__}: {error}", "please report it with the lines above")
    return int(ExitCode.BUG)


def say_error(message: str, hint: str = "") -> None:
    """Write `error:` and, if there is one, `hint:` to stderr, a line each."""
    line = " ".join(message.split())
    sys.stderr.write(f"error: {line}\n")
    if hint:
        sys.stderr.write(f"hint: {' '.join(hint.split())}\n")
