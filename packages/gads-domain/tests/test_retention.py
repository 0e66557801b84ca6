from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.control import RetentionPolicy
from gads_domain.errors import FailureReason, InvalidValueError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.retention import prunable
from gads_domain.run import RunId
from gads_domain.state import (
    AuthorityChange,
    KeyHistory,
    OperatorAct,
    PartitionState,
    PartitionStatus,
    PrunedRun,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import choice_of, settle

KEY = PartitionKey(GOOGLE_ADS, "1234567890", "campaign", date(2024, 6, 1))
EPOCH = datetime(2024, 6, 2, tzinfo=UTC)
WINDOW = timedelta(days=30)
POLICY = RetentionPolicy(WINDOW)
PASSED, REJECTED = ValidationOutcome.PASSED, ValidationOutcome.REJECTED


def run_id(number: int) -> RunId:
    return RunId.compose(EPOCH + timedelta(seconds=number), b"\x00\x00\x00\x01")


@dataclass
class Partition:
    """A partition whose ledger is kept by `settle`, with its log."""

    history: KeyHistory = field(default_factory=lambda: KeyHistory(PartitionState(KEY)))
    changes: list[AuthorityChange] = field(default_factory=list)

    def write(self, after: PartitionState, attempt: ValidationResult | None = None) -> None:
        before, results = self.history.state, self.history.results
        if (before.status, before.current_run_id) != (after.status, after.current_run_id):
            assert after.updated_at is not None
            self.changes.append(
                AuthorityChange(
                    len(self.changes) + 1,
                    KEY,
                    before.current_run_id,
                    after.current_run_id,
                    before.status,
                    after.status,
                    None,
                    None,
                    None,
                    after.updated_at,
                    "validate",
                )
            )
        self.history = replace(self.history, state=after, results=(*results, attempt) if attempt else results)

    def seal(self, number: int, rows: str, outcome: ValidationOutcome, now: datetime) -> None:
        failure = None if outcome is PASSED else FailureReason("rows", "lost", retryable=True)
        digest = hashlib.sha256(rows.encode()).hexdigest()
        attempt = ValidationResult(
            KEY, run_id(number), outcome, now, (), failure, 1, len(rows), digest, digest, vanished_rows=0.6
        )
        self.write(settle(self.history, attempt, now), attempt)

    def revoke(self, run: RunId, now: datetime) -> None:
        self.history = replace(self.history, revoked=self.history.revoked | {run})
        self.write(settle(self.history, None, now))

    def prune(self, now: datetime, policy: RetentionPolicy = POLICY, pinned: frozenset[RunId] = frozenset()) -> None:
        act = OperatorAct(now, "operator", "sink prune", "")
        for run in prunable(self.history, self.changes, pinned, policy, now):
            self.history = replace(self.history, pruned=(*self.history.pruned, PrunedRun(KEY, run, act)))

    @property
    def current(self) -> RunId | None:
        return self.history.state.current_run_id

    @property
    def seen(self) -> tuple[object, ...]:
        """What consumers and operators see of it."""
        state = self.history.state
        return (state.status, state.current_run_id, state.held_run_id, state.record_count)


steps = st.lists(
    st.tuples(
        st.sampled_from(["seal", "seal", "seal", "reject", "revoke", "prune", "prune"]),
        st.sampled_from(["a", "aa", "aaa", "b", "bbbb", ""]),
        st.integers(0, 40),
    ),
    max_size=24,
)


@given(steps)
def test_a_partition_whose_superseded_runs_went_is_seen_as_if_they_were_there(
    story: list[tuple[str, str, int]],
) -> None:
    kept, pruned = Partition(), Partition()
    now = EPOCH
    for number, (step, rows, days) in enumerate(story):
        now += timedelta(days=days)
        if step == "prune":
            before = choice_of(pruned.history)
            pruned.prune(now)
            after = choice_of(pruned.history)
            assert (after.winner, after.held) == (before.winner, before.held)
            assert not pruned.history.pruned_runs & {pruned.current, pruned.history.state.held_run_id}
            continue
        for one in (kept, pruned):
            if step == "revoke":
                if one.current is None or now - one.changes[-1].at >= WINDOW:
                    continue  # later than the retention, the run before it may be gone
                one.revoke(one.current, now)
            else:
                one.seal(number, rows, PASSED if step == "seal" else REJECTED, now)
        if step == "revoke" and kept.current in pruned.history.pruned_runs:
            return  # the second of two revocations, whose run before it was superseded for long
        assert pruned.seen == kept.seen


def days_of(policy: RetentionPolicy = POLICY, pinned: frozenset[RunId] = frozenset(), **revoked: int) -> list[int]:
    """The numbers of the runs that go of a partition that was sealed on days 0, 10 and 20, at the end of day 49."""
    partition = Partition()
    for number, rows in enumerate(("a", "aa", "aaa")):
        partition.seal(number, rows, PASSED, EPOCH + timedelta(days=10 * number))
    for run in revoked.values():
        partition.revoke(run_id(run), EPOCH + timedelta(days=21))
    partition.prune(EPOCH + timedelta(days=50, hours=1), policy, pinned)
    return [number for number in range(3) if run_id(number) in partition.history.pruned_runs]


def test_what_was_superseded_for_long_goes_oldest_first() -> None:
    assert days_of() == [0, 1]
    assert days_of(RetentionPolicy(timedelta(days=31))) == [0]
    assert days_of(RetentionPolicy(timedelta(days=45))) == []


def test_the_fallback_of_a_young_authority_stays() -> None:
    assert days_of(RetentionPolicy(timedelta(days=30, hours=2))) == [0], "run 1 is what a revocation falls back to"


def test_a_fallback_that_was_superseded_long_before_stays_too() -> None:
    """Run 2 has the rows of run 1, and gets the authority when that is found damaged: before both there is run 0."""
    partition = Partition()
    for number, (rows, outcome, day) in {0: ("a", PASSED, 0), 1: ("b", PASSED, 5), 2: ("b", PASSED, 6)}.items():
        partition.seal(number, rows, outcome, EPOCH + timedelta(days=day))
    partition.seal(1, "b", REJECTED, EPOCH + timedelta(days=40))
    assert partition.current == run_id(2)
    partition.prune(EPOCH + timedelta(days=60))
    assert partition.history.pruned_runs == frozenset()
    partition.prune(EPOCH + timedelta(days=71))
    assert partition.history.pruned_runs == {run_id(0), run_id(1)}


def test_pins_and_the_newest_ones_stay() -> None:
    assert days_of(pinned=frozenset({run_id(0)})) == [1]
    assert days_of(RetentionPolicy(WINDOW, keep=1)) == [0]
    assert days_of(RetentionPolicy(WINDOW, keep=2)) == []
    assert days_of(RetentionPolicy(WINDOW, keep=9)) == []


def test_a_revoked_run_goes_too_and_of_a_day_without_authority_nothing_else() -> None:
    assert days_of(RetentionPolicy(timedelta(days=29)), one=2) == [0, 2]
    partition = Partition()
    partition.seal(0, "a", REJECTED, EPOCH)
    partition.seal(1, "b", PASSED, EPOCH)
    partition.revoke(run_id(1), EPOCH)
    partition.prune(EPOCH + timedelta(days=99))
    assert partition.history.pruned_runs == {run_id(1)}


def test_a_run_whose_rows_came_again_stays_the_authoritative_one() -> None:
    partition = Partition()
    for number, rows in enumerate("aba"):
        partition.seal(number, rows, PASSED, EPOCH)
    assert partition.current == run_id(2)
    partition.prune(EPOCH + timedelta(days=99))
    assert partition.history.pruned_runs == {run_id(0), run_id(1)}
    assert settle(partition.history, None, EPOCH) is partition.history.state


def test_a_day_whose_last_good_run_was_pruned_says_so() -> None:
    partition = Partition()
    partition.seal(0, "a", PASSED, EPOCH)
    partition.seal(1, "a", PASSED, EPOCH)
    partition.prune(EPOCH + timedelta(days=99))
    assert partition.history.pruned_runs == {run_id(1)}
    partition.revoke(run_id(0), EPOCH + timedelta(days=99))
    state = partition.history.state
    assert (state.status, state.last_error) == (PartitionStatus.FAILED, f"pruned: run {run_id(1)} was pruned")


@pytest.mark.parametrize(("days", "keep"), [(0, 0), (1, -1)])
def test_a_retention_is_a_day_at_least(days: int, keep: int) -> None:
    with pytest.raises(InvalidValueError):
        RetentionPolicy(timedelta(days=days), keep)
