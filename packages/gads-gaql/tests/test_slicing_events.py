from __future__ import annotations

from datetime import date, datetime

import pytest

from gads_domain.errors import QueryError
from gads_domain.report import ReportDefinition, ReportKind
from gads_gaql.catalogue import latest, load
from gads_gaql.day_conditions import day_query, slice_times
from gads_gaql.parser import parse
from gads_gaql.query_check import check
from gads_gaql.renderer import render

TIME = "change_event.change_date_time"
EVENTS = f"SELECT change_event.resource_name, {TIME} FROM change_event"
FIRST, LAST = date(2024, 2, 28), date(2024, 2, 29)


def events(query: str, row_limit: int | None = 10_000) -> ReportDefinition:
    return ReportDefinition("changes", query, kind=ReportKind.EVENT, date_field=TIME, row_limit=row_limit)


def test_days_become_a_range_to_their_last_microsecond_an_order_and_a_limit() -> None:
    sliced = day_query(events(EVENTS), FIRST, LAST)
    assert render(sliced) == (
        f"{EVENTS} WHERE {TIME} >= '2024-02-28 00:00:00' AND {TIME} <= '2024-02-29 23:59:59.999999' "
        f"ORDER BY {TIME} LIMIT 10000"
    )
    assert parse(render(sliced)) == sliced
    assert check(sliced, load(latest()), expects_days=False) == []


def test_conditions_of_the_query_stay_and_no_limit_is_none() -> None:
    sliced = day_query(events(f"{EVENTS} WHERE change_event.client_type = OTHER", None), FIRST, FIRST)
    assert [condition.field.name for condition in sliced.conditions] == ["change_event.client_type", TIME, TIME]
    assert sliced.limit is None


def test_a_part_of_a_day_is_bounded_by_its_own_times() -> None:
    start, end = datetime.fromisoformat("2024-02-28 12:00"), datetime.fromisoformat("2024-02-28 12:00:29.999999")
    sliced = slice_times(parse(f"{EVENTS} ORDER BY {TIME} DESC"), TIME, start, end, 5)
    assert render(sliced) == (
        f"{EVENTS} WHERE {TIME} >= '2024-02-28 12:00:00' AND {TIME} <= '2024-02-28 12:00:29.999999' "
        f"ORDER BY {TIME} DESC LIMIT 5"
    )


@pytest.mark.parametrize(
    ("text", "first", "message"),
    [
        (EVENTS, date(2024, 3, 1), "is after"),
        (f"{EVENTS} WHERE {TIME} DURING TODAY", FIRST, "line 1, column 90: the query bounds its days itself"),
        (f"{EVENTS} LIMIT 5", FIRST, "LIMIT of its own"),
        ("SELECT change_event.resource_name FROM change_event", FIRST, "does not select"),
    ],
)
def test_a_query_that_decides_for_itself_is_refused(text: str, first: date, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        day_query(events(text), first, LAST)
