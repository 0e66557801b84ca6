"""Deadlines: which accounts do not have the day that was promised, each in its own zone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from gads_alerts.rules import Deadline
from gads_domain.account_days import DayRange
from gads_domain.day_ranges import DayRanges, without
from gads_domain.expectations import Expectations
from gads_domain.gaps import Pair

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Overdue:
    """`day` of `report` was promised by now in `zone`, and is not there for `accounts`, each by number and name.

    `of` is of how many accounts of the zone it is expected.
    """

    report: str
    zone: str
    day: date
    accounts: tuple[str, ...]
    of: int


def deadline_day(deadline: Deadline, zone: str, now: datetime) -> date:
    """The day that is to be complete by now: yesterday from the time of day on, and the day before until then."""
    here = now.astimezone(ZoneInfo(zone))
    return here.date() - (_A_DAY if here.time() >= deadline.by else 2 * _A_DAY)


def overdue(
    deadline: Deadline,
    expectations: Expectations,
    reports: Collection[str],
    customers: Collection[str] | None,
    authoritative: Mapping[Pair, DayRanges],
    now: datetime,
) -> tuple[Overdue, ...]:
    """What of `reports` (all of the deadline) is not there at `now`; of `customers` alone unless that is None."""
    days: dict[str, date] = {}
    missing: dict[tuple[str, str], list[str]] = {}
    expected: dict[tuple[str, str], int] = {}
    for one in expectations.expected:
        if one.report not in reports or (customers is not None and one.customer_id not in customers):
            continue
        zone = expectations.zone_of(one.customer_id)
        day = days.setdefault(zone, deadline_day(deadline, zone, now))
        if one.first_day <= day and (one.last_day is None or day <= one.last_day):
            pair = (one.report, zone)
            expected[pair] = expected.get(pair, 0) + 1
            if without((DayRange(day, day),), authoritative.get((one.customer_id, one.report), ())):
                missing.setdefault(pair, []).append(expectations.described(one.customer_id))
    return tuple(
        Overdue(report, zone, days[zone], tuple(found), expected[report, zone])
        for (report, zone), found in sorted(missing.items())
    )
