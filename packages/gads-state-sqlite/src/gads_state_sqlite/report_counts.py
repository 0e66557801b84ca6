"""How each report stands, from a census."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from gads_domain.standing import ReportStanding, Standings
from gads_state_sqlite.census import Census
from gads_state_sqlite.pair_classes import NO_END, ClassKey, OddPair, PairClass


def standings(census: Census) -> Standings:
    """The standing of each report of the census's scope."""
    counts = {name: _Counts() for name in census.scope.reports}
    for key, one in census.classes(census.odd).items():
        if one.pairs and key[3] >= key[2]:
            counts[key[0]].add_class(key, one, census.due(key[1], key[0]))
    for pair in census.odd:
        counts[pair.report].add_pair(pair, census.due(pair.zone, pair.report))
    failed: Counter[str] = Counter()
    for report, zone, day, number in census.rows("failed_days"):
        if census.ordinal(day) <= census.due(zone or "", report):
            failed[report] += number
    is_known = bool(census.scope.customers) or not census.unknown
    return Standings(
        tuple(
            counts[name].standing(name, failed[name], census.lacking[name], is_known) for name in census.scope.reports
        ),
        census.unknown,
    )


@dataclass(slots=True)
class _Counts:
    accounts: int = 0
    behind: int = 0
    expected: int = 0
    missing: int = 0
    held: int = 0
    not_due: int = 0
    first_gap: int = NO_END
    lacks_first: bool = False
    ends: list[int] = field(default_factory=list)
    """Up to which days pairs are complete that are not whole."""
    lasts: list[int] = field(default_factory=list)

    def add_class(self, key: ClassKey, one: PairClass, due: int) -> None:
        _, _, first, last, _ = key
        end = min(last, due)
        hole = None
        if end >= first:
            self.accounts += one.pairs
            self.expected += one.pairs * (end - first + 1)
            self.behind += one.pairs - one.covering(first, end)
            for start, until, pairs in one.missing(first, end):
                self.missing += (until - start + 1) * pairs
                hole = start if hole is None else hole
            if hole is not None:
                self.first_gap = min(self.first_gap, hole)
        later = list(one.missing(max(first, due + 1), last)) if last > due else []
        if hole is None and later:
            hole = later[0][0]
        if last != NO_END:
            self.not_due += sum((until - start + 1) * pairs for start, until, pairs in later)
        self._ends(first, None if hole is None else hole - 1, last)

    def add_pair(self, pair: OddPair, due: int) -> None:
        expected = pair.expected(NO_END)
        if not expected:
            return
        till_due = pair.expected(due)
        held, missing = pair.held_there(due), pair.missing(due)
        number = sum(end - start + 1 for start, end in missing) + len(held)
        self.accounts += bool(till_due)
        self.expected += sum(end - start + 1 for start, end in till_due)
        self.missing += number
        self.behind += bool(number)
        self.held += len(held)
        first, last = expected[0][0], expected[-1][1]
        all_held, all_missing = pair.held_there(NO_END), pair.missing(NO_END)
        hole = min((*all_held[:1], *(start for start, _ in all_missing[:1])), default=None)
        if number and hole is not None:
            self.first_gap = min(self.first_gap, hole)
        if last != NO_END:
            self.not_due += sum(end - start + 1 for start, end in all_missing) + len(all_held) - number
        if hole is None:
            self._ends(first, None, last)
        else:
            before = [min(end, hole - 1) for start, end in expected if start < hole]
            self._ends(first, max(before, default=first - 1), last)

    def _ends(self, first: int, end: int | None, last: int) -> None:
        """What is whole has no `end`, and holds nothing back."""
        self.lasts.append(last)
        self.lacks_first = self.lacks_first or (end is not None and end < first)
        if end is not None:
            self.ends.append(end)

    def standing(self, report: str, failed: int, lacking: int, is_known: bool) -> ReportStanding:
        up_to = min(self.ends) if self.ends else max(self.lasts, default=None)
        is_complete = is_known and not lacking and not self.lacks_first and up_to is not None
        return ReportStanding(
            report,
            date.fromordinal(up_to) if is_complete and up_to is not None else None,
            self.accounts,
            self.behind,
            self.expected,
            self.expected - self.missing,
            failed,
            self.held,
            self.missing - failed - self.held,
            self.not_due,
            None if self.first_gap == NO_END else date.fromordinal(self.first_gap),
            lacking,
        )
