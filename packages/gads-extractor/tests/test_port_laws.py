"""The laws of the port, as any report source is held to them: the official client against the emulator's server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsStreamResponse

from gads_conformance.report_source import ContentOf, PlayedApi, ReportSourceLaws
from gads_domain.adapters import sink_adapter
from gads_domain.metadata import PartitionMetadata
from gads_domain.ports.report_source import ReportSource
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportDefinition, ReportSlice
from gads_emulator import ApiFailureError, Call, EmulatorServer, Selection
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.report_source import GoogleAdsReportSource
from gads_gaql import parse
from gads_payload.content import content_sha256
from gads_payload.reader import open_payload

REPORT = ReportDefinition("campaign", "SELECT campaign.id, segments.date, metrics.clicks FROM campaign")
FIRST, LAST = date(2024, 2, 1), date(2024, 2, 4)


class StagedApi:
    """Turns the emulator's stage to what a law wants."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage

    def answer_nothing(self) -> None:
        self._stage.script = lambda call, real: iter(())

    def break_off(self, customer_id: str) -> None:
        def script(call: Call, real: Selection) -> Iterator[bytes]:
            if call.customer_id != customer_id:
                yield from real(call)
                return
            page = SearchGoogleAdsStreamResponse.pb()()
            for day in ("2024-02-01", "2024-02-02", "2024-02-03", "2024-02-04"):
                row = page.results.add()
                row.campaign.id, row.segments.date = 1, day
            yield bytes(page.SerializeToString())
            raise ApiFailureError("", "", "going away", status="UNAVAILABLE")

        self._stage.script = script

    def refuse_day(self, customer_id: str, day: date) -> None:
        def script(call: Call, real: Selection) -> Iterator[bytes]:
            first, last = parse(call.request.query).conditions[-1].values
            if call.customer_id == customer_id and first <= day.isoformat() <= last:
                raise ApiFailureError("date_range_error", "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED", "too old")
            yield from real(call)

        self._stage.script = script

    def refuse_login(self) -> None:
        def script(call: Call, real: Selection) -> Iterator[bytes]:
            raise ApiFailureError("authentication_error", "OAUTH_TOKEN_REVOKED", "revoked")

        self._stage.script = script


class TestGoogleAdsReportSource(ReportSourceLaws):
    @pytest.fixture
    def source(self, connection: GoogleAdsConnection) -> ReportSource:
        return GoogleAdsReportSource(connection, retry=RetryPolicy(attempts=2, sleep=lambda seconds: None))

    @pytest.fixture
    def sink(self, tmp_path: Path) -> RawSink:
        return sink_adapter("file:raw").open_sink("file:raw", tmp_path)

    @pytest.fixture
    def accounts(self, emulator: EmulatorServer) -> list[str]:
        return [number for number, account in emulator.agency.accounts.items() if not account.manager]

    @pytest.fixture
    def slice_(self, accounts: list[str]) -> ReportSlice:
        return ReportSlice(accounts[0], REPORT, FIRST, LAST)

    @pytest.fixture
    def other_slice(self, accounts: list[str]) -> ReportSlice:
        return ReportSlice(accounts[1], REPORT, FIRST, LAST)

    @pytest.fixture
    def content_of(self) -> ContentOf:
        def content_of(sink: RawSink, sealed: PartitionMetadata) -> str:
            with open_payload(sink.open_payload(sealed.key, sealed.run_id, sealed.payload_name)) as payload:
                return content_sha256(payload.read())

        return content_of

    @pytest.fixture
    def api(self, stage: Any) -> PlayedApi:
        return StagedApi(stage)
