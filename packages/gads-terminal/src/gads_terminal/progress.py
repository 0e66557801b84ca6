"""How far a command is, on stderr: a bar on a terminal, a line every now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from gads_domain.figures import counted
from gads_domain.visible_text import visible
from gads_terminal.cells import chopped, width_of
from gads_terminal.output import print_note

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
_LATELY = 30.0
"""Seconds by which a rate is measured."""
_GAP = "  "
_BAR = 20
_SHORTEST_BAR = 6


class Progress:
    """What a command does, how much of it is done, how fast, what is left and what it costs.

    `what` is the activity, `noun` what is counted. Open it with `with`; it shows nothing before the first `at`, and on
    a terminal nothing remains of it. Where stderr is no terminal it writes a line every ten seconds at most.
    """

    def __init__(self, what: str, noun: str = "partition", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._noun = noun
        self._clock = clock
        self._began = self._last_line = clock()
        self._seen: deque[tuple[float, int]] = deque()
        self._done = 0
        self._total: int | None = None
        self._doing = self._more = ""
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begin(self, what: str, total: int | None = None) -> None:
        """Count from the beginning, up to `total` if that is known."""
        self._what, self._total, self._done, self._doing, self._more = what, total, 0, "", ""
        self._began = self._last_line = self._clock()
        self._seen.clear()
        self.at(0, total)

    def at(self, done: int, total: int | None = None, *, doing: str = "", more: str = "") -> None:
        """`done` are done, of `total` if that is known; what it does now, and what else there is to say of it."""
        now = self._clock()
        if not self._seen or done != self._done:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _LATELY:
            self._seen.popleft()
        self._done, self._total = done, self._total if total is None else total
        self._doing, self._more = doing or self._doing, more or self._more
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._show()
        elif now - self._last_line >= _EVERY:
            self._last_line = now
            print_note(self.line())

    def line(self) -> str:
        """How far it is, as a sentence."""
        of = "" if self._total is None else f" of {self._total:,}"
        noun = self._noun if (self._total or self._done) == 1 else f"{self._noun}s"
        parts = [f"{self._what}: {self._done:,}{of} {noun}", *self._pace(), *([self._more] if self._more else [])]
        return ", ".join(parts)

    def bar(self, width: int, *, ascii_only: bool = False) -> str:
        """How far it is, in one line of at most `width` cells: what is the least use goes where there is no space."""
        of = f" {self._noun}s" if self._total is None else f"/{self._total:,}"
        count = [f"{self._done:,}{of}"] if self._total is not None or self._done else []
        facts = [*count, *self._pace(), *([self._more] if self._more else [])]
        while len(_GAP.join(facts)) > width and len(facts) > 1:
            facts.pop()
        text = _GAP.join(facts)
        length = min(_BAR, width - len(text) - len(_GAP)) if self._total else 0
        if self._total and length >= _SHORTEST_BAR:
            full = min(length * self._done // self._total, length)
            drawn = "#" * full + "." * (length - full) if ascii_only else "━" * full + "╌" * (length - full)
            text = f"{drawn}{_GAP}{text}"
        doing = _cut(visible(" ".join((self._doing or self._what).split())), width - len(text) - len(_GAP))
        return (f"{text}{_GAP}{doing}" if count else f"{doing}{_GAP}{text}").strip()[:width]

    def _pace(self) -> list[str]:
        """The rate and the time that is left; the time that has passed where it is not known how much is left."""
        now, (began, before) = self._clock(), self._seen[0] if self._seen else (self._began, 0)
        rate = (self._done - before) / (now - began) if now > began else 0.0
        if not rate:
            return [f"{_duration(now - self._began)} so far"]
        shown = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f}/min"
        if self._total is None:
            return [shown, f"{_duration(now - self._began)} so far"]
        return [shown, f"{_duration(max(self._total - self._done, 0) / rate)} left"]

    def _show(self) -> None:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False, emoji=False, markup=False)
            # What goes to stdout stands above the bar if that is the same terminal, and goes its own way otherwise.
            self._live = Live(self, console=console, transient=True, redirect_stdout=sys.stdout.isatty())
            self._live.start()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Drawn several times a second, so that the time goes on while nothing is done."""
        from rich.text import Text

        yield Text(self.bar(options.max_width, ascii_only=options.ascii_only), no_wrap=True, overflow="crop")


def _cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; empty if little of it would be left."""
    if width_of(text) <= width:
        return text
    return f"{chopped(text, width - 1)[0]}…" if width >= _SHORTEST_BAR else ""


def waiting(what: str) -> Progress:
    """For what cannot say how far it is: on a terminal, what is waited for and since when."""
    progress = Progress(what)
    progress.at(0)
    return progress


def _duration(seconds: float) -> str:
    """`0:07`, `1:02:03`, `2 days`."""
    whole = int(seconds)
    if whole >= 2 * 86_400:
        return counted(whole // 86_400, "day")
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
