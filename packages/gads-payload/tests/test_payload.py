"""Payloads written, read back and damaged."""

from __future__ import annotations

import io
import random
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.errors import DamagedPartitionError, InvalidValueError, StorageError, StorageFullError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_payload.reader import open_payload
from gads_payload.schema import arrow_schema, arrow_type, table_schema_of, type_text
from gads_payload.writer import PLAIN_BYTES, PayloadWriter

SCALARS = ["int64", "double", "bool", "string", "binary", "date32"]
TYPES = [*SCALARS, *(f"list<{scalar}>" for scalar in SCALARS)]
WIDE = TableSchema(tuple(ColumnSpec(f"column_{n}", f"campaign.f{n}", kind) for n, kind in enumerate(TYPES)))
NARROW = TableSchema(
    (ColumnSpec("campaign_name", "campaign.name", "string"), ColumnSpec("metrics_clicks", "metrics.clicks", "int64"))
)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "string": st.text(max_size=5),
    "binary": st.binary(max_size=5),
    "date32": st.dates(),
}


def values_of(kind: str) -> st.SearchStrategy[Any]:
    item = kind.removeprefix("list<").removesuffix(">")
    return VALUES[kind] if item == kind else st.lists(VALUES[item] | st.none(), max_size=3)


WIDE_ROWS = st.lists(
    st.fixed_dictionaries({column.name: values_of(column.type) | st.none() for column in WIDE.columns}), max_size=12
)


class Out(io.BytesIO):
    """Bytes that can be appended to and nothing else."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise AssertionError("a sink's writer cannot seek")


def batch(schema: TableSchema, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, arrow_schema(schema))


def written(schema: TableSchema, *batches: pa.RecordBatch, row_group_rows: int = 100_000) -> bytes:
    out = Out()
    writer = PayloadWriter(out, schema, row_group_rows=row_group_rows)
    for each in batches:
        writer.write(each)
    writer.close()
    return out.getvalue()


def clicks(rows: int, start: int = 0) -> pa.RecordBatch:
    return batch(NARROW, [{"campaign_name": f"c{n % 7}", "metrics_clicks": n} for n in range(start, start + rows)])


@given(rows=WIDE_ROWS)
@settings(max_examples=60, deadline=None)
def test_what_is_read_is_what_was_written(rows: list[dict[str, Any]]) -> None:
    data = written(WIDE, batch(WIDE, rows))
    with open_payload(io.BytesIO(data)) as payload:
        assert payload.arrow_schema.equals(arrow_schema(WIDE))
        assert payload.row_count == len(rows)
        assert payload.read().to_pylist() == rows


@pytest.mark.parametrize("kind", TYPES)
def test_types_go_both_ways(kind: str) -> None:
    assert type_text(arrow_type(kind)) == kind


@pytest.mark.parametrize("kind", ["int32", "list<list<int64>>", "list<int64", "string>", "", "timestamp"])
def test_a_text_that_names_no_type_is_refused(kind: str) -> None:
    with pytest.raises(InvalidValueError):
        arrow_type(kind)


def test_a_foreign_type_shows_as_drift() -> None:
    types: dict[str, Any] = {"campaign_name": pa.large_string(), "metrics_clicks": pa.int32()}
    foreign = pa.schema(types)
    fields = {"campaign_name": "campaign.name", "metrics_clicks": "metrics.clicks"}
    assert NARROW.differences(table_schema_of(foreign, fields)) == [
        "campaign_name: string -> large_string",
        "metrics_clicks: int64 -> int32",
    ]


def test_the_stored_schema_has_the_fingerprint_of_the_declared_one() -> None:
    with open_payload(io.BytesIO(written(WIDE))) as payload:
        assert table_schema_of(payload.arrow_schema).fingerprint == WIDE.fingerprint
        assert table_schema_of(payload.arrow_schema, {c.name: c.field for c in WIDE.columns}) == WIDE


def test_rows_are_gathered_into_groups() -> None:
    data = written(NARROW, *[clicks(10, n * 10) for n in range(25)], row_group_rows=100)
    found = pq.ParquetFile(io.BytesIO(data)).metadata
    assert [found.row_group(n).num_rows for n in range(found.num_row_groups)] == [100, 100, 50]


def test_a_flush_ends_the_group_and_counts_go_on() -> None:
    writer = PayloadWriter(Out(), NARROW)
    writer.write(clicks(30))
    assert (writer.row_count, writer.buffered_rows) == (30, 30)
    assert writer.buffered_bytes > 0
    writer.flush()
    assert (writer.row_count, writer.buffered_rows, writer.buffered_bytes) == (30, 0, 0)
    writer.write(clicks(5))
    assert (writer.row_count, writer.buffered_rows) == (35, 5)


def test_the_same_batches_give_the_same_bytes() -> None:
    assert written(NARROW, clicks(500)) == written(NARROW, clicks(500))


def test_dimensions_have_dictionaries_and_metrics_have_none() -> None:
    column = pq.ParquetFile(io.BytesIO(written(NARROW, clicks(500)))).metadata.row_group(0).column
    assert column(0).has_dictionary_page
    assert not column(1).has_dictionary_page
    assert column(0).compression == column(1).compression == "ZSTD"


def test_a_tiny_payload_is_stored_as_it_is_and_takes_less(tmp_path: Path) -> None:
    few = clicks(3)
    tiny = written(NARROW, few)
    found = pq.ParquetFile(io.BytesIO(tiny))
    column = found.metadata.row_group(0).column
    assert {column(n).compression for n in (0, 1)} == {"UNCOMPRESSED"}
    assert not column(0).has_dictionary_page
    assert found.read().to_pylist() == few.to_pylist()
    flushed = Out()
    writer = PayloadWriter(flushed, NARROW)
    writer.write(few)
    writer.flush()
    writer.close()
    assert len(tiny) < len(flushed.getvalue())
    assert pq.ParquetFile(io.BytesIO(flushed.getvalue())).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("more", [0, 1])
def test_what_is_tiny_is_told_by_the_rows_own_bytes(more: int) -> None:
    schema = TableSchema((ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),))
    rows = pa.RecordBatch.from_arrays([pa.array(range(PLAIN_BYTES // 8 + more))], schema=arrow_schema(schema))
    column = pq.ParquetFile(io.BytesIO(written(schema, rows))).metadata.row_group(0).column(0)
    assert column.compression == ("ZSTD" if more else "UNCOMPRESSED")


def test_another_schema_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        PayloadWriter(Out(), NARROW).write(pa.RecordBatch.from_pydict({"campaign_name": ["x"]}))


class Failing(Out):
    space = 0

    def write(self, data: Any) -> int:
        self.space -= len(data)
        if self.space < 0:
            raise StorageFullError("full")
        return super().write(data)


@pytest.mark.parametrize("space", [0, 50, 500])
def test_what_the_sink_raises_comes_out_and_nothing_is_written_after_it(space: int) -> None:
    out = Failing()
    out.space = space
    with pytest.raises(StorageFullError):  # noqa: PT012 - which call meets the limit depends on the space
        writer = PayloadWriter(out, NARROW)
        writer.write(clicks(1000))
        writer.close()
    size = len(out.getvalue())
    if space:
        writer.abandon()
        writer.abandon()
        del writer
    assert len(out.getvalue()) == size


def test_an_abandoned_payload_gets_no_footer() -> None:
    out = Out()
    writer = PayloadWriter(out, NARROW)
    writer.write(clicks(10))
    size = len(out.getvalue())
    writer.abandon()
    del writer
    assert len(out.getvalue()) == size


def test_somebody_else_reads_it_the_same(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"campaign_name": "Straße 🎯", "metrics_clicks": 2**63 - 1},
        {"campaign_name": None, "metrics_clicks": None},
    ]
    path = tmp_path / "payload.parquet"
    path.write_bytes(written(NARROW, batch(NARROW, rows)))
    found = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert found == [tuple(row.values()) for row in rows]


def test_batches_are_bounded() -> None:
    data = written(NARROW, clicks(950), row_group_rows=100)
    with open_payload(io.BytesIO(data)) as payload:
        batches = list(payload.batches(["metrics_clicks"], rows=64))
    assert max(each.num_rows for each in batches) <= 64
    assert [n for each in batches for n in each.column(0).to_pylist()] == list(range(950))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not parquet at all", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_what_is_no_payload_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedPartitionError):
        open_payload(io.BytesIO(data))


def test_flipped_bytes_are_read_or_damage_and_never_anything_else() -> None:
    whole = written(NARROW, clicks(2000))
    chance = random.Random(11)
    outcomes = set()
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            with open_payload(io.BytesIO(bytes(data))) as payload:
                payload.read()
            outcomes.add("read")
        except DamagedPartitionError as error:
            outcomes.add("damaged" if "\n" not in error.message else "damaged, over several lines")
    assert "damaged" in outcomes
    assert outcomes <= {"read", "damaged"}


def test_a_storage_that_fails_is_not_damage() -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError) as caught:
        open_payload(Broken(written(NARROW)))
    assert not isinstance(caught.value, DamagedPartitionError)


def test_a_day_of_a_table_is_a_date() -> None:
    schema = TableSchema((ColumnSpec("segments_date", "segments.date", "date32"),))
    with open_payload(io.BytesIO(written(schema, batch(schema, [{"segments_date": date(2024, 2, 29)}])))) as payload:
        assert payload.read()["segments_date"].to_pylist() == [date(2024, 2, 29)]


def test_a_footer_that_announces_more_than_its_bytes_can_hold_is_damage() -> None:
    bomb = io.BytesIO()
    pq.write_table(pa.table({"a": pa.nulls(20_000_000, pa.bool_())}), bomb, row_group_size=20_000_000)
    bomb.seek(0)
    with pytest.raises(DamagedPartitionError, match=r"has [\d,]+ bytes and announces 20,000,000 cells"):
        open_payload(bomb)
