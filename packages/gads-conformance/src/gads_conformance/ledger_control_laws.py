"""Laws of the control plane's marks, orders, leases and budgets, each test named by its number in the port."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger_samples import act_of, change_of, everything, judged, key_of, moment, record_one, run_of
from gads_conformance.ledger_suite import LedgerSuite
from gads_domain.adapters import LedgerAdapter
from gads_domain.control import Mark, QuotaDay, SchedulingState, Spending
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
from gads_domain.state import OperatorAct, PartitionState, PartitionStatus, StateChange, StateFilter, ValidationOutcome
from gads_domain.state_machine import settle

PASSED, REJECTED, UNSEALED = ValidationOutcome.PASSED, ValidationOutcome.REJECTED, ValidationOutcome.UNSEALED
_DAY = date(2024, 6, 1)


def _by_policy(second: int = 100) -> OperatorAct:
    return replace(act_of(second), by_policy=True, filter="customer=1")


def _standing(ledger: StateReader, key: PartitionKey) -> SchedulingState:
    (found,) = [scheduling for scheduling in ledger.scheduling_states(StateFilter()) if scheduling.key == key]
    return found


class ControlPlaneMarkLaws(LedgerSuite):
    """Marks, orders to withdraw, and what `scheduling_states` makes of them."""

    def test_control_plane_law_3_a_mark_changes_itself_and_nothing_else(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """Marks go on and off once, alone, with an act each; rows, attempts and log stay as they are."""
        good, failed, absent = key_of(1), key_of(2), key_of(3)
        record_one(validator, judged(good, 1))
        record_one(validator, judged(failed, 1, REJECTED))
        keys = [good, failed, absent]
        rows, log = [reader.history(key) for key in keys], reader.authority_changes()
        for mark in Mark:
            assert control_plane.mark([*keys, failed], mark, act_of()) == [True, True, True, False]
            assert control_plane.mark([], mark, act_of()) == []
        assert [reader.marks(key) for key in keys] == [frozenset(Mark)] * 3
        assert control_plane.unmark(keys[:2], Mark.HELD, act_of(200)) == [True, True]
        assert control_plane.unmark(keys[:2], Mark.HELD, act_of(200)) == [False, False]
        assert [reader.marks(key) for key in keys] == [{Mark.TERMINAL}, {Mark.TERMINAL}, set(Mark)]
        assert [reader.history(key) for key in keys] == rows
        assert reader.authority_changes() == log
        assert [state.key for state in reader.find(StateFilter())] == [good, failed]
        assert [recorded.kind for recorded in reader.acts(absent)] == ["hold", "mark_terminal"]

    def test_control_plane_law_5_an_act_says_who_why_by_what_and_from_where_to_where(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """Actor, time, command, filter, reason and the standing before and after come back as they were given."""
        key = key_of()
        record_one(validator, judged(key, 1, REJECTED))
        act = replace(act_of(), filter="customer=1 report=campaign")
        control_plane.mark([key], Mark.HELD, act)
        control_plane.retry([key], act)
        control_plane.unmark([key], Mark.HELD, act)
        record_one(validator, judged(key, 2))
        control_plane.revoke([(key, run_of(2))], act)
        assert [(done.kind, done.before, done.after) for done in reader.acts(key)] == [
            ("hold", "failed", "failed held"),
            ("retry", "failed held", "pending held"),
            ("release", "pending held", "pending"),
            ("revoke", "success", f"success revoked={run_of(2)}"),
        ]
        assert {done.act for done in reader.acts(key)} == {act}

    def test_control_plane_law_1_policy_leaves_marked_partitions_alone_and_operators_need_not(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """A hold or a terminal mark stops what policy would do; who may overrule it is a person."""
        keys = [key_of(n) for n in (1, 2, 3)]
        for key in keys:
            record_one(validator, judged(key, 1, UNSEALED))
        control_plane.mark([keys[0]], Mark.HELD, act_of())
        control_plane.mark([keys[1]], Mark.TERMINAL, act_of())
        assert control_plane.retry(keys, _by_policy()) == [False, False, True]
        assert reader.acts(keys[2])[0].act == _by_policy()
        assert control_plane.retry(keys, act_of()) == [True, True, False]

    def test_control_plane_law_4_revoke_orders_and_the_validator_carries_out(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """The order leaves status and authority; settling it gives them to the run before, and never back."""
        key = key_of()
        for run in (1, 2):
            record_one(validator, judged(key, run))
        before = reader.get(key)
        pairs = [(key, run_of(2)), (key, run_of(9)), (key_of(5), run_of(2)), (key, run_of(2))]
        assert control_plane.revoke(pairs, act_of()) == [True, False, False, False]
        assert control_plane.revoke([], act_of()) == []
        ordered = reader.history(key)
        assert ordered.revoked == {run_of(2)}
        assert (ordered.state.status, ordered.state.current_run_id) == (before.status, run_of(2))
        settled = settle(ordered, None, moment(200))
        assert validator.record([StateChange(ordered.state, settled, None)]) == [True]
        assert reader.get(key).current_run_id == run_of(1)
        record_one(validator, replace(judged(key, 2), validated_at=moment(300), seal_sha256="0" * 64))
        assert reader.get(key).current_run_id == run_of(1)
        entry = reader.authority_changes()[-1]
        assert (entry.cause, entry.from_run, entry.to_run) == ("order", run_of(2), run_of(1))

    def test_control_plane_law_4_a_decision_from_before_the_order_is_stale(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """A validator that looked before the order cannot move authority by what it saw."""
        key = key_of()
        record_one(validator, judged(key, 1))
        late = change_of(validator.history(key), judged(key, 2, REJECTED))
        assert control_plane.revoke([(key, run_of(1))], act_of()) == [True]
        assert validator.record([late]) == [False]

    def test_reader_law_7_standings_tell_of_rows_and_marks_in_key_order(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """Every partition with a row or a mark, once, filtered as `find` filters; a mark that is off is no mark."""
        keys = [key_of(customer, day) for customer in (1, 10, 2) for day in (0, 1)]
        assert list(reader.scheduling_states(StateFilter())) == []
        record_one(validator, judged(keys[0], 1))
        record_one(validator, judged(keys[3], 2, REJECTED))
        control_plane.mark([keys[1], keys[3], keys[4], keys[5]], Mark.HELD, act_of())
        control_plane.unmark([keys[4]], Mark.HELD, act_of())
        for ledger in (reader, validator, control_plane):
            found = list(ledger.scheduling_states(StateFilter()))
            assert [s.key for s in found] == sorted([keys[0], keys[1], keys[3], keys[5]])
            assert [s.marks for s in found] == [set(), {Mark.HELD}, {Mark.HELD}, {Mark.HELD}]
        day = keys[0].logical_date
        for wanted, expected in (
            (StateFilter(source="other"), []),
            (StateFilter(customer_ids=("2", "1")), [keys[0], keys[1], keys[5]]),
            (StateFilter(since=day + timedelta(days=1)), [keys[1], keys[3], keys[5]]),
            (StateFilter(until=day), [keys[0]]),
            (StateFilter(reports=("ad",)), []),
            (StateFilter(statuses=(PartitionStatus.PENDING,)), [keys[1], keys[5]]),
            (StateFilter(statuses=(PartitionStatus.FAILED, PartitionStatus.SUCCESS)), [keys[0], keys[3]]),
        ):
            assert [s.key for s in reader.scheduling_states(wanted)] == sorted(expected), wanted

    def test_reader_law_7_tries_are_counted_from_the_last_good_run_or_operators_retry(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """What policy retried goes on counting; what an operator retried, or what passed, begins anew."""
        key = key_of()
        failure = judged(key, 1, REJECTED).failure
        record_one(validator, judged(key, 1, UNSEALED, second=50))
        assert _standing(reader, key) == SchedulingState(key, PartitionStatus.FAILED, moment(50), 1, failure)
        control_plane.retry([key], _by_policy())
        record_one(validator, judged(key, 2, UNSEALED))
        record_one(validator, judged(key, 2, REJECTED))
        assert _standing(reader, key).tries == 2
        control_plane.retry([key], act_of(5))
        assert (_standing(reader, key).tries, _standing(reader, key).failure) == (0, None)
        assert _standing(reader, key).status is PartitionStatus.PENDING
        record_one(validator, judged(key, 3, REJECTED))
        assert _standing(reader, key).tries == 1
        record_one(validator, judged(key, 4, second=400))
        assert _standing(reader, key) == SchedulingState(key, PartitionStatus.SUCCESS, moment(400))
        late = judged(key, 5, REJECTED, second=500)
        record_one(validator, late)
        assert _standing(reader, key) == SchedulingState(key, PartitionStatus.SUCCESS, moment(500), 1, late.failure)
        control_plane.revoke([(key, run_of(4))], act_of(600))
        ordered = reader.history(key)
        validator.record([StateChange(ordered.state, settle(ordered, None, moment(700)), None)])
        assert _standing(reader, key).status is PartitionStatus.FAILED
        assert _standing(reader, key).tries == 1

    def test_reader_law_7_moves_are_the_keys_part_of_the_log(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """Its own entries and nobody else's, in order."""
        mine, other = key_of(1), key_of(2)
        for run in (1, 2):
            for key in (mine, other):
                record_one(validator, judged(key, run, REJECTED if run == 1 else PASSED))
                control_plane.retry([mine], act_of(50))
        assert reader.authority_changes_of(mine) == [entry for entry in reader.authority_changes() if entry.key == mine]
        assert len(reader.authority_changes_of(mine)) == 3
        assert reader.authority_changes_of(key_of(3)) == []

    def test_control_plane_law_3_no_row_comes_into_being_by_a_mark(
        self, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """A partition that was never attempted stays at version 0, held or not."""
        key = key_of()
        before = everything(reader, [key])
        control_plane.mark([key], Mark.HELD, act_of())
        assert reader.get(key) == PartitionState(key)
        assert before != everything(reader, [key])
        assert reader.position() == 0


class ControlPlaneLeaseLaws(LedgerSuite):
    """Leases and budgets."""

    def test_control_plane_law_6_one_owner_a_scope_at_a_time(
        self, adapter: LedgerAdapter, ledger_url: str, base: Path, control_plane: ControlPlaneLedger
    ) -> None:
        """What is held is not given to another; what expired or was released is, with a higher number."""
        with adapter.open_for_control_plane(ledger_url, base) as other:
            a, b = control_plane.take_leases(["a", "b"], "one", moment(0), moment(60))
            assert a is not None
            assert b is not None
            assert other.take_leases(["a", "c", "a"], "two", moment(59), moment(120))[::2] == [None, None]
            assert [lease.scope for lease in other.leases(moment(59))] == ["a", "b", "c"]
            (taken,) = other.take_leases(["a"], "two", moment(60), moment(120))
            assert taken is not None
            assert taken.number > max(a.number, b.number)
            assert control_plane.renew_leases([a, b], moment(30), moment(90)) == [
                None,
                replace(b, expires_at=moment(90)),
            ]
            control_plane.release_leases([a, b])
            assert [lease.scope for lease in control_plane.leases(moment(61))] == ["a", "c"]
            (again,) = other.take_leases(["b"], "two", moment(61), moment(120))
            assert again is not None
            assert again.number > taken.number
            (mine,) = other.take_leases(["b"], "two", moment(62), moment(130))
            assert mine is not None
            assert mine.number > again.number
            assert other.renew_leases([again], moment(63), moment(150)) == [None]
        with pytest.raises(InvalidValueError):
            control_plane.take_leases(["z"], "one", moment(5), moment(5))

    def test_control_plane_law_6_what_is_given_back_with_a_taking_is_released(
        self, adapter: LedgerAdapter, ledger_url: str, base: Path, control_plane: ControlPlaneLedger
    ) -> None:
        """Also where nothing could be taken; what somebody else holds by now is left alone."""
        with adapter.open_for_control_plane(ledger_url, base) as other:
            a, b = control_plane.take_leases(["a", "b"], "one", moment(0), moment(60))
            assert a is not None
            assert b is not None
            (theirs,) = other.take_leases(["c"], "two", moment(1), moment(60))
            assert theirs is not None
            assert control_plane.take_leases(["c"], "one", moment(2), moment(60), [a]) == [None]
            assert [lease.scope for lease in control_plane.leases(moment(2))] == ["b", "c"]
            (again,) = control_plane.take_leases(["b"], "one", moment(3), moment(60), [b])
            assert again is not None
            assert again.number > theirs.number
            assert control_plane.spend("t", _DAY, 1, 9, b, moment(3)) is Spending.LEASE_LOST
            (taken,) = other.take_leases(["a"], "two", moment(4), moment(60), [b])
            assert taken is not None
            control_plane.take_leases([], "one", moment(5), moment(60), [a])
            assert control_plane.leases(moment(5)) == [taken, again, theirs]

    def test_control_plane_law_7_what_is_granted_never_exceeds_the_limit(
        self, adapter: LedgerAdapter, ledger_url: str, base: Path, control_plane: ControlPlaneLedger
    ) -> None:
        """All or nothing, shared by all, apart by budget and day, and kept."""
        with adapter.open_for_control_plane(ledger_url, base) as other:
            spend = control_plane.spend
            assert spend("t", _DAY, 3, 5, None, moment(0)) is Spending.GRANTED
            assert other.spend("t", _DAY, 3, 5, None, moment(0)) is Spending.EXHAUSTED
            assert other.spend("t", _DAY, 2, 5, None, moment(0)) is Spending.GRANTED
            assert spend("t", _DAY, 1, 5, None, moment(0)) is Spending.EXHAUSTED
            assert spend("t", _DAY + timedelta(days=1), 5, 5, None, moment(0)) is Spending.GRANTED
            assert spend("u", _DAY, 1, None, None, moment(0)) is Spending.GRANTED
            other.exhaust("u", _DAY)
            assert spend("u", _DAY, 1, None, None, moment(0)) is Spending.EXHAUSTED
            with pytest.raises(InvalidValueError):
                spend("t", _DAY, 0, 5, None, moment(0))
        with adapter.open_reader(ledger_url, base) as reader:
            assert reader.quota("t", _DAY) == QuotaDay(5)
            assert reader.quota("u", _DAY) == QuotaDay(1, exhausted=True)
            assert reader.quota("never", _DAY) == QuotaDay()

    def test_control_plane_law_6_a_lost_lease_spends_nothing(self, control_plane: ControlPlaneLedger) -> None:
        """Whoever stalled past its lease finds the door shut, even if nobody has taken the scope."""
        (lease,) = control_plane.take_leases(["a"], "one", moment(0), moment(60))
        assert lease is not None
        assert control_plane.spend("t", _DAY, 1, 9, lease, moment(59)) is Spending.GRANTED
        assert control_plane.spend("t", _DAY, 1, 9, lease, moment(60)) is Spending.LEASE_LOST
        control_plane.take_leases(["a"], "two", moment(61), moment(90))
        assert control_plane.spend("t", _DAY, 1, 9, lease, moment(10)) is Spending.LEASE_LOST
        assert control_plane.quota("t", _DAY) == QuotaDay(1)

    def test_authority_over_the_control_plane_is_cut(self, reader: StateReader, validator: ValidatorLedger) -> None:
        """Nobody else holds what is the control plane's."""
        for ledger in (reader, validator):
            for name in ("mark", "unmark", "revoke", "take_leases", "renew_leases", "release_leases", "spend"):
                assert not hasattr(ledger, name)
