"""Pairs of account and report in classes: what is expected of a pair, and how many pairs have each range of days.

Most pairs of an agency are alike, so that its counts are those of a few thousand classes. Days are ordinals. The few
pairs that are not counted so have several periods, a run that is held, or an account that no list has (`OddPair`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

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

    def expected(self, last: int) -> list[tuple[int, int]]:
        """The days that are expected up to `last`, as ascending ranges with a day between them."""
        found: list[tuple[int, int]] = []
        for start, end in self.periods:
            if found and start <= found[-1][1] + 1:
                start = found.pop()[0]
            if start <= (end := min(end, last)):
                found.append((start, end))
        return found

    def missing(self, last: int) -> list[tuple[int, int]]:
        """The days that are expected up to `last` and neither there nor held, in order."""
        found = []
        for start, end in self.expected(last):
            for first, until in self.ranges:
                if first > end:
                    break
                if start < first:
                    found.append((start, first - 1))
                start = max(start, until + 1)
            if start <= end:
                found.append((start, end))
        return found

    def held_there(self, last: int) -> list[int]:
        """The held days that are expected up to `last`, in order, and would be there otherwise."""
        if not self.held:
            return []
        days = (day for day in sorted(self.held) if any(first <= day <= until for first, until in self.ranges))
        return [day for day in days if any(start <= day <= end for start, end in self.expected(last))]


def take_out(classes: Mapping[ClassKey, PairClass], key: ClassKey, ranges: Sequence[tuple[int, int]]) -> None:
    """Count a pair with these ranges in its class no more."""
    one = classes[key]
    one.pairs -= 1
    one.bare -= not ranges
    for range_ in ranges:
        one.ranges[range_] -= 1
