from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gads_domain.activity import Heartbeat, Liveness, Round, lost

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=5)
MINUTE = timedelta(minutes=1)


def beat(host: str, start: int, last: int, *, ended: bool = False, command: str = "gads-etl serve") -> Heartbeat:
    """The heartbeat of a process that began and last beat so many minutes after noon."""
    at = NOON + last * MINUTE
    name = f"{host}:{start}:{command}"
    begun = NOON + start * MINUTE
    return Heartbeat(name, host, 1, command, "1", begun, at, timedelta(seconds=30), ended_at=at if ended else None)


def test_a_process_is_silent_once_its_interval_is_over() -> None:
    one = beat("a", 0, 10)
    assert one.liveness(one.beat_at + one.interval) is Liveness.ALIVE
    assert one.is_silent(one.beat_at + one.interval + timedelta(microseconds=1))
    assert beat("a", 0, 10, ended=True).liveness(NOW) is Liveness.ENDED


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        ([beat("a", 0, 10)], ["a"]),
        ([beat("a", 10, 10)], ["a"]),
        ([beat("a", 0, 10, ended=True)], []),
        ([beat("a", 0, 300)], []),
        ([beat("a", 0, 10), beat("a", 11, 300)], []),  # restarted
        ([beat("a", 0, 10), beat("b", 11, 300)], []),  # restarted elsewhere
        ([beat("a", 0, 10), beat("b", 5, 300)], ["a"]),  # of two, one is gone
        ([beat("a", 0, 10), beat("b", 0, 20, ended=True), beat("b", 21, 300)], ["a"]),  # and the other was restarted
        ([beat("a", 0, 10), beat("a", 11, 20)], ["a"]),  # restarted, and gone again
        ([beat("a", 0, 10), beat("b", 0, 12), beat("b", 13, 300)], ["a"]),
        ([beat("a", 0, 10), beat("a", 11, 300, command="gads-etl run -c x")], ["a"]),
        ([beat("a", 0, 9, command="gads-etl run --since x"), beat("a", 10, 300, command="gads-etl run")], []),
        (
            [
                beat("a", 0, 9, command="gads-etl serve --report x"),
                beat("a", 0, 10, ended=True, command="gads-etl serve"),
                beat("a", 11, 300, command="gads-etl serve"),
            ],
            ["a"],
        ),
    ],
)
def test_a_silent_process_is_lost_unless_a_later_one_has_taken_its_place(
    beats: list[Heartbeat], expected: list[str]
) -> None:
    assert [one.host for one in lost(reversed(beats), NOW)] == expected


def test_a_round_is_cut_short_if_its_process_has_gone_without_ending_it() -> None:
    alive, silent, ended = beat("a", 0, 300), beat("b", 0, 10), beat("c", 0, 300, ended=True)
    beats = [alive, silent, ended]
    for one, expected in ((alive, False), (silent, True), (ended, True), (replace(alive, process="unknown"), True)):
        going_on = Round(one.process, "gads-etl serve", "run", NOON)
        assert going_on.is_cut_short(beats, NOW) is expected
        assert not replace(going_on, ended_at=NOW, ended="done").is_cut_short(beats, NOW)
