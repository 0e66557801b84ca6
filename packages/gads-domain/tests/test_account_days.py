"""A day is a day of the account's zone, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.account_days import (
    LAST_TO_END,
    DayRange,
    askable_days,
    last_complete_day,
    report_days,
    today_in,
    zone_named,
)
from gads_domain.errors import InvalidValueError
from gads_domain.report import ReportDefinition, ReportKind

DAILY = ReportDefinition("campaign", "SELECT campaign.id, segments.date FROM campaign", restatement_days=3)
SNAPSHOT = ReportDefinition("label", "SELECT label.id FROM label", kind=ReportKind.SNAPSHOT)
ZONES = sorted(name for name in available_timezones() if "/" in name)
ODD = ["America/St_Johns", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "America/Havana", "Australia/Lord_Howe"]

MOMENTS = st.datetimes(datetime(1995, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
ANY_ZONE = st.one_of(st.sampled_from(ODD), st.sampled_from(ZONES))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Berlin", "2024-06-02T21:59:59", "2024-06-01"),
        ("Europe/Berlin", "2024-06-02T22:00:00", "2024-06-02"),
        ("America/Los_Angeles", "2024-06-03T06:59:59", "2024-06-01"),
        ("America/Los_Angeles", "2024-06-03T07:00:00", "2024-06-02"),
        ("Pacific/Kiritimati", "2024-06-02T10:00:00", "2024-06-02"),
        (LAST_TO_END, "2024-06-03T11:59:59", "2024-06-01"),
        (LAST_TO_END, "2024-06-03T12:00:00", "2024-06-02"),
        # the day has 23 hours, and its own midnight is skipped
        ("Asia/Beirut", "2024-03-30T21:59:59", "2024-03-29"),
        ("Asia/Beirut", "2024-03-30T22:00:00", "2024-03-30"),
        # at one minute past midnight the clocks went back: 6 November came twice, and 5 November with it
        ("America/St_Johns", "2010-11-07T02:30:30", "2010-11-05"),
        ("America/St_Johns", "2010-11-07T03:29:59", "2010-11-05"),
        ("America/St_Johns", "2010-11-07T03:30:00", "2010-11-06"),
        # 30 December 2011 did not happen in Samoa
        ("Pacific/Apia", "2011-12-30T09:59:59", "2011-12-28"),
        ("Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30"),
    ],
)
def test_a_day_is_over_when_its_last_midnight_has_passed(zone: str, moment: str, day: str) -> None:
    assert last_complete_day(zone, at(moment)) == date.fromisoformat(day)


@settings(max_examples=300, deadline=None)
@given(zone=ANY_ZONE, moment=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_no_later_moment_shows_a_day_that_is_over(zone: str, moment: datetime, later: timedelta) -> None:
    over = last_complete_day(zone, moment)
    assert (moment + later).astimezone(ZoneInfo(zone)).date() > over
    # and the next day is not over: the zone shows it now or later, unless it never does
    shown = {(moment + timedelta(minutes=15 * n)).astimezone(ZoneInfo(zone)).date() for n in range(4 * 50)}
    assert over + timedelta(days=1) in shown or zone in ("Pacific/Apia", "Pacific/Fakaofo") or moment.year < 2012


@settings(max_examples=200, deadline=None)
@given(zone=ANY_ZONE, moment=MOMENTS)
def test_what_is_over_last_is_over_everywhere(zone: str, moment: datetime) -> None:
    assert last_complete_day(LAST_TO_END, moment) <= last_complete_day(zone, moment)
    assert timedelta(0) < today_in(zone, moment) - last_complete_day(zone, moment) <= timedelta(days=2)


@settings(max_examples=200, deadline=None)
@given(zone=ANY_ZONE, moment=MOMENTS, window=st.integers(1, 90))
def test_without_days_every_day_of_the_window_is_taken(zone: str, moment: datetime, window: int) -> None:
    report = ReportDefinition("r", "SELECT campaign.id, segments.date FROM campaign", restatement_days=window)
    days = report_days(report, zone, moment).window
    assert days.last == last_complete_day(zone, moment)
    assert (days.last - days.first).days + 1 == window
    assert askable_days(report, zone, moment, days) == days


def test_a_snapshot_is_of_today() -> None:
    moment = at("2024-06-02T23:00:00")
    assert report_days(SNAPSHOT, "Asia/Tokyo", moment).window == DayRange(date(2024, 6, 3), date(2024, 6, 3))
    assert report_days(SNAPSHOT, "Europe/London", moment).window == DayRange(date(2024, 6, 3), date(2024, 6, 3))
    assert report_days(SNAPSHOT, "America/New_York", moment).window == DayRange(date(2024, 6, 2), date(2024, 6, 2))
    wanted = DayRange(date(2024, 5, 1), date(2024, 6, 2))
    assert askable_days(SNAPSHOT, "Asia/Tokyo", moment, wanted) is None
    assert askable_days(SNAPSHOT, "America/New_York", moment, wanted) == DayRange(date(2024, 6, 2), date(2024, 6, 2))


def test_days_that_are_not_over_are_cut_off() -> None:
    moment = at("2024-06-02T12:00:00")
    wanted = DayRange(date(2024, 5, 30), date(2024, 6, 30))
    assert askable_days(DAILY, "Europe/Berlin", moment, wanted) == DayRange(date(2024, 5, 30), date(2024, 6, 1))
    assert askable_days(DAILY, "Europe/Berlin", moment, DayRange(date(2024, 6, 2), date(2024, 6, 3))) is None


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe", "/etc/localtime", "Europe/Berlin\0"])
def test_a_zone_that_does_not_exist(name: str) -> None:
    with pytest.raises(InvalidValueError, match="there is no time zone") as caught:
        zone_named(name)
    assert "Europe/Berlin" in caught.value.hint


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="a time without a zone"):
        last_complete_day("Europe/Berlin", datetime(2024, 6, 1))  # noqa: DTZ001


def test_reversed_days_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="reversed"):
        DayRange(date(2024, 6, 2), date(2024, 6, 1))
