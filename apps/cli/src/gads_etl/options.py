"""The options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gads_domain.errors import GadsError, UsageError
from gads_domain.partition_key import parse_date, require_customer_id
from gads_etl.configuration_file import DEFAULT_FILE


def _date(text: str | date) -> date:
    try:
        return text if isinstance(text, date) else parse_date(text)
    except GadsError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from None


def _customer(values: list[str]) -> list[str]:
    try:
        return [require_customer_id(value.replace("-", "")) for value in values]
    except GadsError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from None


ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", show_default=True)]
SinceOption = Annotated[date | None, typer.Option(parser=_date, metavar="YYYY-MM-DD", help="First day, included.")]
UntilOption = Annotated[date | None, typer.Option(parser=_date, metavar="YYYY-MM-DD", help="Last day, included.")]
CustomerOption = Annotated[
    list[str] | None,
    typer.Option("--customer", metavar="ID", callback=lambda v: _customer(v or []), help="Account; may be repeated."),
]
ReportOption = Annotated[list[str] | None, typer.Option("--report", metavar="NAME", help="Report; may be repeated.")]


def require_order(since: date | None, until: date | None) -> None:
    """Raise `UsageError` if the days are reversed."""
    if since is not None and until is not None and until < since:
        raise UsageError(f"the days are reversed: {since} is after {until}", hint="give the earlier day as --since")


__all__ = [
    "DEFAULT_FILE",
    "ConfigOption",
    "CustomerOption",
    "ReportOption",
    "SinceOption",
    "UntilOption",
    "require_order",
]
