"""Asking for days: the conditions that each request adds to a report's query, by the report's kind."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time

from gads_domain.errors import QueryError, UsageError
from gads_domain.report import DAY_SEGMENT, ReportDefinition, ReportKind
from gads_gaql.parser import parse
from gads_gaql.resource_rules import max_days_per_call
from gads_gaql.syntax import CORE_DATE_SEGMENTS, Condition, FieldRef, Literal, Ordering, Query


def day_query(report: ReportDefinition, first: date, last: date) -> Query:
    """The query that asks for the days `first` to `last` of a report, both included.

    `gads_gaql.renderer.render` writes it as it is sent. Raises `QueryError` for a query that cannot be asked for these
    days, and `UsageError` for several days of a snapshot report.
    """
    if first > last:
        raise QueryError(f"{first} is after {last}", hint="name the earlier day first")
    return _FOR_DAYS[report.kind](report, parse(report.query), first, last)


def _daily(report: ReportDefinition, query: Query, first: date, last: date) -> Query:
    most = max_days_per_call(query)
    if most is not None and (last - first).days >= most:
        raise QueryError(
            f"{report.name} can be asked for {most} day a request, not {first} to {last}",
            hint=f"set max_days_per_request = {most} for the report",
        )
    return slice_days(query, first, last)


def _snapshot(report: ReportDefinition, query: Query, first: date, last: date) -> Query:
    if first != last:
        raise UsageError(
            f"{report.name} is a snapshot report and has today alone, not {first} to {last}",
            hint="a snapshot report has no backfill: run it every day",
        )
    return query


def _event(report: ReportDefinition, query: Query, first: date, last: date) -> Query:
    assert report.date_field is not None
    start, end = datetime.combine(first, time.min), datetime.combine(last, time.max)
    return slice_times(query, report.date_field, start, end, report.row_limit)


_FOR_DAYS: Mapping[ReportKind, Callable[[ReportDefinition, Query, date, date], Query]] = {
    ReportKind.DAILY: _daily,
    ReportKind.SNAPSHOT: _snapshot,
    ReportKind.EVENT: _event,
}


def slice_days(query: Query, first: date, last: date) -> Query:
    """The query for the days `first` to `last`, both included: `segments.date BETWEEN …` is added to its conditions.

    Rows of more than one day are also ordered by day, unless the query has an order or a limit of its own: the days
    then come one after the other and a reader holds one of them at a time.

    Raises `QueryError` if the query bounds its days itself (a condition on a core date segment), or does not select
    `segments.date`.
    """
    _require_unbounded(query, CORE_DATE_SEGMENTS, DAY_SEGMENT)
    days = (Literal(first.isoformat(), quoted=True), Literal(last.isoformat(), quoted=True))
    sliced = replace(query, conditions=(*query.conditions, Condition(FieldRef(DAY_SEGMENT), "BETWEEN", days)))
    if first != last and not query.orderings and query.limit is None:
        sliced = replace(sliced, orderings=(Ordering(FieldRef(DAY_SEGMENT)),))
    return sliced


def slice_times(query: Query, date_field: str, start: datetime, end: datetime, row_limit: int | None) -> Query:
    """The query for what happened from `start` to `end`, both included; times without a zone, of the account's own.

    `date_field` is the field with the time. Rows come in its order unless the query has an order of its own.
    `row_limit` becomes the LIMIT, and as many rows as that are truncated until proven otherwise. Two conditions and
    not BETWEEN, as the API's own examples of `change_event` have it; its times have microseconds, which the end always
    names, so that it includes its own microsecond however the texts are compared
    (https://developers.google.com/google-ads/api/docs/change-event).

    Raises `QueryError` if the query has a condition on `date_field` or a LIMIT, or does not select `date_field`.
    """
    _require_unbounded(query, {date_field}, date_field)
    if query.limit is not None:
        raise QueryError("the query has a LIMIT of its own", hint="remove it: each request adds the report's limit")
    bounds = (
        Condition(FieldRef(date_field), ">=", Literal(start.isoformat(" "), quoted=True)),
        Condition(FieldRef(date_field), "<=", Literal(end.isoformat(" ", "microseconds"), quoted=True)),
    )
    orderings = query.orderings or (Ordering(FieldRef(date_field)),)
    return replace(query, conditions=(*query.conditions, *bounds), orderings=orderings, limit=row_limit)


def _require_unbounded(query: Query, bounding: frozenset[str] | set[str], selected: str) -> None:
    for condition in query.conditions:
        if condition.field.name in bounding:
            raise QueryError(
                f"line {condition.field.line}, column {condition.field.column}: the query bounds its days itself, "
                f"with a condition on {condition.field.name}",
                hint="remove the condition: each run adds the days it asks for",
            )
    if selected not in query.field_names:
        raise QueryError(
            f"the query does not select {selected}, so no row would carry its day", hint=f"add {selected} to SELECT"
        )
