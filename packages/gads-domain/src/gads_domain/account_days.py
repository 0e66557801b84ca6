"""Which days of an account are over: a day is a day of the account's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gads_domain.errors import InvalidValueError
from gads_domain.report import ReportDefinition, ReportKind

LAST_TO_END = "Etc/GMT+12"
"""The zone in which a day ends last: a day that is over there is over everywhere (POSIX turns the sign round)."""

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class DayRange:
    """The days `first` to `last`, both included. Raises `InvalidValueError` if they are reversed."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidValueError(f"the days are reversed: {self.first} is after {self.last}")

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that IANA name, such as `Europe/Berlin`; raises `InvalidValueError` if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, one that is no name, one that is a folder
        raise InvalidValueError(
            f"there is no time zone {name!r}",
            hint="it looks like Europe/Berlin; update the tzdata package if it is new",
        ) from None


def today_in(zone: str, moment: datetime) -> date:
    """The date in `zone` at `moment` (aware). Raises `InvalidValueError` for no such zone and a time without one."""
    return _aware(moment).astimezone(zone_named(zone)).date()


def last_complete_day(zone: str, moment: datetime) -> date:
    """The latest day that is over in `zone` at `moment` (aware): no later moment has that date there.

    A clock that is put back over midnight brings the old day back for an hour; it is over the second time. A day that
    a zone skipped, moving over the date line, is over with the one before it. Raises as `today_in` does.
    """
    found = zone_named(zone)
    day = _aware(moment).astimezone(found).date()
    while _end_of(day, found) > moment:
        day -= _A_DAY
    return day


def default_days(report: ReportDefinition, zone: str, moment: datetime) -> DayRange:
    """The days of an account in `zone` that a run takes when nobody says which.

    Every day that is over there and that the report still restates; of a snapshot, today. Raises as `today_in` does.
    """
    if report.kind is ReportKind.SNAPSHOT:
        today = today_in(zone, moment)
        return DayRange(today, today)
    last = last_complete_day(zone, moment)
    return DayRange(last - (report.restatement_days - 1) * _A_DAY, last)


def askable_days(report: ReportDefinition, zone: str, moment: datetime, wanted: DayRange) -> DayRange | None:
    """Those of the days `wanted` that can be asked for an account in `zone` at `moment`; None if that is no day.

    A day that is not over there yet would be sealed half; of a snapshot only today can be had. Raises as `today_in`.
    """
    if report.kind is ReportKind.SNAPSHOT:
        today = today_in(zone, moment)
        return DayRange(today, today) if wanted.first <= today <= wanted.last else None
    last = min(wanted.last, last_complete_day(zone, moment))
    return DayRange(wanted.first, last) if wanted.first <= last else None


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    """The moment from which on no clock in `zone` shows `day`: the last of the midnights after it.

    Where that midnight comes twice, the second; where it is skipped, the moment of the skip. PEP 495's fold names both.
    """
    midnight = datetime.combine(day + _A_DAY, time.min, zone)
    return max(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidValueError(f"{moment.isoformat()} is a time without a zone")
    return moment
