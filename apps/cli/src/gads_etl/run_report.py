"""How a run is told to people and to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionState, PartitionStatus
from gads_domain.state_row import state_row
from gads_etl.printing import print_table, say
from gads_orchestrator.advice import reason_apart_from
from gads_orchestrator.requested_run import RunPlan, RunResult
from gads_orchestrator.selection import NOT_RETRIED

_LINES_OF_FAILURES = 50


def run_document(result: RunResult) -> dict[str, Any]:
    """The run as JSON: every partition that was asked for, with what became of it."""
    failures = result.failures
    return {
        "run_id": str(result.run.run_id),
        "exit_code": int(result.exit_code),
        "operations": result.operations,
        "ended_early": None if result.quota is None else {"reason": str(result.quota), "hint": result.quota.hint},
        "partitions": [
            {
                **state_row(state),
                "attempted": key in result.attempted,
                "moved": key in result.moved,
                "recovered": key in result.recovered,
                "reason": failures.get(key),
            }
            for key, state in sorted(result.states.items())
        ],
        "hints": list(result.hints),
        "summary": {status.value: result.by_status[status] for status in PartitionStatus},
    }


def plan_document(plan: RunPlan) -> dict[str, Any]:
    """The plan as JSON: each slice that would be asked for, and what would be left alone."""
    return {
        "operations": plan.operations,
        "partitions": len(plan.keys),
        "left_alone": dict(Counter(state.status.value for state in plan.left_alone)),
        "retried": [str(key) for key in plan.retried],
        "slices": [
            {
                "customer_id": slice_.customer_id,
                "report": slice_.report.name,
                "since": slice_.first.isoformat(),
                "until": slice_.last.isoformat(),
                "days": len(slice_.days),
            }
            for slice_ in plan.slices
        ],
    }


def print_plan(plan: RunPlan) -> None:
    """The plan as a table."""
    print_table(
        f"would ask for {len(plan.keys):,} partitions in {plan.operations:,} requests",
        ["account", "report", "since", "until", "#days"],
        [[s.customer_id, s.report.name, s.first, s.last, len(s.days)] for s in plan.slices],
    )
    for line in left_lines(plan):
        say(line)


def left_lines(plan: RunPlan) -> Iterable[str]:
    """One line for each way to stand in which partitions would stay: why, or which option takes them too."""
    reasons = plan.why_left_alone
    lines: Counter[tuple[str, str]] = Counter()
    for state in plan.left_alone:
        why = reasons.get(state.key)
        if why is not None and why.code != NOT_RETRIED:
            lines[state.status, f": {why.reason}"] += 1
        else:
            flag = "--reprocess" if state.status is PartitionStatus.SUCCESS else "--retry-failed"
            lines[state.status, f"; {flag} takes them too"] += 1
    for (status, end), count in sorted(lines.items()):
        yield f"{count:,} {status} partitions would be left as they are{end}"


def print_run(result: RunResult) -> None:
    """The run as a table of accounts and reports, and each failure by name."""
    by_report: dict[tuple[str, str], list[PartitionState]] = {}
    for key, state in sorted(result.states.items()):
        by_report.setdefault((key.customer_id, key.report), []).append(state)
    rows = [
        [
            customer_id,
            report,
            f"{states[0].key.logical_date}..{states[-1].key.logical_date}",
            sum(1 for state in states if state.status is PartitionStatus.SUCCESS),
            sum(1 for state in states if state.status is PartitionStatus.FAILED),
            sum(1 for state in states if state.status is PartitionStatus.PENDING),
            sum(state.record_count or 0 for state in states),
        ]
        for (customer_id, report), states in by_report.items()
    ]
    good = result.by_status[PartitionStatus.SUCCESS]
    print_table(
        f"run {result.run.run_id}: {good:,} of {len(result.states):,} partitions are success",
        ["account", "report", "days", "#success", "#failed", "#pending", "#rows"],
        rows,
    )
    lines = list(failure_lines(sorted(result.failures.items())))
    for line in lines[:_LINES_OF_FAILURES]:
        say(line)
    if len(lines) > _LINES_OF_FAILURES:
        say(f"… and {len(lines) - _LINES_OF_FAILURES} more; gads-etl state inspect --status failed lists them all")
    for hint in result.hints:
        say(f"hint: {hint}")
    if result.quota is not None:
        say(f"ended early: {result.quota.message}. {result.quota.hint}")
    left = sum(why.code == NOT_RETRIED for why in result.plan.why_left_alone.values())
    if left:
        say(f"{left:,} failed earlier and were left alone; --retry-failed takes them again")


def failure_lines(failures: Iterable[tuple[PartitionKey, str]]) -> Iterator[str]:
    """One line for each unbroken range of days of one account and report that has one reason; in key order.

    Reasons that differ in nothing but the partition's name are one; a range has it without the name.
    """
    pending: tuple[PartitionKey, PartitionKey, str] | None = None
    for key, reason in failures:
        if pending is not None:
            first, last, said = pending
            adjacent = key.logical_date - last.logical_date == timedelta(days=1)
            same = reason_apart_from(last, said) == reason_apart_from(key, reason)
            if adjacent and same and (key.customer_id, key.report) == (last.customer_id, last.report):
                pending = (first, key, reason_apart_from(key, reason))
                continue
            yield _failure_line(*pending)
        pending = (key, key, reason)
    if pending is not None:
        yield _failure_line(*pending)


def _failure_line(first: PartitionKey, last: PartitionKey, reason: str) -> str:
    days = f"{first.logical_date}" if first == last else f"{first.logical_date}..{last.logical_date}"
    return f"not success: {first.customer_id} {first.report} {days}: {reason}"
