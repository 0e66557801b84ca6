from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_domain.errors import FailureReason, UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.run import RunId
from gads_domain.state import (
    Confirmation,
    KeyHistory,
    PartitionState,
    PartitionStatus,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import choose, confirmed, effective_results, is_confirmed, is_news, retry, settle

KEY = PartitionKey(GOOGLE_ADS, "1234567890", "campaign", date(2024, 6, 1))
EPOCH = datetime(2024, 6, 2, tzinfo=UTC)
PASSED, REJECTED, UNSEALED = ValidationOutcome.PASSED, ValidationOutcome.REJECTED, ValidationOutcome.UNSEALED


def run_id(number: int) -> RunId:
    return RunId.compose(EPOCH + timedelta(seconds=number), b"\x00\x00\x00\x01")


def result(
    number: int,
    outcome: ValidationOutcome,
    rows: str = "a",
    *,
    schema_version: int = 1,
    second: int = 0,
    share: float | None = None,
) -> ValidationResult:
    sealed = outcome is not UNSEALED
    return ValidationResult(
        key=KEY,
        run_id=run_id(number),
        outcome=outcome,
        validated_at=EPOCH + timedelta(seconds=second),
        failure=None if outcome is PASSED else FailureReason(outcome.value, f"run {number}", retryable=True),
        schema_version=schema_version if sealed else None,
        record_count=len(rows) if sealed else None,
        seal_sha256=hashlib.sha256(f"{number}".encode()).hexdigest() if sealed else None,
        content_sha256=hashlib.sha256(rows.encode()).hexdigest() if sealed else None,
        vanished_rows=share if outcome is PASSED else None,
    )


def record(history: KeyHistory, attempt: ValidationResult, second: int = 0) -> KeyHistory:
    """What a ledger holds after it was told, as `record` writes it."""
    after = settle(history, attempt, EPOCH + timedelta(seconds=second))
    if after is history.state:
        return history
    return replace(history, state=after, results=(*history.results, attempt))


def story(
    attempts: list[ValidationResult], revoked: frozenset[RunId] = frozenset(), accepted: frozenset[RunId] = frozenset()
) -> KeyHistory:
    history = KeyHistory(PartitionState(KEY), revoked=revoked, accepted=accepted)
    for attempt in attempts:
        history = record(history, attempt)
    return history


def validation(state: PartitionState) -> tuple[object, ...]:
    """What has to be the same whatever the order was; version and time are of the way, not of the end."""
    return (
        state.status,
        state.current_run_id,
        state.schema_version,
        state.record_count,
        state.seal_sha256,
        state.attempt_count,
        state.last_error,
        state.held_run_id,
        state.confirmed_run_id,
    )


@st.composite
def attempt_sets(draw: st.DrawFn, spread: int = 1) -> list[ValidationResult]:
    """Runs, each seen unsealed, validated by its seal, or both: a seal has one result."""
    attempts: list[ValidationResult] = []
    for number in draw(st.lists(st.integers(1, 8).map(lambda n: n * spread), unique=True, max_size=6)):
        outcome = draw(st.sampled_from([PASSED, REJECTED, None]))
        rows, version = draw(st.sampled_from(["", "a", "b", "bbb"])), draw(st.sampled_from([1, 2]))
        share = draw(st.sampled_from([None, 0.5, 1.0]))
        if outcome is None or draw(st.booleans()):
            attempts.append(result(number, UNSEALED))
        if outcome is not None:
            attempts.append(result(number, outcome, rows, schema_version=version, share=share))
    return attempts


@st.composite
def confirmed_sets(draw: st.DrawFn) -> list[ValidationResult]:
    """Runs of which some that passed are confirmed by later runs, which have no result of their own."""
    confirmers = draw(st.permutations(range(100, 1000, 100)))
    return [
        replace(one, confirmed_by=run_id(by), confirmed_at=EPOCH)
        if one.outcome is PASSED and draw(st.booleans())
        else one
        for one, by in zip(draw(attempt_sets(spread=101)), confirmers, strict=False)
    ]


revocations = st.frozensets(st.integers(1, 8).map(run_id), max_size=4)


@given(attempt_sets() | confirmed_sets(), revocations, revocations, st.data())
def test_the_order_of_recording_decides_nothing(
    attempts: list[ValidationResult], revoked: frozenset[RunId], accepted: frozenset[RunId], data: st.DataObject
) -> None:
    one = story(attempts, revoked, accepted)
    other = story(data.draw(st.permutations(attempts)), revoked, accepted)
    assert validation(other.state) == validation(one.state)


@given(confirmed_sets(), st.data())
def test_a_confirmation_counts_like_a_run_that_sealed_the_same_rows(
    attempts: list[ValidationResult], data: st.DataObject
) -> None:
    runs = sorted({one.run_id for one in attempts})
    some = st.frozensets(st.sampled_from(runs)) if runs else st.just(frozenset[RunId]())
    revoked, accepted = data.draw(some), data.draw(some)
    copies = {one.confirmed_by: one for one in attempts if one.confirmed_by is not None}
    sealed = [replace(one, confirmed_by=None) for one in attempts]
    sealed += (
        replace(one, run_id=by, confirmed_by=None)
        for by, one in copies.items()
        if by > one.run_id and one.run_id not in revoked
    )
    accepted_too = accepted | {by for by, one in copies.items() if one.run_id in accepted}
    one, other = choose(attempts, revoked, accepted), choose(sealed, revoked, accepted_too)
    assert [x and (x.content_sha256, x.schema_version) for x in (one.winner, one.held)] == [
        x and (x.content_sha256, x.schema_version) for x in (other.winner, other.held)
    ]
    states = [story(some, revoked, taken).state for some, taken in ((attempts, accepted), (sealed, accepted_too))]
    assert len({(state.status, state.record_count, (state.last_error or "")[:8]) for state in states}) == 1


def test_a_confirmation_is_withdrawn_with_the_run_that_it_confirms() -> None:
    older, newer = result(1, PASSED, "a"), result(4, PASSED, "b")
    history = story([replace(older, confirmed_by=run_id(9), confirmed_at=EPOCH), newer])
    assert (history.state.current_run_id, history.state.confirmed_run_id) == (run_id(1), run_id(9))
    for withdrawn in (replace(history, revoked=frozenset({run_id(1)})), record(history, result(1, REJECTED))):
        after = settle(withdrawn, None, EPOCH)
        assert (after.current_run_id, after.confirmed_run_id, after.confirmed_at) == (run_id(4), None, None)


def test_a_confirmation_clears_older_errors_and_is_refused_where_its_rows_are_not_authoritative() -> None:
    good, held = result(1, PASSED, "a"), result(3, PASSED, "", share=1.0)
    history = story([good, result(2, UNSEALED), held])
    assert history.state.held_run_id == run_id(3)
    by = Confirmation(KEY, run_id(1), run_id(4), str(good.content_sha256), EPOCH)
    assert is_confirmed(history, by)
    after = settle(history, None, EPOCH, by)
    assert (after.last_error, after.held_run_id, after.confirmed_run_id) == (None, None, run_id(4))
    assert (after.version, after.attempt_count) == (history.state.version + 1, 3)
    known = replace(history, state=after, results=confirmed(history.results, run_id(1), run_id(4), EPOCH))
    assert settle(known, None, EPOCH, replace(by, at=EPOCH + timedelta(days=1))) is after
    assert record(known, result(5, REJECTED)).state.last_error == "rejected: run 5"
    for refused in (replace(by, of=run_id(3)), replace(by, of=run_id(7)), replace(by, content_sha256="b" * 64)):
        assert not is_confirmed(history, refused)
    assert not is_confirmed(replace(history, revoked=frozenset({run_id(1)})), by)
    assert not is_confirmed(record(history, result(6, PASSED, "b")), replace(by, by=run_id(5)))


@given(attempt_sets(), revocations)
def test_what_loses_rows_is_held_until_it_is_accepted(
    attempts: list[ValidationResult], revoked: frozenset[RunId]
) -> None:
    attempts = [replace(one, vanished_rows=1.0 if one.outcome is PASSED else None) for one in attempts]
    history = story(attempts, revoked)
    state, passed = history.state, [one for one in attempts if one.outcome is PASSED]
    if state.current_run_id is not None and state.record_count == 0:
        assert not [one for one in passed if one.run_id < state.current_run_id and one.record_count]
    held = next((one for one in passed if one.run_id == state.held_run_id), None)
    if held is None:
        return
    assert held.record_count == 0
    assert held.run_id == max(one.run_id for one in passed if one.run_id not in revoked)
    assert [one for one in passed if one.run_id < held.run_id and one.record_count]
    accepted = settle(replace(history, accepted=frozenset({held.run_id})), None, EPOCH)
    assert (accepted.status, accepted.record_count, accepted.held_run_id) == (PartitionStatus.SUCCESS, 0, None)
    dropped = settle(replace(history, revoked=revoked | {held.run_id}), None, EPOCH)
    assert (dropped.status, dropped.current_run_id) == (state.status, state.current_run_id)
    later = record(history, result(30, PASSED, "new", share=1.0)).state
    assert (later.current_run_id, later.held_run_id, later.last_error) == (run_id(30), None, None)


@pytest.mark.parametrize(("share", "rows", "held"), [(1.0, "a", False), (1.0, "", True), (0.75, "a", True)])
def test_the_share_of_lost_rows_decides(share: float, rows: str, held: bool) -> None:
    state = story([result(1, PASSED, "four"), result(2, PASSED, rows, share=share)]).state
    assert (state.held_run_id is not None) is held
    assert state.current_run_id == run_id(1 if held else 2)
    if held:
        lost = f"run {run_id(2)} has {len(rows)} rows where run {run_id(1)} has 4, and is held for a decision"
        assert state.last_error == f"vanished_rows: {lost}"
    other_version = story([result(1, PASSED, "four"), result(2, PASSED, rows, schema_version=2, share=share)]).state
    assert (other_version.held_run_id is not None) is (rows == "")


@pytest.mark.parametrize("damaged", [False, True])
def test_taking_the_authority_from_one_run_accepts_no_other(damaged: bool) -> None:
    before = [result(1, PASSED, "a"), result(2, PASSED, "", share=1.0)]
    after = story([*before, result(1, REJECTED)]) if damaged else story(before, frozenset({run_id(1)}))
    assert (after.state.status, after.state.held_run_id) == (PartitionStatus.FAILED, run_id(2))
    assert str(after.state.last_error).startswith("vanished_rows: ")
    assert record(after, result(3, PASSED, "b", share=1.0)).state.current_run_id == run_id(3)


@given(attempt_sets(), st.data())
def test_saying_it_again_changes_nothing(attempts: list[ValidationResult], data: st.DataObject) -> None:
    history = story(attempts)
    for attempt in data.draw(st.permutations(attempts)):
        again = replace(attempt, validated_at=attempt.validated_at + timedelta(days=1))
        assert not is_news(history, again)
        assert settle(history, again, EPOCH) is history.state


@given(attempt_sets(), st.integers(9, 20), st.sampled_from([REJECTED, UNSEALED]))
def test_a_failed_restatement_never_takes_a_success_away(
    attempts: list[ValidationResult], number: int, outcome: ValidationOutcome
) -> None:
    history = story(attempts)
    failed = result(number, outcome)
    after = record(history, failed).state
    assert after.attempt_count == history.state.attempt_count + 1
    assert after.last_error == str(failed.failure)
    if history.state.status is PartitionStatus.SUCCESS:
        assert (after.status, after.current_run_id) == (PartitionStatus.SUCCESS, history.state.current_run_id)
        assert after.seal_sha256 == history.state.seal_sha256
    else:
        assert (after.status, after.current_run_id) == (PartitionStatus.FAILED, None)


@given(attempt_sets(), st.integers(0, 8), st.sampled_from([REJECTED, UNSEALED]))
def test_no_failed_run_takes_authority_from_another_run(
    attempts: list[ValidationResult], number: int, outcome: ValidationOutcome
) -> None:
    history = story([attempt for attempt in attempts if attempt.run_id != run_id(number)])
    after = record(history, result(number, outcome)).state
    assert after.current_run_id == history.state.current_run_id


@given(attempt_sets(), revocations)
def test_the_winner_is_the_oldest_of_the_newest_streak(
    attempts: list[ValidationResult], revoked: frozenset[RunId]
) -> None:
    attempts = [replace(one, vanished_rows=None) for one in attempts]
    good = sorted(
        (a for a in attempts if a.outcome is PASSED and a.run_id not in revoked), key=lambda attempt: attempt.run_id
    )
    streaks = [
        list(streak) for _, streak in itertools.groupby(good, key=lambda a: (a.content_sha256, a.schema_version))
    ]
    won = choose(attempts, revoked).winner
    assert won == (streaks[-1][0] if streaks else None)


@given(attempt_sets(), revocations)
def test_status_and_winner_agree(attempts: list[ValidationResult], revoked: frozenset[RunId]) -> None:
    history = KeyHistory(PartitionState(KEY), revoked=revoked)
    for number, attempt in enumerate(attempts):
        history = record(history, attempt, number)
        state = history.state
        won = choose(history.results, revoked).winner
        assert (state.status is PartitionStatus.SUCCESS) == (state.current_run_id is not None) == (won is not None)
        assert state.current_run_id not in revoked
        assert state.status is not PartitionStatus.PENDING
        assert state.attempt_count == len({a.run_id for a in history.results})
    if not attempts:
        assert history.state == PartitionState(KEY)


@given(attempt_sets(), st.data())
def test_a_revocation_withdraws_and_the_one_before_wins_again(
    attempts: list[ValidationResult], data: st.DataObject
) -> None:
    history = story(attempts)
    orders: frozenset[RunId] = frozenset()
    while history.state.current_run_id is not None:
        orders |= {history.state.current_run_id}
        after = settle(replace(history, revoked=orders), None, EPOCH)
        assert validation(after) == validation(story(attempts, orders).state)
        assert settle(KeyHistory(after, history.results, orders), None, EPOCH) is after
        history = replace(history, state=after, revoked=orders)
    if orders:
        assert history.state.status is PartitionStatus.FAILED
        assert history.state.last_error


def test_an_equal_restatement_moves_nothing() -> None:
    history = story([result(1, PASSED, "a"), result(2, PASSED, "a"), result(3, REJECTED), result(4, PASSED, "a")])
    assert history.state.current_run_id == run_id(1)
    assert history.state.last_error is None
    assert record(history, result(5, PASSED, "b")).state.current_run_id == run_id(5)


def test_rows_that_come_back_after_others_are_a_new_streak() -> None:
    history = story([result(1, PASSED, "a"), result(2, PASSED, "b"), result(3, PASSED, "a")])
    assert history.state.current_run_id == run_id(3)


def test_equal_rows_of_another_schema_version_are_a_restatement() -> None:
    history = story([result(1, PASSED, "a"), result(2, PASSED, "a", schema_version=2)])
    assert history.state.current_run_id == run_id(2)


def test_runs_without_a_sum_of_their_rows_are_never_equal() -> None:
    unknown = [replace(result(number, PASSED), content_sha256=None) for number in (1, 2)]
    assert story(unknown).state.current_run_id == run_id(2)


@pytest.mark.parametrize("outcome", [PASSED, REJECTED])
def test_unsealed_and_then_sealed_counts_by_the_seal(outcome: ValidationOutcome) -> None:
    sealed = result(1, outcome)
    for order in itertools.permutations([result(1, UNSEALED), sealed]):
        history = story(list(order))
        assert effective_results(history.results) == (sealed,)
        assert history.state.attempt_count == 1
        assert (history.state.current_run_id is not None) == (outcome is PASSED)


@pytest.mark.parametrize("order", [(PASSED, UNSEALED), (UNSEALED, PASSED)])
def test_unsealed_beside_a_judged_seal_says_nothing_in_either_order(order: tuple[ValidationOutcome, ...]) -> None:
    (effective,) = effective_results(result(1, outcome) for outcome in order)
    assert effective.outcome is PASSED


def test_a_withdrawn_newest_run_is_no_error_while_another_is_believed() -> None:
    both = [result(1, PASSED), result(2, PASSED, "b")]
    state = story(both, frozenset({run_id(2)})).state
    assert (state.current_run_id, state.last_error) == (run_id(1), None)
    alone = story(both[1:], frozenset({run_id(2)})).state
    assert alone.last_error == f"revoked: run {run_id(2)} was revoked"


def test_a_seal_found_damaged_later_loses_its_authority_to_the_run_before() -> None:
    history = story([result(1, PASSED, "a"), result(2, PASSED, "b"), result(2, REJECTED, "b")])
    assert history.state.status is PartitionStatus.SUCCESS
    assert history.state.current_run_id == run_id(1)
    assert history.state.last_error == "rejected: run 2"


@given(attempt_sets(), revocations)
def test_retry_is_from_failed_alone_and_touches_nothing_else(
    attempts: list[ValidationResult], revoked: frozenset[RunId]
) -> None:
    history = story(attempts, revoked)
    state = history.state
    now = EPOCH + timedelta(days=1)
    if state.status is not PartitionStatus.FAILED:
        with pytest.raises(UsageError):
            retry(state, now)
        return
    pending = retry(state, now)
    assert pending == replace(state, status=PartitionStatus.PENDING, version=state.version + 1, updated_at=now)
    for attempt in attempts:
        assert settle(replace(history, state=pending), attempt, now) is pending
    failed = record(replace(history, state=pending), result(30, REJECTED)).state
    assert failed.status is PartitionStatus.FAILED


@given(attempt_sets(), st.integers(1, 8))
def test_every_write_is_the_next_version(attempts: list[ValidationResult], number: int) -> None:
    history = story(attempts)
    assert history.state.version == len(history.results)
    after = record(history, result(number, UNSEALED))
    assert after.state.version == len(after.results)


@settings(max_examples=60, deadline=None)
@given(attempt_sets(), st.data())
def test_eight_validators_end_where_one_does(attempts: list[ValidationResult], data: st.DataObject) -> None:
    """Each has all the attempts in an order of its own, decides on what it last saw, and looks again on conflict."""
    ledger = KeyHistory(PartitionState(KEY))
    work = [list(data.draw(st.permutations(attempts))) for _ in range(8)]
    seen = [ledger] * 8
    while any(work):
        who = data.draw(st.sampled_from([number for number in range(8) if work[number]]))
        attempt = work[who][0]
        after = settle(seen[who], attempt, EPOCH)
        if after is seen[who].state:
            work[who].pop(0)
        elif seen[who].state.version == ledger.state.version:
            ledger = replace(ledger, state=after, results=(*ledger.results, attempt))
            work[who].pop(0)
        seen[who] = ledger
    assert validation(ledger.state) == validation(story(attempts).state)
