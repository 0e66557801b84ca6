"""A validator that passes every seal, for tests of what surrounds validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gads_domain.clock import Clock
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.validation import PartitionValidation, UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import Confirmation, KeyHistory, StateChange, ValidationOutcome, ValidationResult
from gads_domain.state_machine import is_news, settle
from gads_validator.confirmation import confirm

Runs = Callable[[PartitionKey], list[RunId]]
Digests = Callable[[PartitionKey, RunId], tuple[str, str]]


class SealValidator:
    """Passes every sealed run without reading its payload; the state machine and the ledger are the real ones.

    A run has one row, and none if its content is empty.

    `runs` lists the sealed runs of a partition, `digests` gives the sums of a run's seal and of its content.
    """

    def __init__(self, runs: Runs, digests: Digests, ledger: ValidatorLedger, clock: Clock) -> None:
        self._runs = runs
        self._digests = digests
        self._ledger = ledger
        self._clock = clock

    def validate(
        self,
        keys: Sequence[PartitionKey],
        *,
        unsealed: Mapping[PartitionKey, UnsealedRun] | None = None,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        found: dict[PartitionKey, PartitionValidation] = {}
        waiting = list(keys)
        while waiting:
            proposals = [
                self._changes(history, (unsealed or {}).get(key))
                for key, history in zip(waiting, self._ledger.histories(waiting), strict=True)
            ]
            recorded = iter(self._ledger.record([change for changes, _ in proposals for change in changes]))
            for key, (changes, validation) in zip(list(waiting), proposals, strict=True):
                accepted = [next(recorded) for _ in changes]
                if all(accepted):
                    found[key] = validation
                    waiting.remove(key)
        return [found[key] for key in keys]

    def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
        return confirm(self._ledger, confirmations)

    def _changes(
        self, history: KeyHistory, unsealed: UnsealedRun | None
    ) -> tuple[list[StateChange], PartitionValidation]:
        key, first, changes = history.state.key, history.state, list[StateChange]()
        sealed = self._runs(key)
        known = {result.run_id for result in history.results if result.has_seal}
        due = [self._passed(key, run_id) for run_id in sealed if run_id not in known]
        if unsealed is not None and unsealed.run_id not in sealed:
            outcome, now = ValidationOutcome.UNSEALED, self._clock.now()
            due.append(ValidationResult(key, unsealed.run_id, outcome, now, failure=unsealed.reason))
        for result in [result for result in due if is_news(history, result)]:
            after = settle(history, result, self._clock.now())
            changes.append(StateChange(history.state, after, result))
            history = replace(history, state=after, results=(*history.results, result))
        after = settle(history, None, self._clock.now())
        results = tuple(change.attempt for change in changes if change.attempt is not None)
        if after != history.state:
            changes.append(StateChange(history.state, after, None))
        return changes, PartitionValidation(first, after, results)

    def _passed(self, key: PartitionKey, run_id: RunId) -> ValidationResult:
        passed, now = ValidationOutcome.PASSED, self._clock.now()
        seal, content = self._digests(key, run_id)
        rows = int(bool(content))
        return ValidationResult(key, run_id, passed, now, (), None, 1, rows, seal, content, vanished_rows=1.0)
