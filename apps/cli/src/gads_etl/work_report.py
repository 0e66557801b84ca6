"""How a plan and what came of it are told to people and to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gads_domain.clock import iso_utc
from gads_domain.control import QuotaDay
from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionState, PartitionStatus
from gads_domain.state_row import state_row
from gads_etl.printing import print_table, say
from gads_etl.run_report import failure_lines
from gads_orchestrator.requested_run import states_of

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_orchestrator.carrying_out import WorkResult
    from gads_orchestrator.purposes import LeftOut
    from gads_orchestrator.work_plan import WorkPlan

_LINES = 50


def work_plan_document(plan: WorkPlan, quota: QuotaDay, limit: int | None, most: int | None) -> dict[str, Any]:
    """The plan as JSON: what it costs, each stretch in its order, what is left out and why."""
    stretches: list[dict[str, Any]] = []
    for planned in plan:
        if most is not None and len(stretches) >= most:
            break
        stretch = planned.stretch
        stretches.append(
            {
                "purpose": planned.purpose.label,
                "customer_id": stretch.customer_id,
                "report": stretch.report.name,
                "since": stretch.first.isoformat(),
                "until": stretch.last.isoformat(),
                "days": (stretch.last - stretch.first).days + 1,
            }
        )
    return {
        "operations": plan.operations,
        "partitions": plan.partitions,
        "by_purpose": {purpose.label: count for purpose, count in sorted(plan.by_purpose.items())},
        "quota": {"operations_per_day": limit, "spent_today": quota.spent, "exhausted": quota.exhausted},
        "stretches": stretches,
        "left_out": [_left_out(left) for left in [*plan.left_out, *plan.give_up]],
    }


def _left_out(left: LeftOut) -> dict[str, Any]:
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
        ["purpose", "account", "report", "since", "until", "#days"],
        [list(stretch.values()) for stretch in document["stretches"]],
    )
    if len(document["stretches"]) < plan.operations:
        say(f"… and {plan.operations - len(document['stretches']):,} more requests; --limit shows more")
    for left in document["left_out"][:_LINES]:
        due = f", due {left['due_at'][:16]}Z" if left["due_at"] else ""
        say(f"left out: {left['customer_id']} {left['report']} {left['since']}..{left['until']}: {left['reason']}{due}")
    if len(document["left_out"]) > _LINES:
        say(f"… and {len(document['left_out']) - _LINES} more; --format json lists them all")
    if limit is not None:
        rest = 0 if quota.exhausted else max(limit - quota.spent, 0)
        say(f"quota: {quota.spent:,} of {limit:,} operations spent today, {rest:,} left")


def states_of_plan(plan: WorkPlan, ledger: StateReader) -> list[PartitionState]:
    """How each partition of the plan stands now, in key order."""
    return states_of(ledger, sorted(key for planned in plan for key in planned.stretch.keys))


def why_not(states: list[PartitionState]) -> dict[PartitionKey, str]:
    """For each partition that is not good, or whose newest attempt failed, the reason."""
    return {
        state.key: state.last_error or "pending: not attempted"
        for state in states
        if state.status is not PartitionStatus.SUCCESS or state.last_error
    }


def work_document(result: WorkResult, states: list[PartitionState], hints: Sequence[str]) -> dict[str, Any]:
    """What came of a plan as JSON: every partition that was in it, and what can be done about failures."""
    reasons = why_not(states)
    summary = Counter(state.status for state in states)
    return {
        "run_id": str(result.run.run_id),
        "ended": result.reason,
        "detail": result.detail,
        "operations": result.operations,
        "deferred": dict(result.deferred),
        "partitions": [{**state_row(state), "reason": reasons.get(state.key)} for state in states],
        "hints": list(hints),
        "summary": {status.value: summary[status] for status in PartitionStatus},
    }


def print_work(result: WorkResult, states: list[PartitionState], hints: Sequence[str]) -> None:
    """What came of a plan as a line for each account and report, the failures by name, and what can be done."""
    groups: dict[tuple[str, str], list[PartitionState]] = {}
    for state in states:
        groups.setdefault((state.key.customer_id, state.key.report), []).append(state)
    good = sum(1 for state in states if state.status is PartitionStatus.SUCCESS)
    print_table(
        f"run {result.run.run_id}: {good:,} of {len(states):,} partitions are success ({result.operations:,} requests)",
        ["account", "report", "days", "#success", "#failed", "#pending"],
        [
            [
                *group,
                f"{found[0].key.logical_date}..{found[-1].key.logical_date}",
                *(
                    sum(1 for state in found if state.status is status)
                    for status in (PartitionStatus.SUCCESS, PartitionStatus.FAILED, PartitionStatus.PENDING)
                ),
            ]
            for group, found in groups.items()
        ],
    )
    lines = list(failure_lines(why_not(states)))
    for line in lines[:_LINES]:
        say(line)
    if len(lines) > _LINES:
        say(f"… and {len(lines) - _LINES} more; --format json lists them all")
    for hint in hints:
        say(f"hint: {hint}")
    if result.reason != "done":
        say(f"ended early: {result.reason}" + (f" ({result.detail})" if result.detail else ""))
