"""Tables for people on stdout, laid out for where they are read.

On a terminal a table fits: columns that matter less are left out, and named on stderr, before a cell is broken; what
fits on no line is a block of lines. In a pipe each row is one line with every column.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from gads_domain.visible_text import visible
from gads_terminal.cells import chopped, long_part, long_word, width_of
from gads_terminal.output import Format, print_json, print_note
from gads_terminal.table_options import ColumnOptions, Table, TableOptions

_LONGEST_CELL = 300
"""Characters; what is longer is cut, and whole in JSON."""
_HIGHEST_CELL = 8
"""Lines of a cell on a terminal; the rest is in JSON, and with `--wide`."""
_LOOKED_AT = 500
"""Rows by which columns are laid out; those behind them are printed as they come."""
_NO_FOLDING = 10_000
_GAP = "  "
_WORD = 32
"""Cells within which a word is not broken."""
_PARTS = (20, 12)
"""Cells within which its parts are not, where it has to be."""
_TEXT = 24
"""Cells that a column of text has at least, where there is more of it, before a column that matters less is shown."""


@dataclass(slots=True)
class _Column:
    name: str
    marks: str
    shortens: bool = False
    cells: list[str] = field(default_factory=list)
    width: int = 0
    natural: int = 0
    word: int = 0
    part: int = 0
    _whole: dict[str, str] = field(default_factory=dict)

    def text(self, row: Mapping[str, Any]) -> str:
        """The cell of a row, on one line."""
        value = row[self.name]
        if value is None or isinstance(value, bool):
            return "yes" if value else ""
        if "#" in self.marks and isinstance(value, int):
            return f"{value:,}"
        text = visible(" ".join(str(value).split()))
        if self.shortens and "~" in self.marks:
            return f"{text[:19]}Z" if text[19:20] == "." else text
        if self.shortens and (short := text.rpartition("-")[2]):
            return short if self._whole.setdefault(short, text) == text else text
        return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"

    def measure(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Read the cells of the rows that the layout is made by."""
        self._whole.clear()
        self.cells = [self.text(row) for row in rows]
        self.natural = self.width = max(map(width_of, [self.name, *self.cells]))
        self.word = max(map(long_word, [self.name, *self.cells]))
        self.part = max(map(long_part, [self.name, *self.cells]))

    def floor(self, part: int) -> int:
        """The width below which a part of up to `part` cells is broken; ids and times have none."""
        if not {"@", "~"}.isdisjoint(self.marks):
            return min(self.natural, _WORD)
        return min(self.part, part)

    @property
    def comfortable(self) -> int:
        """The width in which it reads well."""
        return min(self.natural, max(min(self.word, _WORD), _TEXT))


def print_table(
    table: Table,
    rows: Iterable[Mapping[str, Any]],
    options: ColumnOptions = ColumnOptions(),  # noqa: B008 -- it is frozen
    title: str = "",
    *,
    empty: str = "",
) -> None:
    """Write rows to stdout as a table below `title`; `empty`, or what the table says, if there is none.

    A table that has none of the columns that are asked for is not written.
    """
    if options.names and not set(options.names) & set(table.names):
        return  # they are columns of another table of the command
    rows = iter(rows)
    first = list(islice(rows, _LOOKED_AT))
    for line in (title if first else "", "" if first else empty or table.empty):
        if line:
            sys.stdout.write(f"{visible(line)}\n")
    if first:
        lines, left_out = _drawn(table, first, rows, options)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        if left_out:
            print_note(f"not shown: {', '.join(left_out)}; --wide shows every column")


def print_rows(
    table: Table,
    rows: Iterable[Mapping[str, Any]],
    options: TableOptions,
    title: str = "",
    *,
    empty: str = "",
    document: object = None,
) -> None:
    """Write rows as a table or, as `document` has them or by themselves, as JSON."""
    if options.format_ is Format.JSON:
        print_json(list(rows) if document is None else document)
    else:
        print_table(table, rows, options, title, empty=empty)


def print_rich(renderable: object) -> None:
    """Write anything that rich can draw to stdout, at the terminal's width or, in a pipe, without folding."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _NO_FOLDING
    Console(highlight=False, emoji=False, markup=False, width=width).print(renderable)


def _drawn(
    table: Table, first: list[Mapping[str, Any]], rest: Iterator[Mapping[str, Any]], options: ColumnOptions
) -> tuple[Iterator[str], list[str]]:
    """The lines of the table, and the columns that are left out."""
    space = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    columns = [_column(text) for text in table.columns.split()]
    if options.names:
        columns = [column for name in options.names for column in columns if column.name == name]
    is_whole = space is None or options.wide or (len(first) == 1 and not options.names)
    for column in columns:
        column.shortens = not is_whole and not {"@", "~"}.isdisjoint(column.marks)
        column.measure(first)
    if space is None or _total(columns) <= space:
        return _lines(columns, rest, space), []
    shown, left_out = (columns, []) if is_whole or options.names else _chosen(columns, space)
    if is_whole or not _fitted(shown, space):
        return _blocks(columns, chain(first, rest), space), []
    return _lines(shown, rest, space), left_out


def _column(text: str) -> _Column:
    name = text.lstrip("-#@~")
    return _Column(name, text[: len(text) - len(name)])


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _chosen(columns: list[_Column], space: int) -> tuple[list[_Column], list[str]]:
    """The columns for which there is space, and the names of the others: those that matter less go first."""
    kept = list(columns)
    empty = [one for one in columns if not any(one.cells)]
    for column in [*empty, *(one for one in reversed(columns) if "-" in one.marks and one not in empty)]:
        if len(kept) > 1 and sum(one.comfortable for one in kept) + len(_GAP) * (len(kept) - 1) > space:
            kept.remove(column)
    return kept, [column.name for column in columns if column not in kept]


def _fitted(columns: Sequence[_Column], space: int) -> bool:
    """Make the widest columns narrower until all fit; whether they do without words being broken into letters."""
    for floors in (
        [min(column.word, _WORD) for column in columns],
        *([column.floor(part) for column in columns] for part in _PARTS),
    ):
        for column in columns:
            column.width = column.natural
        while _total(columns) > space:
            wider = [column for column, floor in zip(columns, floors, strict=True) if column.width > floor]
            if not wider:
                break
            max(wider, key=lambda column: column.width).width -= 1
        else:
            return True
    return False


def _lines(columns: Sequence[_Column], rest: Iterable[Mapping[str, Any]], space: int | None) -> Iterator[str]:
    """A line of names, and the lines of each row, those first that were measured."""
    yield from map(_bold, _of_row(columns, [column.name for column in columns], space))
    yield _bold("─" * _total(columns))
    for cells in chain(
        zip(*(column.cells for column in columns), strict=True),
        (tuple(column.text(row) for column in columns) for row in rest),
    ):
        yield from _of_row(columns, cells, space)


def _of_row(columns: Sequence[_Column], cells: Sequence[str], space: int | None) -> Iterator[str]:
    parts = [
        [cell] if space is None or width_of(cell) <= column.width else _first_lines(chopped(cell, column.width))
        for column, cell in zip(columns, cells, strict=True)
    ]
    for number in range(max(map(len, parts))):
        line = ""
        for column, part in zip(columns, parts, strict=True):
            text = part[number] if number < len(part) else ""
            padding = " " * (column.width - width_of(text))
            line += (padding + text if "#" in column.marks else text + padding) + _GAP
        yield line.rstrip()


def _first_lines(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _HIGHEST_CELL else [*lines[: _HIGHEST_CELL - 1], f"{lines[_HIGHEST_CELL - 1][:-1]}…"]


def _blocks(columns: Sequence[_Column], rows: Iterable[Mapping[str, Any]], space: int) -> Iterator[str]:
    """Each row as a block, a line or more for each member."""
    names = max(width_of(column.name) for column in columns)
    between = False
    for row in rows:
        if between:
            yield ""
        between = True
        for column in columns:
            text = column.text(row)
            parts = chopped(text, max(space - names - len(_GAP), _PARTS[-1])) or [""]
            yield f"{_bold(column.name)}{' ' * (names - width_of(column.name))}{_GAP}{parts[0]}".rstrip()
            yield from (f"{' ' * names}{_GAP}{part}" for part in parts[1:])


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text
