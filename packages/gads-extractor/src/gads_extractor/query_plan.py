"""What is sent for a slice, and how a row tells its day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from gads_domain.errors import InvalidValueError
from gads_domain.report import ReportSlice
from gads_extractor.event_windows import EventWindows, event_times
from gads_gaql.catalogue import column_name
from gads_gaql.day_conditions import day_query
from gads_gaql.syntax import Query

_EARLIEST_ZONE = timedelta(hours=14)
_LATEST_ZONE = timedelta(hours=-12)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What is sent for a slice: `query` for all its days, and `windows` where its time may have to be split.

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

    A snapshot report of a day that is today in no zone on earth is refused. The account's own zone is not known here:
    which day is today there is the planner's to know (`gads_domain.account_days`).

    Raises `InvalidValueError` for such a slice, `QueryError` for a query that cannot be asked for these days.
    """
    report = slice_.report
    if not report.kind.has_history:
        _require_today(slice_, now)
    query = day_query(report, slice_.first, slice_.last)
    day_column = None if report.day_field is None else column_name(report.day_field)
    return QueryPlan(query, day_column, slice_.first, EventWindows(slice_) if report.kind.has_date_field else None)


def _require_today(slice_: ReportSlice, now: datetime) -> None:
    first, last = (now + _LATEST_ZONE).date(), (now + _EARLIEST_ZONE).date()
    if not first <= slice_.first <= last:
        raise InvalidValueError(
            f"{slice_.report.name} is a snapshot report: its rows are of today, and {slice_.first} is not today",
            hint="a snapshot report has no backfill: run it every day",
        )
