"""Restatements that moved the figures of a day by much, when most of them should have settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gads_domain.state import ValidationResult

SETTLED = timedelta(days=3)
"""Days that are younger when they are restated move by nature: conversions and invalid clicks come late."""

LEAST = 100
"""Sums below this move by large shares for nothing; of `_micros` it is so many units of the currency."""

_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Movement:
    """The sum of `metric` of one day of an account was `before` and is `after` since a restatement at `at`."""

    at: datetime
    report: str
    customer_id: str
    day: date
    metric: str
    before: float
    after: float

    @property
    def share(self) -> float:
        """By which share of the former sum it moved; infinite where that was zero."""
        return abs(self.after - self.before) / abs(self.before) if self.before else float("inf")


def largest_movement(result: ValidationResult) -> Movement | None:
    """The metric that a restatement of a settled day moved most; None if it moved none that counts."""
    metrics = (result.changes or {}).get("metrics")
    key = result.key
    if not isinstance(metrics, Mapping) or result.validated_at.date() - key.logical_date < SETTLED:
        return None
    found = []
    for name, sums in metrics.items():
        before, after = sums.get("before"), sums.get("after")
        least = LEAST * (_MICROS if name.endswith("_micros") else 1)
        if before is not None and after is not None and before != after and max(abs(before), abs(after)) >= least:
            where = (result.validated_at, key.report, key.customer_id, key.logical_date)
            found.append(Movement(*where, name, float(before), float(after)))
    return max(found, key=lambda one: one.share, default=None)
