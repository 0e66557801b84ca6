"""Gaps: the expected partitions that are not authoritative, and the reason of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from gads_domain.control import Mark
from gads_domain.partition_key import Keyed, PartitionKey
from gads_domain.state import PartitionStatus

NEVER_ATTEMPTED = "never attempted"
RETRY_ORDERED = "a retry is ordered"


@dataclass(frozen=True, slots=True, order=True)
class Gap(Keyed):
    """An expected partition that is `pending` or `failed`; `reason` is one line for people."""

    key: PartitionKey
    status: PartitionStatus
    reason: str

    def __str__(self) -> str:
        return f"{self.key} is {self.status}" + ("" if self.reason == self.status else f" ({self.reason})")


@dataclass(frozen=True, slots=True)
class GapRange:
    """Gaps of adjacent days of one report of one account, with one status and one reason."""

    first: Gap
    until: date

    @property
    def days(self) -> int:
        """How many partitions it stands for."""
        return (self.until - self.first.logical_date).days + 1


def expected_keys(
    source: str, customer_ids: Iterable[str], reports: Iterable[str], since: date, until: date
) -> Iterator[PartitionKey]:
    """Every partition of the accounts, reports and days (both ends included), by account, report and day."""
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    names = sorted(set(reports))
    return (
        PartitionKey(source, customer_id, report, day)
        for customer_id in sorted(set(customer_ids))
        for report in names
        for day in days
    )


def find_gaps(
    expected: Iterable[PartitionKey],
    status: Mapping[PartitionKey, PartitionStatus],
    reasons: Mapping[PartitionKey, str] | None = None,
) -> list[Gap]:
    """The partitions of `expected` that are not `success`, in their order.

    `status` holds those that the ledger knows; what is not in it was never attempted. `reasons` holds what `gap_reason`
    says of them, where more is known than the status.
    """
    known = reasons or {}
    return [
        Gap(key, found or PartitionStatus.PENDING, known.get(key) or gap_reason(found))
        for key in expected
        if (found := status.get(key)) is not PartitionStatus.SUCCESS
    ]


def gap_reason(status: PartitionStatus | None, marks: Iterable[Mark] = (), failure: str = "") -> str:
    """Why a partition is a gap: its marks and its last `failure`, or else what its status says.

    `status` is None for a partition that was never attempted.
    """
    found = sorted(mark.value for mark in marks)
    if failure:
        found.append(failure)
    elif status is PartitionStatus.PENDING:
        found.append(RETRY_ORDERED)
    elif status is PartitionStatus.FAILED and not found:
        found.append(status.value)
    return "; ".join(found) or NEVER_ATTEMPTED


def gap_ranges(gaps: Iterable[Gap]) -> list[GapRange]:
    """Join the gaps of adjacent days, given by account, report and day, that have one status and one reason."""
    found: list[GapRange] = []
    for gap in gaps:
        last = found[-1] if found else None
        if last is not None and _continues(last, gap):
            found[-1] = GapRange(last.first, gap.logical_date)
        else:
            found.append(GapRange(gap, gap.logical_date))
    return found


def _continues(last: GapRange, gap: Gap) -> bool:
    first = last.first
    return gap.logical_date == last.until + timedelta(days=1) and (
        (gap.customer_id, gap.report, gap.status, gap.reason)
        == (first.customer_id, first.report, first.status, first.reason)
    )
