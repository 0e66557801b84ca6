"""The API's calendar: the segments that a date determines, and the ranges of DURING."""

from collections.abc import Callable
from datetime import date, timedelta

from gads_domain.package_data import tables_of
from gads_gaql.syntax import PERIODS

_TABLES = tables_of("gads_emulator", "api.toml")["calendar"]

DERIVED: dict[str, Callable[[date], str | int]] = {
    "segments.day_of_week": lambda day: _TABLES["days"][day.weekday()],
    "segments.week": lambda day: PERIODS["segments.week"](day).isoformat(),
    "segments.month": lambda day: PERIODS["segments.month"](day).isoformat(),
    "segments.month_of_year": lambda day: _TABLES["months"][day.month - 1],
    "segments.quarter": lambda day: PERIODS["segments.quarter"](day).isoformat(),
    "segments.year": lambda day: day.year,
}
"""Segments that `segments.date` determines."""

_ONE = timedelta(days=1)


def during(function: str, today: date) -> tuple[date, date]:
    """Return the first and last day of a DURING function.

    `today` is the account's. The LAST_n_DAYS end yesterday.
    Source: https://developers.google.com/google-ads/api/docs/query/date-ranges
    """
    monday = today - timedelta(days=today.weekday())
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    this_month = today.replace(day=1)
    last_month = (this_month - _ONE).replace(day=1)
    ranges = {
        "TODAY": (today, today),
        "YESTERDAY": (today - _ONE, today - _ONE),
        "LAST_7_DAYS": (today - 7 * _ONE, today - _ONE),
        "LAST_14_DAYS": (today - 14 * _ONE, today - _ONE),
        "LAST_30_DAYS": (today - 30 * _ONE, today - _ONE),
        "LAST_BUSINESS_WEEK": (monday - 7 * _ONE, monday - 3 * _ONE),
        "LAST_WEEK_MON_SUN": (monday - 7 * _ONE, monday - _ONE),
        "LAST_WEEK_SUN_SAT": (sunday - 7 * _ONE, sunday - _ONE),
        "THIS_WEEK_MON_TODAY": (monday, today),
        "THIS_WEEK_SUN_TODAY": (sunday, today),
        "THIS_MONTH": (this_month, today),
        "LAST_MONTH": (last_month, this_month - _ONE),
    }
    return ranges[function]
