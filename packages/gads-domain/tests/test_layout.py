from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import InvalidValueError
from gads_domain.layout import (
    is_segment,
    key_prefix,
    narrowed_prefix,
    parse_prefix,
    partition_prefix,
    payload_name,
    require_payload_name,
    run_in,
)
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

KEY = PartitionKey("google_ads", "1234567890", "campaign", date(2024, 6, 1))
RUN = RunId("20240602T040506789Z-7f3a9c21")
PATH = "google_ads/customer_id=1234567890/report=campaign/logical_date=2024-06-01/run_id=20240602T040506789Z-7f3a9c21"
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)
KEYS = st.builds(PartitionKey, NAMES, st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True), NAMES, st.dates())
MOMENTS = st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- the zone is its neighbour
RUNS = st.builds(RunId.compose, MOMENTS, st.binary(min_size=4, max_size=4))


def test_the_layout_is_the_contracts() -> None:
    assert partition_prefix(KEY, RUN) == PATH
    assert key_prefix(KEY) == PATH.rsplit("/", 1)[0]


@given(KEYS, RUNS)
def test_a_partition_is_its_path(key: PartitionKey, run_id: RunId) -> None:
    path = partition_prefix(key, run_id)
    assert parse_prefix(path) == (key, run_id)
    assert all(is_segment(depth, segment) for depth, segment in enumerate(path.split("/")))
    assert run_in(path.split("/")[-1]) == run_id


@given(st.integers(0, len(PATH) - 1), st.characters())
def test_a_path_that_reads_back_is_the_one_that_was_written(position: int, other: str) -> None:
    text = PATH[:position] + other + PATH[position + 1 :]
    try:
        found = parse_prefix(text)
    except InvalidValueError:
        return
    assert partition_prefix(*found) == text


@pytest.mark.parametrize("text", ["", "/", PATH + "/", "/" + PATH, PATH + "/x", PATH.replace("customer_id=", "")])
def test_other_paths_are_nobodys(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_prefix(text)


def test_a_listing_is_narrowed_from_the_left() -> None:
    assert narrowed_prefix() == ""
    assert narrowed_prefix("google_ads") == "google_ads"
    assert narrowed_prefix("google_ads", "1") == "google_ads/customer_id=1"
    assert narrowed_prefix("google_ads", "1", "ad") == "google_ads/customer_id=1/report=ad"
    for wrong in [
        (None, "1", None),
        (None, None, "ad"),
        ("google_ads", None, "ad"),
        ("..", None, None),
        ("a", "1/x", None),
    ]:
        with pytest.raises(InvalidValueError):
            narrowed_prefix(*wrong)


def test_a_payloads_name_carries_the_nonce() -> None:
    assert payload_name("0123456789abcdef") == "payload-0123456789abcdef.parquet"
    for wrong in ("", "0123456789ABCDEF", "0123456789abcdef\n", "../0123456789abc"):
        with pytest.raises(InvalidValueError):
            payload_name(wrong)
    with pytest.raises(InvalidValueError):
        require_payload_name("metadata.json")
