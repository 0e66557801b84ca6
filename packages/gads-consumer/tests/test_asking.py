"""What a caller may ask for, and what is refused before the ledger is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from gads_consumer.asking import Wanted, as_day, days, expected_keys, one_report, question
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey


def test_a_question_is_sorted_and_says_everything_once() -> None:
    asked = question(GOOGLE_ADS, ["keyword", "campaign", "keyword"], "2024-06-01", date(2024, 6, 2), ["9", "10", "9"])
    assert asked.reports == ("campaign", "keyword")
    assert asked.customers == ("10", "9")
    assert (asked.since, asked.until) == (date(2024, 6, 1), date(2024, 6, 2))


def test_a_lone_text_is_one_name_and_not_its_letters() -> None:
    assert question(GOOGLE_ADS, "campaign", customers="123").customers == ("123",)


def test_one_day_is_asked_for_by_naming_it_twice() -> None:
    asked = question(GOOGLE_ADS, "campaign", "2024-06-01", "2024-06-01", "1")
    assert list(expected_keys(asked, ["1"], date(2024, 6, 1), date(2024, 6, 1))) == [
        PartitionKey(GOOGLE_ADS, "1", "campaign", date(2024, 6, 1))
    ]


@pytest.mark.parametrize(
    ("reports", "since", "until", "customers"),
    [
        ([], None, None, None),
        ("campaign", None, None, []),
        ("campaign", "2024-06-02", "2024-06-01", None),
        ("campaign", "2024-06-31", None, None),
        ("campaign", "20240601", None, None),
        ("campaign", 20240601, None, None),
        ("campaign", datetime(2024, 6, 1, tzinfo=UTC), None, None),
        ("campaign", None, None, 1234567890),
        ("campaign", None, None, [1234567890]),
        ("campaign", None, None, ["123", None]),
        ("campaign", None, None, "123-456-7890"),
        ("campaign", None, None, "0123"),
        ("Campaign", None, None, None),
        (None, None, None, None),
    ],
)
def test_what_names_nothing_is_refused(reports: Any, since: Any, until: Any, customers: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:
        question(GOOGLE_ADS, reports, since, until, customers)
    assert caught.value.message
    assert "\n" not in caught.value.message


def test_a_snapshot_is_of_one_report() -> None:
    several: Any = ["campaign", "keyword"]
    assert one_report("campaign") == "campaign"
    with pytest.raises(InvalidValueError, match="not the name of one report"):
        one_report(several)


def test_days_include_both_ends_and_leap_years() -> None:
    assert [str(day) for day in days(date(2024, 2, 28), date(2024, 3, 1))] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert as_day(None) is None


@pytest.mark.parametrize(
    ("reports", "customers", "expected"),
    [
        (None, None, True),
        (frozenset({"campaign"}), None, True),
        (frozenset({"keyword"}), None, False),
        (None, frozenset({"2"}), False),
    ],
)
def test_a_feed_looks_for_whose_changes_were_asked(
    reports: frozenset[str] | None, customers: frozenset[str] | None, expected: bool
) -> None:
    key = PartitionKey(GOOGLE_ADS, "1", "campaign", date(2024, 6, 1))
    assert Wanted(GOOGLE_ADS, reports, customers)(key) is expected
    assert not Wanted("elsewhere", None, None)(key)
