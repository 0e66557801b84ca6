"""What a plan that is not executed would do, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gads_domain.documents import members_of, plain

if TYPE_CHECKING:
    from gads_domain.quota import Rest, Spent
    from gads_orchestrator.plan import WorkPlan
    from gads_orchestrator.selection import Skipped

_VERSION = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """A plan that was not executed, what counts of the budget, what rests, and what the request does not cover."""

    plan: WorkPlan
    spent: Spent
    rests: tuple[Rest, ...]
    operations_per_day: int | None
    notes: tuple[str, ...] = ()

    @property
    def skipped(self) -> list[Skipped]:
        """The days that are skipped, those that are given up last."""
        return [*self.plan.skipped, *self.plan.give_up]

    def slices(self) -> Iterator[dict[str, Any]]:
        """The slices in their order, as rows."""
        for planned in self.plan:
            slice_ = planned.slice_
            yield {
                "reason": planned.reason.label,
                "customer_id": slice_.customer_id,
                "report": slice_.report.name,
                "since": plain(slice_.first),
                "until": plain(slice_.last),
                "days": len(slice_.days),
            }

    def to_document(self) -> dict[str, Any]:
        """The forecast as JSON."""
        plan, spent, limit = self.plan, self.spent, self.operations_per_day
        free = None if limit is None else spent.free_from(limit)
        return {
            "version": _VERSION,
            **members_of(plan, ("operations", "partitions", "up_to_date")),
            "by_reason": {reason.label: count for reason, count in sorted(plan.by_reason.items())},
            "quota": {
                "operations_per_day": limit,
                "spent": spent.count,
                "left": None if limit is None else spent.left(limit),
                "more_from": None if free is None else plain(free[0]),
                "rests": [_rest(rest) for rest in self.rests],
            },
            "slices": list(self.slices()),
            "skipped": [_skipped(one) for one in self.skipped],
            "notes": list(self.notes),
        }


def _rest(rest: Rest) -> dict[str, Any]:
    scope = {"customer_id": rest.scope.customer_id or None, "report": rest.scope.report or None}
    return {**scope, **members_of(rest, ("not_before", "reason"))}


def _skipped(one: Skipped) -> dict[str, Any]:
    days = {"since": plain(one.first), "until": plain(one.last)}
    why = {**members_of(one.why, ("code", "reason")), "due_at": plain(one.why.until)}
    return {**members_of(one, ("customer_id", "report")), **days, **why}
