"""A day is unchanged exactly if the same rows came again, however they are spread over pages."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.metadata import COLUMN_TYPES, ColumnSpec, KnownContent, PartitionFacts, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, Sealed, Unchanged
from gads_domain.run import RunId
from gads_extractor.day_splitter import DaySplitter
from gads_payload.schema import arrow_schema
from gads_sink_local.sink import LocalSink
from gads_validator.inspection import inspect

DAY, OTHER = date(2024, 1, 1), date(2024, 1, 2)
KEYS = [PartitionKey("google_ads", "1234567890", "campaign", day) for day in (DAY, OTHER)]
KINDS = sorted(COLUMN_TYPES)
SCHEMA = TableSchema(
    (
        ColumnSpec("segments_date", "segments.date", "date32"),
        *(ColumnSpec(f"metrics_c{place}", f"metrics.c{place}", kind) for place, kind in enumerate(KINDS)),
    )
)
RUNS = [RunId(f"2024060{number}T000000000Z-00000000") for number in (1, 2)]
AWKWARD: dict[str, list[Any]] = {
    "int64": [0, -1, 2**63 - 1],
    "double": [0.0, -0.0, math.nan, -math.inf],
    "bool": [True, False],
    "string": ["", "a", "\x1f", "\\N", "ä"],
    "binary": [b"", b"\xff"],
    "date32": [date(1969, 12, 31), DAY],
}


def values_for(kind: str) -> st.SearchStrategy[Any]:
    item = kind.removeprefix("list<").removesuffix(">")
    one = st.sampled_from(AWKWARD[item]) | st.none()
    return one if kind == item else st.lists(one, max_size=2) | st.none()


rows_of_a_day = st.lists(st.tuples(st.just(DAY), *map(values_for, KINDS)), max_size=5)


def plain(value: Any) -> Any:
    """Equal to another exactly if the values of the rows are: NaN is itself, and there is one zero."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return tuple(map(plain, value)) if isinstance(value, list) else (type(value), value)


def day_of(rows: pa.RecordBatch) -> Any:
    return rows.column("segments_date")


def facts_of(record_count: int) -> PartitionFacts:
    day = datetime(2024, 6, 1, tzinfo=UTC)
    return PartitionFacts(day, "v26", "SELECT", 1, SCHEMA, record_count, ("r1",), "test", "1", "segments.date")


def extracted(
    sink: LocalSink,
    run: RunId,
    pages: list[list[tuple[Any, ...]]],
    known: dict[PartitionKey, KnownContent],
) -> list[DayOutcome]:
    schema = arrow_schema(SCHEMA)
    splitter = DaySplitter(KEYS, SCHEMA, day_of, sink, run, known)
    for page in pages:
        columns = [pa.array([row[place] for row in page], field.type) for place, field in enumerate(schema)]
        splitter.add(pa.RecordBatch.from_arrays(columns, schema=schema))
    return list(splitter.seal(facts_of))


def known_of(sink: LocalSink, sealed: DayOutcome) -> dict[PartitionKey, KnownContent]:
    """What the validator finds in the payload that was read back."""
    assert isinstance(sealed, Sealed)
    content = inspect(sink, sealed.key, sealed.metadata.run_id).content_sha256
    assert content is not None
    return {sealed.key: KnownContent(sealed.metadata.run_id, content, 1, sealed.metadata.facts.record_count)}


@settings(max_examples=60, deadline=None)
@given(rows_of_a_day, rows_of_a_day, st.booleans(), st.data())
def test_unchanged_exactly_if_the_rows_are_the_same(
    rows: list[tuple[Any, ...]], others: list[tuple[Any, ...]], same: bool, data: st.DataObject
) -> None:
    again = list(data.draw(st.permutations(rows))) if same else others
    beside = data.draw(st.lists(st.just((OTHER, *[None] * len(KINDS))), max_size=1))
    mixed = list(data.draw(st.permutations([*again, *beside])))
    cut = data.draw(st.integers(0, len(mixed)))
    with TemporaryDirectory() as folder:
        sink = LocalSink(Path(folder))
        (first, _) = extracted(sink, RUNS[0], [rows], {})
        # A grain that repeats is rejected; the digest is of the rows all the same.
        if inspect(sink, KEYS[0], RUNS[0]).content_sha256 is None:
            return
        outcome, other = extracted(sink, RUNS[1], [mixed[:cut], mixed[cut:]], known_of(sink, first))
        are_same = Counter(map(plain, map(list, again))) == Counter(map(plain, map(list, rows)))
        assert isinstance(outcome, Unchanged if are_same else Sealed)
        assert isinstance(other, Sealed)
        if isinstance(outcome, Unchanged):
            assert (outcome.of_run, outcome.record_count, outcome.request_ids) == (RUNS[0], len(rows), ("r1",))
            assert sink.runs(KEYS[0]) == [RUNS[0]]
        else:
            assert sink.runs(KEYS[0]) == RUNS


@pytest.mark.parametrize(("rows", "bound", "unchanged"), [(40, 1000, True), (400, 1000, True), (400, 300, False)])
def test_a_day_too_large_to_be_held_back_is_sealed(tmp_path: Path, rows: int, bound: int, unchanged: bool) -> None:
    sink, schema = LocalSink(tmp_path), TableSchema((SCHEMA.columns[0], ColumnSpec("n", "campaign.id", "int64")))
    arrow = arrow_schema(schema)

    def facts(record_count: int) -> PartitionFacts:
        return replace(facts_of(record_count), schema=schema)

    def extracted(run: RunId, known: dict[PartitionKey, KnownContent]) -> DayOutcome:
        splitter = DaySplitter(KEYS[:1], schema, day_of, sink, run, known, buffered_rows=bound)
        for number in range(0, rows, 10):
            days: dict[str, Any] = {"segments_date": [DAY] * 10, "n": list(range(number, number + 10))}
            splitter.add(pa.RecordBatch.from_pydict(days, schema=arrow))
            assert splitter.buffered_rows <= bound
        return next(splitter.seal(facts))

    again = extracted(RUNS[1], known_of(sink, extracted(RUNS[0], {})))
    assert isinstance(again, Unchanged if unchanged else Sealed)
    assert sum(path.name == "metadata.json" for path in tmp_path.rglob("*")) == (1 if unchanged else 2)
