"""From what is asked for and what the ledger says to what will be attempted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gads_domain.errors import UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.report import ReportDefinition, Stretch, stretches
from gads_domain.state import PartitionState, PartitionStatus, StateFilter

DEFAULT_DAYS_PER_REQUEST = 31
"""The most days that one request asks for: a month, so that one account's failure costs at most that much again."""

_KEYS_A_LOOKUP = 1000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What somebody asks for: every day from `first` to `last`, both included, of each report of each account.

    `reprocess` takes partitions that are `success` again, `retry_failed` orders a retry of those that are `failed`.
    """

    customer_ids: tuple[str, ...]
    reports: tuple[ReportDefinition, ...]
    first: date
    last: date
    reprocess: bool = False
    retry_failed: bool = False
    max_days_per_request: int = DEFAULT_DAYS_PER_REQUEST

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise UsageError(
                f"the days are reversed: {self.first} is after {self.last}", hint="give the earlier day as --since"
            )

    @property
    def key_count(self) -> int:
        """How many partitions are asked for."""
        return len(self.customer_ids) * len(self.reports) * ((self.last - self.first).days + 1)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run will do, account by account and report by report.

    `stretches` are asked of the API, one operation each; `retried` are the failed keys among them that need an
    order on record first; `left_alone` are the states that stay as they are, held and terminal ones among them.
    """

    stretches: tuple[Stretch, ...]
    retried: tuple[PartitionKey, ...]
    left_alone: tuple[PartitionState, ...]

    @property
    def keys(self) -> tuple[PartitionKey, ...]:
        """Every partition that will be attempted."""
        return tuple(key for stretch in self.stretches for key in stretch.keys)

    @property
    def operations(self) -> int:
        """How many operations of the developer token's daily quota this costs, retries aside.

        One SearchStream is one operation whatever it returns (Google Ads API, "API limits and quotas").
        """
        return len(self.stretches)


def plan_run(request: RunRequest, ledger: StateReader) -> RunPlan:
    """Compare `request` with the ledger; nothing is changed."""
    planned: list[Stretch] = []
    retried: list[PartitionKey] = []
    left_alone: list[PartitionState] = []
    days = [request.first + timedelta(days=n) for n in range((request.last - request.first).days + 1)]
    for customer_id in request.customer_ids:
        for report in request.reports:
            keys = [PartitionKey(GOOGLE_ADS, customer_id, report.name, day) for day in days]
            wanted: list[date] = []
            marked = _marked(ledger, customer_id, report.name, request)
            for state in states_of(ledger, keys):
                if (
                    state.key in marked
                    or (state.status is PartitionStatus.SUCCESS and not request.reprocess)
                    or (state.status is PartitionStatus.FAILED and not request.retry_failed)
                ):
                    left_alone.append(state)
                else:
                    wanted.append(state.key.logical_date)
                    if state.status is PartitionStatus.FAILED:
                        retried.append(state.key)
            planned += stretches(customer_id, report, wanted, request.max_days_per_request)
    return RunPlan(tuple(planned), tuple(retried), tuple(left_alone))


def _marked(ledger: StateReader, customer_id: str, report: str, request: RunRequest) -> set[PartitionKey]:
    """What is held or terminal: nobody attempts it (contracts/retry/v1, line 10)."""
    wanted = StateFilter(GOOGLE_ADS, (customer_id,), (report,), request.first, request.last)
    return {standing.key for standing in ledger.standings(wanted) if standing.marks}


def states_of(ledger: StateReader, keys: Sequence[PartitionKey]) -> list[PartitionState]:
    """The states of any number of keys, in their order."""
    found: list[PartitionState] = []
    for start in range(0, len(keys), _KEYS_A_LOOKUP):
        found += ledger.get_many(keys[start : start + _KEYS_A_LOOKUP])
    return found
