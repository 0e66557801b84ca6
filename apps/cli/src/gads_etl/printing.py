"""Data on stdout: a table for people, JSON or CSV for programs; notes on stderr."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any


class Format(StrEnum):
    """`--format` of a command with a table."""

    TABLE = "table"
    JSON = "json"


class ListFormat(StrEnum):
    """`--format` of a command whose table is a list of rows."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def print_json(document: object) -> None:
    """Write `document` to stdout as indented JSON."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def print_json_of_rows(
    head: Mapping[str, Any], name: str, rows: Iterable[object], tail: Callable[[], Mapping[str, Any]]
) -> None:
    """Write one JSON document whose member `name` is an array, row by row, so that a million rows need no memory.

    `head` comes before the array; `tail` is called after the last row, also if the rows end with an error.
    """
    write = sys.stdout.write
    write("{\n" + "".join(f"  {_json(key)}: {_json(value)},\n" for key, value in head.items()))
    write(f"  {_json(name)}: [")
    between = "\n    "
    try:
        for row in rows:
            write(f"{between}{_json(row)}")
            between = ",\n    "
    finally:
        write("\n  ]" + "".join(f",\n  {_json(key)}: {_json(value)}" for key, value in tail().items()) + "\n}\n")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to stdout as CSV with a header; None is an empty field."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else row[name] for name in columns])


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to stdout; a column whose name begins with `#` holds numbers and is aligned to the right."""
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix("#"), justify="right" if column.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*("" if cell is None else f"{cell:,}" if type(cell) is int else str(cell) for cell in row))
    print_rich(table)


def print_rich(renderable: object) -> None:
    """Write anything that rich can draw to stdout, at the terminal's width or, in a pipe, without folding."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, markup=False, width=200)
    console.print(renderable)


def print_note(text: str) -> None:
    """Write a line for people to stderr, where it never mixes with data."""
    sys.stderr.write(text + "\n")
