"""`gads-etl init`: a commented `gads.toml` to start with."""

import os
import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from gads_domain.errors import ConfigurationError
from gads_etl.options import DEFAULT_FILE
from gads_pipeline import template
from gads_terminal.invocation import typed_for
from gads_terminal.output import print_note


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_FILE,
    sink: Annotated[str, typer.Option(help="URL of the raw partitions.")] = "file:raw",
    state: Annotated[str, typer.Option(help="URL of the ledger.")] = "sqlite:state.db",
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Reports to start with: minimal, agency or dbt_google_ads.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print it instead of writing a file.")] = False,
) -> None:
    """Write a commented gads.toml for a real account.

    A file that exists is never overwritten.
    """
    from gads_gaql.catalogue import latest  # the parser, which no help needs

    text = template.real_account(sink, state, latest(), preset)
    if show:
        sys.stdout.write(text)
        return
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already", hint="name another file, or edit that one") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    typed = f"{typed_for('gads-etl')} check --config {quote(str(path))}"
    print_note(f"wrote {path}. Next: fill in google_ads, then run {typed}")
