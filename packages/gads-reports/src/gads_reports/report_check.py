"""Everything that is wrong with a report under an API version, found without asking the API."""

from __future__ import annotations

from datetime import date

from gads_domain.errors import UsageError
from gads_domain.report import ReportDefinition, ReportKind
from gads_gaql.catalogue import FieldCatalogue
from gads_gaql.day_conditions import slice_days, slice_events
from gads_gaql.parser import parse
from gads_gaql.problems import Problem
from gads_gaql.query_check import check
from gads_gaql.syntax import Query


def problems(definition: ReportDefinition, fields: FieldCatalogue) -> list[Problem]:
    """Every problem of the report's query, in the order of its text; empty if none.

    A daily report is checked as a report and as the request of one day, an event as the request of one day, a
    snapshot as it stands. Whether the header excludes the version is not asked: `definition.supports` tells that.
    """
    query = parse(definition.query)
    if definition.kind is not ReportKind.DAILY:
        return check(day_request(definition, date(2024, 6, 1)), fields, expects_days=False)
    found = check(query, fields)
    return found or check(day_request(definition, date(2024, 6, 1)), fields, expects_days=False)


def day_request(definition: ReportDefinition, first: date, last: date | None = None) -> Query:
    """The query for the days `first` to `last`, or for one day; for a snapshot the query as it stands.

    `gads_gaql.renderer.render` writes it as it is sent. Raises `UsageError` for several days of a snapshot.
    """
    last = first if last is None else last
    query = parse(definition.query)
    if definition.kind is ReportKind.DAILY:
        return slice_days(query, first, last)
    if definition.kind is ReportKind.EVENT:
        assert definition.date_field is not None
        return slice_events(query, definition.date_field, first, last, definition.row_limit)
    if first != last:
        raise UsageError(
            f"{definition.name} is a snapshot and knows today alone, not {first} to {last}",
            hint="a snapshot has no backfill: run it every day",
        )
    return query
