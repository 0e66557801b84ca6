"""The laws of erasures: what an order takes at once, what is refused from then on, what goes, and what stays."""

from dataclasses import replace

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    FIRST_DAY,
    PASSED,
    REJECTED,
    act_of,
    change_of,
    confirmation_of,
    key_of,
    moment,
    pin_of,
    result_of,
    run_of,
)
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.control import Mark, scope_of
from gads_domain.erasure import NOTHING_ERASED, Erasure, digest_over
from gads_domain.errors import AccountErasedError, UsageError
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.quota import CallScope, RestAsked, RestReach, Spending
from gads_domain.state import KeyHistory, PartitionState, PartitionStatus, StateFilter

_GOOD, _BAD, _REVOKED, _TWICE = (key_of(1, day) for day in range(4))
_MINE = [_GOOD, _BAD, _REVOKED, _TWICE, key_of(1, 0, "keyword")]
_ALIKE = [key_of(10), key_of(1, source="other"), key_of(100)]
_SCOPE = scope_of(GOOGLE_ADS, "1", "campaign")
_CALL = CallScope("t", "1", "campaign")


class ErasureLaws(LedgerSuite):
    """One account goes, others stay."""

    @law("ControlPlaneLedger", 13)
    @law("StateReader", 13)
    def test_an_order_takes_all_authority_in_one_step(self, ledger: LedgerUnderTest) -> None:
        _fill(ledger)
        position, others = ledger.reader.position(), _all_of(ledger, _ALIKE)
        act = act_of(500)
        erasure = ledger.control.order_erasure(GOOGLE_ADS, "1", act)
        assert erasure == Erasure(GOOGLE_ADS, "1", act)
        for each in ledger.all:
            assert each.erasures(GOOGLE_ADS) == [erasure]
            assert each.erasures("other") == []
            assert each.get_many(_MINE) == [PartitionState(key) for key in _MINE]
            assert each.authoritative_days(StateFilter(GOOGLE_ADS, ("1",))).days == {}
            assert each.known_contents(StateFilter(GOOGLE_ADS, ("1",))) == {}
            assert [one.customer_id for one in each.expectations(GOOGLE_ADS).accounts] == ["10"]
        assert {one.customer_id for one in ledger.reader.expectations(GOOGLE_ADS).expected} == {"10"}
        entries = ledger.reader.authority_changes(after=position)
        assert [(one.key, one.from_run, one.to_run, one.cause) for one in entries] == [
            (_GOOD, run_of(1), None, "erase"),
            (_REVOKED, run_of(2), None, "erase"),
            (_TWICE, run_of(2), None, "erase"),
            (key_of(1, 0, "keyword"), run_of(1), None, "erase"),
        ]
        assert {(one.status_before, one.status_after, one.at) for one in entries} == {
            (PartitionStatus.SUCCESS, PartitionStatus.PENDING, act.at)
        }
        assert _all_of(ledger, _ALIKE) == others
        assert ledger.control.order_erasure(GOOGLE_ADS, "1", act_of(600)) == erasure
        assert ledger.reader.position() == entries[-1].sequence

    @law("ValidatorLedger", 6)
    def test_what_was_decided_before_an_order_is_not_recorded_after_it(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(_GOOD, 1))
        ledger.record(result_of(key_of(10), 1))
        history = ledger.validator.history(_GOOD)
        late, first = change_of(history, result_of(_GOOD, 2)), result_of(_BAD, 1)
        other = change_of(ledger.validator.history(key_of(10)), result_of(key_of(10), 2))
        ledger.control.order_erasure(GOOGLE_ADS, "1", act_of())
        before = ledger.everything([*_MINE, key_of(10)])
        new = change_of(ledger.validator.history(_BAD), first, pin_of(_BAD, "clicks"))
        for changes in ([late], [other, new], [new]):
            with pytest.raises(AccountErasedError) as error:
                ledger.validator.record(changes)
            assert error.value.erased_at == act_of().at
        with pytest.raises(AccountErasedError):
            ledger.validator.confirm([confirmation_of(history, 3)])
        assert ledger.everything([*_MINE, key_of(10)]) == before
        assert ledger.reader.schema_pin(GOOGLE_ADS, "campaign", 1) is None
        assert ledger.validator.record([other]) == [True]

    @law("ControlPlaneLedger", 14)
    def test_nothing_of_an_erased_account_is_taken_or_acted_on(self, ledger: LedgerUnderTest) -> None:
        _fill(ledger)
        (held,) = ledger.control.take_leases([_SCOPE], "one", moment(0), moment(900))
        assert held is not None
        ledger.control.order_erasure(GOOGLE_ADS, "1", act_of())
        acts = [ledger.reader.acts(key) for key in _MINE]
        for control in (ledger.control, ledger.open_for_control_plane()):
            with pytest.raises(AccountErasedError):
                control.take_leases(["google_ads/10/campaign", _SCOPE], "two", moment(1), moment(60))
            assert control.renew_leases([held], moment(1), moment(60)) == [None]
            assert control.spend(_CALL, 1, None, held, moment(1)) is Spending.LEASE_LOST
            assert control.break_lease(held, act_of(2)) is False
            for mark in Mark:
                assert control.mark([_BAD], mark, act_of()) == [False]
            assert control.unmark([_GOOD], Mark.HELD, act_of()) == [False]
            assert control.retry(_MINE, act_of()) == [False] * len(_MINE)
            assert control.revoke([(_GOOD, run_of(1))], act_of()) == [False]
            assert not control.forget(GOOGLE_ADS, "1", act_of())
            listed = control.record_list(_drawn(9_999))
            assert [one.customer_id for one in listed.accounts] == ["10"]
            assert {one.customer_id for one in listed.expected} == {"10"}
        control.close()
        assert [ledger.reader.acts(key) for key in _MINE] == acts
        assert [one.scope for one in ledger.reader.leases(moment(1))] == [_SCOPE], "its holder may still be at work"

    @law("ControlPlaneLedger", 15)
    @law("StateReader", 13, 14)
    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_all_of_an_account_goes_in_steps_and_nothing_else(self, ledger: LedgerUnderTest, limit: int) -> None:
        _fill(ledger)
        ledger.control.take_leases([_SCOPE, "google_ads/10/campaign"], "one", moment(0), moment(900))
        asked = RestAsked(RestReach.ACCOUNT, moment(900) - moment(0), "quota")
        ledger.control.rest(_CALL, asked, moment(0))
        ledger.control.rest(replace(_CALL, customer_id="10"), asked, moment(0))
        histories = [h for h in ledger.reader.histories(sorted(_MINE)) if h.results]
        changes = {one.sequence: one for one in ledger.reader.authority_changes() if one.key in _MINE}
        ledger.control.order_erasure(GOOGLE_ADS, "1", act_of(500))
        others, position = _all_of(ledger, _ALIKE), ledger.reader.position()
        erasure, calls = ledger.control.erase(GOOGLE_ADS, "1", moment(501), limit), 1
        while erasure.cleared_at is None:
            assert ledger.reader.account_rows(GOOGLE_ADS, "1")
            erasure = ledger.control.erase(GOOGLE_ADS, "1", moment(501 + calls), limit)
            calls += 1
        assert calls > len(histories) // limit
        results = sum(len(history.results) for history in histories)
        assert (erasure.partitions, erasure.results, erasure.changes) == (len(histories), results, len(changes))
        assert erasure.digest == digest_over(NOTHING_ERASED, histories)
        assert ledger.control.erase(GOOGLE_ADS, "1", moment(900), limit) == erasure
        for each in ledger.all:
            assert each.account_rows(GOOGLE_ADS, "1") == {}
            assert each.histories(_MINE) == [KeyHistory(PartitionState(key)) for key in _MINE]
            assert list(each.scheduling_states(StateFilter(GOOGLE_ADS, ("1",)))) == []
            assert [each.acts(key) for key in _MINE] == [[]] * len(_MINE)
            assert {one.cause for one in each.authority_changes() if one.key in _MINE} == {"erase"}
            assert {number: each.erased_change(number) for number in changes} == {
                number: change.fingerprint for number, change in changes.items()
            }
            assert each.erased_change(position) is None
            assert each.reports(GOOGLE_ADS) == ["campaign", "keyword"], "the changes of both are still read"
            assert each.position() == position
            assert [one.scope for one in each.leases(moment(1))] == ["google_ads/10/campaign"]
            assert [rest.scope.customer_id for rest in each.rests("t", moment(1))] == ["10"]
        assert _all_of(ledger, _ALIKE) == others

    @law("ControlPlaneLedger", 15)
    def test_the_end_of_the_log_stays_where_its_last_change_went(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(key_of(10), 1))
        ledger.record(result_of(_BAD, 1, REJECTED))
        (_, last) = ledger.reader.authority_changes()
        ledger.control.order_erasure(GOOGLE_ADS, "1", act_of(500))
        while ledger.control.erase(GOOGLE_ADS, "1", moment(501), 9).cleared_at is None:
            pass
        assert (ledger.reader.position(), ledger.reader.erased_change(2)) == (2, last.fingerprint)
        assert list(ledger.reader.as_of(StateFilter(), 2)) == ledger.reader.authority_changes()
        assert ledger.record(result_of(key_of(10), 2)).after.version == 2
        assert [one.sequence for one in ledger.reader.authority_changes()] == [1, 3]

    @law("ControlPlaneLedger", 16)
    def test_an_account_is_readmitted_once_its_erasure_has_ended(self, ledger: LedgerUnderTest) -> None:
        control = ledger.control
        for call in (control.erase, control.end_erasure):
            with pytest.raises(UsageError, match="no erasure"):
                call(GOOGLE_ADS, "1", moment(1), *([1] if call == control.erase else []))
        _fill(ledger)
        control.order_erasure(GOOGLE_ADS, "1", act_of(500))
        with pytest.raises(UsageError, match="still has rows"):
            control.end_erasure(GOOGLE_ADS, "1", moment(501))
        while control.erase(GOOGLE_ADS, "1", moment(501), 2).cleared_at is None:
            pass
        with pytest.raises(UsageError, match="has not ended"):
            control.readmit(GOOGLE_ADS, "1", act_of(502))
        control.count_erased(GOOGLE_ADS, "1", {"files": 2, "bytes": 7})
        ended = control.count_erased(GOOGLE_ADS, "1", {"files": 1})
        assert ended.elsewhere == {"files": 3, "bytes": 7}
        ended = replace(ended, ended_at=moment(503))
        assert control.end_erasure(GOOGLE_ADS, "1", moment(503)) == ended
        assert control.end_erasure(GOOGLE_ADS, "1", moment(504)) == ended
        lifted = control.readmit(GOOGLE_ADS, "1", act_of(505))
        assert lifted == replace(ended, readmission=act_of(505))
        assert not lifted.is_in_force
        with pytest.raises(UsageError, match="no erasure"):
            control.readmit(GOOGLE_ADS, "1", act_of(506))
        change = ledger.record(result_of(_GOOD, 900))
        assert (change.before, change.after.attempt_count) == (PartitionState(_GOOD), 1)
        assert [one.customer_id for one in control.record_list(_drawn(9_999)).accounts] == ["1", "10"]
        again = control.order_erasure(GOOGLE_ADS, "1", act_of(600))
        assert ledger.reader.erasures(GOOGLE_ADS) == [lifted, again]
        assert again.digest == NOTHING_ERASED
        while control.erase(GOOGLE_ADS, "1", moment(601), 2).cleared_at is None:
            pass
        assert ledger.reader.account_rows(GOOGLE_ADS, "1") == {}
        assert len([one for one in ledger.reader.authority_changes_of(_GOOD) if one.cause == "erase"]) == 2


def _fill(ledger: LedgerUnderTest) -> None:
    """Something of every kind, of the account and of others that are named alike."""
    ledger.control.record_list(_drawn(0))
    for key in [*_MINE, *_ALIKE]:
        ledger.record(result_of(key, 1, REJECTED if key == _BAD else PASSED))
    for key in (_REVOKED, _TWICE, _ALIKE[0]):
        ledger.record(result_of(key, 2))
    ledger.control.revoke([(_REVOKED, run_of(1)), (_ALIKE[0], run_of(1))], act_of(50))
    ledger.control.retry([_BAD], act_of(51))
    ledger.control.mark([_GOOD, key_of(1, 77), key_of(10)], Mark.HELD, act_of(52))
    ledger.validator.confirm([confirmation_of(ledger.reader.history(key), 60) for key in (_GOOD, _ALIKE[1])])


def _drawn(second: int) -> DrawnList:
    accounts = tuple(ListedAccount(number, f"Name {number}") for number in ("1", "10"))
    first_days = {(one.customer_id, report): FIRST_DAY for one in accounts for report in ("campaign", "keyword")}
    return DrawnList(GOOGLE_ADS, moment(second), accounts, first_days)


def _all_of(ledger: LedgerUnderTest, keys: list[PartitionKey]) -> object:
    reader = ledger.reader
    return (
        reader.histories(keys),
        [(reader.acts(key), reader.marks(key), reader.authority_changes_of(key)) for key in keys],
        [one for one in reader.expectations(GOOGLE_ADS).expected if one.customer_id == "10"],
        reader.account_rows(GOOGLE_ADS, "10"),
    )
