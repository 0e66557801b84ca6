"""Small tables as plain Python values: what Arrow's kernels find, without what each call of one costs.

A kernel takes some ten microseconds however little it is given, and most partitions hold a handful of rows. The results
are bit for bit those of `content` and `grain` for a table of any size.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import pyarrow as pa

from gads_payload.content import content_sha256
from gads_payload.grain import Columns, duplicates

SMALL_ROWS = 64
"""Beyond this number Arrow is as fast."""

_SMALL_BYTES = 1024 * 1024
"""Texts of this size are not copied into Python objects."""

_EPOCH = date(1970, 1, 1).toordinal()
_DOUBLE = struct.Struct("=d")
_BITS = struct.Struct("=q")


class SmallTable:
    """The values of a small table, each column read once."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: dict[str, tuple["_Kind", list[Any]]], rows: int) -> None:
        self._columns = columns
        self._rows = rows

    @classmethod
    def of(cls, table: pa.Table) -> Self | None:
        """The values of `table`; None if it is not small, or Python cannot hold it as a payload's rows.

        It cannot hold a column type that no payload has, two columns of one name, or a value that Python does not have.
        """
        if table.num_rows > SMALL_ROWS or table.get_total_buffer_size() > _SMALL_BYTES:
            return None
        columns = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            kind = _kind_of(column.type)
            if kind is None:
                return None
            try:
                columns[name] = (kind, column.to_pylist())
            except (ValueError, OverflowError):  # text that is not UTF-8, a day of the year 10000
                return None
        return cls(columns, table.num_rows) if len(columns) == table.num_columns else None

    def values(self, name: str) -> list[Any]:
        """The values of a column in the order of the rows."""
        return self._columns[name][1]

    def duplicates(self, grain: Sequence[str]) -> int:
        """As `grain.duplicates`."""
        keys = [
            values if kind.is_plain else kind.sortable(values) for kind, values in map(self._columns.__getitem__, grain)
        ]
        # In a grain of no columns all rows are equal.
        distinct = len(set(zip(*keys, strict=True))) if keys else min(self._rows, 1)
        return self._rows - distinct

    def content_sha256(self) -> str:
        """As `content.content_sha256`."""
        columns = [kind.sortable(values) for kind, values in self._columns.values()]
        keys = list(zip(*map(_nulls_last, columns), strict=True))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        parts = [f"{self._rows}\n".encode()]
        for (name, (kind, _)), values in zip(self._columns.items(), columns, strict=True):
            ordered = [values[place] for place in order]
            parts.append(f"{name}\t{kind.text}\n".encode())
            if None in ordered:
                parts.append(b"nulls" + bytes(value is None for value in ordered))
                ordered = [kind.zero if value is None else value for value in ordered]
            parts.append(kind.packed(ordered))
        return hashlib.sha256(b"".join(parts)).hexdigest()


class Rows:
    """The rows of `table`: Python looks at a small table, Arrow at a large one; both find the same."""

    __slots__ = ("_columns", "_small", "table")

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._columns = Columns(table)
        self._small = SmallTable.of(table)

    def few_values(self, name: str) -> list[Any] | None:
        """The values of a column of a small table; None if the table is for Arrow."""
        return None if self._small is None else self._small.values(name)

    def duplicates(self, grain: Sequence[str]) -> int:
        """How many rows repeat the grain of a row before them; see `grain.duplicates`."""
        return duplicates(self._columns, grain) if self._small is None else self._small.duplicates(grain)

    def content_sha256(self) -> str:
        """The sum of the rows regardless of their order; see `content.content_sha256`."""
        return content_sha256(self._columns) if self._small is None else self._small.content_sha256()


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the values of a column type are compared, put in order and written down.

    `text` is the `ColumnSpec.type`. `sortable` gives what `grain.sortable` gives, texts as their UTF-8; with
    `is_plain` values can be compared as they are. `zero` takes a null's place.
    """

    text: str
    sortable: Callable[[list[Any]], list[Any]]
    packed: Callable[[list[Any]], bytes]
    zero: Any
    is_plain: bool


def _kind_of(data_type: pa.DataType) -> _Kind | None:
    if isinstance(data_type, pa.ListType):
        return _LISTS.get(data_type.value_type.id)
    return _SCALARS.get(data_type.id)


def _nulls_last(values: list[Any]) -> list[Any]:
    if None not in values:
        return values
    return [(1,) if value is None else (0, value) for value in values]


def _as_is(values: list[Any]) -> list[Any]:
    return values


def _utf8(values: list[str | None]) -> list[bytes | None]:
    return [None if value is None else value.encode() for value in values]


def _days(values: list[date | None]) -> list[int | None]:
    return [None if value is None else value.toordinal() - _EPOCH for value in values]


def _bits(values: list[float | None]) -> list[int | None]:
    """The bits of doubles, with one NaN and one zero."""
    return [None if value is None else _bits_of(value) for value in values]


def _bits_of(value: float) -> int:
    bits: int = _BITS.unpack(_DOUBLE.pack(math.nan if math.isnan(value) else value + 0.0))[0]
    return bits


def _packed(code: str) -> Callable[[list[int]], bytes]:
    return lambda values: struct.pack(f"={len(values)}{code}", *values)


def _packed_texts(values: list[bytes]) -> bytes:
    return struct.pack(f"={len(values)}q", *map(len, values)) + b"".join(values)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\x1f", "\\s")


def _list_texts(item_text: Callable[[Any], str]) -> Callable[[list[Any]], list[bytes | None]]:
    """Lists as `grain` writes them: each item escaped, a mark after it, and a mark of its own for a null item."""

    def text_of(items: list[Any]) -> bytes:
        return "".join(("\\N" if item is None else item_text(item)) + "\x1f" for item in items).encode()

    return lambda values: [None if items is None else text_of(items) for items in values]


_SCALARS: dict[int, _Kind] = {
    pa.int64().id: _Kind("int64", _as_is, _packed("q"), 0, is_plain=True),
    pa.float64().id: _Kind("double", _bits, _packed("q"), 0, is_plain=False),
    pa.bool_().id: _Kind("bool", _as_is, _packed("b"), 0, is_plain=True),
    pa.string().id: _Kind("string", _utf8, _packed_texts, b"", is_plain=True),
    pa.binary().id: _Kind("binary", _as_is, _packed_texts, b"", is_plain=True),
    pa.date32().id: _Kind("date32", _days, _packed("i"), 0, is_plain=True),
}

_ITEM_TEXTS: dict[str, Callable[[Any], str]] = {
    "int64": str,
    "double": lambda value: str(_bits_of(value)),
    "bool": lambda value: "true" if value else "false",
    "string": _escaped,
    "binary": bytes.hex,
    "date32": date.isoformat,
}

_LISTS: dict[int, _Kind] = {
    item: _Kind(f"list<{kind.text}>", _list_texts(_ITEM_TEXTS[kind.text]), _packed_texts, b"", is_plain=False)
    for item, kind in _SCALARS.items()
}
