"""How complete a command leaves what it is about, and what of the rest the same command attempts again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gads_domain.account_days import DayRange
from gads_domain.clock import SystemClock
from gads_domain.completeness import Completeness
from gads_domain.day_ranges import common, number_of, united, without
from gads_domain.gaps import GapRange, Pair
from gads_orchestrator.outcome import FailedDays
from gads_orchestrator.plan import WorkPlan, WorkRequest, always_open, plan_work
from gads_orchestrator.selection import SelectRequested
from gads_pipeline.ledger_queries import completeness_now, gap_rows

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_pipeline.configuration import Configuration


@dataclass(frozen=True, slots=True)
class CommandCompleteness:
    """What is missing of what a command is about, once it has ended.

    `attempted_again` is how many of the missing partitions the same command attempts when it is called again, now or
    when their wait is over. The others stay as they are until an operator acts.
    """

    answer: Completeness
    attempted_again: int

    @property
    def passes_by_itself(self) -> bool:
        """Whether calling the same command again is all that can be done about what is missing."""
        return not self.answer.unknown and self.attempted_again == self.answer.days

    def gaps_beside(self, named: Iterable[FailedDays]) -> Iterator[FailedDays]:
        """The days of the gaps that are not among those `named`, with their reasons."""
        known: dict[Pair, list[DayRange]] = {}
        for one in named:
            known.setdefault((one.first.customer_id, one.first.report), []).append(one.days)
        for gap in self.answer.gaps:
            key = gap.first.key
            for days in without((gap.span,), united(known.get((key.customer_id, key.report), ()))):
                first, last = replace(key, logical_date=days.first), replace(key, logical_date=days.last)
                yield FailedDays(first, last, gap.first.reason)

    def __str__(self) -> str:
        """How things stand, in lines of 80 columns."""
        answer = self.answer
        there, pending = answer.expected - answer.days, answer.days - answer.failed - answer.held
        line = counts_line(answer.answer, answer.expected, there, answer.failed, answer.held, pending, answer.not_due)
        if answer.unknown:
            return f"{line}\nunknown what is expected: {answer.unknown}; `Pipeline.accounts` draws the list"
        if not answer.days:
            return line
        stays = answer.days - self.attempted_again
        if not stays:
            return f"{line}\nthe same command, called again later, attempts all that is missing"
        waits = "1 partition waits" if stays == 1 else f"{stays:,} partitions wait"
        acts = (
            "`Pipeline.gaps` names them,\n`Pipeline.backfill` takes days never attempted, state retry those that failed"
        )
        return f"{line}\n{waits} for an operator: {acts}"

    def to_document(self) -> dict[str, Any]:
        """The member `completeness` of contracts/outcome/v1."""
        answer = self.answer
        return {
            "answer": answer.answer.value,
            "expected": answer.expected,
            "authoritative": answer.expected - answer.days,
            "failed": answer.failed,
            "held": answer.held,
            "pending": answer.days - answer.failed - answer.held,
            "not_due": answer.not_due,
            "attempted_again": self.attempted_again,
            "unknown": answer.unknown or None,
            "gaps": gap_rows(answer),
        }


def counts_line(
    answer: str, expected: int, authoritative: int, failed: int, held: int, pending: int, not_due: int
) -> str:
    """The counts of a completeness, those that are 0 left out."""
    counts = ((failed, "failed"), (held, "held for a decision"), (pending, "pending"), (not_due, "not due yet"))
    there = (
        f"{answer}: {authoritative:,} of {expected:,} expected partition{'' if expected == 1 else 's'} authoritative"
    )
    return ", ".join([there, *(f"{count:,} {what}" for count, what in counts if count)])


def completeness_of(
    configuration: Configuration,
    ledger: StateReader,
    request: WorkRequest,
    days: Mapping[tuple[str, str], DayRange] | None,
    customers: Iterable[str],
) -> CommandCompleteness:
    """Read from the ledger what is missing now of what `request` was made for.

    `days` are those of each account and report, None all that is expected of `customers`.
    """
    names = [report.name for report in request.reports]
    answer = completeness_now(configuration, ledger, sorted(customers), names, days=days)
    missing = {gap.first.customer_id for gap in answer.gaps}
    selection = SelectRequested() if isinstance(request.selection, SelectRequested) else request.selection
    again = replace(
        request,
        accounts=tuple(account for account in request.accounts if account.customer_id in missing),
        now=SystemClock().now(),
        selection=selection,
        opened_at=always_open,
    )
    return CommandCompleteness(answer, _attempted(answer.gaps, plan_work(again, ledger)))


def _attempted(gaps: Iterable[GapRange], plan: WorkPlan) -> int:
    """How many days of `gaps` the plan attempts, or puts off to a time that is known."""
    spans: dict[Pair, list[DayRange]] = {}
    for slice_ in (planned.slice_ for planned in plan):
        spans.setdefault((slice_.customer_id, slice_.report.name), []).append(DayRange(slice_.first, slice_.last))
    for left in plan.skipped:
        if left.why.until is not None:
            spans.setdefault((left.customer_id, left.report), []).append(DayRange(left.first, left.last))
    attempted = {pair: united(days) for pair, days in spans.items()}
    return sum(
        number_of(common((gap.span,), attempted.get((gap.first.customer_id, gap.first.report), ()))) for gap in gaps
    )
