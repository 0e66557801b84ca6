"""How figures, times and text from outside are shown."""

from __future__ import annotations

import shlex
import threading
from datetime import UTC, datetime, timedelta

import pytest

from gads_domain.figures import size
from gads_ui.commands import Commands
from gads_ui.drawing import Bar, Point, line_plot, strip
from gads_ui.recent import Recent
from gads_ui.rendering import ago, brief, duration, foreign, share, visible


def test_text_from_outside_is_isolated_and_its_controls_are_shown() -> None:
    assert foreign("<b>&\"'") == "<bdi>&lt;b&gt;&amp;&#34;&#39;</bdi>"
    assert visible("a\u202eb\x00c\x1b[2J\nd\u200f") == "a\\u202eb\\u0000c\\u001b[2J d\\u200f"
    long = foreign("x" * 70_000)
    assert long.startswith("<details><summary><bdi>")
    assert "70,000 characters" in long
    assert len(foreign("<" * 10_000_000)) < 500_000
    assert len(brief("<" * 70_000, 40)) < 300


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "under a second"),
        (59, "59 seconds"),
        (61, "1 minute 1 second"),
        (240, "4 minutes"),
        (3661, "1 hour 1 minute"),
        (36_000, "10 hours"),
        (90_000, "1 day 1 hour"),
        (86_400 * 40 + 4000, "40 days"),
    ],
)
def test_durations(seconds: int, shown: str) -> None:
    assert duration(timedelta(seconds=seconds)) == shown
    now = datetime(2026, 1, 2, tzinfo=UTC)
    if seconds:
        assert ago(now - timedelta(seconds=seconds), now) == f"{shown} ago"
        assert ago(now + timedelta(seconds=seconds), now) == f"in {shown}"


def test_a_share_is_whole_or_nothing_only_where_it_is() -> None:
    assert [share(*one) for one in [(999_999, 1_000_000), (1, 10_000_000), (0, 5), (5, 5), (1, 3), (0, 0)]] == [
        "99.9 %", "<0.1 %", "0.0 %", "100 %", "33.3 %", "–",
    ]  # fmt: skip
    assert [size(one) for one in (None, 0, 999, 1000, 48_123_456)] == ["unknown", "0 B", "999 B", "1.0 kB", "48.1 MB"]


def test_commands_are_quoted_for_a_shell(tmp_path_factory: pytest.TempPathFactory) -> None:
    commands = Commands(tmp_path_factory.getbasetemp() / "it's; rm -rf" / "gads.toml")
    line = commands.line("run", customer="1", retry_failed=True, since=None, reason="")
    words = ["run", "--config", str(commands.configuration), "--customer", "1", "--retry-failed"]
    assert shlex.split(line) == ["gads-etl", *words]


def test_one_of_thousands_is_seen_in_a_strip() -> None:
    day = datetime(2026, 1, 2, tzinfo=UTC).date()
    bad = strip([Bar(day, [("authoritative", 9_999), ("failed", 1)])])
    assert 'height="3.0" fill="#cf3a2d"' in bad
    assert "<path" in bad
    assert "<path" not in strip([Bar(day, [("authoritative", 9_999), ("failed", 0)]), Bar(day, [])])


def test_what_a_plot_names_is_escaped() -> None:
    plot = line_plot([("<x>", [Point(1, 2, "<y>"), Point(2, 0, "z")])], "says", "age", "moved")
    assert "<x>" not in plot
    assert "<y>" not in plot


def test_what_is_slow_is_shown_from_before_and_never_for_long() -> None:
    answers, go_on = iter(range(10)), threading.Event()

    def make() -> int:
        number = next(answers)
        assert number == 0 or go_on.wait(10)
        return number

    recent = Recent(make, kept=60)
    assert [recent(), recent(), recent()] == [0, 0, 0]
    go_on.set()
    while recent() == 0:
        pass
    stale = Recent(iter(range(10)).__next__, kept=0)
    assert [stale(), stale()] == [0, 1]
    fresh = Recent(iter(range(10)).__next__, kept=60, fresh=60)
    assert [fresh(), fresh()] == [0, 0]
    with pytest.raises(ZeroDivisionError):
        Recent(lambda: 1 / 0, kept=60)()
