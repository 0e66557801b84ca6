from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey, parse_date

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)
KEYS = st.builds(PartitionKey, NAMES, st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True), NAMES, st.dates())


@given(KEYS)
def test_a_key_is_its_text(key: PartitionKey) -> None:
    assert PartitionKey.parse(str(key)) == key


@given(st.text(), st.text(), st.text())
def test_no_key_holds_what_could_not_be_a_path(source: str, customer_id: str, report: str) -> None:
    try:
        key = PartitionKey(source, customer_id, report, date(2024, 6, 1))
    except InvalidValueError:
        return
    assert set(str(key)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_/-")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "google_ads/1/campaign",
        "google_ads/1/campaign/2024-06-01/more",
        "Google_ads/1/campaign/2024-06-01",
        "google_ads/123-456-7890/campaign/2024-06-01",
        "google_ads/01/campaign/2024-06-01",
        "google_ads/٣/campaign/2024-06-01",
        "google_ads/1/campaign\n/2024-06-01",
        "google_ads/1/../2024-06-01",
        "google_ads/1/" + "a" * 64 + "/2024-06-01",
        "google_ads/1/campaign/2024-6-1",
    ],
)
def test_what_is_no_key_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        PartitionKey.parse(text)
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text", ["20240601", "2024-W22-6", "2024-02-30", "２０２４-06-01", "2024-06-01T00", " 2024-06-1"]
)
def test_a_date_has_one_form(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_date(text)


def test_a_moment_is_no_day() -> None:
    with pytest.raises(InvalidValueError):
        PartitionKey("google_ads", "1", "campaign", datetime(2024, 6, 1))  # noqa: DTZ001 -- what is refused


def test_keys_sort_by_source_customer_report_and_day() -> None:
    keys = [
        PartitionKey(source, customer_id, report, date(2024, 6, day))
        for source in ("a", "b")
        for customer_id in ("10", "9")
        for report in ("ad", "ad_group")
        for day in (1, 2)
    ]
    shuffled = list(reversed(keys))
    assert sorted(shuffled) == keys
