"""Rows as numbers: each row gets one 64-bit key, equal for rows that are equal in the columns that count."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

Array: TypeAlias = "pa.Array[Any]"
Column: TypeAlias = "pa.ChunkedArray[Any]"

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

_KEYS = 1 << 62


class Columns:
    """The columns of a table as `sortable` makes them, and as codes; each is made once, when it is first asked for."""

    __slots__ = ("_codes", "_sortable", "table")

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._sortable: dict[int, Array] = {}
        self._codes: dict[int, tuple[Array, Array]] = {}

    def sortable(self, place: int) -> Array:
        """The column number `place`."""
        if place not in self._sortable:
            self._sortable[place] = sortable(self.table.column(place))
        return self._sortable[place]

    def codes(self, place: int) -> tuple[Array, Array]:
        """For each row the place of its value among the distinct values of the column, and these values."""
        if place not in self._codes:
            encoded: Any = pc.dictionary_encode(self.sortable(place), null_encoding="encode")
            self._codes[place] = encoded.indices, encoded.dictionary
        return self._codes[place]


def duplicates(rows: pa.Table | Columns | Iterable[pa.RecordBatch], grain: Sequence[str]) -> int:
    """How many rows repeat the grain of a row before them: 0 if every row is unique in the `grain` columns.

    Null equals null and NaN equals NaN here. In a grain of no columns all rows are equal, so it allows one row.
    """
    columns = rows if isinstance(rows, Columns) else Columns(rows if isinstance(rows, pa.Table) else _table(rows))
    count = columns.table.num_rows
    if count < 2:
        return 0
    if not grain:
        return count - 1
    keys, is_distinct = row_keys(columns, _places(columns.table, grain), ordered=False)
    return 0 if is_distinct else count - len(pc.unique(keys))


def first_repeat(table: pa.Table, grain: Sequence[str]) -> tuple[int, int]:
    """The first row that repeats the grain of a row before it, as `(that row, this row)`; `duplicates` is not 0."""
    if not grain:
        return 0, 1
    seen: dict[Any, int] = {}
    keys, _ = row_keys(Columns(table), _places(table, grain), ordered=False)
    for row, key in enumerate(keys.to_pylist()):
        if seen.setdefault(key, row) != row:
            return seen[key], row
    raise ValueError("no row repeats the grain of another")


def sortable(column: Column) -> Any:
    """One array of integers or texts that are equal and ordered as the values of `column` are.

    Doubles come out as their bits, with one NaN and one zero; lists as an unambiguous text; texts with 64-bit offsets,
    so that no column is too long. Nulls stay nulls.
    """
    kind = column.type
    if pa.types.is_list(kind):
        return _flat(_list_texts(column))
    if pa.types.is_string(kind):
        column = column.cast(pa.large_string())
    elif pa.types.is_binary(kind):
        column = column.cast(pa.large_binary())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    array: Any = _flat(column)
    if pa.types.is_floating(kind):
        return _bits(array)
    return array


def row_keys(columns: Columns, places: Iterable[int], *, ordered: bool) -> tuple[Array, bool]:
    """One int64 a row, equal exactly for rows equal in the columns at `places`; whether all are known to be distinct.

    With `ordered` the keys also sort as the rows do, column by column. Columns after the one by which every row is
    distinct are not looked at.
    """
    rows = columns.table.num_rows
    keys: Array = pa.repeat(pa.scalar(0, pa.int64()), rows)
    spread = 1
    for place in places:
        indices, values = columns.codes(place)
        distinct = len(values)
        if distinct < 2:
            continue
        codes = _ranked(indices, values) if ordered else indices.cast(pa.int64())
        if distinct == rows and not ordered:
            return codes, True
        if spread * distinct >= _KEYS:
            encoded: Any = pc.dictionary_encode(keys)
            spread = len(encoded.dictionary)
            keys = _ranked(encoded.indices, encoded.dictionary) if ordered else encoded.indices.cast(pa.int64())
        keys = pc.add(pc.multiply(keys, pa.scalar(distinct, pa.int64())), codes)
        spread *= distinct
        if distinct == rows or (spread >= rows and len(pc.unique(keys)) == rows):
            return keys, True
    return keys, False


def _ranked(indices: Array, values: Array) -> Array:
    """For each row the rank of its value among the distinct `values`, null the last."""
    ranks: Any = pc.rank(values, sort_keys="ascending", tiebreaker="first").cast(pa.int64())
    ranked: Array = pc.subtract(pc.take(ranks, indices), pa.scalar(1, pa.int64()))
    return ranked


def _places(table: pa.Table, names: Iterable[str]) -> list[int]:
    """Where the columns are; raises `KeyError` for one that is not there, or twice."""
    places = [table.schema.get_field_index(name) for name in names]
    if -1 in places:
        raise KeyError(f"not one column of each of these names: {', '.join(names)}")
    return places


def _bits(array: Array) -> Any:
    """The bits of doubles, after every NaN was made the same and minus zero, which equals zero, was made zero."""
    positive = pc.add(array, pa.scalar(0.0, pa.float64()))
    return pc.if_else(pc.is_nan(positive), pa.scalar(float("nan"), pa.float64()), positive).view(pa.int64())


def _list_texts(column: Column) -> Column:
    return pa.chunked_array([_texts_of(chunk) for chunk in column.chunks], pa.large_string())


def _texts_of(lists: Any) -> Any:
    """Each list as one text: its items escaped, a mark after each, and a mark of its own for a null item."""
    items = lists.values
    if pa.types.is_binary(items.type):
        items = pa.array([None if item is None else item.hex() for item in items.to_pylist()], pa.string())
    elif pa.types.is_floating(items.type):
        items = _bits(items)
    texts = items.cast(pa.string())
    texts = pc.replace_substring(texts, "\\", "\\\\")
    texts = pc.replace_substring(texts, "\x1f", "\\s")
    texts = pc.fill_null(texts, "\\N")
    marked = pc.binary_join_element_wise(texts, pa.scalar("\x1f"), "")
    joined = pc.binary_join(pa.ListArray.from_arrays(lists.offsets, marked), "").cast(pa.large_string())
    return pc.if_else(pc.is_valid(lists), joined, pa.scalar(None, pa.large_string()))


def _flat(column: Column) -> Any:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _table(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    held = list(batches)
    return pa.Table.from_batches(held) if held else pa.table({})
