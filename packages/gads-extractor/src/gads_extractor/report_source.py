"""The Google Ads API as a source of reports."""

import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version

from gads_domain.clock import Clock, SystemClock
from gads_domain.errors import FailureReason, FailureScope
from gads_domain.metadata import KnownContent, PartitionFacts, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import (
    ABANDONED,
    NOTHING_KNOWN,
    ApiCall,
    DayOutcome,
    OperationQuota,
    RowProgress,
    SliceResult,
    Unsealed,
)
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_extractor.call_retry import RetryPolicy, call_with_retry
from gads_extractor.connection import IDLE_TIMEOUT, SearchStreams
from gads_extractor.day_splitter import BUFFERED_ROWS, DaySplitter
from gads_extractor.errors import CallFailedError
from gads_extractor.page_decoder import Page, PageDecoder
from gads_extractor.query_plan import query_plan_of
from gads_extractor.slice_halves import is_about_the_day, outcomes_of
from gads_gaql import catalogue
from gads_gaql.catalogue import table_schema
from gads_gaql.renderer import render

WRITER_NAME = "gads-extractor"
_KEPT_DECODERS = 64


class GoogleAdsReportSource:
    """A `ReportSource`: one SearchStream a slice, one partition a day.

    A slice that fails for its days is asked for in halves; see `gads_extractor.slice_halves`. Of a known day that fits
    into memory beside the others, nothing is sealed if it came as it was.

    Of an event whose answer is as long as its `row_limit` the time is asked again in ever smaller windows; the sealed
    query is that of the whole slice, and the windows' differ from it in their bounds alone. A snapshot is sent as it
    stands, and refused for a day that is today nowhere on earth.

    A call that fails in a way that passes is made again from its start, under the same run id, as `retry` says. Safe
    for several threads, each with a slice of its own.
    """

    def __init__(
        self,
        connection: SearchStreams,
        *,
        clock: Clock | None = None,
        retry: RetryPolicy | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
        buffered_rows: int = BUFFERED_ROWS,
    ) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()
        self._retry = retry or RetryPolicy()
        self._idle_timeout = idle_timeout
        self._buffered_rows = buffered_rows
        self._writer_version = version(WRITER_NAME)
        self._decoders = _Decoders(connection.api_version)

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
    ) -> SliceResult:
        """Ask for `slice_` and seal its days through `sink`, as the port's laws say."""
        calls, stopped_by = _Calls(quota, self._clock), None
        once = replace(self._retry, attempts=1)

        def ask(part: ReportSlice, repeats: bool) -> Generator[DayOutcome, None, None]:
            return self._outcomes(part, run, sink, calls, progress, self._retry if repeats else once, known)

        days = outcomes_of(slice_, ask)
        for outcome in days:
            if isinstance(outcome, Unsealed) and outcome.reason.scope is not FailureScope.PARTITION:
                stopped_by = outcome.reason
                break
        # A lost lease and a rest that the API asks for say nothing about the days of the slice.
        tried = [day for day in days if not isinstance(day, Unsealed) or is_about_the_day(day.reason)]
        if stopped_by is None and len(tried) < len(days):
            stopped_by = next(day.reason for day in days if isinstance(day, Unsealed))
        return SliceResult(tuple(tried), len(calls.made), stopped_by, tuple(calls.made))

    def _outcomes(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        calls: "_Calls",
        progress: RowProgress | None,
        retry: RetryPolicy,
        known: Mapping[PartitionKey, KnownContent],
    ) -> Generator[DayOutcome, None, None]:
        query_plan = query_plan_of(slice_, self._clock.now())
        schema = table_schema(query_plan.query, catalogue.load(self._connection.api_version))
        decoder = self._decoders.of(schema)
        asked = render(query_plan.query)

        def splitter_of() -> DaySplitter:
            return DaySplitter(
                slice_.keys,
                schema,
                query_plan.days_of,
                sink,
                run.run_id,
                known,
                buffered_rows=self._buffered_rows,
            )

        def pages_of(query: str) -> Generator[Page, None, None]:
            return self._pages(slice_, query, decoder, calls)

        windows = query_plan.windows
        if windows is None:
            splitter, request_ids = call_with_retry(
                retry, lambda: _split(splitter_of(), pages_of(asked), progress), calls.quota
            )
        else:
            pages = windows.read(lambda query: call_with_retry(retry, lambda: list(pages_of(query)), calls.quota))
            splitter, request_ids = _split(splitter_of(), pages, progress)
        extracted_at = self._clock.now()

        def facts_of(record_count: int) -> PartitionFacts:
            return PartitionFacts(
                extracted_at=extracted_at,
                api_version=self._connection.api_version,
                query=asked,
                schema_version=slice_.report.schema_version,
                schema=schema,
                record_count=record_count,
                request_ids=request_ids,
                writer_name=WRITER_NAME,
                writer_version=self._writer_version,
                day_field=slice_.report.day_field,
            )

        try:
            yield from splitter.seal(facts_of)
        finally:
            splitter.abort()

    def _pages(
        self, part: ReportSlice, query: str, decoder: PageDecoder, calls: "_Calls"
    ) -> Generator[Page, None, None]:
        with (
            calls.granted(part, query) as answer,
            closing(self._connection.search_stream(part.customer_id, query, idle_timeout=self._idle_timeout)) as pages,
        ):
            for data in pages:
                page = decoder.decode(data)
                answer.rows += page.rows.num_rows
                answer.request_id = page.request_id or answer.request_id
                yield page


@dataclass(slots=True)
class _Answer:
    rows: int = 0
    request_id: str = ""


class _Calls:
    """The calls of one slice: each takes an operation, and is kept with what came of it."""

    def __init__(self, quota: OperationQuota | None, clock: Clock) -> None:
        self.quota = quota
        self.made: list[ApiCall] = []
        self._clock = clock
        self._attempts = Counter[str]()

    @contextmanager
    def granted(self, part: ReportSlice, query: str) -> Iterator[_Answer]:
        if self.quota is not None:
            self.quota.take()
        self._attempts[query] += 1
        answer, code, began = _Answer(), "", time.monotonic()
        try:
            yield answer
        except BaseException as error:
            code = ABANDONED
            if isinstance(error, CallFailedError):
                code, answer.request_id = error.failure.error.code, error.failure.request_id or answer.request_id
            elif isinstance(error, Exception):
                code = FailureReason.of(error).code
            raise
        finally:
            seconds, attempt = time.monotonic() - began, self._attempts[query]
            end = (self._clock.now(), seconds, attempt, answer.rows, answer.request_id, code)
            self.made.append(ApiCall(part.first, part.last, *end))


class _Decoders(threading.local):
    """Each thread's decoders: a report is asked of many accounts, and its decoder takes as long to make as a page."""

    def __init__(self, api_version: str) -> None:
        super().__init__()
        self._api_version = api_version
        self._made: dict[TableSchema, PageDecoder] = {}

    def of(self, schema: TableSchema) -> PageDecoder:
        decoder = self._made.get(schema)
        if decoder is None:
            if len(self._made) >= _KEPT_DECODERS:
                self._made.clear()
            decoder = self._made[schema] = PageDecoder(self._api_version, schema)
        return decoder


def _split(
    splitter: DaySplitter, pages: Generator[Page, None, None], progress: RowProgress | None
) -> tuple[DaySplitter, tuple[str, ...]]:
    """Sort the rows of `pages` into their days; whatever fails leaves nothing behind. With the API's request ids."""
    request_ids: dict[str, None] = {}
    try:
        with closing(pages):
            for page in pages:
                if page.request_id:
                    request_ids[page.request_id] = None
                splitter.add(page.rows)
                if progress is not None:
                    progress(splitter.row_count)
                if splitter.all_failed:
                    break
    except BaseException:
        splitter.abort()
        raise
    return splitter, tuple(request_ids)
