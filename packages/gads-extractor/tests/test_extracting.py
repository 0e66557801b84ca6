"""The source end to end: the official client, the emulator's server over TLS, the sink on a file system."""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsStreamResponse

from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.errors import CredentialsError, StorageFullError
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, Sealed, Unsealed
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.report import ReportDefinition, Stretch
from gads_domain.run import RunContext, RunId
from gads_emulator.api import Answer, Call
from gads_emulator.failures import ApiFailureError
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.extracting import GoogleAdsReportSource
from gads_extractor.retrying import RetryPolicy
from gads_payload.reading import open_payload

FIELDS = ["campaign.id", "campaign.status", "segments.date", "metrics.clicks", "metrics.cost_micros"]
REPORT = ReportDefinition("campaign", f"SELECT {', '.join(FIELDS)} FROM campaign", schema_version=3)
FIRST, LAST = date(2024, 2, 1), date(2024, 2, 5)
NOON = datetime(2024, 6, 2, 12, tzinfo=UTC)

Pages = Callable[[Call, Answer], Iterator[bytes]]


class FixedClock:
    def now(self) -> datetime:
        return NOON


class Naps:
    """A sleeper that only remembers."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def source(connection: GoogleAdsConnection, naps: Naps) -> GoogleAdsReportSource:
    retry = RetryPolicy(attempts=3, sleep=naps, chance=lambda: 0.5)
    return GoogleAdsReportSource(connection, clock=FixedClock(), retry=retry)


@pytest.fixture
def stretch(account: str) -> Stretch:
    return Stretch(account, REPORT, FIRST, LAST)


@pytest.fixture(autouse=True)
def every_writer_is_ended(sink: RawSink, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens: a writer that was opened is sealed or aborted, and not left to the garbage collector."""
    kind: Any = type(sink)
    real = kind.open_writer
    opened: list[_WatchedWriter] = []

    def open_writer(self: RawSink, key: PartitionKey, run_id: RunId) -> _WatchedWriter:
        opened.append(_WatchedWriter(real(self, key, run_id)))
        return opened[-1]

    monkeypatch.setattr(kind, "open_writer", open_writer)
    yield
    assert all(writer.ended for writer in opened)


class _WatchedWriter:
    def __init__(self, inner: PartitionWriter) -> None:
        self._inner = inner
        self.ended = False

    def write(self, data: bytes | memoryview) -> int:
        return self._inner.write(data)

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        sealed = self._inner.finalize(facts)
        self.ended = True
        return sealed

    def abort(self) -> None:
        self._inner.abort()
        self.ended = True


def rows_in(sink: RawSink, sealed: Sealed) -> pa.Table:
    run_id = sealed.metadata.run_id
    with open_payload(sink.open_payload(sealed.key, run_id, sealed.metadata.payload_name)) as payload:
        return payload.read()


def all_sealed(outcomes: list[DayOutcome]) -> list[Sealed]:
    assert all(isinstance(outcome, Sealed) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Sealed)]


def all_unsealed(outcomes: list[DayOutcome], stretch: Stretch, sink: RawSink) -> list[Unsealed]:
    """One reason a day, and nothing visible in the sink."""
    assert tuple(outcome.key for outcome in outcomes) == stretch.keys
    assert not list(sink.sealed())
    found = [outcome for outcome in outcomes if isinstance(outcome, Unsealed)]
    assert len(found) == len(stretch.days)
    return found


def page_of(*days: str | None, request_id: str = "made-up", campaign: int = 1) -> bytes:
    page = SearchGoogleAdsStreamResponse.pb()(request_id=request_id)
    for number, day in enumerate(days):
        row = page.results.add()
        row.campaign.id = campaign + number
        row.metrics.clicks = 1
        if day is not None:
            row.segments.date = day
    return bytes(page.SerializeToString())


def test_each_day_of_the_stretch_is_sealed_with_its_rows(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, emulator: Any, stage: Any
) -> None:
    told: list[int] = []
    sealed = all_sealed(list(source.extract(stretch, run, sink, told.append)))
    assert tuple(outcome.key for outcome in sealed) == stretch.keys
    assert len(stage.calls) == 1, "one call for the whole stretch"
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
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any
) -> None:
    sealed = all_sealed(list(source.extract(stretch, run, sink)))
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
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter([page_of("2024-02-02", "2024-02-04", "2024-02-02")])
    sealed = all_sealed(list(source.extract(stretch, run, sink)))
    assert [outcome.metadata.facts.record_count for outcome in sealed] == [0, 2, 0, 1, 0]
    assert [rows_in(sink, outcome).num_rows for outcome in sealed] == [0, 2, 0, 1, 0]


@pytest.mark.parametrize("pages", [[], [b""], [page_of()]], ids=["none", "blank", "without rows"])
def test_a_stream_without_rows_proves_absence(
    pages: list[bytes], source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter(pages)
    sealed = all_sealed(list(source.extract(stretch, run, sink)))
    assert [outcome.metadata.facts.record_count for outcome in sealed] == [0] * 5


def test_days_in_any_order_under_a_small_buffer(
    connection: GoogleAdsConnection, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any
) -> None:
    """Every page holds every day, and the buffer hardly a page."""
    days = [day.isoformat() for day in stretch.days]
    stage.script = lambda call, real: iter(
        [page_of(*reversed(days), *days, campaign=100 * number) for number in range(20)]
    )
    source = GoogleAdsReportSource(connection, buffered_rows=15)
    sealed = all_sealed(list(source.extract(stretch, run, sink)))
    for outcome in sealed:
        campaigns: list[Any] = rows_in(sink, outcome)["campaign_id"].to_pylist()
        assert len(set(campaigns)) == len(campaigns) == 40
        assert campaigns == sorted(campaigns), "the order of arrival is kept"


def cut_after_pages(failures: list[Exception]) -> Pages:
    """A first page, then the next failure; without failures left, the real answer."""

    def script(call: Call, real: Answer) -> Iterator[bytes]:
        if not failures:
            yield from real(call)
            return
        yield page_of("2024-02-01", "2024-02-03", request_id="cut")
        raise failures.pop(0)

    return script


UNAVAILABLE = ApiFailureError("", "", "going away", status="UNAVAILABLE")
TRANSIENT = ApiFailureError("internal_error", "TRANSIENT_ERROR", "try again")
BUSY = ApiFailureError("quota_error", "RESOURCE_TEMPORARILY_EXHAUSTED", "slow down", retry_delay=timedelta(seconds=7))


def test_a_cut_stream_is_asked_again_from_its_start(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    stage.script = cut_after_pages([UNAVAILABLE, TRANSIENT])
    sealed = all_sealed(list(source.extract(stretch, run, sink)))
    assert naps.taken == [0.5, 1.0]
    for outcome in sealed:
        assert outcome.metadata.run_id == run.run_id
        assert outcome.metadata.facts.request_ids == (stage.calls[2].request_id,), "nothing of the cut streams"
        assert 1 not in rows_in(sink, outcome)["campaign_id"].to_pylist()


def test_the_api_s_wish_to_wait_is_obeyed(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    stage.script = cut_after_pages([BUSY])
    all_sealed(list(source.extract(stretch, run, sink)))
    assert naps.taken == [7.5]


def test_a_stream_that_is_always_cut_seals_nothing(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    stage.script = cut_after_pages([UNAVAILABLE] * 3)
    reasons = {outcome.reason for outcome in all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)}
    (reason,) = reasons
    assert (reason.code, reason.retryable) == ("api_transient", True)
    last = stage.calls[2].request_id
    assert reason.message == f"UNAVAILABLE: going away (request id {last}) (asked 3 times)"
    assert len(stage.calls) == 3
    # the same run may still seal it
    stage.script = None
    all_sealed(list(source.extract(stretch, run, sink)))


PERMANENT = [
    (ApiFailureError("query_error", "REQUESTED_METRICS_FOR_MANAGER", "no metrics"), "api_permanent"),
    (ApiFailureError("authorization_error", "CUSTOMER_NOT_ENABLED", "not enabled"), "api_permanent"),
    (ApiFailureError("request_error", "UNSUPPORTED_VERSION", "gone"), "api_permanent"),
    (ApiFailureError("quota_error", "RESOURCE_EXHAUSTED", "no operations left"), "api_quota"),
    (
        ApiFailureError("quota_error", "RESOURCE_TEMPORARILY_EXHAUSTED", "later", retry_delay=timedelta(hours=11)),
        "api_quota",
    ),
]


@pytest.mark.parametrize(("failure", "code"), PERMANENT, ids=lambda value: getattr(value, "code", ""))
def test_what_does_not_pass_is_asked_once(
    failure: ApiFailureError,
    code: str,
    source: GoogleAdsReportSource,
    stretch: Stretch,
    run: RunContext,
    sink: RawSink,
    stage: Any,
    naps: Naps,
) -> None:
    stage.script = cut_after_pages([failure] * 3)
    found = all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)
    assert {outcome.reason.code for outcome in found} == {code}
    assert f"{failure.group.upper()}.{failure.code}: {failure.message}" in found[0].reason.message
    assert f"(request id {stage.calls[0].request_id})" in found[0].reason.message
    assert len(stage.calls) == 1
    assert not naps.taken


def test_an_account_that_is_denied_is_an_outcome(
    source: GoogleAdsReportSource, run: RunContext, sink: RawSink, manager: str
) -> None:
    stretch = Stretch("1234567890", REPORT, FIRST, FIRST)
    (denied,) = all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)
    assert "AUTHORIZATION_ERROR.USER_PERMISSION_DENIED" in denied.reason.message
    assert "login_customer_id" in denied.reason.hint


@pytest.mark.parametrize(
    "failure",
    [
        ApiFailureError("authentication_error", "OAUTH_TOKEN_REVOKED", "revoked"),
        ApiFailureError("authentication_error", "DEVELOPER_TOKEN_INVALID", "unknown token"),
        ApiFailureError("authorization_error", "DEVELOPER_TOKEN_NOT_APPROVED", "test accounts only"),
        ApiFailureError("", "", "Request had invalid authentication credentials", status="UNAUTHENTICATED"),
    ],
    ids=lambda failure: failure.code,
)
def test_refused_credentials_are_raised(
    failure: ApiFailureError,
    source: GoogleAdsReportSource,
    stretch: Stretch,
    run: RunContext,
    sink: RawSink,
    stage: Any,
) -> None:
    def refuse(call: Call, real: Answer) -> Iterator[bytes]:
        raise failure

    stage.script = refuse
    with pytest.raises(CredentialsError) as caught:
        list(source.extract(stretch, run, sink))
    assert failure.message in caught.value.message
    assert caught.value.hint
    assert "emulator-developer-token" not in caught.value.message
    assert not list(sink.sealed())
    assert len(stage.calls) == 1


@pytest.mark.parametrize("day", ["2024-01-31", "2024-02-06", None])
def test_a_row_of_another_day_fails_the_stretch(
    day: str | None, source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter([page_of("2024-02-01"), page_of("2024-02-02", day)])
    found = all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)
    assert found[0].reason.code == "api_permanent"
    assert f"a row of {day or 'no day'}, which was not asked for" in found[0].reason.message


def test_a_page_that_is_damaged_fails_the_stretch(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any
) -> None:
    stage.script = lambda call, real: iter([page_of("2024-02-01"), b"\x0a\xff"])
    found = all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)
    assert "cannot be decoded" in found[0].reason.message


def test_a_silent_stream_is_given_up(
    connection: GoogleAdsConnection, stretch: Stretch, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    talk = threading.Event()

    def silent(call: Call, real: Answer) -> Iterator[bytes]:
        yield page_of("2024-02-01")
        talk.wait(30)

    stage.script = silent
    source = GoogleAdsReportSource(connection, retry=RetryPolicy(attempts=2, sleep=naps), idle_timeout=0.2)
    try:
        found = all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)
    finally:
        talk.set()
    assert found[0].reason.message == "DEADLINE_EXCEEDED: the stream was silent for 0.2 s (asked 2 times)"
    assert found[0].reason.retryable
    assert len(naps.taken) == 1


def test_a_day_that_is_sealed_already_stays_and_the_others_go_on(
    source: GoogleAdsReportSource, account: str, stretch: Stretch, run: RunContext, sink: RawSink
) -> None:
    middle = Stretch(account, REPORT, date(2024, 2, 3), date(2024, 2, 3))
    (before,) = all_sealed(list(source.extract(middle, run, sink)))
    bytes_before = sink.metadata_bytes(before.key, run.run_id)
    outcomes = list(source.extract(stretch, run, sink))
    assert [type(outcome) for outcome in outcomes] == [Sealed, Sealed, Unsealed, Sealed, Sealed]
    assert isinstance(outcomes[2], Unsealed)
    assert outcomes[2].reason.code == "already_sealed"
    assert sink.metadata_bytes(before.key, run.run_id) == bytes_before


class _FullWriter:
    """Takes `room` bytes."""

    def __init__(self, inner: PartitionWriter, room: int) -> None:
        self._inner = inner
        self._room = room

    def write(self, data: bytes | memoryview) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise StorageFullError("no space is left")
        return self._inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _FillingSink:
    """A sink that is full for one day."""

    def __init__(self, inner: RawSink, day: date, room: int) -> None:
        self._inner = inner
        self._day = day
        self._room = room

    def open_writer(self, key: PartitionKey, run_id: RunId) -> Any:
        writer = self._inner.open_writer(key, run_id)
        return _FullWriter(writer, self._room) if key.logical_date == self._day else writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("room", [0, 100, 400])
def test_a_full_disk_costs_the_day_it_met(
    room: int, source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, tmp_path: Path
) -> None:
    full: Any = _FillingSink(sink, date(2024, 2, 4), room)
    outcomes = list(source.extract(stretch, run, full))
    assert [type(outcome) for outcome in outcomes] == [Sealed, Sealed, Sealed, Unsealed, Sealed]
    assert isinstance(outcomes[3], Unsealed)
    assert outcomes[3].reason.code == "storage_full"
    assert sink.runs(outcomes[3].key) == []
    # nothing is left open or half-written: the same run seals the day when there is room
    day = Stretch(stretch.customer_id, REPORT, date(2024, 2, 4), date(2024, 2, 4))
    all_sealed(list(source.extract(day, run, sink)))


class _ClosedSink:
    def __init__(self) -> None:
        self.opened = 0

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PartitionWriter:
        self.opened += 1
        raise StorageFullError("no space is left")


def test_a_sink_that_refuses_every_day_ends_the_stream(
    source: GoogleAdsReportSource, account: str, run: RunContext, stage: Any
) -> None:
    day = Stretch(account, REPORT, FIRST, FIRST)
    stage.script = lambda call, real: iter([page_of("2024-02-01")] * 5)
    told: list[int] = []
    sink: Any = _ClosedSink()
    (outcome,) = source.extract(day, run, sink, told.append)
    assert isinstance(outcome, Unsealed)
    assert outcome.reason.code == "storage_full"
    assert sink.opened == 1
    assert told == [1], "the rest of the stream is not read"


def test_a_bug_is_an_outcome_too(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink
) -> None:
    def broken(rows: int) -> None:
        raise KeyError("a bug")

    found = all_unsealed(list(source.extract(stretch, run, sink, broken)), stretch, sink)
    assert found[0].reason.code == "internal"


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
    stretch = Stretch(account, ReportDefinition("bad", query), FIRST, LAST)
    found = all_unsealed(list(source.extract(stretch, run, sink)), stretch, sink)
    assert {outcome.reason.code for outcome in found} == {"query"}
    assert not stage.calls


def test_leaving_the_outcomes_early_leaves_nothing_half_written(
    source: GoogleAdsReportSource, stretch: Stretch, run: RunContext, sink: RawSink, tmp_path: Path
) -> None:
    outcomes: Any = source.extract(stretch, run, sink)
    assert isinstance(next(outcomes), Sealed)
    outcomes.close()
    before = len(list(sink.sealed()))
    assert before >= 1, "days whose seal was under way are whole"
    rest = [outcome for outcome in source.extract(stretch, run, sink) if isinstance(outcome, Sealed)]
    assert len(rest) == 5 - before
    assert len(list(sink.sealed())) == 5


def test_the_same_rows_give_the_same_payload_bytes(
    source: GoogleAdsReportSource, stretch: Stretch, sink: RawSink
) -> None:
    ids = RandomRunIds(SystemClock())
    sums = [
        [outcome.metadata.payload_sha256 for outcome in all_sealed(list(source.extract(stretch, run, sink)))]
        for run in (RunContext(ids.new_run_id()), RunContext(ids.new_run_id()))
    ]
    assert sums[0] == sums[1]
