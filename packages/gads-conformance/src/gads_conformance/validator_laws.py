"""The laws of `PartitionValidator`, each test named by its number in the port.

A validator's tests subclass `ValidatorLaws` and give `open_ledger`, `open_validator`, `seal` and `ruin`. All of them
work on one sink and one ledger, both empty at first; what a payload looks like is the subclass's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto

import pytest

from gads_domain.errors import FailureReason
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.validation import PartitionValidator, UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import KeyHistory, PartitionStatus, ValidationOutcome


class Content(Enum):
    """What `seal` seals."""

    SOUND = auto()
    """Rows that pass every check; two seals of it hold the same rows."""
    RESTATED = auto()
    """Rows that pass every check and are other than those of `SOUND`."""
    UNSOUND = auto()
    """A seal that no check may let pass, such as one that counts other rows than there are."""


OpenLedger = Callable[[], AbstractContextManager[ValidatorLedger]]
OpenValidator = Callable[[], AbstractContextManager[PartitionValidator]]
Seal = Callable[[PartitionKey, RunId, Content], None]
Ruin = Callable[[PartitionKey, RunId], None]

REASON = FailureReason("api_permanent", "refused", retryable=False)
KEYS = tuple(PartitionKey(GOOGLE_ADS, "1234567890", "campaign", date(2024, 6, day)) for day in range(1, 6))
KEY = KEYS[0]


def run(number: int) -> RunId:
    """The `number`-th run; a later one has a larger number."""
    return RunId.compose(datetime(2024, 7, 1, tzinfo=UTC) + timedelta(minutes=number), number.to_bytes(4, "big"))


class ValidatorLaws:
    """Every law of a validator."""

    @pytest.fixture
    def open_ledger(self) -> OpenLedger:
        """Opens the ledger, in whatever thread it is called."""
        raise NotImplementedError("the suite of a validator gives the fixture open_ledger")

    @pytest.fixture
    def open_validator(self) -> OpenValidator:
        """Opens a validator that shares sink and ledger, and nothing else, with those opened before."""
        raise NotImplementedError("the suite of a validator gives the fixture open_validator")

    @pytest.fixture
    def seal(self) -> Seal:
        """Seals what is asked for under a key and a run."""
        raise NotImplementedError("the suite of a validator gives the fixture seal")

    @pytest.fixture
    def ruin(self) -> Ruin:
        """Changes a byte of the payload that a run has sealed, behind the sink's back."""
        raise NotImplementedError("the suite of a validator gives the fixture ruin")

    @pytest.mark.parametrize("content", list(Content))
    def test_law_1_a_seal_means_nothing_until_it_is_judged(
        self, content: Content, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal
    ) -> None:
        """What is sealed stays `pending`; `success` or `failed` come from the validator alone."""
        seal(KEY, run(1), content)
        with open_ledger() as ledger:
            assert ledger.get(KEY).status is PartitionStatus.PENDING
            with open_validator() as validator:
                (validation,) = validator.validate([KEY])
            assert validation.changed
            assert ledger.get(KEY) == validation.after
        good = content is not Content.UNSOUND
        assert validation.after.status is (PartitionStatus.SUCCESS if good else PartitionStatus.FAILED)
        assert validation.after.current_run_id == (run(1) if good else None)

    def test_law_1_a_key_that_nobody_sealed_gets_no_row(
        self, open_ledger: OpenLedger, open_validator: OpenValidator
    ) -> None:
        """Judging nothing records nothing."""
        with open_validator() as validator:
            (validation,) = validator.validate([KEY])
        assert not validation.changed
        with open_ledger() as ledger:
            assert (ledger.position(), ledger.get(KEY).version) == (0, 0)

    @pytest.mark.parametrize("recheck", [False, True])
    def test_law_2_judging_again_changes_nothing(
        self, recheck: bool, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal
    ) -> None:
        """Neither rows, nor attempts, nor the log."""
        seal(KEY, run(1), Content.SOUND)
        seal(KEY, run(2), Content.UNSOUND)
        with open_ledger() as ledger, open_validator() as validator:
            (first,) = validator.validate([KEY])
            before = ledger.get(KEY), ledger.history(KEY), ledger.authority_changes()
            (again,) = validator.validate([KEY], recheck=recheck)
            assert (ledger.get(KEY), ledger.history(KEY), ledger.authority_changes()) == before
        assert again.before == again.after == first.after
        assert again.results == ()

    def test_law_2_many_at_once_come_to_the_same(
        self, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal
    ) -> None:
        """Each in an order of its own; the newest of the runs that differ and pass is believed, once judged each."""
        for key in KEYS:
            seal(key, run(1), Content.SOUND)
            seal(key, run(2), Content.RESTATED)
            seal(key, run(3), Content.UNSOUND)

        def judge(seed: int) -> None:
            keys = list(KEYS)
            random.Random(seed).shuffle(keys)
            with open_validator() as validator:
                for key in keys:
                    validator.validate([key])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(judge, range(4)))
        with open_ledger() as ledger:
            for key in KEYS:
                assert ledger.get(key).current_run_id == run(2)
                assert judged(ledger.history(key)) == [run(1), run(2), run(3)]

    def test_law_2_a_run_judged_late_does_not_win_over_a_newer_one(
        self, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal
    ) -> None:
        """The order of judging does not count, the order of the runs does."""
        seal(KEY, run(2), Content.RESTATED)
        with open_ledger() as ledger, open_validator() as validator:
            validator.validate([KEY])
            seal(KEY, run(1), Content.SOUND)
            (late,) = validator.validate([KEY])
            assert not late.changed
            assert ledger.get(KEY).current_run_id == run(2)

    @pytest.mark.parametrize("sealed", [True, False], ids=["unsound", "unsealed"])
    def test_law_3_a_failed_restatement_leaves_the_authority(
        self, sealed: bool, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal
    ) -> None:
        """It is on record as an attempt, and no reader sees another run."""
        seal(KEY, run(1), Content.SOUND)
        with open_ledger() as ledger, open_validator() as validator:
            validator.validate([KEY])
            position = ledger.position()
            if sealed:
                seal(KEY, run(2), Content.UNSOUND)
            unsealed = {} if sealed else {KEY: UnsealedRun(run(2), REASON)}
            (validation,) = validator.validate([KEY], unsealed=unsealed)
            assert not validation.changed
            state = ledger.get(KEY)
            assert (state.status, state.current_run_id) == (PartitionStatus.SUCCESS, run(1))
            assert state.last_error
            assert ledger.position() == position
            assert judged(ledger.history(KEY)) == [run(1), run(2)]

    def test_law_4_every_sealed_run_is_judged_and_a_damaged_one_is_rejected(
        self, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal, ruin: Ruin
    ) -> None:
        """Also where a newer one is good, and where none is."""
        for number in (1, 2):
            seal(KEY, run(number), Content.SOUND)
            seal(KEYS[1], run(number), Content.SOUND)
        ruin(KEY, run(1))
        ruin(KEYS[1], run(1))
        ruin(KEYS[1], run(2))
        with open_ledger() as ledger, open_validator() as validator:
            one, other = validator.validate(KEYS[:2])
            assert [attempt.outcome for attempt in one.results] == [
                ValidationOutcome.REJECTED,
                ValidationOutcome.PASSED,
            ]
            assert [attempt.outcome for attempt in other.results] == [ValidationOutcome.REJECTED] * 2
            assert ledger.get(KEY).current_run_id == run(2)
            assert ledger.get(KEYS[1]).status is PartitionStatus.FAILED

    def test_law_4_damage_after_the_judgement_is_found_by_a_recheck(
        self, open_ledger: OpenLedger, open_validator: OpenValidator, seal: Seal, ruin: Ruin
    ) -> None:
        """Authority falls back to the run before, which is still good."""
        seal(KEY, run(1), Content.SOUND)
        seal(KEY, run(2), Content.RESTATED)
        with open_ledger() as ledger, open_validator() as validator:
            validator.validate([KEY])
            ruin(KEY, run(2))
            (validation,) = validator.validate([KEY], recheck=True)
            assert validation.changed
            assert ledger.get(KEY).current_run_id == run(1)

    def test_validations_come_in_the_order_of_the_keys(self, open_validator: OpenValidator, seal: Seal) -> None:
        """One each, whatever is sealed of them."""
        seal(KEYS[2], run(1), Content.SOUND)
        asked = [KEYS[3], KEYS[2], KEYS[0]]
        with open_validator() as validator:
            assert [validation.after.key for validation in validator.validate(asked)] == asked


def judged(history: KeyHistory) -> list[RunId]:
    """The runs that were judged, in order of their start; each as often as it was."""
    return sorted(attempt.run_id for attempt in history.results)
