"""Which run is authoritative: pure functions, the same on every machine and in any order of arrival.

A partition's state follows from the set of its validation results, not from their order:

- a run counts by its seal; that it was once seen unsealed counts only while no seal was validated;
- the newest run that passed and was not revoked wins; where the runs just before it hold the same rows, the
  oldest of that unbroken streak keeps the authority, so that an unchanged extraction changes nothing;
- a run that lost rows against the run before it that was taken is held for a decision and not taken, until an operator
  accepts it. That run counts even if it was revoked or damaged since: what it held is not replaced by less unsaid. The
  newest run is the one that is held; a later one with rows takes its place;
- with a winner the status is `success`, and a failed or held newer run shows in `last_error` alone;
- without one, a new failure makes it `failed`;
- `failed` goes back to `pending` by `retry` alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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

VANISHED_ROWS = "vanished_rows"
"""The code in `last_error` of a partition whose newest run lost rows and is held for a decision."""


def effective_results(attempts: Iterable[ValidationResult]) -> tuple[ValidationResult, ...]:
    """One result per run, in run order: the last of its seal, or else that it was unsealed."""
    by_run: dict[RunId, ValidationResult] = {}
    for attempt in attempts:
        held = by_run.get(attempt.run_id)
        if held is None or attempt.has_seal or not held.has_seal:
            by_run[attempt.run_id] = attempt
    return tuple(by_run[run_id] for run_id in sorted(by_run))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which run is authoritative and which one is held for a decision, if any; `held_against` held more rows."""

    winner: ValidationResult | None = None
    held: ValidationResult | None = None
    held_against: ValidationResult | None = None


def choose(
    attempts: Iterable[ValidationResult],
    revoked: frozenset[RunId] = frozenset(),
    accepted: frozenset[RunId] = frozenset(),
) -> Choice:
    """The runs that the results of a partition make authoritative and hold, whatever their order."""
    results = tuple(attempts)
    effective = effective_results(results)
    once_passed = {one.run_id: one for one in results if one.outcome is ValidationOutcome.PASSED}
    taken: list[ValidationResult] = []
    lost: dict[RunId, ValidationResult] = {}
    for run_id in sorted(once_passed):
        attempt = once_passed[run_id]
        if taken and run_id not in accepted and _loses_rows(taken[-1], attempt):
            lost[run_id] = taken[-1]
        else:
            taken.append(attempt)
    passed = [one for one in effective if one.outcome is ValidationOutcome.PASSED and one.run_id not in revoked]
    good = [one for one in passed if one.run_id not in lost]
    chosen = good[-1] if good else None
    for attempt in reversed(good[:-1]):
        if chosen is None or chosen.content_sha256 is None or not _same_rows(attempt, chosen):
            break
        chosen = attempt
    if passed and (against := lost.get(passed[-1].run_id)):
        return Choice(chosen, passed[-1], against)
    return Choice(chosen)


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
    results = (*history.results, attempt) if attempt else history.results
    effective = effective_results(results)
    chosen = choose(results, history.revoked, history.accepted)
    won = chosen.winner
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
        last_error=_last_error(effective, chosen, history.revoked),
        version=before.version + 1,
        held_run_id=chosen.held.run_id if chosen.held else None,
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


def _loses_rows(before: ValidationResult, after: ValidationResult) -> bool:
    """Whether `after` is to be held. Rows of two schema versions are not counted against each other, unless all go."""
    had, has = before.record_count, after.record_count
    if after.vanished_rows is None or not had or has is None:
        return False
    if before.schema_version != after.schema_version:
        return has == 0
    return had - has >= after.vanished_rows * had


def _last_error(effective: tuple[ValidationResult, ...], chosen: Choice, revoked: frozenset[RunId]) -> str | None:
    if not effective:
        return None
    newest, won = effective[-1], chosen.winner
    if newest.failure is not None and (won is None or newest.run_id > won.run_id):
        return str(newest.failure)
    if chosen.held is not None and chosen.held_against is not None:
        had, has = chosen.held_against, chosen.held
        return (
            f"{VANISHED_ROWS}: run {has.run_id} has {has.record_count} rows where run {had.run_id} has "
            f"{had.record_count}, and is held for a decision"
        )
    if won is None and newest.run_id in revoked:
        return f"revoked: run {newest.run_id} was revoked"
    return None
