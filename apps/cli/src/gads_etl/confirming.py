"""Asking before much is changed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gads_domain.errors import UsageError

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask, however much it is.")]


def confirm_above(many: int, count: int, what: str, yes: bool) -> None:
    """Ask whether `what` is meant if `count` is above `many`; raises `UsageError` where nobody can answer."""
    if yes or count <= many:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this is about {what}; nothing was changed", hint="give --yes if that is meant")
    typer.confirm(f"This is about {what}. Go on?", abort=True, err=True)
