"""Tables for people on stdout."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gads_terminal.output import Format, print_json, visible

_LONGEST_CELL = 300
"""Characters; what is longer is cut, and whole in JSON."""


def print_table(
    columns: Collection[str], rows: Iterable[Mapping[str, Any]], title: str = "", *, empty: str = "nothing matches"
) -> None:
    """Write the members `columns` of documents to stdout as a table below `title`; `empty` instead if there is no row.

    A column whose name begins with `#` holds numbers and is aligned to the right.
    """
    from rich.table import Table

    table = Table(header_style="bold")
    names = [column.removeprefix("#") for column in columns]
    for column, name in zip(columns, names, strict=True):
        numbers = column.startswith("#")
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, columns, (row[name] for name in names)))
    for line in (title, "" if table.row_count else empty):
        if line:
            sys.stdout.write(f"{visible(line)}\n")
    if table.row_count:
        print_rich(table)


def print_rows(
    format_: Format,
    columns: Collection[str],
    rows: Sequence[Mapping[str, Any]],
    title: str = "",
    *,
    empty: str = "nothing matches",
    document: object = None,
) -> None:
    """Write documents as a table or, as `document` has them or by themselves, as JSON."""
    if format_ is Format.JSON:
        print_json(rows if document is None else document)
    else:
        print_table(columns, rows, title if rows else "", empty=empty)


def _cell(column: str, value: object) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else ""
    if column.startswith("#") and isinstance(value, int):
        return f"{value:,}"
    text = visible(str(value))
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def print_rich(renderable: object) -> None:
    """Write anything that rich can draw to stdout, at the terminal's width or, in a pipe, without folding."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, emoji=False, markup=False, width=width).print(renderable)
