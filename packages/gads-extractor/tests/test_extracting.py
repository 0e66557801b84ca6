"""The source end to end: the official client, the emulator's server over TLS, the sink on a file system."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.run import RunContext
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.report_source import GoogleAdsReportSource
from gads_testing.staged_extraction import (
    FIELDS,
    FIRST,
    LAST,
    NOON,
    all_sealed,
    all_unsealed,
    page_of,
    rows_in,
)

pytestmark = pytest.mark.usefixtures("every_writer_is_ended")


def test_each_day_of_the_slice_is_sealed_with_its_rows(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, emulator: Any, stage: Any
) -> None:
    told: list[int] = []
    sealed = all_sealed(list(source.extract(slice_, run, sink, None, told.append).days))
    assert tuple(outcome.key for outcome in sealed) == slice_.keys
    assert len(stage.calls) == 1, "one call for the whole slice"
    total = 0
    for outcome in sealed:
        table = rows_in(sink, outcome)
        assert table.column_names == [field.replace(".", "_") for field in FIELDS]
        assert set(table["segments_date"].to_pylist()) == {outcome.key.logical_date}
        assert set(table["campaign_status"].to_pylist()) <= {"ENABLED", "PAUSED", "REMOVED"}
        assert table.num_rows == outcome.metadata.facts.record_count > 0
        total += table.num_rows
    assert told[-1] == total


def test_the_seal_says_what_was_asked_and_by_whom(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    sealed = all_sealed(list(source.extract(slice_, run, sink).days))
    for outcome in sealed:
        assert decode_metadata(sink.metadata_bytes(outcome.key, run.run_id)) == outcome.metadata
        facts = outcome.metadata.facts
        assert outcome.metadata.run_id == run.run_id
        assert facts.query == (
            f"SELECT {', '.join(FIELDS)} FROM campaign "
            "WHERE segments.date BETWEEN '2024-02-01' AND '2024-02-05' ORDER BY segments.date"
        )
        assert (facts.api_version, facts.schema_version, facts.extracted_at) == ("v26", 3, NOON)
        assert (facts.writer_name, facts.writer_version) == (
            "gads-extractor",
            importlib.metadata.version("gads-extractor"),
        )
        assert facts.request_ids == (stage.calls[0].request_id,)
        assert [column.type for column in facts.schema.columns] == ["int64", "string", "date32", "int64", "int64"]


def test_a_day_without_rows_is_sealed_with_none(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter([page_of("2024-02-02", "2024-02-04", "2024-02-02")])
    sealed = all_sealed(list(source.extract(slice_, run, sink).days))
    assert [outcome.metadata.facts.record_count for outcome in sealed] == [0, 2, 0, 1, 0]
    assert [rows_in(sink, outcome).num_rows for outcome in sealed] == [0, 2, 0, 1, 0]


@pytest.mark.parametrize("pages", [[], [b""], [page_of()]], ids=["none", "blank", "without rows"])
def test_a_stream_without_rows_proves_absence(
    pages: list[bytes], source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter(pages)
    sealed = all_sealed(list(source.extract(slice_, run, sink).days))
    assert [outcome.metadata.facts.record_count for outcome in sealed] == [0] * 5


def test_days_in_any_order_under_a_small_buffer(
    connection: GoogleAdsConnection, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    """Every page holds every day, and the buffer hardly a page."""
    days = [day.isoformat() for day in slice_.days]
    stage.script = lambda call, real: iter(
        [page_of(*reversed(days), *days, campaign=100 * number) for number in range(20)]
    )
    source = GoogleAdsReportSource(connection, buffered_rows=15)
    sealed = all_sealed(list(source.extract(slice_, run, sink).days))
    for outcome in sealed:
        campaigns: list[Any] = rows_in(sink, outcome)["campaign_id"].to_pylist()
        assert len(set(campaigns)) == len(campaigns) == 40
        assert campaigns == sorted(campaigns), "the order of arrival is kept"


@pytest.mark.parametrize("day", ["2024-01-31", "2024-02-06", None])
def test_a_row_of_another_day_fails_the_slice(
    day: str | None, source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter([page_of("2024-02-01"), page_of("2024-02-02", day)])
    found = all_unsealed(list(source.extract(slice_, run, sink).days), slice_, sink)
    assert found[0].reason.code == "api_permanent"
    assert f"a row of {day or 'no day'}, which was not asked for" in found[0].reason.message


def test_a_page_that_is_damaged_fails_the_slice(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter([page_of("2024-02-01"), b"\x0a\xff"])
    found = all_unsealed(list(source.extract(slice_, run, sink).days), slice_, sink)
    assert "cannot be decoded" in found[0].reason.message


@pytest.mark.parametrize(
    "query",
    [
        "SELECT campaign.id FROM campaign",
        "SELECT campaign.idd, segments.date FROM campaign",
        "SELECT",
        "SELECT segments.date FROM campaign WHERE segments.date = '2024-01-01'",
    ],
)
def test_a_query_that_cannot_be_asked_is_an_outcome_without_a_call(
    query: str, source: GoogleAdsReportSource, account: str, run: RunContext, sink: RawSink, stage: Any
) -> None:
    slice_ = ReportSlice(account, ReportDefinition("bad", query), FIRST, LAST)
    found = all_unsealed(list(source.extract(slice_, run, sink).days), slice_, sink)
    assert {outcome.reason.code for outcome in found} == {"query"}
    assert not stage.calls


def test_the_same_rows_give_the_same_payload_bytes(
    source: GoogleAdsReportSource, slice_: ReportSlice, sink: RawSink
) -> None:
    ids = RandomRunIds(SystemClock())
    sums = [
        [outcome.metadata.payload_sha256 for outcome in all_sealed(list(source.extract(slice_, run, sink).days))]
        for run in (RunContext(ids.new_run_id()), RunContext(ids.new_run_id()))
    ]
    assert sums[0] == sums[1]
