"""Sets of days as ranges, so that a year without a hole costs as much as a day.

A set is a tuple of `DayRange`, ascending, with at least one day between two of them. `date.max` as the last day of the
last range means that there is no last day.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from gads_domain.account_days import DayRange

DayRanges = tuple[DayRange, ...]

_A_DAY = timedelta(days=1)


def united(ranges: Iterable[DayRange]) -> DayRanges:
    """The set of all days of `ranges`, which may overlap and come in any order."""
    found: list[DayRange] = []
    for one in sorted(ranges):
        last = found[-1] if found else None
        if last is None or (last.last != date.max and one.first > last.last + _A_DAY):
            found.append(one)
        elif one.last > last.last:
            found[-1] = DayRange(last.first, one.last)
    return tuple(found)


def of_days(days: Iterable[date]) -> DayRanges:
    """The set of `days`, in any order."""
    return united(DayRange(day, day) for day in days)


def without(some: Sequence[DayRange], others: Sequence[DayRange]) -> DayRanges:
    """The days of the set `some` that are not in the set `others`."""
    found: list[DayRange] = []
    start = 0
    for one in some:
        first: date | None = one.first
        while start < len(others) and others[start].last < one.first:
            start += 1
        place = start
        while first is not None and place < len(others) and others[place].first <= one.last:
            other = others[place]
            if first < other.first:
                found.append(DayRange(first, other.first - _A_DAY))
            first = None if other.last >= one.last else other.last + _A_DAY
            place += 1
        if first == one.first:
            found.append(one)
        elif first is not None:
            found.append(DayRange(first, one.last))
    return tuple(found)


def common(some: Sequence[DayRange], others: Sequence[DayRange]) -> DayRanges:
    """The days that are in both sets."""
    found: list[DayRange] = []
    place = other_place = 0
    while place < len(some) and other_place < len(others):
        one, other = some[place], others[other_place]
        first, last = max(one.first, other.first), min(one.last, other.last)
        if first <= last:
            found.append(DayRange(first, last))
        if one.last < other.last:
            place += 1
        else:
            other_place += 1
    return tuple(found)


def number_of(ranges: Iterable[DayRange]) -> int:
    """How many days a set has."""
    return sum((one.last - one.first).days + 1 for one in ranges)


def each_day(ranges: Iterable[DayRange]) -> Iterator[date]:
    """The days of a set, in order."""
    for one in ranges:
        for ordinal in range(one.first.toordinal(), one.last.toordinal() + 1):
            yield date.fromordinal(ordinal)
