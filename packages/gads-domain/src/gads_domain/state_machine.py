"""Which run is authoritative: pure functions, the same on every machine and in any order of arrival.

A partition's state follows from the set of its validation results, not from their order:

- a run counts by its seal; that it was once seen unsealed counts only while no seal was validated;
- the newest run that passed and was not revoked wins; where the runs just before it hold the same rows, the
  oldest of that unbroken streak keeps the authority, so that an unchanged extraction changes nothing;
- a confirmation counts like a run that sealed the same rows once more, for as long as the run that it confirms passes
  and is not revoked; of several that confirm one run the last counts;
- a run that lost rows against the run before it that was taken is held for a decision and not taken, until an operator
  accepts it. That run counts even if it was revoked or damaged since: what it held is not replaced by less unsaid. The
  newest run is the one that is held; a later one with rows takes its place;
- a pruned run goes on counting as what it held, and is neither taken nor held: the newest run that is left is;
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
    Confirmation,
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
    """Which run is authoritative and which one is held for a decision, if any; `held_against` held more rows.

    `newest` is the newest run that passed, or that confirmed one that did.
    """

    winner: ValidationResult | None = None
    held: ValidationResult | None = None
    held_against: ValidationResult | None = None
    newest: RunId | None = None


def choose(
    attempts: Iterable[ValidationResult],
    revoked: frozenset[RunId] = frozenset(),
    accepted: frozenset[RunId] = frozenset(),
    pruned: frozenset[RunId] = frozenset(),
) -> Choice:
    """The runs that the results of a partition make authoritative and hold, whatever their order."""
    results = tuple(attempts)
    passed = {
        one.run_id: one
        for one in effective_results(results)
        if one.outcome is ValidationOutcome.PASSED and one.run_id not in revoked
    }
    evidence = {(one.run_id, one.run_id): one for one in results if one.outcome is ValidationOutcome.PASSED}
    for run_id, (by, _) in _confirmations(results).items():
        if run_id in passed:
            evidence[by, run_id] = passed[run_id]
    taken: list[ValidationResult] = []
    counted: list[tuple[ValidationResult, ValidationResult | None]] = []
    newest: RunId | None = None
    for event in sorted(evidence):
        one = evidence[event]
        is_lost = bool(taken) and one.run_id not in accepted and _loses_rows(taken[-1], one)
        against = taken[-1] if is_lost else None
        if against is None:
            taken.append(one)
        if one.run_id in passed:
            counted.append((passed[one.run_id], against))
            newest = event[0]
    chosen: ValidationResult | None = None
    for attempt in reversed([one for one, against in counted if against is None]):
        if chosen is not None and (chosen.content_sha256 is None or not _same_rows(attempt, chosen)):
            break
        if attempt.run_id not in pruned:
            chosen = attempt
    held, against = counted[-1] if counted else (None, None)
    if against is None or held is None or held.run_id in pruned:
        return Choice(chosen, newest=newest)
    return Choice(chosen, held, against, newest)


def choice_of(history: KeyHistory) -> Choice:
    """The runs that what is on record of a partition makes authoritative and holds."""
    return choose(history.results, history.revoked, history.accepted, history.pruned_runs)


def _confirmations(results: Iterable[ValidationResult]) -> dict[RunId, tuple[RunId, datetime | None]]:
    """The last run that confirmed each run, where it is newer than that run, and when."""
    found: dict[RunId, tuple[RunId, datetime | None]] = {}
    for one in results:
        before = found.get(one.run_id, (one.run_id, None))
        if one.confirmed_by is not None and one.confirmed_by > before[0]:
            found[one.run_id] = one.confirmed_by, one.confirmed_at
    return found


def confirmed(results: Iterable[ValidationResult], of: RunId, by: RunId, at: datetime) -> tuple[ValidationResult, ...]:
    """`results` with those of the run `of` that passed confirmed by the run `by`, unless a later one has."""
    return tuple(
        replace(one, confirmed_by=by, confirmed_at=at)
        if one.run_id == of and one.outcome is ValidationOutcome.PASSED and by > (one.confirmed_by or one.run_id)
        else one
        for one in results
    )


def is_news(history: KeyHistory, attempt: ValidationResult) -> bool:
    """Whether recording `attempt` would say anything that is not on record of its run already."""
    held = {known.run_id: known for known in effective_results(history.results)}.get(attempt.run_id)
    if held is None:
        return True
    if held.has_seal and not attempt.has_seal:
        return False
    return not held.is_equivalent(attempt)


def is_confirmed(history: KeyHistory, confirmation: Confirmation) -> bool:
    """Whether `confirmation` is of the rows that are authoritative, and all that is on record leaves them so."""
    won = choice_of(replace(history, results=_with(confirmation, history.results))).winner
    return (
        won is not None
        and confirmation.of == won.run_id == history.state.current_run_id
        and confirmation.content_sha256 == won.content_sha256
    )


def settle(
    history: KeyHistory, attempt: ValidationResult | None, now: datetime, confirmation: Confirmation | None = None
) -> PartitionState:
    """The state after `attempt` is recorded (None: after a revocation, or a confirmation) on top of `history`.

    Returns `history.state` itself if nothing is to be written.
    """
    if attempt is not None and not is_news(history, attempt):
        return history.state
    before = history.state
    results = (*history.results, attempt) if attempt else history.results
    if confirmation is not None:
        results = _with(confirmation, results)
    effective = effective_results(results)
    chosen = choice_of(replace(history, results=results))
    won = chosen.winner
    by, at = (None, None) if won is None else _confirmations(results).get(won.run_id, (None, None))
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
        last_error=_last_error(effective, chosen, history),
        version=before.version + 1,
        held_run_id=chosen.held.run_id if chosen.held else None,
        confirmed_run_id=by,
        confirmed_at=at,
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


def _with(confirmation: Confirmation, results: Iterable[ValidationResult]) -> tuple[ValidationResult, ...]:
    return confirmed(results, confirmation.of, confirmation.by, confirmation.at)


def _last_error(effective: tuple[ValidationResult, ...], chosen: Choice, history: KeyHistory) -> str | None:
    if not effective:
        return None
    newest, won = effective[-1], chosen.winner
    if newest.failure is not None and (chosen.newest is None or newest.run_id > chosen.newest):
        return str(newest.failure)
    if chosen.held is not None and chosen.held_against is not None:
        had, has = chosen.held_against, chosen.held
        return (
            f"{VANISHED_ROWS}: run {has.run_id} has {has.record_count} rows where run {had.run_id} has "
            f"{had.record_count}, and is held for a decision"
        )
    if won is None and newest.run_id in history.revoked:
        return f"revoked: run {newest.run_id} was revoked"
    if won is None and newest.run_id in history.pruned_runs:
        return f"pruned: run {newest.run_id} was pruned"
    return None
