"""Gaps are what counting day by day finds, and each has a reason."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.control import Mark
from gads_domain.gaps import Gap, expected_keys, find_gaps, gap_ranges, gap_reason
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import PartitionStatus, StateFilter

FIRST = date(2024, 2, 27)
PENDING, SUCCESS, FAILED = PartitionStatus.PENDING, PartitionStatus.SUCCESS, PartitionStatus.FAILED


def key_of(day: int, customer: str = "1", report: str = "campaign") -> PartitionKey:
    return PartitionKey(GOOGLE_ADS, customer, report, FIRST + timedelta(days=day))


def test_expected_are_all_accounts_reports_and_days_in_order_and_once() -> None:
    last = FIRST + timedelta(days=3)
    found = list(expected_keys(GOOGLE_ADS, ["9", "10", "9"], ["keyword", "campaign", "keyword"], FIRST, last))
    assert found == sorted(set(found))
    assert len(found) == 2 * 2 * 4
    assert {str(key.logical_date) for key in found} == {"2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"}
    assert list(expected_keys(GOOGLE_ADS, ["1"], ["campaign"], FIRST, FIRST)) == [key_of(0)]


def test_what_is_not_success_is_a_gap_in_the_order_of_what_is_expected() -> None:
    expected = [key_of(3), key_of(0), key_of(1), key_of(2)]
    status = {key_of(0): SUCCESS, key_of(1): FAILED, key_of(2): PENDING, key_of(9): FAILED}
    assert find_gaps(expected, status, {key_of(1): "api: refused"}) == [
        Gap(key_of(3), PENDING, "never attempted"),
        Gap(key_of(1), FAILED, "api: refused"),
        Gap(key_of(2), PENDING, "a retry is ordered"),
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
    st.sampled_from(PartitionStatus),
)


@given(STATUSES)
def test_ranges_stand_for_exactly_the_gaps(drawn: dict[tuple[int, str, str], PartitionStatus]) -> None:
    status = {key_of(*name): found for name, found in drawn.items()}
    expected = list(expected_keys(GOOGLE_ADS, ["1", "2"], ["ad", "keyword"], FIRST, FIRST + timedelta(days=6)))
    gaps = find_gaps(expected, status)
    assert [gap.key for gap in gaps] == [key for key in expected if status.get(key, PENDING) is not SUCCESS]
    ranges = gap_ranges(gaps)
    opened = [
        Gap(key, one.first.status, one.first.reason)
        for one in ranges
        for key in expected_keys(
            GOOGLE_ADS, [one.first.customer_id], [one.first.report], one.first.logical_date, one.until
        )
    ]
    assert opened == gaps
    assert sum(one.days for one in ranges) == len(gaps)
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
