"""What a slice asks of the API, by the kind of its report, and how a row tells its day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa

from gads_domain.errors import InvalidValueError, QueryError
from gads_domain.report import ReportKind, ReportSlice
from gads_extractor.event_windows import EventWindows, event_times
from gads_gaql.catalogue import column_name
from gads_gaql.day_conditions import DAY, slice_days, slice_events
from gads_gaql.parser import parse
from gads_gaql.resource_rules import max_days_per_call
from gads_gaql.syntax import Query

_EARLIEST_ZONE = timedelta(hours=14)
_LATEST_ZONE = timedelta(hours=-12)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What is sent for a slice: `query` for all its days, and for an event how its time is parted if that is needed.

    `day_column` is the column that tells a row's day; None where every row is of `only_day`.
    """

    query: Query
    day_column: str | None
    only_day: date
    windows: EventWindows | None = None

    def days_of(self, rows: pa.RecordBatch) -> Any:
        """The day of each row, as date32; raises `PermanentApiError` for a time that cannot be read."""
        if self.day_column is None:
            return pa.repeat(pa.scalar(self.only_day, pa.date32()), rows.num_rows)
        column = rows.column(self.day_column)
        return column if pa.types.is_date32(column.type) else event_times(column).cast(pa.date32())


def query_plan_of(slice_: ReportSlice, now: datetime) -> QueryPlan:
    """What to send for `slice_` at the moment `now`.

    A snapshot of a day that is today in no zone on earth is refused. The account's own zone is not known here: which
    day is today there is for whoever plans (`gads_domain.account_days`), and a slice of that day is believed.

    Raises `InvalidValueError` for such a snapshot, `QueryError` for a query that cannot be asked for these days.
    """
    report = slice_.report
    query = _parsed(report.query)
    if report.kind is ReportKind.SNAPSHOT:
        _require_today(slice_, now)
        return QueryPlan(query, None, slice_.first)
    if report.kind is ReportKind.EVENT:
        assert report.date_field is not None
        asked = slice_events(query, report.date_field, slice_.first, slice_.last, report.row_limit)
        windows = EventWindows(query, report.name, report.date_field, slice_.first, slice_.last, report.row_limit)
        return QueryPlan(asked, column_name(report.date_field), slice_.first, windows)
    most = max_days_per_call(query)
    if most is not None and len(slice_.days) > most:
        raise QueryError(
            f"{report.name} can be asked for {most} day a request, not {slice_.first} to {slice_.last}",
            hint=f"set max_days_per_request = {most} for the report",
        )
    return QueryPlan(slice_days(query, slice_.first, slice_.last), column_name(DAY), slice_.first)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Query:
    """A report's query is asked of many accounts."""
    return parse(text)


def _require_today(slice_: ReportSlice, now: datetime) -> None:
    first, last = (now + _LATEST_ZONE).date(), (now + _EARLIEST_ZONE).date()
    if slice_.first != slice_.last or not first <= slice_.first <= last:
        days = str(slice_.first) if slice_.first == slice_.last else f"{slice_.first} to {slice_.last}"
        raise InvalidValueError(
            f"{slice_.report.name} is a snapshot: it tells how things are now, and {days} is not today",
            hint="a snapshot has no backfill: run it every day",
        )
