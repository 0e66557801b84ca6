"""Pairs of account and report in classes: what is expected of a pair, and how many pairs have each range of days.

Most pairs of an agency are alike, so that its counts are those of a few thousand classes. Days are ordinals. The few
pairs that are not counted so have several periods, a run that is held, or an account that no list has (`OddPair`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gads_domain.account_days import DayRange
from gads_domain.day_ranges import DayRanges, of_days, united, without

NO_END = date.max.toordinal()

ClassKey = tuple[str, str, int, int, bool]
"""Report, time zone as listed, first and last day that are expected, and whether the account is selected."""

Missing = tuple[int, int, int]
"""A first and a last day, and how many pairs have none of the days between."""


@dataclass(slots=True)
class PairClass:
    """`pairs` pairs with one expected period; `ranges` of them have an uninterrupted range of authoritative days.

    `bare` pairs have none.
    """

    pairs: int = 0
    bare: int = 0
    ranges: dict[tuple[int, int], int] = field(default_factory=dict)
    accounts: dict[tuple[int, int] | None, tuple[str, str]] = field(default_factory=dict)
    """Of each range, and of pairs without one, two accounts."""

    def covering(self, first: int, last: int) -> int:
        """How many pairs have all days from `first` to `last`; a pair has one range that does, or none."""
        return sum(pairs for (start, end), pairs in self.ranges.items() if start <= first and last <= end)

    def missing(self, first: int, last: int) -> Iterator[Missing]:
        """From `first` to `last`, the days that some pairs do not have."""
        changes: dict[int, int] = {first: 0}
        for (start, end), pairs in self.ranges.items():
            start, end = max(start, first), min(end, last)
            if start <= end:
                changes[start] = changes.get(start, 0) + pairs
                changes[end + 1] = changes.get(end + 1, 0) - pairs
        there = 0
        days = sorted(day for day in changes if day <= last)
        for day, until in zip(days, [*days[1:], last + 1], strict=True):
            there += changes[day]
            if there < self.pairs:
                yield day, until - 1, self.pairs - there


@dataclass(slots=True)
class OddPair:
    """One pair, with all its periods, ranges and held days; `selected` is None if no list has its account."""

    customer_id: str
    report: str
    zone: str
    selected: bool | None
    periods: list[tuple[int, int]] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    held: set[int] = field(default_factory=set)

    @property
    def expected(self) -> DayRanges:
        """The days that are expected, due or not."""
        return _days(self.periods)

    @property
    def authoritative(self) -> DayRanges:
        """The days that are there, without those whose newest run is held."""
        return without(_days(self.ranges), of_days(map(date.fromordinal, self.held)))


def _days(ranges: Iterable[tuple[int, int]]) -> DayRanges:
    return united(DayRange(date.fromordinal(first), date.fromordinal(last)) for first, last in ranges if first <= last)


def take_out(classes: Mapping[ClassKey, PairClass], key: ClassKey, ranges: Sequence[tuple[int, int]]) -> None:
    """Count a pair with these ranges in its class no more."""
    one = classes[key]
    one.pairs -= 1
    one.bare -= not ranges
    for range_ in ranges:
        one.ranges[range_] -= 1
