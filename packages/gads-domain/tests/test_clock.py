from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.clock import RandomRunIds, SystemClock, from_iso_utc, iso_utc
from gads_domain.errors import InvalidValueError

MOMENTS = st.datetimes(timezones=st.just(UTC))


def test_the_system_clock_is_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_time_has_microseconds_and_a_z() -> None:
    moment = datetime(2024, 6, 2, 6, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    assert iso_utc(moment) == "2024-06-02T04:05:06.000000Z"


@given(MOMENTS)
def test_a_time_is_its_text(moment: datetime) -> None:
    assert from_iso_utc(iso_utc(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_times_sort_as_text(one: datetime, two: datetime) -> None:
    assert (one < two) == (iso_utc(one) < iso_utc(two))


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(InvalidValueError):
        iso_utc(datetime(2024, 6, 2))  # noqa: DTZ001 -- what is refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-06-02T04:05:06Z",
        "2024-06-02T04:05:06.789Z",
        "2024-6-2T4:5:6.000000Z",
        "2024-06-02T04:05:06.000000+00:00",
        "2024-06-02 04:05:06.000000Z",
        "2024-06-31T04:05:06.000000Z",
        "２０２４-06-02T04:05:06.000000Z",
        "2024-06-02T04:05:06.000000Z\n",
    ],
)
def test_a_time_has_one_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_iso_utc(text)


def test_run_ids_of_one_moment_differ() -> None:
    class Stopped:
        def now(self) -> datetime:
            return datetime(2024, 6, 2, 4, 5, 6, tzinfo=UTC)

    maker = RandomRunIds(Stopped())
    made = {maker.new_run_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {run_id.started_at for run_id in made} == {Stopped().now()}
