"""The laws of `ValidatorLedger`."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    PASSED,
    REJECTED,
    UNSEALED,
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
from gads_domain.errors import UsageError
from gads_domain.state import PartitionState, PartitionStatus, StateChange
from gads_domain.state_machine import confirmed, settle


class ValidatorLaws(LedgerSuite):
    """What the validator may record."""

    def test_what_was_recorded_is_read_back_as_it_was(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        recorded = (result_of(key, 2), result_of(key, 1, REJECTED), result_of(key, 3, UNSEALED), result_of(key, 3))
        for result in recorded:
            change = ledger.record(result, pin_of(key, "clicks"))
            assert ledger.reader.get(key) == change.after
        assert ledger.reader.history(key).results == recorded
        assert ledger.reader.history(key).state == ledger.reader.get(key)
        assert ledger.reader.schema_pin(key.source, key.report, 1) == pin_of(key, "clicks")

    @law("ValidatorLedger", 1)
    def test_a_stale_change_is_not_recorded(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        with ledger.open_for_validator() as other:
            mine, theirs = ledger.validator.history(key), other.history(key)
            assert other.record([change_of(theirs, result_of(key, 1))]) == [True]
            before = ledger.everything([key])
            late = change_of(mine, result_of(key, 2, REJECTED), pin_of(key, "late"))
            assert ledger.validator.record([late]) == [False]
            assert ledger.everything([key]) == before
            assert ledger.reader.schema_pin(key.source, key.report, 1) is None
        before = ledger.everything([key])
        for wrong in (5, 2):
            state = replace(ledger.reader.get(key), version=wrong)
            change = StateChange(state, replace(state, version=wrong + 1), result_of(key, 3))
            assert ledger.validator.record([change]) == [False]
        assert ledger.everything([key]) == before

    @law("ValidatorLedger", 1)
    def test_changes_of_one_call_are_independent(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(n) for n in range(1, 5)]
        ledger.record(result_of(keys[1], 1))
        fresh = [change_of(ledger.validator.history(key), result_of(key, 2)) for key in keys]
        stale = replace(fresh[1], before=PartitionState(keys[1]), after=replace(fresh[1].after, version=1))
        again = replace(fresh[3], attempt=result_of(keys[3], 3))
        assert ledger.validator.record([fresh[0], stale, fresh[2], fresh[3], again]) == [True, False, True, True, False]
        assert [state.version for state in ledger.reader.get_many(keys)] == [1, 1, 1, 1]
        assert [len(ledger.reader.history(key).results) for key in keys] == [1, 1, 1, 1]
        assert ledger.validator.record([]) == []

    @law("ValidatorLedger", 1)
    def test_a_schema_is_fixed_once(self, ledger: LedgerUnderTest) -> None:
        first, second, third, fourth = (key_of(n) for n in range(1, 5))
        fixed, other = pin_of(first, "clicks"), pin_of(first, "clicks", "cost")
        changes = [
            change_of(ledger.validator.history(first), result_of(first, 1), fixed),
            change_of(ledger.validator.history(second), result_of(second, 1), other),
            change_of(ledger.validator.history(third), result_of(third, 1), fixed),
        ]
        assert ledger.validator.record(changes) == [True, False, True]
        assert ledger.reader.get(second) == PartitionState(second)
        assert ledger.reader.history(second).results == ()
        assert ledger.validator.record([changes[1]]) == [False]
        assert ledger.reader.schema_pin(first.source, first.report, 1) == fixed
        raised = replace(other, schema_version=2)
        ledger.record(result_of(fourth, 1, schema_version=2), raised)
        assert ledger.reader.schema_pin(first.source, first.report, 2) == raised
        assert ledger.reader.schema_pin(first.source, first.report, 3) is None
        assert len(ledger.reader.authority_changes()) == 3

    @law("ValidatorLedger", 3)
    def test_the_feed_grows_exactly_when_status_or_authority_changes(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        results = [
            (result_of(key, 1, UNSEALED), True),
            (result_of(key, 2, REJECTED), False),
            (result_of(key, 3, rows="a"), True),
            (result_of(key, 4, REJECTED), False),
            (result_of(key, 5, rows="a"), False),
            (result_of(key, 6, rows="b"), True),
            (result_of(key, 2, PASSED, rows="c"), False),
        ]
        expected = []
        for result, changes in results:
            change = ledger.record(result)
            if changes:
                expected.append(change)
            assert len(ledger.reader.authority_changes()) == len(expected)
        for entry, change in zip(ledger.reader.authority_changes(), expected, strict=True):
            before, after = change.before, change.after
            assert (entry.key, entry.at, entry.cause) == (key, after.updated_at, "validate")
            assert (entry.from_run, entry.to_run) == (before.current_run_id, after.current_run_id)
            assert (entry.status_before, entry.status_after) == (before.status, after.status)
            assert (entry.schema_version, entry.record_count) == (after.schema_version, after.record_count)
            assert entry.seal_sha256 == after.seal_sha256
        assert [entry.changes_authority for entry in ledger.reader.authority_changes()] == [False, True, True]

    @law("ValidatorLedger", 4)
    def test_failed_to_pending_is_refused(self, ledger: LedgerUnderTest) -> None:
        failed, passed, fresh = key_of(1), key_of(2), key_of(3)
        ledger.record(result_of(failed, 1, REJECTED))
        ledger.record(result_of(passed, 1))
        before = ledger.everything([failed, passed, fresh])
        good = change_of(ledger.validator.history(fresh), result_of(fresh, 2))
        for key in (failed, passed):
            state = ledger.reader.get(key)
            away = replace(PartitionState(key), version=state.version + 1, updated_at=moment(9), attempt_count=1)
            disguised = replace(state, status=PartitionStatus.PENDING, current_run_id=None)
            for claimed in (state, disguised):
                with pytest.raises(UsageError):
                    ledger.validator.record([good, StateChange(claimed, away, None)])
        assert ledger.everything([failed, passed, fresh]) == before

    @law("ValidatorLedger", 5)
    def test_a_confirmation_moves_nothing_but_the_rows_last_confirmation(self, ledger: LedgerUnderTest) -> None:
        key, other = key_of(1), key_of(2)
        for each in (key, other):
            ledger.record(result_of(each, 1, rows="a"))
        before, changes = ledger.reader.history(key), ledger.reader.authority_changes()
        late = change_of(ledger.validator.history(key), result_of(key, 2, rows="b"))
        confirmation = confirmation_of(before, 4)
        assert ledger.validator.confirm([confirmation, confirmation_of(ledger.reader.history(other), 5)]) == [
            True,
            True,
        ]
        after = ledger.reader.history(key)
        assert after.state == settle(before, None, moment(4), confirmation)
        assert after.results == confirmed(before.results, run_of(1), run_of(4), moment(4))
        assert ledger.reader.authority_changes() == changes
        assert ledger.validator.record([late]) == [False], "it was decided without the confirmation"
        for stale in (confirmation, confirmation_of(after, 3), confirmation_of(after, 4)):
            assert ledger.validator.confirm([stale]) == [False]
        assert ledger.reader.history(key) == after
        ledger.record(result_of(key, 3, rows="b"))
        assert ledger.reader.get(key).current_run_id == run_of(1), "the newest evidence is the confirmation"
        moved = ledger.record(result_of(key, 5, rows="b"))
        assert (moved.after.current_run_id, ledger.reader.get(key)) == (run_of(5), moved.after)
        assert ledger.reader.history(key).results[0] == after.results[0], "what confirmed a former run stays on record"
        ledger.record(result_of(key, 5, REJECTED))
        assert (state := ledger.reader.get(key)).current_run_id == run_of(1)
        assert (state.confirmed_run_id, state.confirmed_at) == (run_of(4), moment(4))

    @law("ValidatorLedger", 5)
    def test_only_what_is_authoritative_and_whole_is_confirmed(self, ledger: LedgerUnderTest) -> None:
        sound, failed, held, revoked, absent = (key_of(customer) for customer in range(1, 6))
        for key in (sound, failed, held, revoked):
            ledger.record(result_of(key, 2, rows="a"))
        ledger.record(result_of(failed, 3, REJECTED))
        ledger.record(result_of(held, 3, count=0, vanished_rows=1.0))
        ledger.record(result_of(sound, 1, rows="a0"))
        assert ledger.control.revoke([(revoked, run_of(2))], act_of()) == [True]
        right = {key: confirmation_of(ledger.reader.history(key), 9) for key in (sound, failed, held, revoked, absent)}
        wrong = [
            replace(right[sound], of=run_of(1)),
            replace(right[sound], of=run_of(7)),
            replace(right[sound], content_sha256="0" * 64),
            *(right[key] for key in (failed, held, revoked, absent)),
        ]
        before = ledger.everything([*right])
        assert ledger.validator.confirm(wrong) == [False] * len(wrong)
        assert ledger.validator.confirm([]) == []
        assert ledger.everything([*right]) == before
        assert ledger.validator.confirm([right[absent], right[sound]]) == [False, True]

    def test_times_come_back_in_utc_to_the_microsecond(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        result = replace(result_of(key, 1), validated_at=datetime(2024, 2, 29, 23, 59, 59, 1, tzinfo=UTC))
        ledger.record(result)
        for held in (ledger.reader.get(key).updated_at, ledger.reader.history(key).results[0].validated_at):
            assert held == result.validated_at
            assert held.tzinfo is UTC
