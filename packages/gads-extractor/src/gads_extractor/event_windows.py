"""Events come with a LIMIT: an answer as long as that is truncated until smaller windows prove otherwise."""

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute

from gads_domain.errors import PermanentApiError
from gads_domain.report import ReportSlice
from gads_extractor.page_decoder import Page
from gads_gaql.catalogue import column_name
from gads_gaql.day_conditions import slice_times
from gads_gaql.parser import parse
from gads_gaql.renderer import render

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

_INSTANT = timedelta(microseconds=1)
"""The smallest window: the API's times have microseconds."""
_SECOND = timedelta(seconds=1)
_MICROSECONDS = pa.timestamp("us")


class EventWindows:
    """The time of a slice of an event report, from its first midnight to its last microsecond, in the account's zone.

    A report without `row_limit` is never split.
    """

    def __init__(self, slice_: ReportSlice) -> None:
        self._slice = slice_
        self._report = slice_.report
        self._query = parse(slice_.report.query)
        self._date_field = slice_.report.date_field or ""

    def read(self, ask: Callable[[str], Sequence[Page]]) -> Generator[Page, None, None]:
        """The pages of all windows in the order of time; `ask` returns all pages of one query.

        A window whose answer is as long as `row_limit` is read again in halves, each of which costs an operation.
        Windows do not overlap, and a row from outside its window is refused, so that no row comes twice.

        Raises `PermanentApiError` if a microsecond alone is full, and what `ask` raises.
        """
        first, last = self._slice.first, self._slice.last
        yield from self._read(ask, datetime.combine(first, time.min), datetime.combine(last, time.max))

    def _read(self, ask: Callable[[str], Sequence[Page]], start: datetime, end: datetime) -> Iterator[Page]:
        most = self._report.row_limit
        pages = ask(render(slice_times(self._query, self._date_field, start, end, most)))
        for page in pages:
            self._require_inside(page.rows, start, end)
        if most is None or sum(page.rows.num_rows for page in pages) < most:
            yield from pages
            return
        length = end + _INSTANT - start
        if length <= _INSTANT:
            raise PermanentApiError(
                f"{self._report.name} is truncated: {start} alone has {most} rows, as many as the API gives at once",
                hint="split the report into several, each with a condition that lets fewer rows through",
            )
        whole_seconds = length // _SECOND
        middle = start + (whole_seconds // 2 * _SECOND if whole_seconds > 1 else length // 2)
        yield from self._read(ask, start, middle - _INSTANT)
        yield from self._read(ask, middle, end)

    def _require_inside(self, rows: pa.RecordBatch, start: datetime, end: datetime) -> None:
        times = event_times(rows.column(column_name(self._date_field)))
        inside = pc.and_kleene(
            pc.greater_equal(times, pa.scalar(start, _MICROSECONDS)),
            pc.less_equal(times, pa.scalar(end, _MICROSECONDS)),
        )
        if pc.all(pc.fill_null(inside, fill_value=False)).as_py() is False:
            wrong = pc.filter(times, pc.invert(pc.fill_null(inside, fill_value=False)))[0].as_py()
            raise PermanentApiError(
                f"the API sent a row of {wrong or 'no time'}, which was not asked for: {start} to {end} was",
                hint="nothing was written; the report's date_field must be the time of the row",
            )


def event_times(column: Any) -> Any:
    """Texts such as `2024-06-02 12:34:56.123456` as times; raises `PermanentApiError` for others. Null stays null."""
    try:
        return column.cast(_MICROSECONDS)
    except pa.ArrowException as error:
        raise PermanentApiError(f"the API sent a time that cannot be read: {str(error).splitlines()[0]}") from error
