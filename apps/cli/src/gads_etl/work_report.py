"""How a plan and what came of it are told to people and to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

from gads_domain.clock import iso_utc
from gads_domain.control import QuotaDay
from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionState, PartitionStatus
from gads_domain.state_row import state_row
from gads_etl.printing import print_json_of_rows, print_table, say
from gads_etl.run_report import failure_lines
from gads_orchestrator.advice import MOST_LOOKUPS, reason_apart_from
from gads_orchestrator.requested_run import states_of

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_orchestrator.execution import WorkResult
    from gads_orchestrator.plan import WorkPlan
    from gads_orchestrator.selection import Skipped

_LINES = 50

AdviceOn = Callable[[Mapping[PartitionKey, str]], Sequence[str]]
"""The hints there are for failures: see `gads_orchestrator.advice`."""


def work_plan_document(plan: WorkPlan, quota: QuotaDay, limit: int | None, most: int | None) -> dict[str, Any]:
    """The plan as JSON: what it costs, each slice in its order, what is left out and why."""
    slices: list[dict[str, Any]] = []
    for planned in plan:
        if most is not None and len(slices) >= most:
            break
        slice_ = planned.slice_
        slices.append(
            {
                "reason": planned.reason.label,
                "customer_id": slice_.customer_id,
                "report": slice_.report.name,
                "since": slice_.first.isoformat(),
                "until": slice_.last.isoformat(),
                "days": (slice_.last - slice_.first).days + 1,
            }
        )
    return {
        "operations": plan.operations,
        "partitions": plan.partitions,
        "by_reason": {reason.label: count for reason, count in sorted(plan.by_reason.items())},
        "quota": {"operations_per_day": limit, "spent_today": quota.spent, "exhausted": quota.exhausted},
        "slices": slices,
        "skipped": [_skipped(left) for left in [*plan.skipped, *plan.give_up]],
    }


def _skipped(left: Skipped) -> dict[str, Any]:
    return {
        "customer_id": left.customer_id,
        "report": left.report,
        "since": left.first.isoformat(),
        "until": left.last.isoformat(),
        "code": left.why.code,
        "reason": left.why.reason,
        "due_at": None if left.why.until is None else iso_utc(left.why.until),
    }


def print_work_plan(plan: WorkPlan, quota: QuotaDay, limit: int | None, most: int | None) -> None:
    """The plan as a table."""
    document = work_plan_document(plan, quota, limit, most)
    print_table(
        f"{plan.partitions:,} partitions in {plan.operations:,} requests",
        ["reason", "account", "report", "since", "until", "#days"],
        [list(slice_.values()) for slice_ in document["slices"]],
    )
    if len(document["slices"]) < plan.operations:
        say(f"… and {plan.operations - len(document['slices']):,} more requests; --limit shows more")
    _say_skipped(document["skipped"])
    if limit is not None:
        rest = 0 if quota.exhausted else max(limit - quota.spent, 0)
        say(f"quota: {quota.spent:,} of {limit:,} operations spent today, {rest:,} left")


def _say_skipped(documents: list[dict[str, Any]]) -> None:
    for left in documents[:_LINES]:
        due = f", due {left['due_at'][:16]}Z" if left["due_at"] else ""
        say(f"left out: {left['customer_id']} {left['report']} {left['since']}..{left['until']}: {left['reason']}{due}")
    if len(documents) > _LINES:
        say(f"… and {len(documents) - _LINES} more; --format json lists them all")


@dataclass(slots=True)
class _Group:
    """The partitions of one account and report."""

    first: date
    last: date
    by_status: Counter[PartitionStatus] = field(default_factory=Counter)


@dataclass(slots=True)
class WorkTally:
    """What came of a plan, counted while its partitions go by in key order; none of them is kept."""

    groups: dict[tuple[str, str], _Group] = field(default_factory=dict)
    summary: Counter[PartitionStatus] = field(default_factory=Counter)
    unwell: int = 0
    unlike: dict[str, PartitionKey] = field(default_factory=dict)
    """A partition of each reason that reads like none before it, as many as advice looks at."""

    @property
    def failures(self) -> dict[PartitionKey, str]:
        """One partition with its reason for each of `unlike`."""
        return {key: reason for reason, key in self.unlike.items()}

    def through(self, states: Iterable[PartitionState]) -> Iterator[tuple[PartitionState, str | None]]:
        """Each state, and why it is not good or its newest attempt failed; None of one with which all is well."""
        for state in states:
            key, reason = state.key, _why_not(state)
            group = self.groups.setdefault((key.customer_id, key.report), _Group(key.logical_date, key.logical_date))
            group.last = key.logical_date
            group.by_status[state.status] += 1
            self.summary[state.status] += 1
            if reason is not None:
                self.unwell += 1
                if len(self.unlike) < MOST_LOOKUPS:
                    self.unlike.setdefault(reason_apart_from(key, reason), key)
            yield state, reason


def _why_not(state: PartitionState) -> str | None:
    if state.status is PartitionStatus.SUCCESS:
        return state.last_error
    return state.last_error or "pending: not attempted"


def missing_of(plan: WorkPlan, ledger: StateReader) -> list[Skipped]:
    """What a plan leaves out though it is not good: waiting, given up, held, or failed for good."""
    return [
        left
        for left in sorted([*plan.skipped, *plan.give_up], key=lambda left: (left.customer_id, left.report, left.first))
        if any(state.status is not PartitionStatus.SUCCESS for state in states_of(ledger, left.keys))
    ]


def print_work_json(
    result: WorkResult, states: Iterable[PartitionState], missing: list[Skipped], advice_on: AdviceOn
) -> WorkTally:
    """What came of a plan as JSON: all that was in it, in key order, what can be done, and what it left out."""
    tally = WorkTally()
    print_json_of_rows(
        {
            "run_id": str(result.run.run_id),
            "ended": result.reason,
            "detail": result.detail,
            "operations": result.operations,
            "deferred": dict(result.deferred),
        },
        "partitions",
        ({**state_row(state), "reason": reason} for state, reason in tally.through(states)),
        lambda: {
            "hints": list(advice_on(tally.failures)),
            "summary": {status.value: tally.summary[status] for status in PartitionStatus},
            "skipped": [_skipped(left) for left in missing],
        },
    )
    return tally


def print_work(
    result: WorkResult, states: Iterable[PartitionState], missing: list[Skipped], advice_on: AdviceOn
) -> WorkTally:
    """What came of a plan as a line for each account and report, the failures by name, and what can be done."""
    tally = WorkTally()
    lines = failure_lines((state.key, reason) for state, reason in tally.through(states) if reason is not None)
    shown = list(islice(lines, _LINES))
    more = sum(1 for _ in lines)
    print_table(
        f"run {result.run.run_id}: {tally.summary[PartitionStatus.SUCCESS]:,} of {tally.summary.total():,} partitions "
        f"are success ({result.operations:,} requests)",
        ["account", "report", "days", "#success", "#failed", "#pending"],
        [
            [
                *names,
                f"{group.first}..{group.last}",
                *(
                    group.by_status[status]
                    for status in (PartitionStatus.SUCCESS, PartitionStatus.FAILED, PartitionStatus.PENDING)
                ),
            ]
            for names, group in tally.groups.items()
        ],
    )
    for line in shown:
        say(line)
    if more:
        say(f"… and {more:,} more; --format json lists them all")
    for hint in advice_on(tally.failures):
        say(f"hint: {hint}")
    _say_skipped([_skipped(left) for left in missing])
    if result.reason != "done":
        say(f"ended early: {result.reason}" + (f" ({result.detail})" if result.detail else ""))
    return tally
