"""How a ledger stands, counted by SQLite in classes of accounts and reports, and not partition by partition."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from types import TracebackType
from typing import Self, TypeVar

from gads_domain.expectations import Expectations
from gads_domain.ledger_standing import LedgerStanding
from gads_domain.standing import (
    EVERY_ACCOUNT,
    LATELY,
    MOST_COUNTED,
    MOST_GROUPS,
    AccountFilter,
    AccountStanding,
    Drift,
    GapGroup,
    HeatMap,
    Scope,
    Standings,
    evenly,
)
from gads_state_sqlite import report_counts
from gads_state_sqlite.census import STANDING, Census, drawn_at_in
from gads_state_sqlite.expectation_tables import expectations_in
from gads_state_sqlite.gap_groups import gap_groups
from gads_state_sqlite.heat_map import heat_map
from gads_state_sqlite.read_only_file import ReadOnlyFile
from gads_state_sqlite.reader import SqliteStateReader
from gads_state_sqlite.schema import COMPACT_VERSION, version_of

_T = TypeVar("_T")


class SqliteStandingReader:
    """Implements `gads_domain.ports.standing.StandingReader`, whose laws bind it.

    Tables that no writer has converted yet, and a ledger without a list of accounts, are counted row by row.
    """

    def __init__(self, source: ReadOnlyFile) -> None:
        self._source = source
        self._general = LedgerStanding(SqliteStateReader(source))
        self._last: tuple[sqlite3.Connection, int, Census] | None = None

    def standings(self, scope: Scope) -> Standings:
        """How each report of `scope` stands, in the order of its reports."""
        found = self._counted(scope, report_counts.standings)
        return self._general.standings(scope) if found is None else found

    def gap_groups(self, scope: Scope) -> tuple[GapGroup, ...]:
        """What is missing, grouped by report, status and reason, the worst first."""
        found = self._counted(scope, gap_groups)
        return self._general.gap_groups(scope) if found is None else found

    def heat_map(
        self,
        scope: Scope,
        report: str,
        since: date,
        until: date,
        accounts: AccountFilter = EVERY_ACCOUNT,
        *,
        groups: int = MOST_GROUPS,
        counted: int = MOST_COUNTED,
        lately: timedelta = LATELY,
    ) -> HeatMap:
        """One report on each day from `since` to `until`, of the accounts that `accounts` selects."""

        def work(census: Census) -> HeatMap:
            return heat_map(census, report, since, until, accounts, groups, counted, lately)

        general, one = self._general, accounts.first
        if one and one == accounts.last and one in (scope.customers or (one,)):
            general, scope = LedgerStanding(_OneAccount(self._source, one)), replace(scope, customers=(one,))
        else:
            found = self._counted(replace(scope, reports=(report,)), work)
            if found is not None:
                return found
        return general.heat_map(scope, report, since, until, accounts, groups=groups, counted=counted, lately=lately)

    def account_standing(self, scope: Scope, customer_id: str) -> AccountStanding:
        """How one account stands, whoever else is in `scope`."""
        return LedgerStanding(_OneAccount(self._source, customer_id)).account_standing(scope, customer_id)

    def sample(self, scope: Scope, most: int) -> tuple[str, ...]:
        """At most `most` of the accounts that are expected, spread evenly over them by customer id."""

        def work(census: Census) -> tuple[str, ...]:
            return evenly([row[0] for row in census.rows("expected_accounts")], most)

        found = self._counted(scope, work)
        return self._general.sample(scope, most) if found is None else found

    def restatement_drift(
        self, scope: Scope, report: str, since: date, until: date, customers: Sequence[str], metric: str | None = None
    ) -> tuple[Drift, ...]:
        """How far sums of these days and accounts moved, by metric and age; of all metrics without one."""
        values = {
            "source": scope.source,
            "report": report,
            "since": since.isoformat(),
            "until": until.isoformat(),
            "some": json.dumps(sorted(set(customers))),
            "metric": metric,
        }

        def work(connection: sqlite3.Connection) -> tuple[Drift, ...] | None:
            if version_of(connection) < COMPACT_VERSION:
                return None
            return tuple(Drift(*row) for row in connection.execute(STANDING["drift"], values))

        found = self._source.read(work)
        if found is None:
            return self._general.restatement_drift(scope, report, since, until, customers, metric)
        return found

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _counted(self, scope: Scope, work: Callable[[Census], _T]) -> _T | None:
        """What `work` makes of a census, of one moment; None where there can be no census."""

        def read(connection: sqlite3.Connection) -> _T | None:
            drawn_at = None if version_of(connection) < COMPACT_VERSION else drawn_at_in(connection, scope.source)
            return None if drawn_at is None else work(self._census(connection, scope, drawn_at))

        return self._source.read(read)

    def _census(self, connection: sqlite3.Connection, scope: Scope, drawn_at: str) -> Census:
        """The last census if neither ledger nor scope is another since: several questions are often asked at once."""
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        last = self._last
        if last is None or last[0] is not connection or (last[1], last[2].scope) != (version, scope):
            last = self._last = (connection, version, Census(connection, scope, drawn_at))
        return last[2]


class _OneAccount(SqliteStateReader):
    """A reader to which nothing else is expected than an account's."""

    def __init__(self, source: ReadOnlyFile, customer_id: str) -> None:
        super().__init__(source)
        self._customer_id = customer_id

    def expectations(self, source: str) -> Expectations:
        """What is on record of the account."""
        return self._source.read(lambda connection: expectations_in(connection, source, self._customer_id))
