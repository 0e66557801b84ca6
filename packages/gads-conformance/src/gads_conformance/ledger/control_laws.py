"""The laws of `ControlPlaneLedger`: retries, marks, revocations and leases."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    FILTERS,
    PASSED,
    REJECTED,
    UNSEALED,
    act_of,
    change_of,
    key_of,
    matches,
    moment,
    result_of,
    run_of,
)
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.control import ActKind, Lease, Mark, SchedulingState, scope_of
from gads_domain.errors import InvalidValueError
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.quota import CallScope, Spending
from gads_domain.state import OperatorAct, PartitionStatus, StateChange, StateFilter
from gads_domain.state_machine import settle

_CALL = CallScope("t", "1", "campaign")


def _by_policy(second: int = 100) -> OperatorAct:
    return replace(act_of(second), by_policy=True, filter="customer=1")


class ControlLaws(LedgerSuite):
    """What operators and runs may do, and what readers see of it."""

    @law("ControlPlaneLedger", 1)
    def test_retry_makes_failed_partitions_pending_and_nothing_else(self, ledger: LedgerUnderTest) -> None:
        failed, passed, absent = key_of(1), key_of(2), key_of(3)
        ledger.record(result_of(failed, 1, REJECTED))
        ledger.record(result_of(passed, 1))
        before = [ledger.reader.history(key) for key in (failed, passed, absent)]
        act = act_of()
        assert ledger.control.retry([passed, failed, absent, failed], act) == [False, True, False, False]
        state = before[0].state
        pending = replace(state, status=PartitionStatus.PENDING, updated_at=act.at, version=state.version + 1)
        assert ledger.reader.get(failed) == pending
        assert ledger.reader.history(failed).results == before[0].results
        assert [ledger.reader.history(key) for key in (passed, absent)] == before[1:]
        (recorded,) = ledger.reader.acts(failed)
        assert (recorded.key, recorded.kind, recorded.act) == (failed, "retry", act)
        assert (recorded.status_before, recorded.status_after) == (PartitionStatus.FAILED, PartitionStatus.PENDING)
        assert ledger.reader.acts(passed) == ledger.reader.acts(absent) == []
        entry = ledger.reader.authority_changes()[-1]
        assert len(ledger.reader.authority_changes()) == 3
        assert (entry.key, entry.cause, entry.at) == (failed, "retry", act.at)
        assert (entry.status_before, entry.status_after) == (PartitionStatus.FAILED, PartitionStatus.PENDING)
        assert not entry.changes_authority

    @law("ControlPlaneLedger", 1)
    def test_a_second_retry_changes_nothing(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        ledger.record(result_of(key, 1, UNSEALED))
        assert ledger.control.retry([key], act_of(1)) == [True]
        before = ledger.everything([key])
        assert ledger.control.retry([key], act_of(2)) == [False]
        assert ledger.control.retry([], act_of(3)) == []
        assert ledger.everything([key]) == before

    def test_a_retry_makes_a_validators_change_stale(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        ledger.record(result_of(key, 1, REJECTED))
        change = change_of(ledger.validator.history(key), result_of(key, 2, REJECTED))
        assert ledger.control.retry([key], act_of()) == [True]
        assert ledger.validator.record([change]) == [False]
        assert ledger.reader.get(key).status is PartitionStatus.PENDING
        ledger.record(result_of(key, 2, REJECTED))
        assert ledger.control.retry([key], act_of(300, "another")) == [True]
        assert [recorded.act.actor for recorded in ledger.reader.acts(key)] == ["operator", "another"]

    @law("ControlPlaneLedger", 2)
    def test_a_partition_can_succeed_after_a_retry(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        ledger.record(result_of(key, 1, REJECTED))
        ledger.control.retry([key], act_of())
        ledger.record(result_of(key, 2))
        assert ledger.reader.get(key).status is PartitionStatus.SUCCESS
        assert ledger.reader.get(key).current_run_id == run_of(2)
        assert ledger.reader.get(key).attempt_count == 2

    @law("ControlPlaneLedger", 3)
    def test_a_mark_changes_itself_and_nothing_else(self, ledger: LedgerUnderTest) -> None:
        good, failed, absent = key_of(1), key_of(2), key_of(3)
        ledger.record(result_of(good, 1))
        ledger.record(result_of(failed, 1, REJECTED))
        keys = [good, failed, absent]
        rows, changes = [ledger.reader.history(key) for key in keys], ledger.reader.authority_changes()
        for mark in Mark:
            assert ledger.control.mark([*keys, failed], mark, act_of()) == [True, True, True, False]
            assert ledger.control.mark([], mark, act_of()) == []
        assert [ledger.reader.marks(key) for key in keys] == [frozenset(Mark)] * 3
        assert ledger.control.unmark(keys[:2], Mark.HELD, act_of(200)) == [True, True]
        assert ledger.control.unmark(keys[:2], Mark.HELD, act_of(200)) == [False, False]
        assert [ledger.reader.marks(key) for key in keys] == [{Mark.TERMINAL}, {Mark.TERMINAL}, set(Mark)]
        assert [ledger.reader.history(key) for key in keys] == rows
        assert ledger.reader.authority_changes() == changes
        assert [state.key for state in ledger.reader.find(StateFilter())] == [good, failed], "a mark creates no row"
        assert [recorded.kind for recorded in ledger.reader.acts(absent)] == ["hold", "mark_terminal"]

    @law("ControlPlaneLedger", 5)
    def test_an_act_is_recorded_whole(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        ledger.record(result_of(key, 1, REJECTED))
        act = replace(act_of(), filter="customer=1 report=campaign")
        ledger.control.mark([key], Mark.HELD, act)
        ledger.control.retry([key], act)
        ledger.control.unmark([key], Mark.HELD, act)
        ledger.record(result_of(key, 2))
        ledger.control.revoke([(key, run_of(2))], act)
        assert [(done.kind, done.before, done.after) for done in ledger.reader.acts(key)] == [
            ("hold", "failed", "failed held"),
            ("retry", "failed held", "pending held"),
            ("release", "pending held", "pending"),
            ("revoke", "success", f"success revoked={run_of(2)}"),
        ]
        assert {done.act for done in ledger.reader.acts(key)} == {act}

    @law("ControlPlaneLedger", 1)
    def test_policy_does_not_retry_marked_partitions(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(n) for n in (1, 2, 3)]
        for key in keys:
            ledger.record(result_of(key, 1, UNSEALED))
        ledger.control.mark([keys[0]], Mark.HELD, act_of())
        ledger.control.mark([keys[1]], Mark.TERMINAL, act_of())
        assert ledger.control.retry(keys, _by_policy()) == [False, False, True]
        assert ledger.reader.acts(keys[2])[0].act == _by_policy()
        assert ledger.control.retry(keys, act_of()) == [True, True, False]

    @law("ControlPlaneLedger", 4)
    def test_a_revocation_takes_effect_when_it_is_settled(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        for run in (1, 2):
            ledger.record(result_of(key, run))
        before = ledger.reader.get(key)
        pairs = [(key, run_of(2)), (key, run_of(9)), (key_of(5), run_of(2)), (key, run_of(2))]
        assert ledger.control.revoke(pairs, act_of()) == [True, False, False, False]
        assert ledger.control.revoke([], act_of()) == []
        revoked = ledger.reader.history(key)
        assert revoked.revoked == {run_of(2)}
        assert (revoked.state.status, revoked.state.current_run_id) == (before.status, run_of(2))
        settled = settle(revoked, None, moment(200))
        assert ledger.validator.record([StateChange(revoked.state, settled, None)]) == [True]
        assert ledger.reader.get(key).current_run_id == run_of(1)
        ledger.record(replace(result_of(key, 2), validated_at=moment(300), seal_sha256="0" * 64))
        assert ledger.reader.get(key).current_run_id == run_of(1)
        entry = ledger.reader.authority_changes()[-1]
        assert (entry.cause, entry.from_run, entry.to_run) == ("order", run_of(2), run_of(1))

    @law("ControlPlaneLedger", 4)
    def test_a_change_from_before_a_revocation_is_stale(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        ledger.record(result_of(key, 1))
        late = change_of(ledger.validator.history(key), result_of(key, 2, REJECTED))
        assert ledger.control.revoke([(key, run_of(1))], act_of()) == [True]
        assert ledger.validator.record([late]) == [False]

    @law("ControlPlaneLedger", 9)
    @law("StateReader", 7)
    def test_an_acceptance_takes_effect_when_it_is_settled(self, ledger: LedgerUnderTest) -> None:
        key, other = key_of(), key_of(5)
        for one in (key, other):
            ledger.record(result_of(one, 1, count=3))
        ledger.record(result_of(key, 2, count=0, vanished_rows=1.0))
        state, position = ledger.reader.get(key), ledger.reader.position()
        assert (state.current_run_id, state.held_run_id, state.record_count) == (run_of(1), run_of(2), 3)
        for each in ledger.all:
            assert list(each.find(StateFilter(held=True))) == [state]
            assert [found.held_run for found in each.scheduling_states(StateFilter())] == [run_of(2), None]
            assert [found.key for found in each.scheduling_states(StateFilter(held=True))] == [key]
        late = change_of(ledger.validator.history(key), result_of(key, 3, REJECTED))
        pairs = [(key, run_of(1)), (key, run_of(2)), (other, run_of(1)), (key, run_of(2))]
        assert ledger.control.accept(pairs, act_of()) == [False, True, False, False]
        assert ledger.control.accept([], act_of()) == []
        assert ledger.validator.record([late]) == [False]
        accepted = ledger.reader.history(key)
        assert accepted.accepted == {run_of(2)}
        assert not accepted.revoked
        assert accepted == ledger.control.histories([key])[0]
        assert accepted.state == replace(state, version=state.version + 1, updated_at=act_of().at)
        assert ledger.reader.position() == position
        settled = settle(accepted, None, moment(200))
        assert ledger.validator.record([StateChange(accepted.state, settled, None)]) == [True]
        after = ledger.reader.get(key)
        assert (after.current_run_id, after.held_run_id, after.record_count) == (run_of(2), None, 0)
        assert list(ledger.reader.find(StateFilter(held=True))) == []
        entry = ledger.reader.authority_changes()[-1]
        assert (entry.cause, entry.from_run, entry.to_run) == ("accept", run_of(1), run_of(2))
        (recorded,) = ledger.reader.acts(key)
        texts = ("accept", "success", f"success accepted={run_of(2)}")
        assert (recorded.kind, recorded.before, recorded.after) == texts

    @law("StateReader", 7)
    def test_scheduling_states_show_rows_and_marks_in_key_order(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(customer, day) for customer in (1, 10, 2) for day in (0, 1)]
        assert list(ledger.reader.scheduling_states(StateFilter())) == []
        ledger.record(result_of(keys[0], 1))
        ledger.record(result_of(keys[3], 2, REJECTED))
        ledger.control.mark([keys[1], keys[3], keys[4], keys[5]], Mark.HELD, act_of())
        ledger.control.unmark([keys[4]], Mark.HELD, act_of())
        for each in ledger.all:
            found = list(each.scheduling_states(StateFilter()))
            assert [s.key for s in found] == sorted([keys[0], keys[1], keys[3], keys[5]])
            assert [s.marks for s in found] == [set(), {Mark.HELD}, {Mark.HELD}, {Mark.HELD}]
            assert [s.status.value for s in found] == ["success", "pending", "failed", "pending"]
            for wanted in FILTERS:
                assert list(each.scheduling_states(wanted)) == [s for s in found if matches(s.key, s.status, wanted)]

    @law("StateReader", 7)
    def test_tries_are_counted_from_the_last_success_or_operators_retry(self, ledger: LedgerUnderTest) -> None:
        key = key_of()

        def tried() -> SchedulingState:
            (found,) = ledger.reader.scheduling_states(StateFilter())
            return found

        failure = result_of(key, 1, REJECTED).failure
        ledger.record(result_of(key, 1, UNSEALED, second=50))
        assert tried() == SchedulingState(key, PartitionStatus.FAILED, moment(50), 1, failure)
        ledger.control.retry([key], _by_policy())
        ledger.record(result_of(key, 2, UNSEALED))
        ledger.record(result_of(key, 2, REJECTED))
        assert tried().tries == 2
        ledger.control.retry([key], act_of(5))
        assert (tried().tries, tried().failure) == (0, None)
        assert tried().status is PartitionStatus.PENDING
        ledger.record(result_of(key, 3, REJECTED))
        assert tried().tries == 1
        ledger.record(result_of(key, 4, second=400))
        assert tried() == SchedulingState(key, PartitionStatus.SUCCESS, moment(400))
        late = result_of(key, 5, REJECTED, second=500)
        ledger.record(late)
        assert tried() == SchedulingState(key, PartitionStatus.SUCCESS, moment(500), 1, late.failure)
        ledger.control.revoke([(key, run_of(4))], act_of(600))
        revoked = ledger.reader.history(key)
        ledger.validator.record([StateChange(revoked.state, settle(revoked, None, moment(700)), None)])
        assert tried().status is PartitionStatus.FAILED
        assert tried().tries == 1

    @law("StateReader", 7)
    def test_changes_of_a_key_are_its_own(self, ledger: LedgerUnderTest) -> None:
        mine, other = key_of(1), key_of(2)
        for run in (1, 2):
            for key in (mine, other):
                ledger.record(result_of(key, run, REJECTED if run == 1 else PASSED))
                ledger.control.retry([mine], act_of(50))
        assert ledger.reader.authority_changes_of(mine) == [
            entry for entry in ledger.reader.authority_changes() if entry.key == mine
        ]
        assert len(ledger.reader.authority_changes_of(mine)) == 3
        assert ledger.reader.authority_changes_of(key_of(3)) == []

    @law("ControlPlaneLedger", 6)
    def test_one_owner_a_scope_at_a_time(self, ledger: LedgerUnderTest) -> None:
        with ledger.open_for_control_plane() as other:
            a, b = _taken(ledger.control, "ab", "one", 0)
            assert other.take_leases(["a", "c", "a"], "two", moment(59), moment(120))[::2] == [None, None]
            assert [lease.scope for lease in other.leases(moment(59))] == ["a", "b", "c"]
            (taken,) = _taken(other, "a", "two", 60, 120)
            assert taken.number > max(a.number, b.number)
            assert ledger.control.renew_leases([a, b], moment(30), moment(90)) == [
                None,
                replace(b, expires_at=moment(90)),
            ]
            ledger.control.release_leases([a, b])
            assert [lease.scope for lease in ledger.control.leases(moment(61))] == ["a", "c"]
            (again,) = _taken(other, "b", "two", 61, 120)
            (mine,) = _taken(other, "b", "two", 62, 130)
            assert mine.number > again.number > taken.number
            assert other.renew_leases([again], moment(63), moment(150)) == [None]
        with pytest.raises(InvalidValueError):
            ledger.control.take_leases(["z"], "one", moment(5), moment(5))

    @law("ControlPlaneLedger", 12)
    def test_a_lease_that_is_broken_is_free_and_on_record(self, ledger: LedgerUnderTest) -> None:
        key = key_of(1)
        scope = scope_of(key.source, key.customer_id, key.report)
        with ledger.open_for_control_plane() as other:
            (held,) = _taken(ledger.control, [scope], "one", 0, 9_000)
            assert other.break_lease(replace(held, number=held.number + 1), act_of(5)) is False
            assert other.break_lease(held, act_of(6)) is True
            assert other.break_lease(held, act_of(7)) is False
            assert other.leases(moment(6)) == []
            assert ledger.control.renew_leases([held], moment(7), moment(60)) == [None]
            assert _taken(other, [scope], "two", 8)[0].number > held.number
        (recorded,) = ledger.reader.acts(replace(key, logical_date=moment(6).date()))
        assert (recorded.kind, recorded.act, recorded.before) == (ActKind.BREAK_LEASE, act_of(6), recorded.after)

    @law("ControlPlaneLedger", 6)
    def test_leases_given_back_are_released(self, ledger: LedgerUnderTest) -> None:
        with ledger.open_for_control_plane() as other:
            a, b = _taken(ledger.control, "ab", "one", 0)
            (theirs,) = _taken(other, "c", "two", 1)
            assert ledger.control.take_leases(["c"], "one", moment(2), moment(60), [a]) == [None]
            assert [lease.scope for lease in ledger.control.leases(moment(2))] == ["b", "c"]
            (again,) = _taken(ledger.control, "b", "one", 3, giving_back=[b])
            assert again.number > theirs.number
            assert ledger.control.spend(_CALL, 1, 9, b, moment(3)) is Spending.LEASE_LOST
            (taken,) = _taken(other, "a", "two", 4, giving_back=[b])
            assert [one.left_behind for one in (a, again, taken)] == [False, False, False]
            ledger.control.take_leases([], "one", moment(5), moment(60), [a])
            assert ledger.control.leases(moment(5)) == [taken, again, theirs]

    @law("ControlPlaneLedger", 6)
    def test_a_lost_lease_spends_nothing(self, ledger: LedgerUnderTest) -> None:
        (lease,) = _taken(ledger.control, "a", "one", 0)
        assert ledger.control.spend(_CALL, 1, 9, lease, moment(59)) is Spending.GRANTED
        assert ledger.control.spend(_CALL, 1, 9, lease, moment(60)) is Spending.LEASE_LOST
        (after,) = ledger.control.take_leases(["a"], "two", moment(61), moment(90))
        assert after is not None
        assert after.left_behind
        assert ledger.control.spend(_CALL, 1, 9, lease, moment(10)) is Spending.LEASE_LOST
        assert ledger.control.spent("t", moment(60)).count == 1


def _taken(
    ledger: ControlPlaneLedger,
    scopes: Sequence[str],
    owner: str,
    now: int,
    until: int = 60,
    giving_back: Sequence[Lease] = (),
) -> list[Lease]:
    """Take the lease of each letter of `scopes`; all have to be free."""
    leases = [one for one in ledger.take_leases(list(scopes), owner, moment(now), moment(until), giving_back) if one]
    assert [one.scope for one in leases] == list(scopes)
    return leases
