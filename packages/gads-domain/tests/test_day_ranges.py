"""Sets of days as ranges hold the days that sets hold."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gads_domain.account_days import DayRange
from gads_domain.day_ranges import DayRanges, common, each_day, number_of, of_days, united, without

FIRST = date(2024, 2, 20)
DAYS = st.sets(st.integers(0, 20).map(lambda number: FIRST + timedelta(days=number)))
OPEN = DayRange(FIRST + timedelta(days=9), date.max)


def require_canonical(ranges: DayRanges) -> None:
    for one, after in pairwise(ranges):
        assert after.first > one.last + timedelta(days=1)


@given(DAYS, DAYS)
def test_ranges_hold_what_sets_hold(some: set[date], others: set[date]) -> None:
    one, other = of_days(some), of_days(others)
    for found, expected in (
        (one, some),
        (united([*other, *one]), some | others),
        (without(one, other), some - others),
        (common(one, other), some & others),
    ):
        require_canonical(found)
        assert list(each_day(found)) == sorted(expected)
        assert number_of(found) == len(expected)


@given(DAYS)
def test_a_range_may_have_no_last_day(some: set[date]) -> None:
    ranges = of_days(some)
    later = {day for day in some if day >= OPEN.first}
    assert list(each_day(common(ranges, (OPEN,)))) == sorted(later)
    assert list(each_day(without(ranges, (OPEN,)))) == sorted(some - later)
    assert united([*ranges, OPEN])[-1].last == date.max
    rest = without((OPEN,), ranges)
    assert rest[-1].last == date.max
    assert common(rest, ranges) == ()
    assert united([*rest, *common(ranges, (OPEN,))]) == (OPEN,)
