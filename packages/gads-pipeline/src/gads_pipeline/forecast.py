"""What a plan that is not executed would do, and what it would cost: operations, days, files and bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from gads_domain.documents import members_of, plain
from gads_domain.figures import size
from gads_domain.quota import BUCKET, WINDOW
from gads_orchestrator.budget import rest_error, shown
from gads_orchestrator.selection import Reason
from gads_pipeline.seen_sizes import FILES, SeenSize

if TYPE_CHECKING:
    from datetime import date

    from gads_domain.quota import Rest, Spent
    from gads_orchestrator.plan import WorkPlan
    from gads_orchestrator.selection import Skipped

_VERSION = 4
_FOREVER = 36_525
"""Days: what takes longer is not done by any budget."""
_COUNTS = ("operations", "partitions", "restated", "files_at_least", "files_at_most")
_UNSEEN = SeenSize()


@dataclass(frozen=True, slots=True)
class ReportForecast:
    """What a plan costs and adds to the sink, of one report; of all of them, `report` is empty.

    - `restated` of the partitions are `success`: of those that come unchanged nothing is sealed, so that files and
      bytes lie between the two numbers.
    - The bytes are those of as many partitions of the average size that was seen, in `seen` authoritative ones; None
      where there was none to see.
    """

    report: str
    operations: int
    partitions: int
    restated: int
    files_at_least: int
    files_at_most: int
    bytes_at_least: int | None
    bytes_at_most: int | None
    seen: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """A plan that was not executed, what counts of the budget, what rests, and what the request does not cover.

    - `daily_operations`: what new days and restatements of every account and report cost a day, at most.
    - `sizes`: of sealed partitions, by report, as far as any were seen; `seals_unchanged`: whether days are sealed
      again that come as they were.
    """

    plan: WorkPlan
    spent: Spent
    rests: tuple[Rest, ...]
    operations_per_day: int | None
    notes: tuple[str, ...] = ()
    daily_operations: int = 0
    sizes: Mapping[str, SeenSize] = field(default_factory=dict)
    seals_unchanged: bool = False

    @property
    def skipped(self) -> list[Skipped]:
        """The days that are skipped, those that are given up last."""
        return [*self.plan.skipped, *self.plan.give_up]

    @property
    def calendar(self) -> tuple[int, date] | None:
        """In how many days the budget allows all of it beside the daily operations, and the last of them, in UTC.

        At most, by the budget alone: how long requests take, and days that become due meanwhile, do not count. None
        without a budget, and if the daily operations take all of it.
        """
        limit, now, operations = self.operations_per_day, self.plan.request.now, self.plan.operations
        if limit is None:
            return None
        due = self.plan.operations_of(Reason.NEW, Reason.RESTATEMENT)
        operations += max(self.daily_operations - self.spent.count - due, 0)
        if operations <= self.spent.left(limit):
            return 1, now.date()
        # An operation counts a little longer than a day, so that a day has a little less than the limit.
        beside = limit * (WINDOW / (WINDOW + BUCKET)) - self.daily_operations
        days = ceil(operations / beside) if beside > 0 else _FOREVER
        return None if days >= _FOREVER else (days, (now + days * WINDOW).date())

    def reports(self) -> list[ReportForecast]:
        """What it costs of each report that is in the plan, by name."""
        return [self._of(name) for name in sorted(self.plan.by_report)]

    @property
    def total(self) -> ReportForecast:
        """What it costs in all; the bytes are None if those of any report are."""
        found = self.reports()
        counts = {name: sum(getattr(one, name) for one in found) for name in (*_COUNTS, "seen")}
        least, most = (one.bytes_at_least for one in found), (one.bytes_at_most for one in found)
        return ReportForecast("", bytes_at_least=_sum(least), bytes_at_most=_sum(most), **counts)

    def _of(self, name: str) -> ReportForecast:
        work, size = self.plan.by_report[name], self.sizes.get(name, _UNSEEN)
        least = work.partitions if self.seals_unchanged else work.partitions - work.restated
        return ReportForecast(
            name,
            work.operations,
            work.partitions,
            work.restated,
            FILES * least,
            FILES * work.partitions,
            size.bytes_of(least),
            size.bytes_of(work.partitions),
            size.partitions,
        )

    def rows(self) -> list[dict[str, Any]]:
        """The costs by report, and in all where there are several, for people: the most of files and of bytes."""
        found = self.reports()
        in_all = [replace(self.total, report="in all")] if len(found) > 1 else []
        return [{**plain(one), "files": one.files_at_most, "bytes": size(one.bytes_at_most)} for one in found + in_all]

    def lines(self) -> Iterator[str]:
        """What is to be said of the costs: what is added at least, what the budget allows by when, and what rests."""
        total, spent, limit, daily = self.total, self.spent, self.operations_per_day, self.daily_operations
        if total.restated and not self.seals_unchanged:
            least = f"at least {total.files_at_least:,} files and {size(total.bytes_at_least)}"
            yield f"{total.restated:,} of the days are success; if they are unchanged, nothing is sealed: {least}"
        if limit is not None:
            free = spent.free_from(limit)
            more = "" if free is None else f"; {free[1]:,} from {shown(free[0])} on"
            yield f"quota: {spent.count:,} of {limit:,} operations spent in 24 hours, {spent.left(limit):,} left{more}"
        if limit is not None and total.operations:
            windows = f"beside at most {daily:,} operations a day for new and restated days"
            days = "never done" if self.calendar is None else "done in {} days at most, by {}".format(*self.calendar)
            if self.calendar is not None and self.calendar[0] == 1:
                days = f"done by {self.calendar[1]}"
            yield f"quota: all of it is {days}, {windows}"
        yield from (f"quota: {rest_error(rest).message}" for rest in self.rests)

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
        plan, spent, limit, calendar = self.plan, self.spent, self.operations_per_day, self.calendar
        free = None if limit is None else spent.free_from(limit)
        return {
            "version": _VERSION,
            **members_of(plan, ("operations", "partitions", "up_to_date")),
            **members_of(self.total, (*_COUNTS[2:], "bytes_at_least", "bytes_at_most", "seen")),
            "by_reason": {reason.label: count for reason, count in sorted(plan.by_reason.items())},
            "reports": plain(self.reports()),
            "quota": {
                "operations_per_day": limit,
                "daily_operations": self.daily_operations,
                "spent": spent.count,
                "left": None if limit is None else spent.left(limit),
                "more_from": None if free is None else plain(free[0]),
                "days": calendar and calendar[0],
                "last_day": calendar and plain(calendar[1]),
                "rests": [_rest(rest) for rest in self.rests],
            },
            "slices": list(self.slices()),
            "skipped": [_skipped(one) for one in self.skipped],
            "notes": list(self.notes),
        }


def _sum(parts: Iterable[int | None]) -> int | None:
    known = list(parts)
    return None if None in known else sum(filter(None, known))


def _rest(rest: Rest) -> dict[str, Any]:
    scope = {"customer_id": rest.scope.customer_id or None, "report": rest.scope.report or None}
    return {**scope, **members_of(rest, ("not_before", "reason"))}


def _skipped(one: Skipped) -> dict[str, Any]:
    days = {"since": plain(one.first), "until": plain(one.last)}
    why = {**members_of(one.why, ("code", "reason")), "due_at": plain(one.why.until)}
    return {**members_of(one, ("customer_id", "report")), **days, **why}
