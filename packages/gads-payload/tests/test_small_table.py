"""What Python finds in a small table is what Arrow's kernels find, to the bit."""

from __future__ import annotations

import itertools
import math
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.metadata import COLUMN_TYPES
from gads_payload.content import content_sha256
from gads_payload.grain import duplicates
from gads_payload.schema import arrow_type
from gads_payload.small_table import SMALL_ROWS, Rows, SmallTable

NEGATIVE_NAN = -math.nan

AWKWARD: dict[str, list[Any]] = {
    "int64": [0, 1, -1, 2**63 - 1, -(2**63)],
    "double": [0.0, -0.0, math.nan, NEGATIVE_NAN, math.inf, -math.inf, 5e-324],
    "bool": [True, False],
    "string": ["", "a", "ab", "\x1f", "\\", "\\N", "\\s", "ä", "￿", "😀", "null"],
    "binary": [b"", b"\xff", b"\x00"],
    "date32": [date.min, date(1969, 12, 31), date(1970, 1, 1), date.max],
}
ANY: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(),
    "bool": st.booleans(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    "binary": st.binary(max_size=3),
    "date32": st.dates(),
}
KINDS = sorted(COLUMN_TYPES)


def item_of(kind: str) -> str:
    return kind.removeprefix("list<").removesuffix(">")


def values_for(kind: str) -> st.SearchStrategy[Any]:
    item = item_of(kind)
    one = st.sampled_from(AWKWARD[item]) | ANY[item] | st.none()
    return one if kind == item else st.lists(one, max_size=3) | st.none()


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of any column types, its rows drawn from a few so that some repeat, in chunks that begin anywhere."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=5))
    schema = pa.schema([pa.field(f"c{place}", arrow_type(kind)) for place, kind in enumerate(kinds)])
    some = draw(st.lists(st.tuples(*map(values_for, kinds)), min_size=1, max_size=4))
    rows = draw(st.lists(st.sampled_from(some), max_size=9))
    whole = pa.Table.from_arrays(
        [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)], schema=schema
    )
    start, end = sorted((draw(st.integers(0, len(rows))), draw(st.integers(0, len(rows)))))
    return pa.concat_tables([whole.slice(0, start), whole.slice(start, end - start), whole.slice(end)])


@given(table=tables(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_rows_are_told_as_kernels_tell_them(table: pa.Table, data: st.DataObject) -> None:
    grain = data.draw(st.lists(st.sampled_from(table.column_names), unique=True)) if table.columns else []
    few = SmallTable.of(table)
    assert few is not None
    assert few.content_sha256() == content_sha256(table)
    assert few.duplicates(grain) == duplicates(table, grain)
    assert repr({name: few.values(name) for name in table.column_names}) == repr(table.to_pydict()), "NaN is not itself"


@pytest.mark.parametrize("kind", KINDS)
def test_awkward_values_are_told_as_kernels_tell_them(kind: str) -> None:
    item = item_of(kind)
    values = [*AWKWARD[item], None]
    if kind != item:
        values = [None, [], *([value] for value in values), *(list(pair) for pair in itertools.pairwise(values))]
    table = pa.table({"c": pa.array([*values, *values[::2]], arrow_type(kind))})
    few = SmallTable.of(table)
    assert few is not None
    assert few.content_sha256() == content_sha256(table)
    assert 0 < few.duplicates(["c"]) == duplicates(table, ["c"])


@pytest.mark.parametrize(
    "column",
    [
        pa.array(range(SMALL_ROWS + 1), pa.int64()),
        pa.array(["x" * 2_000_000, "y"]),
        pa.array([[b"x" * 2_000_000], [b"y"]]),
        pa.array([3_000_000, 3_000_001], pa.int32()).cast(pa.date32()),
        pa.array([b"\xff", b"\xfe"]).view(pa.string()),
        pa.array([1, 2], pa.int32()),
        pa.array([[1], [2]], pa.list_(pa.int32())),
        pa.array(["a", "b"], pa.large_string()),
    ],
    ids=["many", "large", "large list", "day 10000-01-01", "no UTF-8", "foreign", "foreign list", "foreign text"],
)
def test_what_is_not_few_or_not_plain_is_left_to_kernels(column: Any) -> None:
    table = pa.table({"c": column})
    assert SmallTable.of(table) is None
    rows = Rows(table)
    assert rows.few_values("c") is None
    assert rows.duplicates(["c"]) == 0
    assert rows.content_sha256() == content_sha256(table)


def test_columns_of_one_name_are_left_to_kernels() -> None:
    table = pa.table([pa.array([1, 2]), pa.array([3, 3])], ["c", "c"])
    assert SmallTable.of(table) is None
    assert Rows(table).content_sha256() == content_sha256(table)


@pytest.mark.parametrize("count", [0, 1, SMALL_ROWS, SMALL_ROWS + 1])
def test_rows_say_the_same_however_many_there_are(count: int) -> None:
    table = pa.table({"c": pa.array([number // 2 for number in range(count)], pa.int64())})
    rows = Rows(table)
    assert (rows.few_values("c") is None) == (count > SMALL_ROWS)
    assert rows.duplicates(["c"]) == duplicates(table, ["c"]) == count // 2
    assert rows.duplicates([]) == duplicates(table, []) == max(count - 1, 0)
    assert rows.content_sha256() == content_sha256(table)
