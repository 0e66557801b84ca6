from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gads_orchestrator.daemon import LOOKING_SHARE, pause_between_looks


def test_without_trouble_it_looks_as_often_as_it_is_told() -> None:
    assert pause_between_looks(30, 0.1, 0) == 30


def test_trouble_doubles_the_wait_up_to_ten_minutes() -> None:
    assert [pause_between_looks(30, 0.1, n) for n in (1, 2, 3, 9, 1000)] == [60, 120, 240, 600, 600]
    assert pause_between_looks(3600, 0.1, 5) == 3600


@given(st.floats(1, 3600), st.floats(0, 1e5), st.integers(0, 50))
def test_looking_takes_a_tenth_of_its_time_at_most(look_seconds: float, planning: float, troubles: int) -> None:
    pause = pause_between_looks(look_seconds, planning, troubles)
    assert pause >= look_seconds
    assert planning <= (planning + pause) * LOOKING_SHARE * 1.000001
