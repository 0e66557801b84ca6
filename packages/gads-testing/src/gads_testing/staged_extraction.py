"""What the tests of extraction share: a report, its days, pages made by hand, and what came of a slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from gads_domain.ports.report_source import DayOutcome, Sealed, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportDefinition, ReportSlice
from gads_emulator import ApiFailureError, Call, Selection
from gads_emulator.api_versions import load_version
from gads_payload.reader import open_payload

FIELDS = ["campaign.id", "campaign.status", "segments.date", "metrics.clicks", "metrics.cost_micros"]
REPORT = ReportDefinition("campaign", f"SELECT {', '.join(FIELDS)} FROM campaign", schema_version=3)
FIRST, LAST = date(2024, 2, 1), date(2024, 2, 5)
NOON = datetime(2024, 6, 2, 12, tzinfo=UTC)
UNAVAILABLE = ApiFailureError("", "", "going away", status="UNAVAILABLE")
TRANSIENT = ApiFailureError("internal_error", "TRANSIENT_ERROR", "try again")
BUSY = ApiFailureError("quota_error", "RESOURCE_TEMPORARILY_EXHAUSTED", "slow down", retry_delay=timedelta(seconds=7))

Pages = Callable[[Call, Selection], Iterator[bytes]]


class FixedClock:
    def now(self) -> datetime:
        return NOON


class Naps:
    """A sleeper that only remembers."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def rows_in(sink: RawSink, sealed: Sealed) -> pa.Table:
    run_id = sealed.metadata.run_id
    with open_payload(sink.open_payload(sealed.key, run_id, sealed.metadata.payload_name)) as payload:
        return payload.read()


def all_sealed(outcomes: list[DayOutcome]) -> list[Sealed]:
    assert all(isinstance(outcome, Sealed) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Sealed)]


def all_unsealed(outcomes: list[DayOutcome], slice_: ReportSlice, sink: RawSink) -> list[Unsealed]:
    """One reason a day, and nothing visible in the sink."""
    assert tuple(outcome.key for outcome in outcomes) == slice_.keys
    assert not list(sink.sealed())
    found = [outcome for outcome in outcomes if isinstance(outcome, Unsealed)]
    assert len(found) == len(slice_.days)
    return found


def page_of(*days: str | None, request_id: str = "made-up", campaign: int = 1) -> bytes:
    page = load_version("v26").stream_response(request_id=request_id)
    for number, day in enumerate(days):
        row = page.results.add()
        row.campaign.id = campaign + number
        row.metrics.clicks = 1
        if day is not None:
            row.segments.date = day
    return bytes(page.SerializeToString())


def cut_after_pages(failures: list[Exception]) -> Pages:
    """A first page, then the next failure; without failures left, the real answer."""

    def script(call: Call, real: Selection) -> Iterator[bytes]:
        if not failures:
            yield from real(call)
            return
        yield page_of("2024-02-01", "2024-02-03", request_id="cut")
        raise failures.pop(0)

    return script
