"""Templates, and how figures, times and text from outside are shown: such text neither runs nor breaks a page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gads_domain import visible_text
from gads_domain.activity import ended_in_words
from gads_domain.figures import counted, size

_SHORT = 160
_LONGEST = 100_000
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gads_ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (
        visible,
        ended_in_words,
        foreign,
        brief,
        moment,
        clock_time,
        ago,
        duration,
        count,
        counted,
        size,
        day,
        weekday,
        share,
    )
    environment.filters.update({one.__name__: one for one in shown})
    return environment


def render(template: str, values: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return _environment().get_template(template).render(values)


def visible(text: object) -> str:
    """`text` on one line, with control and direction characters written as their numbers."""
    return visible_text.visible(" ".join(str(text)[:_LONGEST].split()))


def foreign(text: object, at_most: int = _SHORT) -> Markup:
    """Text from outside, isolated from what surrounds it; what is longer than `at_most` unfolds."""
    whole = visible(text)
    if len(whole) <= at_most:
        return Markup("<bdi>{}</bdi>").format(whole)
    cut = Markup("<details><summary><bdi>{}</bdi>… <span class=more>({} characters)</span></summary>")
    return cut.format(whole[:at_most], f"{len(str(text)):,}") + Markup(
        "<pre tabindex=0><bdi>{}</bdi></pre></details>"
    ).format(whole)


def brief(text: object, at_most: int = 90) -> Markup:
    """Text from outside in a list: what is longer is cut, and said in full elsewhere."""
    whole = visible(text)
    return Markup("<bdi>{}</bdi>").format(whole if len(whole) <= at_most else whole[: at_most - 1] + "…")


def moment(at: datetime | None) -> Markup:
    """A time in UTC to the minute; the element has the second."""
    if at is None:
        return Markup("–")
    utc = at.astimezone(UTC)
    full = utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(full, full, utc.strftime("%Y-%m-%d %H:%M"))


def clock_time(at: datetime) -> str:
    """The time of day in UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def duration(span: timedelta | float | None) -> str:
    """A span in its largest unit, or the two largest where the first is small: 4 minutes, 2 days 3 hours."""
    if span is None:
        return "–"
    left = int(span.total_seconds() if isinstance(span, timedelta) else span)
    if left <= 0:
        return "under a second" if left == 0 else "0 seconds"
    parts: list[str] = []
    for name, seconds in _UNITS:
        number, left = divmod(left, seconds)
        if number:
            parts.append(counted(number, name))
        if number >= 10 or (parts and not number) or len(parts) == 2:
            break
    return " ".join(parts)


def ago(at: datetime | None, now: datetime) -> str:
    """How long before `now` something was, or how long after it will be."""
    if at is None:
        return "never"
    gone = now - at
    if abs(gone) < timedelta(seconds=1):
        return "now"
    return f"{duration(gone)} ago" if gone > timedelta() else f"in {duration(-gone)}"


def count(number: int | float | None) -> str:
    """A number with separators of thousands."""
    return "–" if number is None else f"{number:,}"


def day(of: date | None) -> str:
    """A day, or that there is none."""
    return "no day yet" if of is None else of.isoformat()


def weekday(of: date) -> str:
    """A day with its weekday: Fri 2024-05-03."""
    return of.strftime("%a %Y-%m-%d")


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; never 100 % while something lacks, and never 0 % while there is something."""
    if not whole:
        return "–"
    value = 100 * part / whole
    if value >= 99.95 and part < whole:
        return "99.9 %"
    if 0 < value < 0.05:
        return "<0.1 %"
    return f"{value:.1f} %" if value < 100 else "100 %"
