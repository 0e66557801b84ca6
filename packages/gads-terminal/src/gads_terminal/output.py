"""Data on stdout, as JSON or CSV for programs; notes for people on stderr."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from gads_domain.visible_text import visible


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
    sys.stdout.write(visible(json.dumps(document, indent=2, ensure_ascii=False, default=str)) + "\n")


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
    return visible(json.dumps(value, ensure_ascii=False, default=str))


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to stdout as CSV with a header; None is an empty field."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = ["" if row[name] is None else row[name] for name in columns]
        writer.writerow([visible(str(value)) for value in values] if sys.stdout.isatty() else values)


def day_span(first: date, last: date) -> str:
    """`2024-05-01`, `2024-05-01..2024-05-31`."""
    return f"{first}" if first == last else f"{first}..{last}"


def print_note(text: str) -> None:
    """Write a line for people to stderr, where it never mixes with data."""
    sys.stderr.write(visible(text) + "\n")
