"""Lines of a screen for people: wrapped to the terminal, in a style, with what hangs below further in."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Protocol

from gads_domain.visible_text import visible
from gads_terminal.cells import chopped, width_of

_IN_A_PIPE, _WIDEST = 80, 110
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


class ScreenLine(Protocol):
    """Text that may take several lines below each other."""

    @property
    def text(self) -> str:
        """What it says; where `most` is one, every space counts."""

    @property
    def style(self) -> str:
        """None or some of the words `bold`, `red`, `green`, `yellow`."""

    @property
    def lead(self) -> str:
        """What the first line begins with; the others are as far in."""

    @property
    def most(self) -> int:
        """How many lines it may take; what is longer is cut."""


def screen_width() -> int:
    """The columns that a screen has: those of the terminal, or of a narrow one in a pipe."""
    return min(shutil.get_terminal_size().columns, _WIDEST) if sys.stdout.isatty() else _IN_A_PIPE


def print_lines(lines: Iterable[ScreenLine], width: int) -> None:
    """Write lines of at most `width` columns to stdout; styles are for terminals, unless `NO_COLOR` is set."""
    is_styled = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in lines:
        codes = ";".join(_CODES[word] for word in line.style.split()) if is_styled else ""
        for text in _laid_out(line, width):
            sys.stdout.write(f"\x1b[{codes}m{text}\x1b[0m\n" if codes else f"{text}\n")


def _laid_out(line: ScreenLine, width: int) -> Iterator[str]:
    text = visible(line.text)
    if line.most == 1 and width_of(line.lead + text) <= width:
        yield f"{line.lead}{text}".rstrip()
        return
    space = width - width_of(line.lead)
    parts = chopped(text, space) or [""]
    if len(parts) > line.most:
        parts = [*parts[: line.most - 1], f"{chopped(parts[line.most - 1], space - 2)[0]} …"]
    for number, part in enumerate(parts):
        yield f"{' ' * width_of(line.lead) if number else line.lead}{part}".rstrip()
