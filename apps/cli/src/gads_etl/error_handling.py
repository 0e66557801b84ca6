"""How a command ends: the exit status and the error line."""

import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import typer

from gads_domain.errors import GadsError
from gads_domain.visible_text import visible
from gads_etl.exit_codes import ExitCode, exit_code_of
from gads_terminal.standard_streams import UndeliveredError

_HELP_WANTED = "NoArgsIsHelpError"
"""What typer raises if no command is given, with the help as its message; the class itself is not public."""

_INTERRUPTED = 130

IN_WORDS_OF_THE_COMMAND_LINE = {
    "since": "--since",
    "until": "--until",
    "customers": "--customer",
    "keys": "KEY…",
    "all": "--all",
    "reason": "--reason",
    "retry_failed": "--retry-failed",
    "unify=True": "--unify",
    "recheck": "gads-etl validate --recheck",
    "force": "--force",
    "reconcile": "--reconcile",
    "Pipeline.accounts": "gads-etl accounts",
    "Pipeline.backfill": "gads-etl backfill",
    "Pipeline.check": "gads-etl check",
    "Pipeline.compare_api_versions": "gads-etl check --api-version",
    "Pipeline.leases": "gads-etl state leases",
    "Pipeline.gaps": "gads-etl state gaps",
    "Pipeline.validate": "gads-etl validate",
    "Pipeline.load_warehouse": "gads-etl warehouse load",
    "Pipeline.pins": "gads-etl consume pin",
    "Pipeline.history": "gads-etl state history KEY",
    "template.real_account": "gads-etl init --print",
}
"""What is typed for each name that hints of the library have in backquotes, where a program passes it."""

_EXTRAS = {"gads_emulator": "emulator", "gads_ui": "ui", "gads_warehouse_duckdb": "duckdb"}
"""The extra that installs a package which the command line imports only where it is needed."""


def guarded(action: Callable[[], object]) -> int:
    """Run `action` and return the process's exit status, writing an error and its hint to stderr.

    An unknown exception is a bug: its traceback is shown and the status is 70.
    """
    try:
        status = _status_of(action)
        sys.stdout.flush()
    except UndeliveredError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            print_error(f"stdout did not take the output: {error}", "what the command did is kept; its output is not")
        return int(ExitCode.UNDELIVERED)
    return status


def _status_of(action: Callable[[], object]) -> int:
    try:
        status = action()
    except UndeliveredError:
        raise
    except typer.TyperException as error:
        if type(error).__name__ == _HELP_WANTED:
            sys.stderr.write(f"{error.format_message()}\n")
            return error.exit_code
        print_error(error.format_message(), "gads-etl COMMAND --help shows the arguments and options")
        return error.exit_code
    except typer.Abort:
        print_error("not confirmed; nothing was changed")
        return int(ExitCode.USAGE)
    except GadsError as error:
        print_error(error.message, error.hint)
        return int(exit_code_of(error))
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return _report_bug(error)
        print_error(f"this command needs gads-etl[{extra}]", f"pip install 'gads-etl[{extra}]'")
        return int(ExitCode.USAGE)
    except Exception as error:
        if isinstance(error, OSError) and isinstance(error.filename, str):
            print_error(f"cannot use {error.filename:.300}: {error.strerror}", "check the path")
            return int(ExitCode.USAGE)
        return _report_bug(error)
    # typer turns an interrupt into this status and prints nothing.
    if status == _INTERRUPTED:
        print_error("interrupted", "what was sealed is kept; run the same command again to continue")
    return status if isinstance(status, int) else int(ExitCode.OK)


def _report_bug(error: Exception) -> int:
    traceback.print_exception(error)
    print_error(f"a bug of gads-etl: {type(error).__name__}: {error}", "please report it with the lines above")
    return int(ExitCode.BUG)


def print_error(message: str, hint: str = "") -> None:
    """Write `error:` and, if there is one, `hint:` to stderr, a line each."""
    line = visible(" ".join(message.split()))
    sys.stderr.write(f"error: {line}\n")
    if hint:
        sys.stderr.write(f"hint: {visible(' '.join(for_operators(hint).split()))}\n")


def for_operators(hint: str) -> str:
    """A hint of the library with the options and commands of this command line for its parameters and methods."""
    for name, typed in IN_WORDS_OF_THE_COMMAND_LINE.items():
        hint = hint.replace(f"`{name}`", typed)
    return hint


def hints_for_operators(value: Any, name: str = "") -> Any:
    """A document with `for_operators` of each `hint` and `hints` in it."""
    if isinstance(value, Mapping):
        return {key: hints_for_operators(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [hints_for_operators(one, name) for one in value]
    return for_operators(value) if isinstance(value, str) and name in ("hint", "hints") else value
