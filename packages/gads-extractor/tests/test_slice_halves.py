"""A slice that fails for its days is asked for in halves: only days that fail alone are failed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_conformance.report_source import Operations
from gads_domain.errors import AccountRefusedError, PermanentApiError
from gads_domain.ports.report_source import DayOutcome, Sealed, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_emulator import ApiFailureError, Call, EmulatorServer, Selection, SyntheticAgency, SyntheticSettings
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.errors import BrokenStreamError, RangeRefusedError
from gads_extractor.report_source import GoogleAdsReportSource
from gads_extractor.slice_halves import MOST_BREAKS, outcomes_of
from gads_gaql import parse
from gads_testing.staged_extraction import FIRST, LAST, REPORT, UNAVAILABLE, Naps, page_of

pytestmark = pytest.mark.usefixtures("every_writer_is_ended")

BAD = FIRST + timedelta(days=3)
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]


def days_asked(call: Call) -> tuple[date, date]:
    first, last = parse(call.request.query).conditions[-1].values
    return date.fromisoformat(first), date.fromisoformat(last)


def failed(outcomes: tuple[DayOutcome, ...]) -> dict[date, str]:
    return {one.key.logical_date: one.reason.message for one in outcomes if isinstance(one, Unsealed)}


@pytest.mark.parametrize(("version", "code"), [("v26", "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED"), ("v23", "UNKNOWN")])
def test_days_that_are_too_old_for_the_api_fail_alone(
    version: str, code: str, tmp_path: Path, run: RunContext, sink: RawSink
) -> None:
    agency = SyntheticAgency(SyntheticSettings(accounts=1, first=date(2024, 1, 1), last=date(2024, 3, 31)))
    last = date(2024, 2, 15)
    with (
        EmulatorServer(agency, now=lambda: datetime(2027, 2, 27, 12, tzinfo=UTC)) as server,
        GoogleAdsConnection.open(server.write_client_configuration(tmp_path), version) as connection,
    ):
        slice_ = ReportSlice(agency.client_ids[0], REPORT, last - timedelta(days=45), last)
        result = GoogleAdsReportSource(connection).extract(slice_, run, sink)
    assert [one.key for one in result.days] == list(slice_.keys)
    found = failed(result.days)
    assert sorted(found) == list(slice_.days[:26]), "the API has the days from 2024-01-27 on"
    assert all(f"DATE_RANGE_ERROR.{code}" in message for message in found.values())
    assert len(set(found.values())) == 26, "each has the request that refused it"
    assert result.operations <= 2 * 26 + 6


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (UNAVAILABLE, "api_transient"),
        (
            ApiFailureError("", "", "Received message larger than max (9 vs. 4)", status="RESOURCE_EXHAUSTED"),
            "api_permanent",
        ),
    ],
)
def test_a_day_that_never_comes_through_fails_alone(
    failure: ApiFailureError,
    code: str,
    source: GoogleAdsReportSource,
    slice_: ReportSlice,
    run: RunContext,
    sink: RawSink,
    stage: Any,
    naps: Naps,
) -> None:
    def script(call: Call, real: Selection) -> Iterator[bytes]:
        first, last = days_asked(call)
        if first <= BAD <= last:
            yield page_of(BAD.isoformat())
            raise failure
        yield from real(call)

    stage.script = script
    result = source.extract(slice_, run, sink)
    assert list(failed(result.days)) == [BAD]
    assert {one.reason.code for one in result.days if isinstance(one, Unsealed)} == {code}
    sealed = [one for one in result.days if isinstance(one, Sealed)]
    assert sum(one.metadata.facts.record_count for one in sealed) > 0
    asked = [days_asked(call) for call in stage.calls]
    tries = 3 if failure is UNAVAILABLE else 1
    assert asked == [
        *[(FIRST, LAST)] * tries,
        (FIRST, DAYS[1]),
        (DAYS[2], LAST),
        (DAYS[2], DAYS[2]),
        (DAYS[3], LAST),
        (BAD, BAD),
        (LAST, LAST),
    ]
    assert result.operations == len(asked)
    assert len(naps.taken) == tries - 1, "the parts are asked for once each"


def test_no_part_is_asked_for_beyond_the_budget(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any
) -> None:
    too_old = ApiFailureError("click_view_error", "DATE_TOO_OLD", "too old")

    def script(call: Call, real: Selection) -> Iterator[bytes]:
        if days_asked(call)[0] < FIRST + timedelta(days=1):
            raise too_old
        yield from real(call)

    stage.script = script
    result = source.extract(slice_, run, sink, Operations(4))
    assert result.operations == len(stage.calls) == 4, "all, the first two, each of these"
    assert [one.key.logical_date for one in result.days] == DAYS[:2], "the others were not tried"
    assert list(failed(result.days)) == DAYS[:1]
    assert result.stopped_by is not None
    assert result.stopped_by.code == "budget_spent"


class _Api:
    """Refuses, or breaks off, whatever has one of these days."""

    def __init__(self, refused: set[int], broken: set[int]) -> None:
        self.refused = {FIRST + timedelta(days=number) for number in refused}
        self.broken = {FIRST + timedelta(days=number) for number in broken}
        self.asked: list[ReportSlice] = []

    def ask(self, part: ReportSlice, repeats: bool) -> Generator[DayOutcome, None, None]:
        self.asked.append(part)
        if self.refused.intersection(part.days):
            raise RangeRefusedError(f"{part.first} to {part.last} refused")
        if self.broken.intersection(part.days):
            raise BrokenStreamError(f"{part.first} to {part.last} broke")
        metadata: Any = part
        yield from (Sealed(key, metadata) for key in part.keys)


@given(
    length=st.integers(1, 60),
    refused=st.sets(st.integers(0, 59), max_size=20),
    broken=st.sets(st.integers(0, 59), max_size=1),
)
def test_exactly_the_days_that_fail_alone_are_failed(length: int, refused: set[int], broken: set[int]) -> None:
    slice_ = ReportSlice("1234567890", REPORT, FIRST, FIRST + timedelta(days=length - 1))
    api = _Api(refused, broken)
    outcomes = outcomes_of(slice_, api.ask)
    assert [one.key for one in outcomes] == list(slice_.keys)
    bad = (api.refused | api.broken).intersection(slice_.days)
    assert set(failed(tuple(outcomes))) == bad
    for day, message in failed(tuple(outcomes)).items():
        assert message.startswith(f"{day} to {day} "), "the reason of the day alone"
    assert len(api.asked) <= 2 * length - 1
    assert len(api.asked) <= 1 + 2 * 6 * len(bad)


def test_a_slice_that_breaks_however_few_days_are_asked_for_is_given_up() -> None:
    slice_ = ReportSlice("1234567890", REPORT, FIRST, FIRST + timedelta(days=365))
    api = _Api(set(), set(range(366)))
    assert len(failed(tuple(outcomes_of(slice_, api.ask)))) == 366
    assert len(api.asked) == MOST_BREAKS + 1


@pytest.mark.parametrize("error", [AccountRefusedError("no permission"), PermanentApiError("a bad query")])
def test_what_does_not_depend_on_the_days_is_asked_once(error: Exception) -> None:
    asked = []

    def ask(part: ReportSlice, repeats: bool) -> Generator[DayOutcome, None, None]:
        asked.append(part)
        if asked:
            raise error
        yield from ()

    slice_ = ReportSlice("1234567890", REPORT, FIRST, LAST)
    assert len(failed(tuple(outcomes_of(slice_, ask)))) == len(slice_.days)
    assert len(asked) == 1
