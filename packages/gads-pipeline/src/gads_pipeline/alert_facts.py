"""What the rules of alerts look at beside the status: deadlines and restatements, read from the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gads_alerts.deadlines import Overdue, deadline_day, overdue
from gads_alerts.evaluation import Facts
from gads_alerts.restatements import Movement, largest_movement
from gads_domain.account import Account
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import StateFilter
from gads_pipeline.account_patterns import AccountPattern
from gads_pipeline.check import changed_columns
from gads_pipeline.composition import open_ledger_reader
from gads_pipeline.status import read_status

if TYPE_CHECKING:
    from gads_alerts.rules import AlertRules, Deadline
    from gads_domain.expectations import Expectations
    from gads_domain.ports.ledger import StateReader
    from gads_pipeline.configuration import Configuration

_A_DAY = timedelta(days=1)
_MOST_CHANGES = 20_000
"""How many authority changes one look for restatements reads; the oldest are left out."""
_AT_ONCE = 1_000


@dataclass(slots=True)
class FactReader:
    """Reads the facts for some rules; what did not change since the look before is not read again."""

    configuration: Configuration
    rules: tuple[AlertRules, ...]
    _position: int | None = field(default=None, init=False)
    _movements: list[Movement] = field(default_factory=list, init=False)
    _looked_at: dict[Deadline, tuple[object, tuple[Overdue, ...]]] = field(default_factory=dict, init=False)

    def read(self, now: datetime, refused: str | None) -> Facts:
        """The facts at `now`; raises what reading the ledger raises."""
        status = read_status(self.configuration)
        with open_ledger_reader(self.configuration) as ledger:
            return Facts(
                status,
                self._overdue(ledger, now),
                self._moved(ledger, now),
                refused,
                {
                    one.subject.removeprefix("report "): one.message
                    for one in changed_columns(self.configuration, ledger)
                },
            )

    def _overdue(self, ledger: StateReader, now: datetime) -> dict[Deadline, tuple[Overdue, ...]]:
        deadlines = {one for rules in self.rules for one in rules.deadlines}
        if not deadlines:
            return {}
        expectations, position = ledger.expectations(GOOGLE_ADS), ledger.position()
        zones = {expectations.zone_of(account.customer_id) for account in expectations.accounts}
        for deadline in deadlines:
            days = frozenset((zone, deadline_day(deadline, zone, now)) for zone in zones)
            seen = (position, expectations.drawn_at, len(expectations.expected), days)
            if deadline not in self._looked_at or self._looked_at[deadline][0] != seen:
                self._looked_at[deadline] = (seen, self._look(deadline, expectations, ledger, now))
        return {one: self._looked_at[one][1] for one in deadlines}

    def _look(
        self, deadline: Deadline, expectations: Expectations, ledger: StateReader, now: datetime
    ) -> tuple[Overdue, ...]:
        reports = deadline.reports or tuple(one.name for one in self.configuration.report_sections)
        customers = None
        if deadline.accounts:
            patterns = [AccountPattern.parse(text) for text in deadline.accounts]
            customers = {
                one.customer_id
                for one in expectations.accounts
                if any(pattern.matches(Account(one.customer_id, one.name)) for pattern in patterns)
            }
        around = StateFilter(GOOGLE_ADS, (), reports, now.date() - 3 * _A_DAY, now.date() + _A_DAY)
        days = ledger.authoritative_days(around).days
        return overdue(deadline, expectations, reports, customers, days, now)

    def _moved(self, ledger: StateReader, now: datetime) -> tuple[Movement, ...]:
        """The movements of the last day; of changes that were read before, from memory."""
        last = ledger.position()
        since = max(ledger.position_at(now - _A_DAY), last - _MOST_CHANGES)
        position = since if self._position is None or self._position > last else max(since, self._position)
        least = min((rules.restatement_share for rules in self.rules), default=0.0)
        while changes := ledger.authority_changes(after=position, limit=_AT_ONCE):
            position = changes[-1].sequence
            restated = {one.key: one.to_run for one in changes if one.from_run and one.to_run and one.changes_authority}
            for history in ledger.histories(list(restated)):
                run = restated[history.state.key]
                found = (largest_movement(one) for one in history.results if one.run_id == run)
                self._movements += [one for one in found if one is not None and one.share >= least]
        self._position = position
        self._movements = [one for one in self._movements if one.at > now - _A_DAY]
        return tuple(self._movements)
