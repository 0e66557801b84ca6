"""What a table is made of, and the options of every command that prints one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from gads_terminal.output import Format, ListFormat

FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
WideOption = Annotated[bool, typer.Option("--wide", help="Show every column, and ids whole.")]
ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="NAME,...", help="Only these columns, in this order.")
]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, in order, and what is said where there are no rows.

    `columns` are members of the rows, separated by spaces. Marks stand before a name: `-` for what is left out first
    where there is no space, `#` for a number, aligned to the right with separators of thousands (and so for no id),
    `@` for an id that its last part identifies, `~` for a time (UTC); these two are short on a terminal.
    """

    columns: str
    empty: str = "nothing matches"

    @property
    def names(self) -> list[str]:
        """The columns without their marks."""
        return [column.lstrip("-#@~") for column in self.columns.split()]


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """Which columns of a table are shown, each an option of its own: see `command_group.flattened`."""

    wide: WideOption = False
    columns: ColumnsOption = None

    @property
    def names(self) -> list[str]:
        """The columns that were named; empty for those of the table."""
        return [name.strip() for name in (self.columns or "").split(",") if name.strip()]


@dataclass(frozen=True, slots=True)
class TableOptions(ColumnOptions):
    """How a command prints its tables, each an option of its own: see `command_group.flattened`."""

    format_: FormatOption = Format.TABLE


@dataclass(frozen=True, slots=True)
class ListOptions(ColumnOptions):
    """The same, for a table that is a list of rows."""

    format_: Annotated[ListFormat, typer.Option("--format", help="How to print.")] = ListFormat.TABLE


def columns_of(*tables: Table) -> Callable[[ColumnOptions], None]:
    """A check of options: `--columns` names columns of these tables. It is made before the command does anything."""
    known = list(dict.fromkeys(name for table in tables for name in table.names))

    def check(options: ColumnOptions) -> None:
        for name in options.names:
            if name not in known:
                raise typer.BadParameter(f"there is no column {name!r}; there are {', '.join(known)}")
        if options.names and isinstance(options, TableOptions | ListOptions) and options.format_ != Format.TABLE:
            raise typer.BadParameter("--columns is for tables; JSON and CSV have every member")

    return check
