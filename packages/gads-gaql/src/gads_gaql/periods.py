"""The date segments that name a period by its first day.

Source: https://developers.google.com/google-ads/api/docs/query/date-ranges ("Time periods")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType

PERIODS: Mapping[str, Callable[[date], date]] = MappingProxyType(
    {
        "segments.week": lambda day: day - timedelta(days=day.weekday()),
        "segments.month": lambda day: day.replace(day=1),
        "segments.quarter": lambda day: date(day.year, day.month - (day.month - 1) % 3, 1),
    }
)
"""For each segment, the first day of the period that a day lies in. A filter takes no other day of it."""
