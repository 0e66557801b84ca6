"""A partition that was expected and is not vouched for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionStatus


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """An expected partition that is `pending` or `failed`; `reason` is what went wrong last, if anything did."""

    key: PartitionKey
    status: PartitionStatus
    reason: str | None = None

    @property
    def customer_id(self) -> str:
        """The account."""
        return self.key.customer_id

    @property
    def report(self) -> str:
        """The report."""
        return self.key.report

    @property
    def logical_date(self) -> date:
        """The day, in the account's own time zone."""
        return self.key.logical_date

    def __str__(self) -> str:
        return f"{self.key} is {self.status}" + (f" ({self.reason})" if self.reason else "")
