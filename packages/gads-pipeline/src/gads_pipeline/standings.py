"""Reads how things stand: counted by the ledger's adapter, or else from all of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gads_domain.adapters import ledger_adapter
from gads_domain.clock import SystemClock
from gads_domain.erasure import require_none_erased
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.standing import StandingLedgerAdapter, StandingReader
from gads_domain.standing import EVERY_ACCOUNT, AccountFilter, Scope
from gads_pipeline.composition import open_ledger_reader
from gads_pipeline.ledger_queries import first_kept_by, not_erased, require_known

if TYPE_CHECKING:
    from gads_domain.standing import AccountStanding, Drift, GapGroup, HeatMap, Standings
    from gads_pipeline.configuration import Configuration

DRIFT_ACCOUNTS = 200
"""Of how many accounts the drift of restatements is computed unless they are named: it reads each result of them."""

DRIFT_DAYS = 90
"""Of how many days up to today it is computed unless they are given."""


@dataclass(frozen=True, slots=True)
class StandingQuery:
    """What a configuration asks how it stands: `reports` of it, or all; the accounts named in it, or all expected."""

    configuration: Configuration
    reports: Sequence[str] = ()

    def standings(self) -> Standings:
        """How each report stands."""
        with self._opened() as (reader, scope):
            return reader.standings(scope)

    def gap_groups(self) -> tuple[GapGroup, ...]:
        """What is missing, grouped, the worst first."""
        with self._opened() as (reader, scope):
            return reader.gap_groups(scope)

    def standings_and_gaps(self) -> tuple[Standings, tuple[GapGroup, ...]]:
        """Both, for which a ledger counts once."""
        with self._opened() as (reader, scope):
            return reader.standings(scope), reader.gap_groups(scope)

    def heat_map(
        self, since: date, until: date, accounts: AccountFilter = EVERY_ACCOUNT, *, groups: int, lately: timedelta
    ) -> HeatMap:
        """The one report of this query on each day, by groups of accounts."""
        with self._opened() as (reader, scope):
            return reader.heat_map(scope, scope.reports[0], since, until, accounts, groups=groups, lately=lately)

    def account(self, customer_id: str) -> AccountStanding:
        """How one account stands; raises `UsageError` for one that nothing knows."""
        with self._opened() as (reader, scope):
            found = reader.account_standing(scope, customer_id)
        with open_ledger_reader(self.configuration) as ledger:
            require_none_erased(ledger.erasures(GOOGLE_ADS), [customer_id])
            if found.account is None:
                require_known(self.configuration, ledger, [customer_id], ())
        return found

    def drift(
        self, metric: str | None, since: date | None, until: date | None, customers: Sequence[str]
    ) -> tuple[Drift, ...]:
        """How far the sums of the one report of this query moved."""
        with self._opened() as (reader, scope):
            last = until or scope.now.date()
            first = since or last - timedelta(days=DRIFT_DAYS - 1)
            some = customers or reader.sample(scope, DRIFT_ACCOUNTS)
            return reader.restatement_drift(scope, scope.reports[0], first, last, some, metric)

    @contextmanager
    def _opened(self) -> Iterator[tuple[StandingReader, Scope]]:
        configuration, now = self.configuration, SystemClock().now()
        names = tuple(dict.fromkeys(self.reports)) or tuple(one.name for one in configuration.report_sections)
        customers: tuple[str, ...] = ()
        if self.reports or configuration.google_ads.customer_ids:
            with open_ledger_reader(configuration) as ledger:
                require_known(configuration, ledger, (), names)
                customers = not_erased(ledger, configuration.google_ads.customer_ids)
        first_kept = first_kept_by(configuration, now)
        with _open(configuration) as reader:
            yield reader, Scope(GOOGLE_ADS, names, now, configuration.limits, customers, first_kept)


def _open(configuration: Configuration) -> StandingReader:
    url = configuration.storage.state
    adapter = ledger_adapter(url)
    if isinstance(adapter, StandingLedgerAdapter):
        return adapter.open_standing(url, configuration.base)
    from gads_domain.ledger_standing import LedgerStanding

    return LedgerStanding(adapter.open_reader(url, configuration.base))
