"""Reads the ledger and says where it stands: what is there, what is missing and why, what is spent and at work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.standing import EVERY_ACCOUNT, LATELY, MOST_GROUPS
from gads_domain.state import StateFilter
from gads_pipeline.composition import open_activity_reader, open_ledger_reader
from gads_pipeline.ledger_queries import find_completeness, history_of, names_of_accounts, require_known
from gads_pipeline.standings import StandingQuery
from gads_pipeline.work_request import require_order

if TYPE_CHECKING:
    from gads_domain.activity import AlertState
    from gads_domain.completeness import Completeness
    from gads_domain.control import Lease
    from gads_domain.metadata import PartitionMetadata
    from gads_domain.partition_key import PartitionKey
    from gads_domain.ports.activity import ActivityReader
    from gads_domain.quota import Spent
    from gads_domain.run import RunId
    from gads_domain.standing import AccountFilter, AccountStanding, Drift, GapGroup, HeatMap, Standings
    from gads_domain.state import PartitionState, PartitionStatus
    from gads_pipeline.configuration import Configuration
    from gads_pipeline.ledger_queries import PartitionHistory
    from gads_status.status import Status


class LedgerView:
    """What a configuration's ledger says, read-only and without a call to the API."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration

    def states(
        self,
        *,
        customers: Sequence[str] = (),
        reports: Sequence[str] = (),
        since: date | None = None,
        until: date | None = None,
        statuses: Sequence[PartitionStatus] = (),
        limit: int | None = None,
    ) -> Iterator[PartitionState]:
        """The ledger's rows that match, in key order; a partition without a row is pending and not among them."""
        require_order(since, until)
        with open_ledger_reader(self.configuration) as ledger:
            require_known(self.configuration, ledger, customers, reports)
            wanted = StateFilter(GOOGLE_ADS, tuple(customers), tuple(reports), since, until, tuple(statuses))
            yield from ledger.find(wanted, limit=limit)

    def account_names(self) -> Mapping[str, str]:
        """The name of each account by its id, as the last list that had it gives it."""
        with open_ledger_reader(self.configuration) as ledger:
            return names_of_accounts(ledger)

    def gaps(
        self,
        since: date | None = None,
        until: date | None = None,
        *,
        customers: Sequence[str] = (),
        reports: Sequence[str] = (),
    ) -> Completeness:
        """What is expected from `since` to `until` and not success, and why.

        Without `since` from each report's first expected day on, without `until` up to each account's last day that is
        due. Of the accounts named, or else configured, or else those of the list that was last drawn.
        """
        require_order(since, until)
        return find_completeness(self.configuration, since, until, customers, reports)

    def standings(self, reports: Sequence[str] = ()) -> Standings:
        """How each report stands now, in numbers: those named or else configured, of what is expected and due.

        They are the counts of `gaps` without days, of a ledger of any size; whether the sink is there is not asked.
        """
        return StandingQuery(self.configuration, reports).standings()

    def gap_groups(self, reports: Sequence[str] = ()) -> tuple[GapGroup, ...]:
        """What is missing now, grouped by report, status and reason, the worst first, with a few examples of each."""
        return StandingQuery(self.configuration, reports).gap_groups()

    def heat_map(
        self,
        report: str,
        since: date,
        until: date,
        accounts: AccountFilter = EVERY_ACCOUNT,
        *,
        groups: int = MOST_GROUPS,
        lately: timedelta = LATELY,
    ) -> HeatMap:
        """A report on each day from `since` to `until`, of at most `groups` groups of the accounts selected."""
        require_order(since, until)
        return StandingQuery(self.configuration, [report]).heat_map(
            since, until, accounts, groups=groups, lately=lately
        )

    def account_standing(self, customer_id: str) -> AccountStanding:
        """How one account stands, report by report, with its gaps; raises `UsageError` for one that nothing knows."""
        return StandingQuery(self.configuration).account(customer_id)

    def restatement_drift(
        self,
        report: str,
        metric: str | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        customers: Sequence[str] = (),
    ) -> tuple[Drift, ...]:
        """How far the sums of a report's metrics moved when days were restated, by the age of the day in days.

        Of the last 90 days and of 200 accounts, spread evenly over all, unless days or accounts are given.
        """
        require_order(since, until)
        return StandingQuery(self.configuration, [report]).drift(metric, since, until, customers)

    def status(self) -> Status:
        """Where the ledger stands: what is complete, missing, due, spent, at work and behind, and what to do about it.

        Read-only, and without a call to the API. What cannot be read is unknown in it, and says why; a ledger that is
        there and cannot be read raises.
        """
        from gads_pipeline.status import read_status

        return read_status(self.configuration)

    def history(self, key: PartitionKey) -> PartitionHistory:
        """All that is on record of one partition."""
        return history_of(self.configuration, key)

    def seals(self, key: PartitionKey, runs: Iterable[RunId]) -> tuple[dict[RunId, PartitionMetadata], str]:
        """The seals of these runs as far as the sink has them, and why one could not be read; empty if all could."""
        from gads_pipeline.seals import seals_of

        return seals_of(self.configuration, key, runs)

    def activity(self) -> ActivityReader:
        """The processes, rounds and alerts on record, read-only, to be closed.

        Raises `ConfigurationError` for a ledger that records none.
        """
        reader = open_activity_reader(self.configuration)
        if reader is None:
            raise ConfigurationError(
                f"{self.configuration.storage.state} records no processes, rounds and alerts",
                hint="its adapter does not; a ledger in a file does",
            )
        return reader

    def spent(self) -> Spent:
        """What was spent of the budget and still counts now."""
        with open_ledger_reader(self.configuration) as ledger:
            return ledger.spent(self.configuration.quota.name, SystemClock().now())

    def leases(self) -> tuple[Lease, ...]:
        """Who holds which account and report now."""
        with open_ledger_reader(self.configuration) as ledger:
            return tuple(ledger.leases(SystemClock().now()))

    def alerts(self, *, open_only: bool = True) -> list[AlertState]:
        """The alerts that are on record as open, newest first, of each destination; or those resolved lately too."""
        from gads_pipeline.alerts import alerts_on_record

        return alerts_on_record(self.configuration, open_only=open_only)
