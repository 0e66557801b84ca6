"""The laws of pruning: which runs an order takes, what it makes stale, how it ends, and what a pin keeps."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    EPOCH,
    REJECTED,
    UNSEALED,
    act_of,
    change_of,
    confirmation_of,
    key_of,
    moment,
    result_of,
    run_of,
)
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.control import Mark, RetentionPolicy
from gads_domain.errors import AccountErasedError, InvalidValueError, NotSealedError, PrunedRunError
from gads_domain.ports.pins import LONGEST_PIN, Pin
from gads_domain.retention import prunable
from gads_domain.state import OperatorAct, PrunedRun, StateFilter

_KEY, _OTHER = key_of(1), key_of(2)
_WINDOW = timedelta(days=30)
_POLICY = RetentionPolicy(_WINDOW)
_LATER = EPOCH + timedelta(days=31)


def _act(days: float = 31) -> OperatorAct:
    return OperatorAct(EPOCH + timedelta(days=days), "operator", "sink prune", "superseded for 30 days")


class PruneOrderLaws(LedgerSuite):
    """Superseded runs go, the others stay."""

    @law("ControlPlaneLedger", 17)
    @law("StateReader", 15)
    def test_superseded_runs_are_pruned_once(self, ledger: LedgerUnderTest) -> None:
        for run in (1, 2, 3):
            ledger.record(result_of(_KEY, run))
        ledger.record(result_of(_OTHER, 1))
        ledger.record(result_of(_OTHER, 2, UNSEALED))
        before, states = ledger.reader.history(_KEY), ledger.reader.get_many([_KEY, _OTHER])
        log = ledger.reader.authority_changes()
        assert list(ledger.reader.superseded(StateFilter())) == [_KEY, _OTHER]
        assert list(ledger.reader.superseded(StateFilter(customer_ids=("2",)))) == [_OTHER]
        assert list(ledger.reader.superseded(StateFilter(reports=("keyword",)))) == []
        runs = [(_KEY, run_of(1)), (_KEY, run_of(3)), (_OTHER, run_of(1)), (_OTHER, run_of(2)), (_KEY, run_of(2))]
        act = _act()
        expected = [PrunedRun(_KEY, run_of(run), act, before.results[run - 1].seal_sha256) for run in (1, 2)]
        assert ledger.control.prune(runs, _POLICY, act) == [expected[0], None, None, None, expected[1]]
        assert ledger.control.prune(runs, _POLICY, act) == [None] * 5
        for each in ledger.all:
            history = each.history(_KEY)
            assert history.pruned == tuple(expected)
            assert history == replace(before, state=history.state, pruned=tuple(expected))
            assert [replace(one, version=0) for one in each.get_many([_KEY, _OTHER])] == [
                replace(one, version=0) for one in states
            ]
            assert each.history(_OTHER).pruned == ()
            assert each.authority_changes() == log
            assert each.acts(_KEY) == []
            assert list(each.superseded(StateFilter())) == [_OTHER]
            assert each.open_prunes(10) == expected
            assert each.open_prunes(1) == expected[:1]

    @law("ControlPlaneLedger", 17)
    def test_what_is_in_use_or_young_is_not_pruned(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(_KEY, 1, count=10))
        ledger.record(result_of(_KEY, 2, count=10))
        ledger.record(result_of(_KEY, 3, count=0, vanished_rows=1.0))
        assert ledger.reader.get(_KEY).held_run_id == run_of(3)
        runs = [(_KEY, run_of(number)) for number in (1, 2, 3, 4)]
        for policy, act in ((_POLICY, _act(29)), (RetentionPolicy(_WINDOW, keep=1), _act())):
            assert ledger.control.prune(runs, policy, act) == [None] * 4
        assert ledger.control.prune([], _POLICY, _act()) == []
        # The fallback of an authority that is younger than the retention.
        ledger.record(result_of(_OTHER, 1))
        ledger.record(result_of(_OTHER, 2, second=86_400))
        assert ledger.control.prune([(_OTHER, run_of(1))], RetentionPolicy(timedelta(days=30)), _act(30.5)) == [None]
        assert ledger.control.prune([(_OTHER, run_of(1))], _POLICY, _act(32)) != [None]

    @law("ControlPlaneLedger", 17)
    def test_a_decision_from_before_is_stale(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(_KEY, 1))
        ledger.record(result_of(_KEY, 2))
        change = change_of(ledger.validator.history(_KEY), result_of(_KEY, 2, REJECTED))
        assert change.after.current_run_id == run_of(1)
        assert ledger.control.prune([(_KEY, run_of(1))], _POLICY, _act()) != [None]
        assert ledger.validator.record([change]) == [False]
        history = ledger.validator.history(_KEY)
        assert change_of(history, result_of(_KEY, 2, REJECTED)).after.current_run_id is None
        assert ledger.validator.confirm([confirmation_of(history, 5)]) == [True]
        assert ledger.reader.history(_KEY).pruned_runs == {run_of(1)}

    @law("ControlPlaneLedger", 18)
    def test_a_removal_ends_once(self, ledger: LedgerUnderTest) -> None:
        for run in (1, 2, 3):
            ledger.record(result_of(_KEY, run))
        one, two = ledger.control.prune([(_KEY, run_of(1)), (_KEY, run_of(2))], _POLICY, _act())
        assert one is not None
        assert two is not None
        state = ledger.reader.get(_KEY)
        ended = replace(one, removed_at=moment(9), freed=1234)
        ledger.control.end_prunes([ended])
        ledger.control.end_prunes([replace(one, removed_at=moment(10), freed=0)])
        for each in ledger.all:
            assert each.history(_KEY).pruned == (ended, two)
            assert each.open_prunes(10) == [two]
            assert each.get(_KEY) == state

    @law("PinLedger", 1)
    @law("StateReader", 15)
    def test_a_pinned_run_is_kept_until_the_pin_ends(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(_KEY, 1))
        ledger.record(result_of(_KEY, 2))
        runs = [(_KEY, run_of(1)), (_KEY, run_of(2))]
        until = _act(40).at
        assert ledger.pins.pin("audit", runs, until, _LATER) == Pin("audit", 2, until)
        assert {each.pinned(_LATER) for each in ledger.all} == {frozenset(runs)}
        assert {each.pinned(until) for each in ledger.all} == {frozenset()}
        assert prunable(ledger.reader.history(_KEY), ledger.reader.authority_changes_of(_KEY), (), _POLICY, _LATER)
        assert ledger.control.prune(runs, _POLICY, _act(39)) == [None, None]
        assert ledger.reader.history(_KEY).pruned == ()
        assert ledger.control.prune(runs, _POLICY, _act(40))[0] is not None

    @law("PinLedger", 1)
    def test_all_of_a_pin_is_kept_or_none(self, ledger: LedgerUnderTest) -> None:
        for key in (_KEY, _OTHER):
            for run in (1, 2, 3):
                ledger.record(result_of(key, run))
        ledger.control.prune([(_KEY, run_of(1))], _POLICY, _act())
        until = _act(40).at
        with pytest.raises(PrunedRunError) as error:
            ledger.pins.pin("audit", [(_OTHER, run_of(1)), (_KEY, run_of(1))], until, _LATER)
        assert error.value.pruned_at == _act().at
        with pytest.raises(NotSealedError):
            ledger.pins.pin("audit", [(_OTHER, run_of(1)), (_KEY, run_of(9))], until, _LATER)
        ledger.control.order_erasure(_KEY.source, "1", act_of())
        with pytest.raises(AccountErasedError):
            ledger.pins.pin("audit", [(_OTHER, run_of(1)), (_KEY, run_of(2))], until, _LATER)
        for name, end in (("", until), ("a\n", until), ("audit", _LATER), ("audit", _LATER + LONGEST_PIN * 2)):
            with pytest.raises(InvalidValueError):
                ledger.pins.pin(name, [(_OTHER, run_of(1))], end, _LATER)
        assert ledger.pins.pins(_LATER) == []
        assert ledger.control.prune([(_OTHER, run_of(1))], _POLICY, _act()) != [None]

    @law("PinLedger", 2, 3)
    def test_pins_are_set_anew_released_and_end(self, ledger: LedgerUnderTest) -> None:
        for run in (1, 2, 3):
            ledger.record(result_of(_KEY, run))
        first, second = (_KEY, run_of(1)), (_KEY, run_of(2))
        soon, late = _act(32).at, _act(50).at
        ledger.pins.pin("b", [first], late, _LATER)
        ledger.pins.pin("a", [first, second], soon, _LATER)
        assert ledger.pins.pins(_LATER) == [Pin("a", 2, soon), Pin("b", 1, late)]
        ledger.pins.pin("b", [second], late, _LATER)
        assert ledger.pins.pins(soon) == [Pin("b", 1, late)]
        assert [one is not None for one in ledger.control.prune([first, second], _POLICY, _act(33))] == [True, False]
        assert ledger.pins.release("b")
        assert not ledger.pins.release("b")
        assert ledger.pins.pins(_LATER) == [Pin("a", 2, soon)]
        assert ledger.control.prune([second], _POLICY, _act(33)) != [None]

    @law("PinLedger", 4)
    def test_a_pin_changes_nothing_else(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(_KEY, 1))
        ledger.control.mark([_KEY], Mark.HELD, act_of())
        before = ledger.everything([_KEY])
        ledger.pins.pin("audit", [(_KEY, run_of(1))], _act(40).at, _LATER)
        assert ledger.everything([_KEY]) == before
        others = {"record", "confirm", "retry", "mark", "revoke", "accept", "prune", "end_prunes", "spend", "erase"}
        assert not others & {*dir(ledger.pins)}

    @law("PinLedger", 1)
    @law("ControlPlaneLedger", 17)
    def test_a_race_of_pin_and_prune_keeps_the_run_or_refuses_the_pin(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(1, day) for day in range(20)]
        for key in keys:
            ledger.record(result_of(key, 1))
            ledger.record(result_of(key, 2))
        control, pins = ledger.control, ledger.pins

        def pinned(number: int) -> bool:
            try:
                pins.pin(f"pin {number}", [(keys[number], run_of(1))], _act(40).at, _LATER)
            except PrunedRunError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            kept = pool.map(pinned, range(len(keys)))
            gone = pool.map(lambda key: control.prune([(key, run_of(1))], _POLICY, _act()), reversed(keys))
            assert [[one] for one in kept] == [[one is None for one in some] for some in reversed(list(gone))]

    @law("ControlPlaneLedger", 14, 15)
    def test_pruned_runs_and_pins_go_with_their_account(self, ledger: LedgerUnderTest) -> None:
        for run in (1, 2, 3):
            ledger.record(result_of(_KEY, run))
        ledger.control.prune([(_KEY, run_of(1))], _POLICY, _act())
        ledger.pins.pin("audit", [(_KEY, run_of(2))], _act(40).at, _LATER)
        ledger.control.order_erasure(_KEY.source, "1", act_of())
        assert ledger.control.prune([(_KEY, run_of(2))], _POLICY, _act(50)) == [None]
        while ledger.control.erase(_KEY.source, "1", moment(501), 2).cleared_at is None:
            pass
        assert ledger.reader.account_rows(_KEY.source, "1") == {}
        assert ledger.pins.pins(_LATER) == []
        assert ledger.reader.open_prunes(10) == []
