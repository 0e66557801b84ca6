"""Asking for a slice of days: the condition that each call adds to a report's query."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time

from gads_domain.errors import QueryError
from gads_gaql.syntax import CORE_DATE_SEGMENTS, Condition, FieldRef, Literal, Ordering, Query

DAY = "segments.date"
"""The field that tells which day a row belongs to."""


def slice_days(query: Query, first: date, last: date) -> Query:
    """The query for the days `first` to `last`, both included: `segments.date BETWEEN …` is added to its conditions.

    Of more than one day the rows are also ordered by day, unless the query says an order or a limit of its own: the
    days then come one after the other and a reader holds one of them at a time.

    Raises `QueryError` if the query bounds its days itself (a condition on a core date segment), does not select
    `segments.date`, or if `first` is after `last`.
    """
    if first > last:
        raise QueryError(f"{first} is after {last}", hint="name the earlier day first")
    for condition in query.conditions:
        if condition.field.name in CORE_DATE_SEGMENTS:
            raise QueryError(
                f"line {condition.field.line}, column {condition.field.column}: the query bounds its days itself, "
                f"with a condition on {condition.field.name}",
                hint="leave the condition out: each run adds the days it asks for",
            )
    if DAY not in query.field_names:
        raise QueryError(f"the query does not select {DAY}, so no row would say its day", hint=f"add {DAY} to SELECT")
    days = (Literal(first.isoformat(), quoted=True), Literal(last.isoformat(), quoted=True))
    sliced = replace(query, conditions=(*query.conditions, Condition(FieldRef(DAY), "BETWEEN", days)))
    if first != last and not query.orderings and query.limit is None:
        sliced = replace(sliced, orderings=(Ordering(FieldRef(DAY)),))
    return sliced


def slice_events(query: Query, date_field: str, first: date, last: date, row_limit: int | None) -> Query:
    """The query for what happened on the days `first` to `last`, both included, of a resource without `segments.date`.

    As `slice_event_times`, from the first midnight to the last microsecond of `last`. Raises `QueryError` likewise, and
    if `first` is after `last`.
    """
    if first > last:
        raise QueryError(f"{first} is after {last}", hint="name the earlier day first")
    start = datetime.combine(first, time.min)
    return slice_event_times(query, date_field, start, datetime.combine(last, time.max), row_limit)


def slice_event_times(query: Query, date_field: str, start: datetime, end: datetime, row_limit: int | None) -> Query:
    """The query for what happened from `start` to `end`, both included; times without a zone, of the account's own.

    `date_field` is the field with the time. Rows come in its order unless the query says an order of its own.
    `row_limit` becomes the LIMIT, and as many rows as that are truncated until proven otherwise. Two conditions and
    not BETWEEN, as the API's own examples of `change_event` have it; its times have microseconds
    (https://developers.google.com/google-ads/api/docs/change-event).

    Raises `QueryError` if the query has a condition on `date_field` or a LIMIT, or does not select `date_field`.
    """
    for condition in query.conditions:
        if condition.field.name == date_field:
            raise QueryError(
                f"line {condition.field.line}, column {condition.field.column}: the query bounds its days itself, "
                f"with a condition on {date_field}",
                hint="leave the condition out: each run adds the days it asks for",
            )
    if query.limit is not None:
        raise QueryError("the query has a LIMIT of its own", hint="leave it out: each request adds the report's limit")
    if date_field not in query.field_names:
        raise QueryError(
            f"the query does not select {date_field}, so no row would say its day", hint=f"add {date_field} to SELECT"
        )
    bounds = (
        Condition(FieldRef(date_field), ">=", Literal(start.isoformat(" "), quoted=True)),
        Condition(FieldRef(date_field), "<=", Literal(end.isoformat(" "), quoted=True)),
    )
    orderings = query.orderings or (Ordering(FieldRef(date_field)),)
    return replace(query, conditions=(*query.conditions, *bounds), orderings=orderings, limit=row_limit)
