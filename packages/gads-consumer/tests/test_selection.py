"""What a caller may ask for, and what is refused before the ledger is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from gads_consumer.selection import one_report, select
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import StateFilter


def test_a_selection_is_sorted_and_names_everything_once() -> None:
    asked = select(GOOGLE_ADS, ["keyword", "campaign", "keyword"], "2024-06-01", date(2024, 6, 2), ["9", "10", "9"])
    assert asked == StateFilter(
        GOOGLE_ADS, ("10", "9"), ("campaign", "keyword"), date(2024, 6, 1), date(2024, 6, 2), statuses=()
    )


def test_a_lone_text_is_one_name_and_not_its_letters() -> None:
    assert select(GOOGLE_ADS, "campaign", customers="123").customer_ids == ("123",)


def test_none_sets_no_bound() -> None:
    assert select(GOOGLE_ADS) == StateFilter(GOOGLE_ADS)


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
    ],
)
def test_what_selects_nothing_is_refused(reports: Any, since: Any, until: Any, customers: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:
        select(GOOGLE_ADS, reports, since, until, customers)
    assert caught.value.message
    assert "\n" not in caught.value.message


def test_a_snapshot_is_of_one_report() -> None:
    several: Any = ["campaign", "keyword"]
    assert one_report("campaign") == "campaign"
    with pytest.raises(InvalidValueError, match="not the name of one report"):
        one_report(several)
