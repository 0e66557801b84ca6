"""The laws of `PartitionValidator`, against the real sink and the real ledger."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gads_domain.adapters import ledger_adapter
from gads_domain.errors import FailureReason, LedgerConflictError, LedgerError, NotSealedError, StorageError, UsageError
from gads_domain.metadata import TableSchema
from gads_domain.ports.validation import UnsealedRun
from gads_domain.state import OperatorAct, PartitionStatus, ValidationOutcome
from gads_validator.confirmation import MAX_CONFLICTS
from gads_validator.inspection import inspect

Damage = Callable[[Path, bytes], None]
REASON = FailureReason("api_transient", "unavailable", retryable=True)


def on_record(workshop: Any) -> tuple[Any, ...]:
    key = workshop.key()
    return workshop.ledger.history(key), workshop.ledger.authority_changes()


def test_validating_twice_changes_nothing(workshop: Any) -> None:
    workshop.seal(1)
    workshop.seal(2, [], record_count=7)
    first = workshop.validate()
    assert [attempt.run_id for attempt in first.results] == [workshop.run(1), workshop.run(2)]
    before = on_record(workshop)
    for recheck in (False, True):
        again = workshop.validate(recheck=recheck)
        assert again.results == ()
        assert not again.changed
        assert again.before == again.after == first.after
    assert on_record(workshop) == before


def test_a_key_without_runs_stays_without_a_row(workshop: Any) -> None:
    validation = workshop.validate()
    assert validation.before == validation.after
    assert validation.after.status is PartitionStatus.PENDING
    assert validation.after.version == 0
    assert workshop.ledger.position() == 0


def test_validations_come_in_the_order_of_the_keys(workshop: Any) -> None:
    days = [date(2024, 6, day) for day in (3, 1, 2)]
    keys = [workshop.key(day=day) for day in days]
    for key in keys[:2]:
        workshop.seal(1, key=key)
    validations = workshop.validator().validate([*keys, keys[0]])
    assert [validation.after.key for validation in validations] == [*keys, keys[0]]
    assert [validation.changed for validation in validations] == [True, True, False, True]


def test_one_write_for_a_batch(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [workshop.key(day=date(2024, 6, day)) for day in range(1, 11)]
    for key in keys:
        workshop.seal(1, key=key)
    calls = []
    record = workshop.ledger.record

    def counted(changes: Any) -> Any:
        calls.append(len(changes))
        return record(changes)

    monkeypatch.setattr(workshop.ledger, "record", counted)
    workshop.validator().validate(keys)
    assert calls == [10]


def test_one_look_at_the_record_for_a_batch(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [workshop.key(day=date(2024, 6, day)) for day in range(1, 11)]
    for key in keys:
        workshop.seal(1, key=key)
    calls = []
    histories = workshop.ledger.histories

    def counted(asked: Any) -> Any:
        calls.append(list(asked))
        return histories(asked)

    monkeypatch.setattr(workshop.ledger, "histories", counted)
    workshop.validator().validate(keys)
    assert calls == [keys]


def test_what_others_judge_while_it_looks_is_not_validated_again(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, later = workshop.key(), workshop.key(day=date(2024, 6, 3))
    workshop.seal(1, key=key)
    workshop.seal(1, key=later)
    rival, runs, record = workshop.validator(), workshop.sink.runs, workshop.ledger.record
    written: list[Any] = []

    def counted(changes: Any) -> Any:
        written.append(changes)
        return record(changes)

    def overtaken(asked: Any) -> Any:
        found = runs(asked)
        if asked == later:
            monkeypatch.setattr(workshop.sink, "runs", runs)
            rival.validate([key, later])
            monkeypatch.setattr(workshop.ledger, "record", counted)
        return found

    monkeypatch.setattr(workshop.sink, "runs", overtaken)
    validations = workshop.validator().validate([key, later])
    assert [validation.results for validation in validations] == [(), ()]
    assert written == []


def test_a_row_that_cannot_be_read_stops_nobody_else(workshop: Any) -> None:
    keys = [workshop.key(day=date(2024, 6, day)) for day in (1, 2, 3)]
    workshop.seal(1, key=keys[1])
    workshop.validator().validate([keys[1]])
    with sqlite3.connect(workshop.base / "ledger.db") as connection:
        connection.execute("INSERT INTO runs (id, run_id) VALUES (99, 'unknown')")
        connection.execute("UPDATE partitions SET current_run = 99")
    connection.close()
    for key in (keys[0], keys[2]):
        workshop.seal(1, key=key)
    with pytest.raises(LedgerError, match="damaged"):
        workshop.validator().validate(keys)
    statuses = [workshop.ledger.get(key).status.value for key in (keys[0], keys[2])]
    assert statuses == ["success", "success"]


def test_a_failed_restatement_leaves_the_authority_and_is_on_record(workshop: Any) -> None:
    workshop.seal(1)
    good = workshop.validate().after
    workshop.seal(2, record_count=9)
    validation = workshop.validate()
    assert not validation.changed
    assert validation.after.status is PartitionStatus.SUCCESS
    assert (validation.after.current_run_id, validation.after.seal_sha256) == (workshop.run(1), good.seal_sha256)
    assert validation.after.last_error == str(validation.results[0].failure)
    assert "record_count" in validation.after.last_error
    assert workshop.ledger.position() == 1
    workshop.seal(3, workshop.rows(2))
    assert workshop.validate().after.last_error is None


def test_a_run_that_did_not_seal_is_a_failed_attempt_until_it_seals(workshop: Any) -> None:
    key = workshop.key()
    unsealed = {key: UnsealedRun(workshop.run(1), REASON)}
    (validation,) = workshop.validator().validate([key], unsealed=unsealed)
    assert validation.results[0].outcome is ValidationOutcome.UNSEALED
    assert validation.after.status is PartitionStatus.FAILED
    assert validation.after.last_error == "api_transient: unavailable"
    (again,) = workshop.validator().validate([key], unsealed=unsealed)
    assert again.results == ()
    workshop.seal(1)
    (sealed,) = workshop.validator().validate([key], unsealed=unsealed)
    assert [attempt.outcome for attempt in sealed.results] == [ValidationOutcome.PASSED]
    assert sealed.after.status is PartitionStatus.SUCCESS
    assert sealed.after.last_error is None
    (late,) = workshop.validator().validate([key], unsealed=unsealed, recheck=True)
    assert late.results == ()


def test_an_unsealed_run_beside_sealed_ones(workshop: Any) -> None:
    key = workshop.key()
    workshop.seal(1)
    (validation,) = workshop.validator().validate([key], unsealed={key: UnsealedRun(workshop.run(2), REASON)})
    assert validation.after.current_run_id == workshop.run(1)
    assert validation.after.last_error == "api_transient: unavailable"
    assert validation.after.attempt_count == 2


def test_an_unsealed_run_of_a_key_that_is_not_asked_for(workshop: Any) -> None:
    with pytest.raises(UsageError, match="2024-06-02"):
        workshop.validator().validate([], unsealed={workshop.key(): UnsealedRun(workshop.run(1), REASON)})


def test_damage_of_the_authoritative_run_is_found_by_a_recheck(workshop: Any, damage: Damage) -> None:
    for number in (1, 2):
        workshop.seal(number, workshop.rows(number))
    assert workshop.validate().after.current_run_id == workshop.run(2)
    whole = {number: workshop.payload_path(number).read_bytes() for number in (1, 2)}
    damage(workshop.payload_path(2), whole[2][:-9])
    assert workshop.validate().results == ()
    found = workshop.validate(recheck=True)
    assert found.after.current_run_id == workshop.run(1)
    assert "payload_size" in found.after.last_error
    damage(workshop.payload_path(1), whole[1][:-9])
    lost = workshop.validate(recheck=True)
    assert lost.after.status is PartitionStatus.FAILED
    assert lost.after.current_run_id is None
    outcomes = [(one.run_id, one.outcome.value) for one in workshop.ledger.history(workshop.key()).results]
    first, second = workshop.run(1), workshop.run(2)
    assert outcomes == [(first, "passed"), (second, "passed"), (second, "rejected"), (first, "rejected")]
    damage(workshop.payload_path(2), whole[2])
    assert workshop.validate(recheck=True).after.current_run_id == second


def test_a_seal_that_is_gone_is_found_by_a_recheck(workshop: Any) -> None:
    workshop.seal(1)
    workshop.validate()
    workshop.metadata_path(1).unlink()
    assert workshop.validate().results == ()
    validation = workshop.validate(recheck=True)
    assert validation.after.status is PartitionStatus.FAILED
    assert validation.after.last_error == "check_failed: seal: metadata.json is gone"


def test_a_retried_partition_stays_pending_until_there_is_news(workshop: Any) -> None:
    workshop.seal(1, record_count=9)
    assert workshop.validate().after.status is PartitionStatus.FAILED
    url = "sqlite:ledger.db"
    with ledger_adapter(url).open_for_control_plane(url, workshop.base) as control:
        control.retry([workshop.key()], OperatorAct(datetime(2024, 6, 4, tzinfo=UTC), "a", "b", "c"))
    for recheck in (False, True):
        assert workshop.validate(recheck=recheck).after.status is PartitionStatus.PENDING
    workshop.seal(2)
    assert workshop.validate().after.status is PartitionStatus.SUCCESS


class Failing:
    """A sink whose storage fails for one day, now and then."""

    def __init__(self, sink: Any, key: Any, method: str) -> None:
        self._sink, self._key, self._method, self.failing = sink, key, method, True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._sink, name)

        def call(key: Any, *rest: Any) -> Any:
            if self.failing and key == self._key and name == self._method:
                raise StorageError("the network is down")
            return method(key, *rest)

        return call


@pytest.mark.parametrize("method", ["runs", "metadata_bytes", "open_payload"])
def test_a_failing_storage_is_no_validation_and_stops_nobody_else(workshop: Any, method: str) -> None:
    keys = [workshop.key(day=date(2024, 6, day)) for day in (1, 2, 3)]
    for key in keys:
        workshop.seal(1, key=key)
    validator = workshop.validator()
    validator._reader = reader = Failing(workshop.sink, keys[0], method)
    with pytest.raises(StorageError, match="network"):
        validator.validate(keys)
    statuses = [state.status.value for state in workshop.ledger.get_many(keys)]
    assert statuses == ["pending", "success", "success"]
    assert workshop.ledger.history(keys[0]).results == ()
    reader.failing = False
    assert [validation.after.status.value for validation in validator.validate(keys)] == ["success"] * 3


class BreakingOff:
    """A payload whose disk fails in the middle."""

    def __init__(self, stream: BinaryIO, reads: int) -> None:
        self._stream, self._reads = stream, reads

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        if self._reads < 0:
            raise OSError(5, "Input/output error")
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@pytest.mark.parametrize("reads", [0, 1, 3, 5])
def test_a_disk_that_fails_while_it_is_read_is_no_validation(
    workshop: Any, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    import gads_validator.checks.payload as payload

    monkeypatch.setattr(payload, "HELD_BYTES", 100)
    workshop.seal(1)
    opened = workshop.sink.open_payload
    monkeypatch.setattr(workshop.sink, "open_payload", lambda *names: BreakingOff(opened(*names), reads))
    with pytest.raises(StorageError):
        workshop.validate()
    assert workshop.ledger.history(workshop.key()).results == ()
    monkeypatch.setattr(workshop.sink, "open_payload", opened)
    assert workshop.validate().after.status is PartitionStatus.SUCCESS


def test_a_row_that_others_keep_moving_is_given_up_in_the_end(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = workshop.key(), workshop.key(day=date(2024, 6, 3))
    workshop.seal(1, key=key)
    workshop.seal(1, key=other)
    record = workshop.ledger.record
    rounds = []

    def contested(changes: Any) -> list[bool]:
        rounds.append(changes)
        done = iter(record([change for change in changes if change.after.key != key]))
        return [False if change.after.key == key else next(done) for change in changes]

    monkeypatch.setattr(workshop.ledger, "record", contested)
    with pytest.raises(LedgerConflictError):
        workshop.validator().validate([key, other])
    assert len(rounds) == MAX_CONFLICTS + 1
    assert workshop.ledger.get(other).status is PartitionStatus.SUCCESS


def test_a_conflict_is_read_again_and_decided_again(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.seal(1)
    workshop.seal(2, workshop.rows(2))
    rival = workshop.validator()
    record = workshop.ledger.record

    def overtaken(changes: Any) -> Any:
        monkeypatch.setattr(workshop.ledger, "record", record)
        rival.validate([workshop.key()])
        return record(changes)

    monkeypatch.setattr(workshop.ledger, "record", overtaken)
    validation = workshop.validate()
    assert validation.results == ()
    assert validation.after == workshop.ledger.get(workshop.key())
    assert validation.after.current_run_id == workshop.run(2)
    assert len(workshop.ledger.history(workshop.key()).results) == 2


def test_the_oldest_run_of_a_call_fixes_the_schema(workshop: Any) -> None:
    other = TableSchema(workshop.schema.columns[:6])
    early, late = workshop.key(day=date(2024, 6, 5)), workshop.key(day=date(2024, 6, 4))
    workshop.seal(1, [], key=early)
    workshop.seal(2, [], key=late, schema=other, payload=workshop.payload([], other))
    validations = workshop.validator().validate([late, early])
    assert [validation.after.status.value for validation in validations] == ["failed", "success"]
    assert workshop.ledger.schema_pin("google_ads", "campaign", 1).schema == workshop.schema


def test_every_byte_of_the_seal_counts(workshop: Any, damage: Damage) -> None:
    workshop.seal(1)
    workshop.seal(2, workshop.rows(2))
    good = workshop.validate().after
    path = workshop.metadata_path(2)
    whole = path.read_bytes()
    dice = random.Random(1)
    validator = workshop.validator()
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= dice.randrange(1, 256)
        damage(path, bytes(flipped))
        assert not inspect(workshop.sink, workshop.key(), workshop.run(2)).passed, position
    damage(path, bytes(flipped))
    (validation,) = validator.validate([workshop.key()], recheck=True)
    assert validation.after.current_run_id == workshop.run(1)
    damage(path, whole)
    assert validator.validate([workshop.key()], recheck=True)[0].after.current_run_id == good.current_run_id


def test_any_byte_of_the_payload_counts(new_workshop: Callable[[], Any], damage: Damage) -> None:
    workshop = new_workshop()
    workshop.seal(1, workshop.rows(20))
    workshop.validate()
    dice = random.Random(2)
    workshop.seal(2, workshop.rows(40))
    path = workshop.payload_path(2)
    whole = path.read_bytes()
    size = len(whole)
    positions = sorted({*range(8), *range(size - 300, size), *(dice.randrange(size) for _ in range(200))})
    for number, position in enumerate(positions):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << dice.randrange(8)
        damage(path, bytes(flipped))
        assert not inspect(workshop.sink, workshop.key(), workshop.run(2)).passed, position
        if number % 50 == 0:
            validation = workshop.validate(recheck=True)
            assert validation.after.current_run_id == workshop.run(1), position
    assert "payload_sha256" in workshop.ledger.get(workshop.key()).last_error
    damage(path, whole)
    assert workshop.validate(recheck=True).after.current_run_id == workshop.run(2)


def test_a_listed_run_that_vanishes_is_no_crash(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.seal(1)

    def gone(*_: Any) -> bytes:
        raise NotSealedError("gone")

    monkeypatch.setattr(workshop.sink, "metadata_bytes", gone)
    assert workshop.validate().after.status is PartitionStatus.FAILED
