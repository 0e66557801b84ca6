from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.backoff import Backoff
from gads_domain.errors import InvalidValueError

SHARES = st.floats(0, 1)


def test_a_delay_doubles_up_to_the_largest() -> None:
    backoff = Backoff(1.0, 5.0)
    assert [backoff.delay(failures) for failures in range(1, 6)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_no_failure_waits_as_long_as_the_first() -> None:
    assert Backoff(3.0, 60.0).delay(0) == 3.0


def test_chance_takes_the_share_of_the_jitter_away() -> None:
    assert [Backoff(8.0, 8.0, 0.5).delay(1, chance) for chance in (0.0, 0.5, 1.0)] == [8.0, 6.0, 4.0]
    assert Backoff(8.0, 8.0, 1.0).delay(1, 1.0) == 0.0


@given(st.floats(0.001, 1e6), st.floats(1, 1000), SHARES, SHARES, st.integers(0, 10**9))
def test_a_delay_is_bounded_whatever_the_failures(
    first: float, times: float, jitter: float, chance: float, failures: int
) -> None:
    backoff = Backoff(first, first * times, jitter)
    assert first * (1 - jitter) <= backoff.delay(failures, chance) <= first * times


@pytest.mark.parametrize(
    ("first", "largest", "jitter"), [(0, 1, 0), (-1, 1, 0), (2, 1, 0), (1, 2, -0.1), (1, 2, 1.1), (float("nan"), 1, 0)]
)
def test_an_impossible_backoff_is_refused(first: float, largest: float, jitter: float) -> None:
    with pytest.raises(InvalidValueError):
        Backoff(first, largest, jitter)
