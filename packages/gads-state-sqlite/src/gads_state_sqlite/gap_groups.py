"""What is missing, grouped by reason, from a census: rows that are not success one by one, all other days by class."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from operator import itemgetter

from gads_domain.account_days import usable_zone
from gads_domain.control import SchedulingState
from gads_domain.gaps import NEVER_ATTEMPTED, NO_LONGER_KEPT, Gap, GapRange, scheduled_reason, surely_kept
from gads_domain.partition_key import PartitionKey
from gads_domain.standing import MOST_EXAMPLES, GapGroup, worst_first
from gads_domain.state import PartitionStatus
from gads_state_sqlite.census import Census, PairKey
from gads_state_sqlite.pair_classes import OddPair, PairClass
from gads_state_sqlite.rows import SCHEDULING, Row

_Reason = tuple[PartitionStatus, str, str]
"""Status, reason and the failure's code."""

_CANDIDATES = 4 * MOST_EXAMPLES


@dataclass(slots=True)
class _Group:
    accounts: int = 0
    partitions: int = 0
    first: int = 0
    last: int = 0
    candidates: list[tuple[int, PairKey]] = field(default_factory=list)
    """Pairs that may have such a gap, by the first day of it."""

    def add(self, first: int, last: int, partitions: int) -> None:
        self.first = first if not self.partitions else min(self.first, first)
        self.last = max(self.last, last)
        self.partitions += partitions

    def suggest(self, first: int, pair: PairKey) -> None:
        self.candidates.append((first, pair))
        if len(self.candidates) > 8 * _CANDIDATES:
            self.candidates = sorted(self.candidates)[:_CANDIDATES]


class _Groups:
    def __init__(self, census: Census) -> None:
        self.census = census
        self._surely_kept = surely_kept(census.scope.now).toordinal()
        self._kept: dict[tuple[str, str], int] = {}
        self.found: dict[tuple[str, _Reason], _Group] = {}

    def group(self, report: str, reason: _Reason) -> _Group:
        return self.found.setdefault((report, reason), _Group())

    def parts(self, zone: str, report: str, first: int, last: int) -> Iterator[tuple[_Reason, int, int]]:
        """Days that were never attempted, before and from the first one on that the API still has."""
        kept = first
        if first < self._surely_kept:
            known = self._kept.get((zone, report))
            if known is None:
                known = self.census.scope.first_kept(report, usable_zone(zone)).toordinal()
                self._kept[zone, report] = known
            kept = min(known, self._surely_kept)
        if first < kept:
            yield (PartitionStatus.PENDING, NO_LONGER_KEPT, ""), first, min(last, kept - 1)
        if last >= kept:
            yield (PartitionStatus.PENDING, NEVER_ATTEMPTED, ""), max(first, kept), last


def gap_groups(census: Census) -> tuple[GapGroup, ...]:
    """The groups, the worst first."""
    rows = _rows(census)
    odd = census.odd_pairs({*census.odd_keys, *rows})
    groups = _Groups(census)
    for pair in odd:
        seen: dict[_Reason, int] = {}
        for reason, first, last in _gaps(groups, pair, rows.get((pair.customer_id, pair.report), {})):
            groups.group(pair.report, reason).add(first, last, last - first + 1)
            seen.setdefault(reason, first)
        for reason, first in seen.items():
            group = groups.group(pair.report, reason)
            group.accounts += 1
            group.suggest(first, (pair.customer_id, pair.report))
    for (report, zone, first, last, _), one in census.classes(odd).items():
        end = min(last, census.due(zone, report))
        if one.pairs and first <= end:
            _add_class(groups, one, report, zone, first, end)
    examples = _examples(census, groups, rows)
    return worst_first(
        GapGroup(
            report,
            *reason,
            group.accounts,
            group.partitions,
            date.fromordinal(group.first),
            date.fromordinal(group.last),
            tuple(examples[report, reason][:MOST_EXAMPLES]),
        )
        for (report, reason), group in groups.found.items()
    )


def _rows(census: Census) -> dict[PairKey, dict[int, _Reason]]:
    """The reasons of the partitions that have a row which is not success, a run that is held, or a mark."""
    found: dict[PairKey, dict[int, _Reason]] = {}
    for name in ("open_rows", "marked_alone"):
        for customer_id, report, day, *values in census.rows(name):
            found.setdefault((customer_id, report), {})[census.ordinal(day)] = _reason(*values)
    return found


@lru_cache(maxsize=4096)
def _reason(status: str, is_untried: bool, failure: str | None, marks: int, held_run: str | None) -> _Reason:
    key = ("google_ads", "1", "report", "2024-01-01")
    tried: Row = (*key, status, None if is_untried else 0, 0, failure, marks, held_run)
    state: SchedulingState = SCHEDULING.read(tried)
    return state.status, scheduled_reason(state, with_tries=False), state.failure.code if state.failure else ""


def _gaps(groups: _Groups, pair: OddPair, rows: dict[int, _Reason]) -> list[tuple[_Reason, int, int]]:
    """The gaps of one pair, in order; adjacent days of one reason are one."""
    due = groups.census.due(pair.zone, pair.report)
    found = [(rows[day], day, day) for day in pair.held_there(due)]
    for first, last in pair.missing(due):
        for day in sorted(day for day in rows if first <= day <= last):
            if first < day:
                found += groups.parts(pair.zone, pair.report, first, day - 1)
            found.append((rows[day], day, day))
            first = day + 1
        if first <= last:
            found += groups.parts(pair.zone, pair.report, first, last)
    joined: list[tuple[_Reason, int, int]] = []
    for reason, first, last in sorted(found, key=itemgetter(1)):
        if joined and joined[-1][0] == reason and joined[-1][2] == first - 1:
            first = joined.pop()[1]
        joined.append((reason, first, last))
    return joined


def _add_class(groups: _Groups, one: PairClass, report: str, zone: str, first: int, end: int) -> None:
    """Of a class no pair has a row that is not success: what is missing was never attempted."""
    for reason, start, until in groups.parts(zone, report, first, end):
        missing = list(one.missing(start, until))
        if not missing:
            continue
        group = groups.group(report, reason)
        group.accounts += one.pairs - one.covering(start, until)
        for day, last, pairs in missing:
            group.add(day, last, (last - day + 1) * pairs)
        for days, accounts in one.accounts.items():
            if not (one.bare if days is None else one.ranges[days]):
                continue  # all of them are looked at one by one
            if days is None or days[0] > start or days[1] < until:
                hole = start if days is None or days[0] > start else max(start, days[1] + 1)
                for customer_id in set(accounts):
                    group.suggest(hole, (customer_id, report))


def _examples(
    census: Census, groups: _Groups, rows: dict[PairKey, dict[int, _Reason]]
) -> dict[tuple[str, _Reason], list[GapRange]]:
    """Of each group the earliest gaps of its candidates, one of each account."""
    chosen = {key: [pair for _, pair in sorted(group.candidates)[:_CANDIDATES]] for key, group in groups.found.items()}
    found = _gaps_of(census, groups, rows, chosen)
    # Those that a class names may be among the odd ones that were taken out of it.
    others = {
        key: [(row[0], key[0]) for row in census.rows("missing_a_day", report=key[0], day=_text(group.first))]
        for key, group in groups.found.items()
        if not found[key]
    }
    return {**found, **_gaps_of(census, groups, rows, others)}


def _text(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _gaps_of(
    census: Census,
    groups: _Groups,
    rows: dict[PairKey, dict[int, _Reason]],
    chosen: dict[tuple[str, _Reason], list[PairKey]],
) -> dict[tuple[str, _Reason], list[GapRange]]:
    pairs = {
        (pair.customer_id, pair.report): pair
        for pair in census.odd_pairs({pair for some in chosen.values() for pair in some})
    }
    found: dict[tuple[str, _Reason], list[GapRange]] = {}
    for (report, reason), some in chosen.items():
        firsts = []
        for key in dict.fromkeys(some):
            gaps = [gap for gap in _gaps(groups, pairs[key], rows.get(key, {})) if gap[0] == reason]
            firsts += [(first, key[0], last) for _, first, last in gaps[:1]]
        found[report, reason] = [
            GapRange(
                Gap(PartitionKey(census.scope.source, customer_id, report, date.fromordinal(first)), *reason[:2]),
                date.fromordinal(last),
            )
            for first, customer_id, last in sorted(firsts)
        ]
    return found
