"""The activity of a campaign on a day: integers that follow from the seed, and their division into parts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from itertools import accumulate, pairwise
from operator import sub
from typing import Any, NamedTuple, TypeAlias

ONE = 1 << 32
"""The upper end of bounds, by which a whole is divided."""
Bounds: TypeAlias = tuple[int, int]
"""From where to where a part of a whole reaches, 0 to ONE."""


def draw(*key: object) -> "Draw":
    """Return random numbers that follow from `key`, the same on every machine."""
    text = "\x1f".join(str(part) for part in key)
    return Draw(int.from_bytes(blake2b(text.encode(), digest_size=32).digest(), "little"))


class Draw:
    """Up to eight random numbers; all after them are 0."""

    __slots__ = ("_bits",)

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def below(self, count: int) -> int:
        """Return an integer from 0 to `count` - 1."""
        number = (self._bits & 0xFFFFFFFF) * count >> 32
        self._bits >>= 32
        return number

    def between(self, low: float, high: float) -> float:
        """Return a number from `low` up to `high`."""
        number = (self._bits & 0xFFFFFFFF) / ONE
        self._bits >>= 32
        return low + (high - low) * number

    def choose(self, options: Sequence[Any]) -> Any:
        """Return one of `options`."""
        return options[self.below(len(options))]


class Activity(NamedTuple):
    """Counts of a part of a day. Conversions are in hundredths, so that every part is an integer."""

    impressions: int
    clicks: int
    cost_micros: int
    conversions: int
    conversions_value: int
    all_conversions: int
    view_through: int
    video_views: int
    viewable: int


IN_HUNDREDTHS = frozenset({"conversions", "conversions_value", "all_conversions"})
NOTHING = Activity(0, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Profile:
    """The behaviour of a campaign on an ordinary day."""

    key: str
    impressions: float
    click_rate: float
    cost_per_click: float
    """In micros."""
    conversion_rate: float
    value_per_conversion: float
    video_rate: float
    weekday: Sequence[float]
    """Monday to Sunday, 1 being usual."""
    first: date
    last: date
    quiet_days: float
    """The share of days without an impression."""


def activity_of(profile: Profile, day: date) -> Activity:
    """Return the day's counts: never more clicks than impressions, and nothing outside the campaign's lifetime."""
    if not profile.first <= day <= profile.last:
        return NOTHING
    ordinal = day.toordinal()
    numbers = draw(profile.key, ordinal)
    if numbers.between(0, 1) < profile.quiet_days:
        return NOTHING
    season = 1 + 0.2 * math.sin(ordinal / 58.1)
    scale = profile.weekday[ordinal % 7 - 1] * season * numbers.between(0.7, 1.3)
    impressions = int(profile.impressions * scale)
    clicks = min(impressions, int(impressions * profile.click_rate * numbers.between(0.7, 1.3) + 0.5))
    cost = int(clicks * profile.cost_per_click * numbers.between(0.8, 1.2))
    conversions = int(100 * clicks * profile.conversion_rate * numbers.between(0.5, 1.5))
    value = int(conversions * profile.value_per_conversion * numbers.between(0.8, 1.2))
    return Activity(
        impressions,
        clicks,
        cost,
        conversions,
        value,
        conversions + conversions // 9,
        int(impressions * 0.0004 * numbers.between(0, 2)),
        int(impressions * profile.video_rate),
        impressions * 3 // 5,
    )


_SETTLING = (0.6, 0.95, 0.99)
"""The known share of a day's impressions 0, 1 and 2 days after it; later all are known."""


def known_at(whole: Activity, profile: Profile, day: date, age: int, restated_for: int) -> Activity:
    """Return the known part of a day's counts when it is `age` days old; it never shrinks with age.

    Impressions, clicks and cost are final after 3 days. Conversions grow for `restated_for` days, ever more slowly, at
    a speed that depends on the campaign and the day. A negative age is a day in the future, which has no counts.
    """
    if age < 0:
        return NOTHING
    if age >= restated_for and age >= len(_SETTLING):
        return whole
    known = whole if age >= len(_SETTLING) else _cumulative(whole, int(_SETTLING[age] * ONE))
    if age >= restated_for:
        bound = ONE
    else:
        speed = draw("lag", profile.key, day.toordinal()).between(2, 6) / restated_for
        bound = int((1 - math.exp(-speed * (age + 0.5))) / (1 - math.exp(-speed * (restated_for + 0.5))) * ONE)
    growing = ("conversions", "conversions_value", "all_conversions", "view_through")
    return known._replace(**{name: getattr(whole, name) * bound >> 32 for name in growing})


def add(one: Activity, other: Activity) -> Activity:
    """Return the sum of two activities."""
    return Activity(*(a + b for a, b in zip(one, other, strict=True)))


def divide(whole: Activity, bounds: Sequence[Bounds]) -> list[Activity]:
    """Return the parts of a whole between bounds, each of them plausible; parts that cover it once add up to it.

    Impressions follow the bounds, clicks follow impressions and cost follows clicks, so that no part has clicks without
    impressions. The parts of a finer division add up to those of a coarser one whose bounds it contains.
    """
    upto = {bound: _cumulative(whole, bound) for bound in {bound for pair in bounds for bound in pair}}
    return [Activity(*map(sub, upto[high], upto[low])) for low, high in bounds]


def _cumulative(whole: Activity, bound: int) -> Activity:
    if bound >= ONE:
        return whole
    impressions = whole.impressions * bound >> 32

    def with_impressions(count: int) -> int:
        return count * impressions // whole.impressions if whole.impressions else 0

    clicks = with_impressions(whole.clicks)

    def with_clicks(count: int) -> int:
        return count * clicks // whole.clicks if whole.clicks else count * bound >> 32

    return Activity(
        impressions,
        clicks,
        with_clicks(whole.cost_micros),
        with_clicks(whole.conversions),
        with_clicks(whole.conversions_value),
        with_clicks(whole.all_conversions),
        whole.view_through * bound >> 32,
        with_impressions(whole.video_views),
        with_impressions(whole.viewable),
    )


def bounds_of(weights: Sequence[float]) -> list[Bounds]:
    """Return the bounds of parts with these weights, which cover a whole once."""
    total = sum(weights)
    ends = [*(int(running / total * ONE) for running in list(accumulate(weights))[:-1]), ONE]
    return list(pairwise([0, *ends]))
