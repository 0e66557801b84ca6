from datetime import date

import pytest

from gads_domain.errors import QueryError
from gads_gaql.day_conditions import slice_days
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


def test_a_reversed_slice_is_refused() -> None:
    with pytest.raises(QueryError, match="2024-06-03 is after 2024-06-01"):
        slice_days(parse(BASE), LAST, FIRST)
