"""How far a command is: a bar on a real terminal, few lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest

from gads_terminal.cells import width_of
from gads_terminal.output import print_note
from gads_terminal.progress import Progress, waiting
from gads_testing.terminal import Terminal, a_terminal


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def at_work(done: int, total: int | None, seconds: float, doing: str = "8356619392 campaign") -> Progress:
    clock = Clock()
    progress = Progress("extracting", clock=clock)
    progress.begin("extracting", total)
    clock.now = seconds
    progress.at(done, doing=doing, more="2,345 operations")
    return progress


@pytest.mark.parametrize(
    ("done", "total", "seconds", "shown"),
    [
        (28, 126, 14, "━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  28/126  2.0/s  0:49 left  2,345 operations"),
        (90_000, 360_000, 3600, "━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  90,000/360,000  25/s  3:00:00 left  2,345 operations"),
        (3, 300_000, 3600, "╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  3/300,000  0.1/min  4,166 days left  2,345 operations"),
        (0, 126, 7, "╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  0/126  0:07 so far  2,345 operations"),
        (12_345, None, 100, "12,345 partitions  123/s  1:40 so far  2,345 operations"),
        (0, None, 61, "8356619392 campaign  1:01 so far  2,345 operations"),
    ],
)
def test_a_bar_has_the_rate_the_time_left_and_the_cost(
    done: int, total: int | None, seconds: float, shown: str
) -> None:
    bar = at_work(done, total, seconds).bar(80)
    assert bar.startswith(shown)
    assert len(bar) == len(shown) or "8356619392" in bar


@pytest.mark.parametrize("doing", ["株式会社東京" * 9, "x" * 300, "a\x1b[2J\n\u202e" * 9, "👩‍👩‍👧" * 30, ""])
def test_it_fits_any_terminal(doing: str) -> None:
    for total in (None, 126, 0):
        for width in (*range(8, 100, 3), 200):
            bar = at_work(7, total, 3, doing).bar(width, ascii_only=True)
            assert width_of(bar) <= width
            assert "\x1b" not in bar
            assert "\n" not in bar


def test_a_pipe_gets_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("loading", clock=clock) as progress:
        for done in range(3001):
            clock.now = done / 100
            progress.at(done, 6000, more="9 operations")
    with waiting("reading the payloads"):
        pass
    assert capsys.readouterr().err.splitlines() == [
        "loading: 1,000 of 6,000 partitions, 100/s, 0:50 left, 9 operations",
        "loading: 2,000 of 6,000 partitions, 100/s, 0:40 left, 9 operations",
        "loading: 3,000 of 6,000 partitions, 100/s, 0:30 left, 9 operations",
    ]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    with a_terminal() as found:
        yield found


def test_on_a_terminal_a_bar_is_drawn_and_goes_and_notes_stand_above_it(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with redirect_stderr(terminal.stream):
        with Progress("loading") as progress:
            progress.at(0, 126)
            assert terminal.read(until="0/126  0:00 so far  loading")
            progress.at(126)
            print_note("the warehouse is a copy")
            sys.stdout.write("data\n")
        assert sys.stderr is terminal.stream
    drawn = terminal.read()
    assert "the warehouse is a copy\r\n" in drawn
    assert drawn.index("the warehouse") < drawn.rindex("━" * 20 + "  126/126")
    assert drawn.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "the cursor is shown again, and the line is empty"
    assert capsys.readouterr().out == "data\n"


def test_a_terminal_that_can_draw_nothing_gets_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    clock = Clock()
    with redirect_stderr(terminal.stream), Progress("loading", clock=clock) as progress:
        progress.at(0, 126)
        clock.now = 10
        progress.at(63)
    assert terminal.read() == "loading: 63 of 126 partitions, 6.3/s, 0:10 left\r\n"
