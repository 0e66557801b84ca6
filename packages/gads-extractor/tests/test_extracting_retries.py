"""What passes is asked for again from the start of the slice; what does not is asked once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gads_domain.errors import FailureScope
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_emulator import ApiFailureError, Call, Selection
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.report_source import GoogleAdsReportSource
from gads_testing.staged_extraction import (
    BUSY,
    FIRST,
    REPORT,
    TRANSIENT,
    UNAVAILABLE,
    Naps,
    all_sealed,
    all_unsealed,
    cut_after_pages,
    page_of,
    rows_in,
)

pytestmark = pytest.mark.usefixtures("every_writer_is_ended")


def test_a_cut_stream_is_asked_again_from_its_start(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    stage.script = cut_after_pages([UNAVAILABLE, TRANSIENT])
    sealed = all_sealed(list(source.extract(slice_, run, sink).days))
    assert naps.taken == [0.5, 1.0]
    for outcome in sealed:
        assert outcome.metadata.run_id == run.run_id
        assert outcome.metadata.facts.request_ids == (stage.calls[2].request_id,), "nothing of the cut streams"
        assert 1 not in rows_in(sink, outcome)["campaign_id"].to_pylist()


def test_the_api_s_wish_to_wait_is_obeyed(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    stage.script = cut_after_pages([BUSY])
    all_sealed(list(source.extract(slice_, run, sink).days))
    assert naps.taken == [7.5]


def test_a_stream_that_is_always_cut_seals_nothing(
    source: GoogleAdsReportSource, slice_: ReportSlice, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    def cut(call: Call, real: Selection) -> Iterator[bytes]:
        yield page_of("2024-02-01", request_id="cut")
        raise UNAVAILABLE

    day = ReportSlice(slice_.customer_id, slice_.report, FIRST, FIRST)
    stage.script = cut
    (outcome,) = all_unsealed(list(source.extract(day, run, sink).days), day, sink)
    assert (outcome.reason.code, outcome.reason.retryable) == ("api_transient", True)
    last = stage.calls[2].request_id
    assert outcome.reason.message == f"UNAVAILABLE: going away (request id {last}) (tried 3 times)"
    assert len(stage.calls) == 3
    # the same run may still seal it
    stage.script = None
    all_sealed(list(source.extract(slice_, run, sink).days))


PERMANENT = [
    (ApiFailureError("query_error", "REQUESTED_METRICS_FOR_MANAGER", "no metrics"), "api_permanent"),
    (ApiFailureError("authorization_error", "CUSTOMER_NOT_ENABLED", "not enabled"), "api_permanent"),
]
STOPPING = [
    (ApiFailureError("request_error", "UNSUPPORTED_VERSION", "gone"), "api_version_gone"),
    (ApiFailureError("quota_error", "RESOURCE_EXHAUSTED", "no operations left"), "api_quota"),
    (
        ApiFailureError("quota_error", "RESOURCE_TEMPORARILY_EXHAUSTED", "later", retry_delay=timedelta(hours=11)),
        "api_quota",
    ),
    (ApiFailureError("authentication_error", "OAUTH_TOKEN_REVOKED", "revoked"), "credentials"),
    (ApiFailureError("authentication_error", "DEVELOPER_TOKEN_INVALID", "unknown token"), "credentials"),
    (ApiFailureError("authorization_error", "DEVELOPER_TOKEN_NOT_APPROVED", "test accounts only"), "credentials"),
    (
        ApiFailureError("", "", "Request had invalid authentication credentials", status="UNAUTHENTICATED"),
        "credentials",
    ),
]


@pytest.mark.parametrize(("failure", "code"), PERMANENT, ids=lambda value: getattr(value, "code", ""))
def test_what_does_not_pass_is_asked_once(
    failure: ApiFailureError,
    code: str,
    source: GoogleAdsReportSource,
    slice_: ReportSlice,
    run: RunContext,
    sink: RawSink,
    stage: Any,
    naps: Naps,
) -> None:
    stage.script = cut_after_pages([failure] * 3)
    found = all_unsealed(list(source.extract(slice_, run, sink).days), slice_, sink)
    assert {outcome.reason.code for outcome in found} == {code}
    assert f"{failure.group.upper()}.{failure.code}: {failure.message}" in found[0].reason.message
    assert f"(request id {stage.calls[0].request_id})" in found[0].reason.message
    assert len(stage.calls) == 1
    assert not naps.taken


def test_an_account_that_is_denied_is_an_outcome(
    source: GoogleAdsReportSource, run: RunContext, sink: RawSink, manager: str
) -> None:
    slice_ = ReportSlice("1234567890", REPORT, FIRST, FIRST)
    (denied,) = all_unsealed(list(source.extract(slice_, run, sink).days), slice_, sink)
    assert "AUTHORIZATION_ERROR.USER_PERMISSION_DENIED" in denied.reason.message


@pytest.mark.parametrize(("failure", "code"), STOPPING, ids=lambda value: getattr(value, "code", ""))
def test_what_concerns_every_account_stops_and_fails_no_day(
    failure: ApiFailureError,
    code: str,
    source: GoogleAdsReportSource,
    slice_: ReportSlice,
    run: RunContext,
    sink: RawSink,
    stage: Any,
    naps: Naps,
) -> None:
    def refuse(call: Call, real: Selection) -> Iterator[bytes]:
        raise failure

    stage.script = refuse
    result = source.extract(slice_, run, sink)
    assert (result.days, result.operations, len(stage.calls)) == ((), 1, 1)
    assert result.stopped_by is not None
    assert (result.stopped_by.code, result.stopped_by.scope) == (code, FailureScope.SOURCE)
    assert failure.message in result.stopped_by.message
    assert not naps.taken
    assert not list(sink.sealed())


def test_a_silent_stream_is_given_up(
    connection: GoogleAdsConnection, account: str, run: RunContext, sink: RawSink, stage: Any, naps: Naps
) -> None:
    slice_, talk = ReportSlice(account, REPORT, FIRST, FIRST), threading.Event()

    def silent(call: Call, real: Selection) -> Iterator[bytes]:
        yield page_of("2024-02-01")
        talk.wait(30)

    stage.script = silent
    source = GoogleAdsReportSource(connection, retry=RetryPolicy(attempts=2, sleep=naps), idle_timeout=0.2)
    try:
        found = all_unsealed(list(source.extract(slice_, run, sink).days), slice_, sink)
    finally:
        talk.set()
    assert found[0].reason.message == "DEADLINE_EXCEEDED: the stream was silent for 0.2 s (tried 2 times)"
    assert found[0].reason.retryable
    assert len(naps.taken) == 1
