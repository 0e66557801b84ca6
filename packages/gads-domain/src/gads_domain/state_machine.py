"""Which run is authoritative: pure functions, the same on every machine and in any order of arrival.

A partition's state follows from the set of its validation results, not from their order:

- a run counts by its seal; that it was once seen unsealed counts only while no seal was validated;
- the newest run that passed and was not revoked wins; where the runs just before it hold the same rows, the
  oldest of that unbroken streak keeps the authority, so that an unchanged extraction changes nothing;
- with a winner the status is `success`, and a failed newer run shows in `last_error` alone;
- without one, a new failure makes it `failed`;
- `failed` goes back to `pending` by `retry` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from gads_domain.errors import UsageError
from gads_domain.run import RunId
from gads_domain.state import (
    KeyHistory,
    PartitionState,
    PartitionStatus,
    ValidationOutcome,
    ValidationResult,
)


def effective_results(attempts: Iterable[ValidationResult]) -> tuple[ValidationResult, ...]:
    """One result per run, in run order: the last of its seal, or else that it was unsealed."""
    by_run: dict[RunId, ValidationResult] = {}
    for attempt in attempts:
        held = by_run.get(attempt.run_id)
        if held is None or attempt.has_seal or not held.has_seal:
            by_run[attempt.run_id] = attempt
    return tuple(by_run[run_id] for run_id in sorted(by_run))


def winner(attempts: Iterable[ValidationResult], revoked: frozenset[RunId] = frozenset()) -> ValidationResult | None:
    """The result of the authoritative run, or None."""
    return _winner(effective_results(attempts), revoked)


def _winner(effective: tuple[ValidationResult, ...], revoked: frozenset[RunId]) -> ValidationResult | None:
    passed = [
        attempt
        for attempt in effective
        if attempt.outcome is ValidationOutcome.PASSED and attempt.run_id not in revoked
    ]
    if not passed:
        return None
    chosen = passed[-1]
    for attempt in reversed(passed[:-1]):
        if chosen.content_sha256 is None or not _same_rows(attempt, chosen):
            break
        chosen = attempt
    return chosen


def is_news(history: KeyHistory, attempt: ValidationResult) -> bool:
    """Whether recording `attempt` would say anything that is not on record of its run already."""
    held = {known.run_id: known for known in effective_results(history.results)}.get(attempt.run_id)
    if held is None:
        return True
    if held.has_seal and not attempt.has_seal:
        return False
    return not held.is_equivalent(attempt)


def settle(history: KeyHistory, attempt: ValidationResult | None, now: datetime) -> PartitionState:
    """The state after `attempt` is recorded (None: after a revocation) on top of `history`.

    Returns `history.state` itself if nothing is to be written.
    """
    if attempt is not None and not is_news(history, attempt):
        return history.state
    before = history.state
    effective = effective_results((*history.results, attempt) if attempt else history.results)
    won = _winner(effective, history.revoked)
    if won is not None:
        status = PartitionStatus.SUCCESS
    elif attempt is not None or before.status is PartitionStatus.SUCCESS:
        status = PartitionStatus.FAILED
    else:
        status = before.status
    after = PartitionState(
        key=before.key,
        status=status,
        current_run_id=won.run_id if won else None,
        schema_version=won.schema_version if won else None,
        record_count=won.record_count if won else None,
        seal_sha256=won.seal_sha256 if won else None,
        attempt_count=len(effective),
        updated_at=now,
        last_error=_last_error(effective, won, history.revoked),
        version=before.version + 1,
    )
    return before if attempt is None and _is_same(before, after) else after


def retry(state: PartitionState, now: datetime) -> PartitionState:
    """`failed` to `pending`: the control plane's act. Raises `UsageError` for any other status."""
    if state.status is not PartitionStatus.FAILED:
        raise UsageError(
            f"{state.key} is {state.status}, not failed",
            hint="only a failed partition is retried; nothing was changed",
        )
    return replace(state, status=PartitionStatus.PENDING, updated_at=now, version=state.version + 1)


def _is_same(one: PartitionState, other: PartitionState) -> bool:
    """Whether both say the same of the partition; time and version do not count."""
    return one == replace(other, updated_at=one.updated_at, version=one.version)


def _same_rows(one: ValidationResult, other: ValidationResult) -> bool:
    return (one.content_sha256, one.schema_version) == (other.content_sha256, other.schema_version)


def _last_error(
    effective: tuple[ValidationResult, ...], won: ValidationResult | None, revoked: frozenset[RunId]
) -> str | None:
    if not effective:
        return None
    newest = effective[-1]
    if newest.failure is not None and (won is None or newest.run_id > won.run_id):
        return str(newest.failure)
    if won is None and newest.run_id in revoked:
        return f"revoked: run {newest.run_id} was revoked"
    return None
