"""The laws of `PartitionValidator`."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from enum import Enum, auto

import pytest

from gads_conformance.law import law, required
from gads_conformance.ledger.samples import confirmation_of, key_of
from gads_conformance.ledger.samples import run_of as run
from gads_domain.errors import FailureReason
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.validation import PartitionValidator, UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import KeyHistory, PartitionStatus, ValidationOutcome


class Content(Enum):
    """What `seal` seals: rows that pass every check, other such rows, what validation must reject, and no rows."""

    SOUND = auto()
    RESTATED = auto()
    UNSOUND = auto()
    EMPTY = auto()


OpenLedger = Callable[[], AbstractContextManager[ValidatorLedger]]
OpenValidator = Callable[[], AbstractContextManager[PartitionValidator]]
Seal = Callable[[PartitionKey, RunId, Content], None]
Ruin = Callable[[PartitionKey, RunId], None]

REASON = FailureReason("api_permanent", "refused", retryable=False)
KEYS = tuple(key_of(1234567890, day) for day in range(5))
KEY = KEYS[0]


class ValidatorLaws:
    """Every law of `PartitionValidator`. A subclass gives `open_ledger`, `open_validator`, `seal` and `ruin`.

    All of them work on one sink and one ledger, both empty at first; the subclass chooses what a payload looks like.
    """

    open_ledger = required("Opens the ledger, in any thread.")
    open_validator = required("Opens a validator that shares only sink and ledger with those opened before.")
    seal = required("Seals a content under a key and a run.")
    ruin = required("Changes a byte of the payload that a run has sealed, without the sink.")

    @pytest.fixture
    def ledger(self, open_ledger: OpenLedger) -> Iterator[ValidatorLedger]:
        with open_ledger() as ledger:
            yield ledger

    @pytest.fixture
    def validator(self, open_validator: OpenValidator) -> Iterator[PartitionValidator]:
        with open_validator() as validator:
            yield validator

    @law("PartitionValidator", 1)
    @pytest.mark.parametrize("content", list(Content))
    def test_a_seal_means_nothing_until_it_is_validated(
        self, content: Content, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal
    ) -> None:
        seal(KEY, run(1), content)
        assert ledger.get(KEY).status is PartitionStatus.PENDING
        (validation,) = validator.validate([KEY])
        assert validation.changed
        assert ledger.get(KEY) == validation.after
        good = content is not Content.UNSOUND
        assert validation.after.status is (PartitionStatus.SUCCESS if good else PartitionStatus.FAILED)
        assert validation.after.current_run_id == (run(1) if good else None)

    @law("PartitionValidator", 1)
    def test_a_key_without_seals_gets_no_row(self, ledger: ValidatorLedger, validator: PartitionValidator) -> None:
        (validation,) = validator.validate([KEY])
        assert not validation.changed
        assert (ledger.position(), ledger.get(KEY).version) == (0, 0)

    @law("PartitionValidator", 2)
    @pytest.mark.parametrize("recheck", [False, True])
    def test_validating_again_changes_nothing(
        self, recheck: bool, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal
    ) -> None:
        seal(KEY, run(1), Content.SOUND)
        seal(KEY, run(2), Content.UNSOUND)
        (first,) = validator.validate([KEY])
        before = ledger.get(KEY), ledger.history(KEY), ledger.authority_changes()
        (again,) = validator.validate([KEY], recheck=recheck)
        assert (ledger.get(KEY), ledger.history(KEY), ledger.authority_changes()) == before
        assert again.before == again.after == first.after
        assert again.results == ()

    @law("PartitionValidator", 2)
    def test_many_validators_at_once_agree(
        self, ledger: ValidatorLedger, open_validator: OpenValidator, seal: Seal
    ) -> None:
        for key in KEYS:
            for number, content in enumerate(Content, start=1):
                seal(key, run(number), content)

        def validate(seed: int) -> None:
            with open_validator() as validator:
                for key in random.Random(seed).sample(KEYS, len(KEYS)):
                    validator.validate([key])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(validate, range(4)))
        for key in KEYS:
            assert ledger.get(key).current_run_id == run(2)
            assert ledger.get(key).held_run_id == run(4)
            assert validated_runs(ledger.history(key)) == [run(1), run(2), run(3), run(4)]

    @law("PartitionValidator", 2)
    def test_a_run_validated_late_does_not_win_over_a_newer_one(
        self, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal
    ) -> None:
        seal(KEY, run(2), Content.RESTATED)
        validator.validate([KEY])
        seal(KEY, run(1), Content.SOUND)
        (late,) = validator.validate([KEY])
        assert not late.changed
        assert ledger.get(KEY).current_run_id == run(2)

    @law("PartitionValidator", 3)
    @pytest.mark.parametrize("sealed", [True, False], ids=["unsound", "unsealed"])
    def test_a_failed_restatement_leaves_the_authority(
        self, sealed: bool, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal
    ) -> None:
        seal(KEY, run(1), Content.SOUND)
        validator.validate([KEY])
        position = ledger.position()
        if sealed:
            seal(KEY, run(2), Content.UNSOUND)
        (validation,) = validator.validate([KEY], unsealed={} if sealed else {KEY: UnsealedRun(run(2), REASON)})
        assert not validation.changed
        state = ledger.get(KEY)
        assert (state.status, state.current_run_id) == (PartitionStatus.SUCCESS, run(1))
        assert state.last_error
        assert ledger.position() == position
        assert validated_runs(ledger.history(KEY)) == [run(1), run(2)]

    @law("PartitionValidator", 4)
    def test_every_sealed_run_is_validated_and_a_damaged_one_rejected(
        self, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal, ruin: Ruin
    ) -> None:
        for key in KEYS[:2]:
            seal(key, run(1), Content.SOUND)
            seal(key, run(2), Content.SOUND)
            ruin(key, run(1))
        ruin(KEYS[1], run(2))
        one, other = validator.validate(KEYS[:2])
        assert [result.outcome for result in one.results] == [ValidationOutcome.REJECTED, ValidationOutcome.PASSED]
        assert [result.outcome for result in other.results] == [ValidationOutcome.REJECTED] * 2
        assert ledger.get(KEY).current_run_id == run(2)
        assert ledger.get(KEYS[1]).status is PartitionStatus.FAILED

    @law("PartitionValidator", 4)
    def test_a_recheck_finds_later_damage(
        self, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal, ruin: Ruin
    ) -> None:
        seal(KEY, run(1), Content.SOUND)
        seal(KEY, run(2), Content.RESTATED)
        validator.validate([KEY])
        ruin(KEY, run(2))
        (validation,) = validator.validate([KEY], recheck=True)
        assert validation.changed
        assert ledger.get(KEY).current_run_id == run(1)

    @law("PartitionValidator", 5)
    def test_rows_are_not_replaced_by_none(
        self, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal, ruin: Ruin
    ) -> None:
        seal(KEY, run(1), Content.SOUND)
        validator.validate([KEY])
        position = ledger.position()
        seal(KEY, run(2), Content.EMPTY)
        (held,) = validator.validate([KEY])
        assert [result.outcome for result in held.results] == [ValidationOutcome.PASSED]
        assert not held.changed
        assert (held.after.current_run_id, held.after.held_run_id) == (run(1), run(2))
        assert held.after.last_error
        assert ledger.position() == position
        seal(KEYS[1], run(1), Content.SOUND)
        seal(KEYS[1], run(2), Content.EMPTY)
        validator.validate([KEYS[1]])
        ruin(KEYS[1], run(1))
        (lost,) = validator.validate([KEYS[1]], recheck=True)
        assert (lost.after.status, lost.after.held_run_id) == (PartitionStatus.FAILED, run(2))
        seal(KEY, run(3), Content.RESTATED)
        (restated,) = validator.validate([KEY])
        assert (restated.after.current_run_id, restated.after.held_run_id) == (run(3), None)
        assert restated.after.last_error is None

    @law("PartitionValidator", 6)
    def test_a_confirmation_is_evidence_of_the_authoritative_rows_alone(
        self, ledger: ValidatorLedger, validator: PartitionValidator, seal: Seal, ruin: Ruin
    ) -> None:
        seal(KEY, run(1), Content.SOUND)
        validator.validate([KEY])
        seal(KEY, run(2), Content.EMPTY)
        validator.validate([KEY], unsealed={KEY: UnsealedRun(run(3), REASON)})
        before = ledger.history(KEY)
        right = confirmation_of(before, 5)
        position = ledger.position()
        wrong = [replace(right, of=run(2)), replace(right, of=run(4)), replace(right, content_sha256="0" * 64)]
        assert validator.confirm(wrong) == [False] * 3
        assert ledger.history(KEY) == before
        assert validator.confirm([right, right]) == [True, True]
        state = ledger.get(KEY)
        assert (state.current_run_id, state.confirmed_run_id, state.confirmed_at) == (run(1), run(5), right.at)
        assert (state.last_error, state.held_run_id, state.attempt_count) == (None, None, 3)
        assert validated_runs(ledger.history(KEY)) == validated_runs(before)
        seal(KEY, run(4), Content.RESTATED)
        (late,) = validator.validate([KEY])
        assert (late.changed, ledger.position()) == (False, position)
        seal(KEY, run(6), Content.RESTATED)
        validator.validate([KEY])
        assert validator.confirm([replace(right, by=run(7))]) == [False]
        ruin(KEY, run(1))
        validator.validate([KEY], recheck=True)
        ruin(KEY, run(6))
        (withdrawn,) = validator.validate([KEY], recheck=True)
        assert withdrawn.after.current_run_id == run(4), "what confirmed a damaged run does not count"

    def test_validations_come_in_the_order_of_the_keys(self, validator: PartitionValidator, seal: Seal) -> None:
        seal(KEYS[2], run(1), Content.SOUND)
        asked = [KEYS[3], KEYS[2], KEYS[0]]
        assert [validation.after.key for validation in validator.validate(asked)] == asked


def validated_runs(history: KeyHistory) -> list[RunId]:
    """The run of each result, in run order."""
    return sorted(result.run_id for result in history.results)
