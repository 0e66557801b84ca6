"""All pairs of account and report of a ledger, in classes, of one moment: what is expected, and what is there."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from gads_domain.account_days import last_complete_day, usable_zone
from gads_domain.clock import from_iso_utc
from gads_domain.completeness import nothing_on_record, why_unknown
from gads_domain.expectations import Expectations, ListedAccount
from gads_domain.package_data import statements_of
from gads_domain.standing import Scope
from gads_state_sqlite.pair_classes import NO_END, ClassKey, OddPair, PairClass, take_out
from gads_state_sqlite.queries import SQL
from gads_state_sqlite.rows import Row

STANDING = statements_of("gads_state_sqlite", "standing.sql")

PairKey = tuple[str, str]
"""A customer id and the name of a report."""


@dataclass
class Census:
    """What a scope asks of a ledger in which a list of accounts was drawn."""

    connection: sqlite3.Connection
    scope: Scope
    drawn_at: str
    _due: dict[tuple[str, str], int] = field(default_factory=dict)
    _ordinals: dict[str, int] = field(default_factory=dict)

    @cached_property
    def _filters(self) -> dict[str, str]:
        some = "SELECT value FROM json_each(:{})"
        return {
            "customers": f"+e.customer_id IN ({some.format('customers')})" if self.scope.customers else "1",
            "reports": f"+e.report IN ({some.format('reports')})",
            "tried": SQL["tried"],
            "base": SQL["base"],
        }

    def rows(self, name: str, **values: Any) -> list[Row]:
        """The rows of the statement `name` of `standing.sql`."""
        scope = self.scope
        given = {
            "source": scope.source,
            "reports": json.dumps(sorted(set(scope.reports))),
            "customers": json.dumps(sorted(set(scope.customers))),
            **values,
        }
        return self.connection.execute(STANDING[name].format(**self._filters), given).fetchall()

    def ordinal(self, text: str) -> int:
        """The day as a number."""
        found = self._ordinals.get(text)
        if found is None:
            found = self._ordinals[text] = date.fromisoformat(text).toordinal()
        return found

    def end_of(self, text: str | None) -> int:
        """The last day of a period, which may have none."""
        return NO_END if text is None else self.ordinal(text)

    def due(self, zone: str, report: str) -> int:
        """The last day that is due of a report in a zone."""
        found = self._due.get((zone, report))
        if found is None:
            moment = self.scope.now - self.scope.freshness.due_of(report)
            found = last_complete_day(usable_zone(zone), moment).toordinal()
            self._due[zone, report] = found
        return found

    @cached_property
    def _counted(self) -> tuple[list[Row], list[Row]]:
        counted: list[Row] = []
        (usual,) = self.rows("usual_day") or [("",)]
        for report, zone, last_day, shape, *values in self.rows("classes", usual=usual[0]):
            first, until, selected, start = (usual[0], None, 1, usual[0]) if shape is None else json.loads(shape)
            counted.append((report, zone, first, until, selected, start, last_day, *values))
        return counted, self.rows("more_ranges")

    @cached_property
    def odd_keys(self) -> frozenset[PairKey]:
        """The pairs that no class counts."""
        rows = (*self._held_days, *self.rows("several_periods"), *self.rows("not_listed"))
        return frozenset((row[0], row[1]) for row in rows)

    @cached_property
    def _held_days(self) -> list[Row]:
        return self.rows("held_days")

    def _key(self, row: Row) -> ClassKey:
        return row[0], row[1], self.ordinal(row[2]), self.end_of(row[3]), bool(row[4])

    def classes(self, odd: Iterable[OddPair]) -> dict[ClassKey, PairClass]:
        """The classes of all pairs but `odd`."""
        counted, more = self._counted
        found: dict[ClassKey, PairClass] = {}
        for row in counted:
            one = found.setdefault(self._key(row), PairClass())
            one.pairs += row[7]
            days = None if row[5] is None else (self.ordinal(row[5]), self.ordinal(row[6]))
            one.accounts[days] = (row[8], row[9])
            if days is None:
                one.bare = row[7]
            else:
                one.ranges[days] = row[7]
        for row in more:
            found[self._key(row)].pairs -= row[5]
        for pair in odd:
            if pair.selected is not None:
                take_out(found, (pair.report, pair.zone, *pair.periods[0], pair.selected), pair.ranges)
        return found

    @cached_property
    def odd(self) -> list[OddPair]:
        """The pairs that no class counts, one by one."""
        return self.odd_pairs(self.odd_keys)

    def odd_pairs(self, keys: Iterable[PairKey]) -> list[OddPair]:
        """These pairs, those that are expected, one by one."""
        found: dict[PairKey, OddPair] = {}
        pairs = json.dumps(sorted(keys))
        for customer_id, report, zone, selected, first, last in self.rows("periods_of", pairs=pairs):
            pair = found.get((customer_id, report))
            if pair is None:
                is_selected = None if selected is None else bool(selected)
                pair = found[customer_id, report] = OddPair(customer_id, report, zone or "", is_selected)
            pair.periods.append((self.ordinal(first), self.end_of(last)))
        for customer_id, report, first, last in self.rows("ranges_of", pairs=pairs):
            if (customer_id, report) in found:
                found[customer_id, report].ranges.append((self.ordinal(first), self.ordinal(last)))
        for customer_id, report, day in self._held_days:
            if (customer_id, report) in found:
                found[customer_id, report].held.add(self.ordinal(day))
        return list(found.values())

    @cached_property
    def lacking(self) -> Counter[str]:
        """Of how many selected accounts nothing is on record of a report, by report."""
        scope = self.scope
        if len(scope.reports) == 1:
            return Counter({name: self._lacking(name) for name in scope.reports})
        counted, more = self._counted
        on_record: Counter[str] = Counter()
        for row in counted:
            if scope.customers or row[4]:
                on_record[row[0]] += row[7]
        for row in more:
            if scope.customers or row[4]:
                on_record[row[0]] -= row[5]
        still = {row[0] for row in counted if row[3] is None}
        ever = {row[0] for row in counted}
        for pair in self.odd:
            ever.add(pair.report)
            if pair.periods[-1][1] == NO_END:
                still.add(pair.report)
            if scope.customers and pair.selected is None:
                on_record[pair.report] += 1
        gone = frozenset() if scope.customers else ever - still
        return Counter({name: self._whole_number - on_record[name] for name in scope.reports if name not in gone})

    def lacking_accounts(self, report: str) -> frozenset[str]:
        """The selected accounts of which nothing is on record of a report."""
        if not self.lacking[report]:
            return frozenset()
        return frozenset(self._whole) - {row[0] for row in self.rows("on_record", report=report)}

    def _lacking(self, report: str) -> int:
        if self.scope.customers:
            return len(frozenset(self._whole) - {row[0] for row in self.rows("on_record", report=report)})
        number = int(self.rows("lacking", report=report)[0][0])
        rows = self.rows("on_record", report=report) if number else []
        # A report that is not configured any more is not expected of accounts that came later.
        return 0 if rows and not any(row[1] for row in rows) else number

    @cached_property
    def _whole_number(self) -> int:
        if self.scope.customers:
            return len(set(self.scope.customers))
        return int(self.rows("selected")[0][0])

    @cached_property
    def _whole(self) -> Sequence[str]:
        if self.scope.customers:
            return sorted(set(self.scope.customers))
        rows = self.connection.execute(
            "SELECT customer_id FROM listed_accounts WHERE source = ? AND selected ORDER BY customer_id",
            (self.scope.source,),
        )
        return [row[0] for row in rows]

    @cached_property
    def unknown(self) -> str:
        """Why it is not known what is expected; empty if it is."""
        scope = self.scope
        drawn = Expectations(scope.source, from_iso_utc(self.drawn_at))
        unknown = why_unknown(drawn, scope.now, scope.freshness)
        if not unknown and not self._whole_number:
            unknown = "the list of accounts selects none"
        number = self.lacking.total()
        if unknown or not number:
            return unknown
        names = json.dumps(sorted(name for name, count in self.lacking.items() if count))
        rows = self.rows("without_record", whole=json.dumps(self._whole), names=names)
        return nothing_on_record([f"{report} of {ListedAccount(*row)}" for *row, report in rows], number)


def drawn_at_in(connection: sqlite3.Connection, source: str) -> str | None:
    """When the last list of accounts was drawn; None if none ever was."""
    row = connection.execute("SELECT drawn_at FROM account_lists WHERE source = ?", (source,)).fetchone()
    return None if row is None else str(row[0])
