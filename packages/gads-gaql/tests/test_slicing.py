from datetime import date

import pytest

from gads_domain.errors import QueryError, UsageError
from gads_domain.report import ReportDefinition, ReportKind
from gads_gaql.day_conditions import day_query, slice_days
from gads_gaql.parser import parse
from gads_gaql.renderer import render

FIRST, LAST = date(2024, 6, 1), date(2024, 6, 3)
BASE = "SELECT campaign.id, segments.date FROM campaign"


def test_several_days_come_in_order() -> None:
    sliced = slice_days(parse(f"{BASE} WHERE campaign.id > 1"), FIRST, LAST)
    assert render(sliced) == (
        f"{BASE} WHERE campaign.id > 1 AND segments.date BETWEEN '2024-06-01' AND '2024-06-03' ORDER BY segments.date"
    )
    assert parse(render(sliced)) == sliced


@pytest.mark.parametrize("rest", ["", " ORDER BY campaign.id DESC", " LIMIT 5", " ORDER BY campaign.id LIMIT 5"])
def test_one_day_needs_no_order_and_an_order_is_kept(rest: str) -> None:
    assert render(slice_days(parse(BASE + rest), FIRST, FIRST)) == (
        f"{BASE} WHERE segments.date BETWEEN '2024-06-01' AND '2024-06-01'{rest}"
    )
    if rest:
        assert render(slice_days(parse(BASE + rest), FIRST, LAST)).endswith(f"AND '2024-06-03'{rest}")


@pytest.mark.parametrize("segment", ["date", "week", "month", "quarter", "year"])
def test_a_query_that_bounds_its_days_is_refused(segment: str) -> None:
    with pytest.raises(QueryError, match=r"line 1, column 55: .*condition on segments\." + segment):
        slice_days(parse(f"{BASE} WHERE segments.{segment} = '2024-06-01'"), FIRST, LAST)


def test_a_query_whose_rows_do_not_say_their_day_is_refused() -> None:
    with pytest.raises(QueryError, match=r"does not select segments\.date"):
        slice_days(parse("SELECT campaign.id FROM campaign"), FIRST, LAST)


def test_reversed_days_are_refused() -> None:
    with pytest.raises(QueryError, match="2024-06-03 is after 2024-06-01"):
        day_query(ReportDefinition("campaign", BASE), LAST, FIRST)


def test_a_report_whose_resource_gives_one_day_a_request_is_refused_for_more() -> None:
    clicks = ReportDefinition("click", "SELECT click_view.gclid, segments.date FROM click_view")
    assert "BETWEEN '2024-06-01' AND '2024-06-01'" in render(day_query(clicks, FIRST, FIRST))
    with pytest.raises(QueryError, match="click can be asked for 1 day a request, not 2024-06-01 to 2024-06-03"):
        day_query(clicks, FIRST, LAST)


def test_a_snapshot_report_is_sent_as_it_stands_and_for_one_day() -> None:
    labels = ReportDefinition("label", "SELECT label.id FROM label", kind=ReportKind.SNAPSHOT)
    assert day_query(labels, FIRST, FIRST) == parse(labels.query)
    with pytest.raises(UsageError, match="has today alone, not 2024-06-01 to 2024-06-03"):
        day_query(labels, FIRST, LAST)


@pytest.mark.parametrize("kind", ReportKind)
def test_every_kind_of_report_can_be_asked_for_a_day(kind: ReportKind) -> None:
    field = "change_event.change_date_time" if kind.has_date_field else None
    query = f"SELECT {kind.day_segment or field or 'label.id'} FROM campaign"
    report = ReportDefinition("any", query, kind=kind, date_field=field)
    assert day_query(report, FIRST, FIRST).fields == parse(query).fields
