"""Gaps are what counting day by day finds, and each has a reason."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.account_days import DayRange
from gads_domain.control import Mark
from gads_domain.day_ranges import of_days
from gads_domain.gaps import Gap, find_gaps, gap_reason
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import PartitionStatus, StateFilter

FIRST = date(2024, 2, 27)
PENDING, FAILED = PartitionStatus.PENDING, PartitionStatus.FAILED


def key_of(day: int, customer: str = "1", report: str = "campaign") -> PartitionKey:
    return PartitionKey(GOOGLE_ADS, customer, report, FIRST + timedelta(days=day))


def days_of(first: int, last: int) -> DayRange:
    return DayRange(FIRST + timedelta(days=first), FIRST + timedelta(days=last))


def test_what_was_never_asked_for_is_told_from_what_was_never_attempted() -> None:
    missing = {("1", "campaign"): (days_of(0, 9),), ("10", "keyword"): (days_of(4, 4),)}
    rows = {key_of(3): (FAILED, "api: refused"), key_of(6): (PENDING, "held"), key_of(30): (FAILED, "elsewhere")}
    asked = {("1", "campaign"): (days_of(2, 7),)}
    found = [(one.first.logical_date, one.days, one.first.reason) for one in find_gaps("s", missing, rows, asked)]
    assert found == [
        (key_of(0).logical_date, 2, "never asked for"),
        (key_of(2).logical_date, 1, "never attempted"),
        (key_of(3).logical_date, 1, "api: refused"),
        (key_of(4).logical_date, 2, "never attempted"),
        (key_of(6).logical_date, 1, "held"),
        (key_of(7).logical_date, 1, "never attempted"),
        (key_of(8).logical_date, 2, "never asked for"),
        (key_of(4).logical_date, 1, "never asked for"),
    ]


@pytest.mark.parametrize(
    ("status", "marks", "failure", "reason"),
    [
        (None, [], "", "never attempted"),
        (None, [Mark.HELD], "", "held"),
        (PENDING, [], "", "a retry is ordered"),
        (PENDING, [Mark.HELD], "", "held; a retry is ordered"),
        (PENDING, [], "api: refused", "api: refused"),
        (FAILED, [], "", "failed"),
        (FAILED, [], "api: refused", "api: refused"),
        (FAILED, [Mark.TERMINAL, Mark.HELD], "api: refused", "held; terminal; api: refused"),
    ],
)
def test_every_gap_has_a_reason(status: PartitionStatus | None, marks: list[Mark], failure: str, reason: str) -> None:
    assert gap_reason(status, marks, failure) == reason


def test_a_gap_is_one_line() -> None:
    assert str(Gap(key_of(0), FAILED, "failed")) == "google_ads/1/campaign/2024-02-27 is failed"
    assert str(Gap(key_of(0), PENDING, "held")) == "google_ads/1/campaign/2024-02-27 is pending (held)"


STATUSES = st.dictionaries(
    st.tuples(st.integers(0, 6), st.sampled_from("12"), st.sampled_from(["ad", "keyword"])),
    st.sampled_from([PENDING, FAILED]),
)
MISSING = st.dictionaries(
    st.tuples(st.sampled_from("12"), st.sampled_from(["ad", "keyword"])), st.sets(st.integers(0, 6), min_size=1)
)


@given(MISSING, STATUSES)
def test_ranges_stand_for_exactly_the_gaps(
    drawn: dict[tuple[str, str], set[int]], rows: dict[tuple[int, str, str], PartitionStatus]
) -> None:
    status = {key_of(*name): (found, found.value) for name, found in rows.items()}
    missing = {pair: of_days(FIRST + timedelta(days=day) for day in days) for pair, days in drawn.items()}
    ranges = find_gaps(GOOGLE_ADS, missing, status)
    assert [gap for one in ranges for gap in one] == [
        Gap(key, *status.get(key, (PENDING, "never attempted")))
        for key in sorted(key_of(day, *pair) for pair, days in drawn.items() for day in days)
    ]
    for one, after in pairwise(ranges):
        same = (one.first.customer_id, one.first.report, one.first.status, one.first.reason) == (
            after.first.customer_id,
            after.first.report,
            after.first.status,
            after.first.reason,
        )
        assert not (same and after.first.logical_date == one.until + timedelta(days=1))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (StateFilter(), True),
        (StateFilter(statuses=(FAILED,)), True),
        (StateFilter(GOOGLE_ADS, ("2", "1"), ("campaign",), FIRST, FIRST), True),
        (StateFilter("elsewhere"), False),
        (StateFilter(customer_ids=("2",)), False),
        (StateFilter(reports=("keyword",)), False),
        (StateFilter(since=FIRST + timedelta(days=1)), False),
        (StateFilter(until=FIRST - timedelta(days=1)), False),
    ],
)
def test_a_filter_selects_keys(wanted: StateFilter, expected: bool) -> None:
    assert wanted.selects(key_of(0)) is expected
