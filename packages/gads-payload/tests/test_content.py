"""The sum over rows, and the count of repeated grains, against the plain Python of the same idea."""

from __future__ import annotations

import io
import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.metadata import ColumnSpec, TableSchema
from gads_payload.content import content_sha256
from gads_payload.grain import duplicates
from gads_payload.reader import open_payload
from gads_payload.schema import arrow_schema
from gads_payload.writer import PayloadWriter

SCHEMA = TableSchema(
    (
        ColumnSpec("id", "campaign.id", "int64"),
        ColumnSpec("name", "campaign.name", "string"),
        ColumnSpec("labels", "campaign.labels", "list<string>"),
        ColumnSpec("numbers", "campaign.numbers", "list<double>"),
        ColumnSpec("raw", "campaign.raw", "list<binary>"),
        ColumnSpec("on", "campaign.on", "bool"),
        ColumnSpec("day", "segments.date", "date32"),
        ColumnSpec("cost", "metrics.cost", "double"),
        ColumnSpec("bytes", "campaign.bytes", "binary"),
    )
)
ARROW = arrow_schema(SCHEMA)

TEXTS = st.sampled_from(["", "a", "ab", "\x1f", "\\", "\\N", "\\s", "ä", "a\x1f"])
NUMBERS = st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 5e-324])
ROW = st.fixed_dictionaries(
    {
        "id": st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]) | st.none(),
        "name": TEXTS | st.none(),
        "labels": st.lists(TEXTS | st.none(), max_size=2) | st.none(),
        "numbers": st.lists(NUMBERS | st.none(), max_size=2) | st.none(),
        "raw": st.lists(st.sampled_from([b"", b"\xff", b"\x00"]) | st.none(), max_size=2) | st.none(),
        "on": st.booleans() | st.none(),
        "day": st.dates() | st.none(),
        "cost": NUMBERS | st.none(),
        "bytes": st.binary(max_size=2) | st.none(),
    }
)
ROWS = st.lists(ROW, max_size=6)


def table(rows: list[dict[str, Any]], chunk: int = 1000) -> pa.Table:
    parts = [rows[n : n + chunk] for n in range(0, len(rows), chunk)]
    return pa.Table.from_batches([pa.RecordBatch.from_pylist(part, ARROW) for part in parts], ARROW)


def plain(value: Any) -> Any:
    """A value that is equal to another exactly when the rows' values are the same."""
    if isinstance(value, float):
        return ("double", "nan") if math.isnan(value) else ("double", value + 0.0)
    if isinstance(value, list):
        return tuple(plain(item) for item in value)
    return value


def key_of(row: dict[str, Any], columns: list[str]) -> tuple[Any, ...]:
    return tuple(plain(row[name]) for name in columns)


@given(rows=ROWS, other=ROWS)
@settings(max_examples=200, deadline=None)
def test_equal_exactly_for_the_same_rows(rows: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    names = ARROW.names
    same = Counter(key_of(row, names) for row in rows) == Counter(key_of(row, names) for row in other)
    assert (content_sha256(table(rows)) == content_sha256(table(other))) == same


@given(rows=ROWS, chunk=st.integers(1, 4), chance=st.randoms())
@settings(max_examples=100, deadline=None)
def test_order_and_chunks_do_not_count(rows: list[dict[str, Any]], chunk: int, chance: Any) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    whole = table([*rows, *rows])
    assert content_sha256(table(shuffled, chunk)) == content_sha256(table(rows))
    assert content_sha256(whole.slice(len(rows))) == content_sha256(table(rows)), "a slice is its rows"


@given(rows=st.lists(ROW, min_size=1, max_size=4), change=st.data())
@settings(max_examples=100, deadline=None)
def test_one_changed_value_is_seen(rows: list[dict[str, Any]], change: st.DataObject) -> None:
    number = change.draw(st.integers(0, len(rows) - 1))
    name = change.draw(st.sampled_from(ARROW.names))
    other = [dict(row) for row in rows]
    other[number][name] = change.draw(ROW)[name]
    differs = plain(other[number][name]) != plain(rows[number][name])
    assert (content_sha256(table(other)) != content_sha256(table(rows))) == differs


def test_names_and_types_count() -> None:
    rows = pa.table({"a": pa.array([1, 2], pa.int64())})
    assert content_sha256(rows) != content_sha256(rows.rename_columns(["b"]))
    assert content_sha256(rows) != content_sha256(rows.cast(pa.schema([("a", pa.float64())])))


def test_the_way_a_file_is_written_does_not_count() -> None:
    schema = TableSchema((ColumnSpec("campaign_id", "campaign.id", "int64"),))
    rows = pa.RecordBatch.from_pydict({"campaign_id": list(range(1000))})
    sums = set()
    for group in (10, 300, 100_000):
        out = io.BytesIO()
        writer = PayloadWriter(out, schema, row_group_rows=group)
        for start in range(0, 1000, 100):
            writer.write(rows.slice(start, 100))
        writer.close()
        with open_payload(io.BytesIO(out.getvalue())) as payload:
            sums.add(content_sha256(payload.read()))
    assert len(sums) == 1


def test_the_sum_stays_what_it_is() -> None:
    """Sums are on record in ledgers: a change of the algorithm would make every restatement look like news."""
    rows = [
        {
            "id": 1,
            "name": "ä",
            "labels": ["x", None],
            "numbers": [1.5],
            "raw": [],
            "on": True,
            "day": None,
            "cost": 0.5,
            "bytes": b"\x00",
        },
        dict.fromkeys(ARROW.names),
    ]
    assert content_sha256(table(rows)) == "6d3bddb842668ef1dc5c5cf319902e14617fbfa3d32caf06240ce926a5ed2e4d"


@given(rows=ROWS, columns=st.lists(st.sampled_from(ARROW.names), max_size=4, unique=True))
@settings(max_examples=200, deadline=None)
def test_duplicates_are_counted_as_plain_python_does(rows: list[dict[str, Any]], columns: list[str]) -> None:
    expected = len(rows) - len({key_of(row, columns) for row in rows})
    assert duplicates(table(rows), columns) == expected
    assert duplicates(table(rows, 2).to_batches(), columns) == expected


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (1, 0), (2, 1), (5, 4)])
def test_a_grain_of_no_columns_allows_one_row(rows: int, expected: int) -> None:
    assert duplicates(pa.table({"clicks": pa.array([1] * rows, pa.int64())}), []) == expected


def test_many_wide_columns_do_not_overflow_the_key() -> None:
    """Ten columns of 1,000 values each are 10^30 combinations; the keys must stay exact."""
    rows = 1_000
    columns = {f"c{n}": pa.array([(i * (2 * n + 1)) % rows for i in range(rows)], pa.int64()) for n in range(10)}
    constant = {"c": pa.array([7] * rows, pa.int64())}
    grain = [*constant, *columns]
    once = pa.table({**constant, **columns})
    assert duplicates(once, grain) == 0
    assert duplicates(pa.concat_tables([once, once.slice(3, 5)]), grain) == 5
    assert content_sha256(once) == content_sha256(once.take(pa.array(list(reversed(range(rows))))))
