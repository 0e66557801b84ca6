"""Which days of an account are over: a day is a day of the account's own time zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gads_domain.errors import InvalidValueError
from gads_domain.report import ReportDefinition

LAST_TO_END = "Etc/GMT+12"
"""The zone in which a day ends last: a day that is over there is over everywhere (POSIX turns the sign round)."""

FIRST_TO_BEGIN = "Etc/GMT-14"
"""The zone in which a day begins first."""

FIRST_DAY = date(2000, 1, 1)
"""The first day that may be asked for: Google Ads has no figures from before its start in October 2000."""

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


def require_possible_days(moment: datetime, *days: date | None) -> None:
    """Raise `InvalidValueError` for a day before `FIRST_DAY` or after tomorrow in every zone: a mistyped year."""
    tomorrow = today_in(FIRST_TO_BEGIN, moment) + _A_DAY
    for day in days:
        if day is not None and not FIRST_DAY <= day <= tomorrow:
            where = "after tomorrow" if day > tomorrow else f"before {FIRST_DAY}"
            raise InvalidValueError(f"{day} is {where}", hint=f"give a day from {FIRST_DAY} to {tomorrow}")


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that IANA name, such as `Europe/Berlin`; raises `InvalidValueError` if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, one that is no name, one that is a folder
        raise InvalidValueError(
            f"there is no time zone {name!r}",
            hint="it looks like Europe/Berlin; update the tzdata package if it is new",
        ) from None


def usable_zone(name: str) -> str:
    """`name` if there is such a time zone, or else the zone in which a day ends last."""
    try:
        return zone_named(name).key if name else LAST_TO_END
    except InvalidValueError:
        return LAST_TO_END


def today_in(zone: str, moment: datetime) -> date:
    """The date in `zone` at `moment` (aware). Raises `InvalidValueError` for no such zone and a time without one."""
    return _today_and_last(zone, moment)[0]


def last_complete_day(zone: str, moment: datetime) -> date:
    """The latest day that is over in `zone` at `moment` (aware): no later moment has that date there.

    A clock that is put back over midnight brings the old day back for an hour; it is over the second time. A day that
    a zone skipped, moving over the date line, is over with the one before it. Raises as `today_in` does.
    """
    return _today_and_last(zone, moment)[1]


@lru_cache(maxsize=1024)
def _today_and_last(zone: str, moment: datetime) -> tuple[date, date]:
    """Remembered: thousands of accounts share a few zones, and a plan has one moment."""
    if moment.tzinfo is None:
        raise InvalidValueError(f"{moment.isoformat()} is a time without a zone")
    found = zone_named(zone)
    today = last = moment.astimezone(found).date()
    while end_of(last, found) > moment:
        last -= _A_DAY
    return today, last


@dataclass(frozen=True, slots=True)
class ReportDays:
    """Which days of a report an account has at a moment.

    `today` is the account's. `window` is what is read unless other days are given: every day that is over in the
    account's zone and that the report still restates; for a snapshot report, today. Of days before `first_kept` the
    API has nothing any more.
    """

    today: date
    window: DayRange
    first_kept: date


def report_days(report: ReportDefinition, zone: str, moment: datetime) -> ReportDays:
    """The days of `report` of an account in `zone` at `moment`. Raises as `today_in` does."""
    today, last = _today_and_last(zone, moment)
    if not report.kind.has_history:
        return ReportDays(today, DayRange(today, today), today)
    first_kept = date.min if report.history is None else report.history.first_kept(today)
    return ReportDays(today, DayRange(last - (report.restatement_days - 1) * _A_DAY, last), first_kept)


def askable_days(report: ReportDefinition, zone: str, moment: datetime, wanted: DayRange) -> DayRange | None:
    """Those of the days `wanted` that can be asked for an account in `zone` at `moment`; None if there are none.

    A day that is not over there yet would be sealed half; of a snapshot report there is only today. How far back the
    API keeps a report is not asked here. Raises as `today_in` does.
    """
    window = report_days(report, zone, moment).window
    first = wanted.first if report.kind.has_history else max(wanted.first, window.first)
    last = min(wanted.last, window.last)
    return DayRange(first, last) if first <= last else None


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, from which on no clock in `zone` shows `day`: the last of the midnights after it.

    Where that midnight comes twice, the second; where it is skipped, the moment of the skip. PEP 495's fold names both.
    """
    midnight = datetime.combine(day + _A_DAY, time.min, zone)
    return max(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
