"""Snapshots and events: what is sent for them, whose day their rows are, and the guard against cut answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.errors import PermanentApiError
from gads_domain.ports.report_source import Sealed, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportDefinition, ReportKind, ReportSlice
from gads_domain.run import RunContext
from gads_emulator import ApiFailureError, Call, EmulatorServer, RecordedAgency, Selection
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.event_windows import EventWindows
from gads_extractor.page_decoder import Page
from gads_extractor.report_source import GoogleAdsReportSource
from gads_gaql.parser import parse
from gads_payload.reader import open_payload

TIME = "change_event.change_date_time"
QUERY = f"SELECT customer.id, change_event.resource_name, change_event.changed_fields, {TIME} FROM change_event"
CUSTOMER = "4611686018"
DAY = date(2024, 6, 1)
NOON = datetime(2024, 6, 2, 12, tzinfo=UTC)
MIDNIGHT = datetime.combine(DAY, time.min)


def event_report(row_limit: int | None, days: int = 1) -> ReportDefinition:
    return ReportDefinition(
        "changes", QUERY, kind=ReportKind.EVENT, date_field=TIME, row_limit=row_limit, max_days_per_request=days
    )


SNAPSHOT = ReportDefinition("labels", "SELECT label.id, label.name FROM label", kind=ReportKind.SNAPSHOT)


class FixedClock:
    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def text_of(moment: datetime) -> str:
    return moment.isoformat(" ", "microseconds")


def recorded(folder: Path, moments: list[datetime]) -> RecordedAgency:
    rows = [
        {
            "customer": {"id": CUSTOMER},
            "change_event": {
                "resource_name": f"customers/{CUSTOMER}/changeEvents/{number}",
                "change_date_time": text_of(moment),
                "changed_fields": "status,cpcBidMicros",
            },
        }
        for number, moment in enumerate(moments)
    ]
    (folder / "change_event.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RecordedAgency(folder)


class Played:
    """An emulator of recorded events, and the queries it was asked."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.failures: dict[int, ApiFailureError] = {}

    def wrap(self, real: Selection) -> Selection:
        def answer(call: Call) -> Iterator[bytes]:
            self.queries.append(call.request.query)
            if failure := self.failures.get(len(self.queries)):
                raise failure
            return real(call)

        return answer


@pytest.fixture
def played() -> Played:
    return Played()


def busy_day() -> list[datetime]:
    """90 changes in the first hour, a bulk of 15 within two seconds, and the day's first and last microsecond."""
    moments = [MIDNIGHT + timedelta(seconds=40 * n, microseconds=n) for n in range(90)]
    moments += [MIDNIGHT + timedelta(hours=17, milliseconds=130 * n) for n in range(15)]
    return [*moments, MIDNIGHT + timedelta(days=1) - timedelta(microseconds=1)]


def extract(
    folder: Path,
    moments: list[datetime],
    played: Played,
    report: ReportDefinition,
    days: int,
    run: RunContext,
    sink: Any,
) -> list[Any]:
    data = folder / "data"
    data.mkdir()
    naps: list[float] = []
    with (
        EmulatorServer(
            recorded(data, moments), wrap=played.wrap, now=FixedClock(NOON + timedelta(days=2)).now
        ) as server,
        GoogleAdsConnection.open(server.write_client_configuration(folder), "v26") as connection,
    ):
        retry = RetryPolicy(attempts=3, sleep=naps.append)
        source = GoogleAdsReportSource(connection, clock=FixedClock(), retry=retry)
        return list(source.extract(ReportSlice(CUSTOMER, report, DAY, DAY + timedelta(days=days - 1)), run, sink).days)


def names_in(sink: RawSink, outcome: Sealed) -> list[Any]:
    name = outcome.metadata.payload_name
    with open_payload(sink.open_payload(outcome.key, outcome.metadata.run_id, name)) as payload:
        rows = payload.read()
        assert set(rows["change_event_changed_fields"].to_pylist()) == {"status,cpc_bid_micros"}, "text, unquoted"
        found: list[Any] = rows["change_event_resource_name"].to_pylist()
        return found


def names_of(numbers: range) -> list[str]:
    return [f"customers/{CUSTOMER}/changeEvents/{number}" for number in numbers]


def test_a_full_answer_is_parted_until_all_rows_are_there_once(
    tmp_path: Path, played: Played, run: RunContext, sink: RawSink
) -> None:
    (outcome,) = extract(tmp_path, busy_day(), played, event_report(10), 1, run, sink)
    assert isinstance(outcome, Sealed), outcome
    assert names_in(sink, outcome) == names_of(range(106)), "all of them, in the order of time, none twice"
    assert outcome.metadata.facts.record_count == 106
    assert outcome.metadata.facts.query == played.queries[0]
    assert played.queries[0] == (
        f"{QUERY} WHERE {TIME} >= '2024-06-01 00:00:00' AND {TIME} <= '2024-06-01 23:59:59.999999' "
        f"ORDER BY {TIME} LIMIT 10"
    )
    assert f"{TIME} >= '2024-06-01 12:00:00' AND {TIME} <= '2024-06-01 23:59:59.999999'" in " ".join(played.queries)
    assert len(outcome.metadata.facts.request_ids) < len(played.queries), "only those whose rows were taken"


def test_an_answer_that_is_not_full_is_one_call(tmp_path: Path, played: Played, run: RunContext, sink: RawSink) -> None:
    (outcome,) = extract(tmp_path, busy_day(), played, event_report(107), 1, run, sink)
    assert isinstance(outcome, Sealed)
    assert outcome.metadata.facts.record_count == 106
    assert len(played.queries) == 1


def test_many_changes_in_one_second_are_read_by_the_microsecond(
    tmp_path: Path, played: Played, run: RunContext, sink: RawSink
) -> None:
    moments = [MIDNIGHT + timedelta(hours=17, microseconds=n // 4) for n in range(400)]
    (outcome,) = extract(tmp_path, moments, played, event_report(5), 1, run, sink)
    assert isinstance(outcome, Sealed), outcome
    assert names_in(sink, outcome) == names_of(range(400))


def test_a_microsecond_that_is_full_fails_the_day(
    tmp_path: Path, played: Played, run: RunContext, sink: RawSink
) -> None:
    moments = [*busy_day(), *[MIDNIGHT + timedelta(hours=18)] * 6]
    (outcome,) = extract(tmp_path, moments, played, event_report(6), 1, run, sink)
    assert isinstance(outcome, Unsealed)
    assert outcome.reason.code == "api_permanent"
    assert "2024-06-01 18:00:00 alone has 6 rows" in outcome.reason.message
    assert not list(sink.sealed())


def test_several_days_are_sorted_by_the_time_of_their_rows(
    tmp_path: Path, played: Played, run: RunContext, sink: RawSink
) -> None:
    moments = [MIDNIGHT + timedelta(hours=7 * n) for n in range(10)]
    outcomes = extract(tmp_path, moments, played, event_report(8, days=3), 3, run, sink)
    assert [outcome.metadata.facts.record_count for outcome in outcomes] == [4, 3, 3]
    assert [names_in(sink, outcome) for outcome in outcomes] == [
        names_of(range(4)),
        names_of(range(4, 7)),
        names_of(range(7, 10)),
    ]


def test_a_window_that_fails_is_asked_again_and_the_others_are_not(
    tmp_path: Path, played: Played, run: RunContext, sink: RawSink
) -> None:
    moments = [MIDNIGHT + timedelta(hours=n) for n in range(20)]
    played.failures[3] = ApiFailureError("", "", "going away", status="UNAVAILABLE")
    (outcome,) = extract(tmp_path, moments, played, event_report(15), 1, run, sink)
    assert isinstance(outcome, Sealed), outcome
    assert names_in(sink, outcome) == names_of(range(20))
    assert len(played.queries) == 4, "the day, a half, the other half twice"
    assert played.queries[2] == played.queries[3]


class _Api:
    """Rows by the microsecond; answers a window's query as the API does, in an order of its own."""

    def __init__(self, offsets: list[int]) -> None:
        self.moments = sorted(MIDNIGHT + timedelta(microseconds=offset) for offset in offsets)
        self.calls = 0

    def ask(self, text: str) -> list[Page]:
        self.calls += 1
        query = parse(text)
        start, end = (datetime.fromisoformat(condition.values[0]) for condition in query.conditions)
        found = [moment for moment in self.moments if start <= moment <= end][: query.limit]
        return [Page(batch_of([text_of(moment) for moment in found]), "")]


def batch_of(texts: list[str | None] | list[str]) -> pa.RecordBatch:
    values: Any = texts
    return pa.RecordBatch.from_pydict({"change_event_change_date_time": pa.array(values, pa.string())})


A_DAY = 86_400_000_000
OFFSETS = st.lists(
    st.one_of(
        st.integers(0, A_DAY - 1),
        st.integers(0, 20).map(lambda n: 3_600_000_000 + n * 250_000),
        st.integers(0, 5).map(lambda n: 7_200_000_000 + n),
        st.sampled_from([0, A_DAY // 2 - 1, A_DAY // 2, A_DAY - 1]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(offsets=OFFSETS, row_limit=st.integers(1, 12))
def test_no_row_is_lost_or_doubled_or_else_the_day_fails(offsets: list[int], row_limit: int) -> None:
    api = _Api(offsets)
    windows = EventWindows(ReportSlice(CUSTOMER, event_report(row_limit), DAY, DAY))
    busiest = max((offsets.count(offset) for offset in offsets), default=0)
    if busiest >= row_limit:
        with pytest.raises(PermanentApiError, match="truncated"):
            list(windows.read(api.ask))
        return
    got = [text for page in windows.read(api.ask) for text in page.rows.column(0).to_pylist()]
    assert got == [text_of(moment) for moment in api.moments]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2024-06-02 00:00:00", "a row of 2024-06-02 00:00:00, which was not asked for"),
        ("2024-05-31 23:59:59.999999", "which was not asked for"),
        (None, "a row of no time"),
        ("yesterday", "a time that cannot be read"),
    ],
)
def test_a_row_from_outside_its_window_is_refused(text: str | None, message: str) -> None:
    windows = EventWindows(ReportSlice(CUSTOMER, event_report(100), DAY, DAY))
    with pytest.raises(PermanentApiError, match=message):
        list(windows.read(lambda query: [Page(batch_of(["2024-06-01 10:00:00", text]), "")]))


@pytest.mark.parametrize("day", [date(2024, 6, 2), date(2024, 6, 3)])
def test_a_snapshot_is_sent_as_it_stands_for_a_day_that_is_today_somewhere(
    day: date, connection: GoogleAdsConnection, account: str, run: RunContext, sink: RawSink, stage: Any
) -> None:
    source = GoogleAdsReportSource(connection, clock=FixedClock(NOON + timedelta(hours=1)))
    (outcome,) = source.extract(ReportSlice(account, SNAPSHOT, day, day), run, sink).days
    assert isinstance(outcome, Sealed), outcome
    assert [call.request.query for call in stage.calls] == [SNAPSHOT.query]
    assert outcome.key.logical_date == day
    assert outcome.metadata.facts.record_count > 0
    assert [column.field for column in outcome.metadata.facts.schema.columns] == ["label.id", "label.name"]


@pytest.mark.parametrize("day", [date(2024, 5, 1), date(2024, 6, 1), date(2024, 6, 4)])
def test_a_snapshot_of_another_day_is_refused_without_a_call(
    day: date, connection: GoogleAdsConnection, account: str, run: RunContext, sink: RawSink, stage: Any
) -> None:
    source = GoogleAdsReportSource(connection, clock=FixedClock(NOON + timedelta(hours=1)))
    (outcome,) = source.extract(ReportSlice(account, SNAPSHOT, day, day), run, sink).days
    assert isinstance(outcome, Unsealed)
    assert (outcome.reason.code, outcome.reason.retryable) == ("invalid_value", False)
    assert f"labels is a snapshot report: its rows are of today, and {day} is not today" in outcome.reason.message
    assert "no backfill" in outcome.reason.hint
    assert not stage.calls


def test_a_report_with_a_limit_of_its_own_is_asked_a_day_at_a_time(
    connection: GoogleAdsConnection, account: str, run: RunContext, sink: RawSink, stage: Any
) -> None:
    report = ReportDefinition("top", "SELECT campaign.id, segments.date FROM campaign LIMIT 3")
    source = GoogleAdsReportSource(connection, clock=FixedClock())
    outcomes = list(source.extract(ReportSlice(account, report, DAY, DAY + timedelta(days=1)), run, sink).days)
    assert {outcome.reason.code for outcome in outcomes if isinstance(outcome, Unsealed)} == {"query"}
    assert not stage.calls
    (outcome,) = source.extract(ReportSlice(account, report, DAY, DAY), run, sink).days
    assert isinstance(outcome, Sealed)
