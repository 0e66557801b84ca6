from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.report import ReportDefinition, ReportSlice, slices

REPORT = ReportDefinition("campaign", "SELECT campaign.id FROM campaign")
START = date(2024, 6, 1)
DAYS = st.lists(st.integers(0, 40).map(lambda number: START + timedelta(days=number)))


@given(DAYS, st.integers(1, 20))
def test_slices_cover_each_day_once_in_order_and_are_short_enough(days: list[date], most: int) -> None:
    found = slices("1", REPORT, days, most)
    assert [day for slice_ in found for day in slice_.days] == sorted(set(days))
    assert all(len(slice_.days) <= most for slice_ in found)


@given(DAYS, st.integers(1, 20))
def test_slices_are_as_few_as_can_be(days: list[date], most: int) -> None:
    found = slices("1", REPORT, days, most)
    for left, right in pairwise(found):
        assert right.first > left.last + timedelta(days=1) or len(left.days) == most


@given(DAYS, st.integers(1, 20), st.randoms())
def test_order_and_repetition_do_not_count(days: list[date], most: int, chance: object) -> None:
    assert slices("1", REPORT, days[::-1] + days, most) == slices("1", REPORT, days, most)


def test_a_slice_has_a_partition_a_day() -> None:
    slice_ = ReportSlice("1", REPORT, START, START + timedelta(days=2))
    assert slice_.keys == tuple(PartitionKey("google_ads", "1", "campaign", date(2024, 6, day)) for day in (1, 2, 3))


def test_reversed_days_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="reversed"):
        ReportSlice("1", REPORT, START, START - timedelta(days=1))


def test_a_slice_of_no_days_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        slices("1", REPORT, [START], 0)


@pytest.mark.parametrize(("name", "version"), [("Campaign", 1), ("../campaign", 1), ("campaign", 0)])
def test_a_definition_is_checked(name: str, version: int) -> None:
    with pytest.raises(InvalidValueError):
        ReportDefinition(name, "SELECT campaign.id FROM campaign", version)
