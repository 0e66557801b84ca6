from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import InvalidValueError
from gads_domain.run import RunId

MOMENTS = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- the zone is its neighbour
ENTROPY = st.binary(min_size=4, max_size=4)


def test_a_run_id_is_readable() -> None:
    moment = datetime(2024, 6, 2, 6, 5, 6, 789999, tzinfo=timezone(timedelta(hours=2)))
    run_id = RunId.compose(moment, bytes.fromhex("7f3a9c21"))
    assert str(run_id) == "20240602T040506789Z-7f3a9c21"
    assert run_id.started_at == datetime(2024, 6, 2, 4, 5, 6, 789000, tzinfo=UTC)


@given(MOMENTS, MOMENTS, ENTROPY, ENTROPY)
def test_run_ids_sort_as_text_in_time_order(one: datetime, two: datetime, first: bytes, second: bytes) -> None:
    a, b = RunId.compose(one, first), RunId.compose(two, second)
    assert (a < b) == (str(a) < str(b))
    if a.started_at != b.started_at:
        assert (a < b) == (a.started_at < b.started_at)


@given(MOMENTS, ENTROPY)
def test_a_run_id_is_its_text_and_is_safe_in_a_path(moment: datetime, entropy: bytes) -> None:
    run_id = RunId.compose(moment, entropy)
    assert RunId(str(run_id)) == run_id
    assert set(str(run_id)) <= set("0123456789abcdefTZ-")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20240602T040506789Z",
        "20240602T040506789Z-7F3A9C21",
        "20240602T040506789Z-7f3a9c21\n",
        "20240230T040506789Z-7f3a9c21",
        "20240602T240506789Z-7f3a9c21",
        "２０２４0602T040506789Z-7f3a9c21",
        "../../../../../../etc/passwd",
    ],
)
def test_what_is_no_run_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        RunId(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("moment", "entropy"),
    [
        (datetime(2024, 6, 2), b"1234"),  # noqa: DTZ001 -- what is refused
        (datetime(2024, 6, 2, tzinfo=UTC), b"123"),
        (datetime(99, 1, 1, tzinfo=UTC), b"1234"),
    ],
)
def test_a_run_id_needs_an_aware_time_and_four_bytes(moment: datetime, entropy: bytes) -> None:
    with pytest.raises(InvalidValueError):
        RunId.compose(moment, entropy)
