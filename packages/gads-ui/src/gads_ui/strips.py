"""The strip of a report: its last days, of all accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gads_ui.drawing import Bar, strip
from gads_ui.rendering import plural

if TYPE_CHECKING:
    from markupsafe import Markup

    from gads_domain.standing import DayStanding

STRIP_DAYS = 90
"""How many days a strip has."""

MISSING = ("pending", "held", "failed")
"""The states of what is expected, due and not authoritative."""


def bars(days: Sequence[DayStanding], since: date) -> list[Bar]:
    """A bar for each of the days of a strip."""
    known = {one.day: one for one in days}
    found = []
    for number in range(STRIP_DAYS):
        day = since + timedelta(days=number)
        one = known.get(day)
        names = ("authoritative", "not_due", "pending", "held", "failed")
        found.append(Bar(day, [(name, getattr(one, name) if one is not None else 0) for name in names]))
    return found


def strip_of(report: str, days: Sequence[DayStanding], since: date) -> Markup:
    """The strip of a report, with what it shows in words."""
    drawn = bars(days, since)
    bad = [bar.day.isoformat() for bar in drawn if any(number for name, number in bar.parts if name in MISSING)]
    said = f"{plural(len(bad), 'day')} of {STRIP_DAYS} lack something"
    latest = f", the latest is {bad[-1]}" if bad else ""
    return strip(drawn, f"{report}: {said}{latest}")
