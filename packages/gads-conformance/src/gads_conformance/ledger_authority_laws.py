"""The laws of `ValidatorLedger` and `ControlPlaneLedger`, each test named by its law's number in the port."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gads_conformance.ledger_samples import (
    act_of,
    change_of,
    everything,
    judged,
    key_of,
    moment,
    pin_of,
    record_one,
    run_of,
)
from gads_conformance.ledger_suite import LedgerSuite
from gads_domain.adapters import LedgerAdapter
from gads_domain.errors import UsageError
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
from gads_domain.state import (
    PartitionState,
    PartitionStatus,
    StateChange,
    ValidationOutcome,
)

PASSED, REJECTED, UNSEALED = ValidationOutcome.PASSED, ValidationOutcome.REJECTED, ValidationOutcome.UNSEALED


class ValidatorLedgerLaws(LedgerSuite):
    """Laws of `ValidatorLedger`."""

    def test_what_was_recorded_is_read_back_as_it_was(self, reader: StateReader, validator: ValidatorLedger) -> None:
        """State, attempts in the order of recording, and pin come back equal."""
        key = key_of()
        attempts = (judged(key, 2), judged(key, 1, REJECTED), judged(key, 3, UNSEALED), judged(key, 3))
        for attempt in attempts:
            change = record_one(validator, attempt, pin_of(key, "clicks"))
            assert reader.get(key) == change.after
        assert reader.history(key).results == attempts
        assert reader.history(key).state == reader.get(key)
        assert reader.schema_pin(key.source, key.report, 1) == pin_of(key, "clicks")

    def test_validator_law_1_a_stale_change_is_not_recorded(
        self, adapter: LedgerAdapter, ledger_url: str, base: Path, validator: ValidatorLedger, reader: StateReader
    ) -> None:
        """A change whose row has moved writes nothing at all, and says so."""
        key = key_of()
        with adapter.open_for_validator(ledger_url, base) as other:
            mine, theirs = validator.history(key), other.history(key)
            assert other.record([change_of(theirs, judged(key, 1))]) == [True]
            before = everything(reader, [key])
            late = change_of(mine, judged(key, 2, REJECTED), pin_of(key, "late"))
            assert validator.record([late]) == [False]
            assert everything(reader, [key]) == before
            assert reader.schema_pin(key.source, key.report, 1) is None
        before = everything(reader, [key])
        for wrong in (5, 2):
            state = replace(reader.get(key), version=wrong)
            change = StateChange(state, replace(state, version=wrong + 1), judged(key, 3))
            assert validator.record([change]) == [False]
        assert everything(reader, [key]) == before

    def test_validator_law_1_changes_of_one_call_stand_each_for_itself(
        self, validator: ValidatorLedger, reader: StateReader
    ) -> None:
        """A conflict in the middle of a call takes no other change with it."""
        keys = [key_of(n) for n in range(1, 5)]
        record_one(validator, judged(keys[1], 1))
        fresh = [change_of(validator.history(key), judged(key, 2)) for key in keys]
        stale = replace(fresh[1], before=PartitionState(keys[1]), after=replace(fresh[1].after, version=1))
        again = replace(fresh[3], attempt=judged(keys[3], 3))
        assert validator.record([fresh[0], stale, fresh[2], fresh[3], again]) == [True, False, True, True, False]
        assert [state.version for state in reader.get_many(keys)] == [1, 1, 1, 1]
        assert [len(reader.history(key).results) for key in keys] == [1, 1, 1, 1]
        assert validator.record([]) == []

    def test_validator_law_1_a_schema_is_fixed_once(self, validator: ValidatorLedger, reader: StateReader) -> None:
        """A pin against the schema that is fixed for its version writes nothing of its change."""
        first, second, third, fourth = (key_of(n) for n in range(1, 5))
        fixed, other = pin_of(first, "clicks"), pin_of(first, "clicks", "cost")
        changes = [
            change_of(validator.history(first), judged(first, 1), fixed),
            change_of(validator.history(second), judged(second, 1), other),
            change_of(validator.history(third), judged(third, 1), fixed),
        ]
        assert validator.record(changes) == [True, False, True]
        assert reader.get(second) == PartitionState(second)
        assert reader.history(second).results == ()
        assert validator.record([changes[1]]) == [False]
        assert reader.schema_pin(first.source, first.report, 1) == fixed
        raised = replace(other, schema_version=2)
        record_one(validator, judged(fourth, 1, schema_version=2), raised)
        assert reader.schema_pin(first.source, first.report, 2) == raised
        assert reader.schema_pin(first.source, first.report, 3) is None
        assert len(reader.authority_changes()) == 3

    def test_validator_law_3_the_log_grows_exactly_when_status_or_authority_moved(
        self, validator: ValidatorLedger, reader: StateReader
    ) -> None:
        """An entry for each move, none for an attempt that moved nothing, each with what moved."""
        key = key_of()
        story = [
            (judged(key, 1, UNSEALED), True),
            (judged(key, 2, REJECTED), False),
            (judged(key, 3, rows="a"), True),
            (judged(key, 4, REJECTED), False),
            (judged(key, 5, rows="a"), False),
            (judged(key, 6, rows="b"), True),
            (judged(key, 2, PASSED, rows="c"), False),
        ]
        expected = []
        for attempt, moves in story:
            change = record_one(validator, attempt)
            if moves:
                expected.append(change)
            assert len(reader.authority_changes()) == len(expected)
        for entry, change in zip(reader.authority_changes(), expected, strict=True):
            before, after = change.before, change.after
            assert entry.key == key
            assert (entry.from_run, entry.to_run) == (before.current_run_id, after.current_run_id)
            assert (entry.status_before, entry.status_after) == (before.status, after.status)
            assert (entry.schema_version, entry.record_count) == (after.schema_version, after.record_count)
            assert entry.seal_sha256 == after.seal_sha256
            assert entry.at == after.updated_at
            assert entry.cause == "validate"
        assert [entry.changes_authority for entry in reader.authority_changes()] == [False, True, True]

    def test_validator_law_4_failed_to_pending_is_refused(
        self, validator: ValidatorLedger, reader: StateReader
    ) -> None:
        """No way back to `pending` by validation, even if the change denies where it comes from."""
        failed, passed, fresh = key_of(1), key_of(2), key_of(3)
        record_one(validator, judged(failed, 1, REJECTED))
        record_one(validator, judged(passed, 1))
        before = everything(reader, [failed, passed, fresh])
        good = change_of(validator.history(fresh), judged(fresh, 2))
        for key in (failed, passed):
            state = reader.get(key)
            away = replace(PartitionState(key), version=state.version + 1, updated_at=moment(9), attempt_count=1)
            disguised = replace(state, status=PartitionStatus.PENDING, current_run_id=None)
            for claimed in (state, disguised):
                with pytest.raises(UsageError):
                    validator.record([good, StateChange(claimed, away, None)])
        assert everything(reader, [failed, passed, fresh]) == before

    def test_times_come_back_in_utc_to_the_microsecond(self, validator: ValidatorLedger, reader: StateReader) -> None:
        """Times are aware, in UTC and whole."""
        key = key_of()
        attempt = replace(judged(key, 1), validated_at=datetime(2024, 2, 29, 23, 59, 59, 1, tzinfo=UTC))
        record_one(validator, attempt)
        held = reader.get(key).updated_at
        assert held == attempt.validated_at
        assert held is not None
        assert held.tzinfo is UTC
        assert reader.history(key).results[0].validated_at.tzinfo is UTC


class ControlPlaneLedgerLaws(LedgerSuite):
    """Laws of `ControlPlaneLedger`."""

    def test_control_plane_law_1_retry_moves_failed_to_pending_and_nothing_else(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """Status, time and version of failed rows move, with act and log entry; any other row is left alone."""
        failed, passed, absent = key_of(1), key_of(2), key_of(3)
        record_one(validator, judged(failed, 1, REJECTED))
        record_one(validator, judged(passed, 1))
        before = [reader.history(key) for key in (failed, passed, absent)]
        act = act_of()
        assert control_plane.retry([passed, failed, absent, failed], act) == [False, True, False, False]
        state = before[0].state
        moved = replace(state, status=PartitionStatus.PENDING, updated_at=act.at, version=state.version + 1)
        assert reader.get(failed) == moved
        assert reader.history(failed).results == before[0].results
        assert [reader.history(key) for key in (passed, absent)] == before[1:]
        (recorded,) = reader.acts(failed)
        assert (recorded.key, recorded.kind, recorded.act) == (failed, "retry", act)
        assert (recorded.status_before, recorded.status_after) == (PartitionStatus.FAILED, PartitionStatus.PENDING)
        assert reader.acts(passed) == reader.acts(absent) == []
        entry = reader.authority_changes()[-1]
        assert len(reader.authority_changes()) == 3
        assert (entry.key, entry.cause, entry.at) == (failed, "retry", act.at)
        assert (entry.status_before, entry.status_after) == (PartitionStatus.FAILED, PartitionStatus.PENDING)
        assert not entry.changes_authority

    def test_control_plane_law_1_asked_twice_the_second_changes_nothing(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """The second of two equal orders is reported as not moved and leaves no act."""
        key = key_of()
        record_one(validator, judged(key, 1, UNSEALED))
        assert control_plane.retry([key], act_of(1)) == [True]
        before = everything(reader, [key])
        assert control_plane.retry([key], act_of(2)) == [False]
        assert control_plane.retry([], act_of(3)) == []
        assert everything(reader, [key]) == before

    def test_a_retry_makes_the_decision_of_a_validator_stale(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """An order between a validator's look and its record makes it look again."""
        key = key_of()
        record_one(validator, judged(key, 1, REJECTED))
        change = change_of(validator.history(key), judged(key, 2, REJECTED))
        assert control_plane.retry([key], act_of()) == [True]
        assert validator.record([change]) == [False]
        assert reader.get(key).status is PartitionStatus.PENDING
        record_one(validator, judged(key, 2, REJECTED))
        assert control_plane.retry([key], act_of(300, "another")) == [True]
        assert [recorded.act.actor for recorded in reader.acts(key)] == ["operator", "another"]

    def test_control_plane_law_2_what_a_retry_leaves_can_still_be_won(
        self, validator: ValidatorLedger, control_plane: ControlPlaneLedger, reader: StateReader
    ) -> None:
        """Attempts stay on record, and the next run is judged on top of them."""
        key = key_of()
        record_one(validator, judged(key, 1, REJECTED))
        control_plane.retry([key], act_of())
        record_one(validator, judged(key, 2))
        assert reader.get(key).status is PartitionStatus.SUCCESS
        assert reader.get(key).current_run_id == run_of(2)
        assert reader.get(key).attempt_count == 2
