"""The validator: validates what is sealed, and changes authority by what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gads_domain.clock import Clock
from gads_domain.errors import LedgerConflictError, UsageError
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.sink import RawReader
from gads_domain.ports.validation import PartitionValidation, UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import (
    Confirmation,
    KeyHistory,
    PartitionState,
    SchemaPin,
    StateChange,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import is_news, settle
from gads_validator.checks.declared import DeclaredChecks
from gads_validator.confirmation import MAX_CONFLICTS, confirm
from gads_validator.inspection import NOTHING_DECLARED, Inspection, inspect
from gads_validator.validation_result import unsealed_result, validation_result, with_changes

ALL_ROWS = 1.0
"""The share of its rows from which on a day's loss is held for a decision, unless another is set."""

_PinOf = tuple[str, str, int]


class RawPartitionValidator:
    """Validates sealed runs by their bytes and writes what follows; `gads_domain.ports.validation` has the laws.

    `declared` gives what the owner of a report declares, by the report's name; it is called when a run of the report is
    validated, and what it raises is the error of that key. A restatement that loses at least the share `vanished_rows`
    of the rows (above 0; 1 is all of them) is held for a decision. The state of a partition follows from its validated
    runs alone; only which of two different schemas a `schema_version` is fixed to depends on which run passed first,
    and among the runs of one call that is the oldest.
    """

    def __init__(
        self,
        reader: RawReader,
        ledger: ValidatorLedger,
        clock: Clock,
        *,
        declared: Callable[[str], DeclaredChecks] = lambda _: NOTHING_DECLARED,
        vanished_rows: float = ALL_ROWS,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        self._declared = declared
        self._vanished_rows = vanished_rows

    def validate(
        self,
        keys: Sequence[PartitionKey],
        *,
        unsealed: Mapping[PartitionKey, UnsealedRun] | None = None,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        """Validate `keys`, in order; with `recheck` also the seals that were validated before, to find later damage.

        A bad partition is a rejected result and no error. What kept a key from being validated is raised after the
        other keys were: `StorageError` if the storage failed, `HeldElsewhereError` if other processes kept changing its
        row, `LedgerError`. Nothing is recorded of a run that was not validated, so the call may be repeated as it was.
        Raises `UsageError` if `unsealed` names a key that is not in `keys`.
        """
        unsealed = unsealed or {}
        strangers = [str(key) for key in set(unsealed).difference(keys)]
        if strangers:
            raise UsageError(
                f"unsealed runs of partitions that are not to be validated: {', '.join(sorted(strangers))}"
            )
        cases = {key: _Case(key, unsealed.get(key), recheck) for key in keys}
        pins: dict[_PinOf, TableSchema] = {}
        open_cases = list(cases.values())
        while open_cases:
            self._record(self._propose_all(open_cases, pins))
            open_cases = [case for case in open_cases if not case.settled and case.error is None]
        _raise_first([case for case in cases.values() if case.error is not None])
        return [cases[key].validation() for key in keys]

    def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
        """Confirm each run that is authoritative with these rows; for each, in order, whether it is confirmed now."""
        return confirm(self._ledger, confirmations)

    def _propose_all(self, cases: list[_Case], pins: dict[_PinOf, TableSchema]) -> list[_Proposal]:
        """The next change of each case, at most one, and none that depends on a schema that is not fixed yet."""
        self._read_all(cases)
        proposals = []
        for case in cases:
            if case.error is None:
                with case.keeping_error():
                    change = self._propose(case, pins)
                    case.settled = change is None
                    if change is not None:
                        proposals.append(_Proposal(case, change))
        return _with_one_schema_a_version(proposals)

    def _read_all(self, cases: list[_Case]) -> None:
        """Read what is sealed, and only then what is on record, which then has what others validated meanwhile."""
        sealed: list[tuple[_Case, list[RunId]]] = []
        for case in cases:
            if not case.due_known:
                with case.keeping_error():
                    sealed.append((case, self._reader.runs(case.key)))
        self._read_histories([case for case in cases if case.history is None and case.error is None])
        for case, runs in sealed:
            if case.error is None:
                case.find_due(runs)

    def _read_histories(self, cases: list[_Case]) -> None:
        try:
            histories = self._ledger.histories([case.key for case in cases]) if cases else []
        except Exception:  # the key that it concerns shows one by one
            for case in cases:
                with case.keeping_error():
                    case.read(self._ledger.history(case.key))
        else:
            for case, history in zip(cases, histories, strict=True):
                case.read(history)

    def _propose(self, case: _Case, pins: dict[_PinOf, TableSchema]) -> StateChange | None:
        history = case.history
        assert history is not None
        while case.due:
            if case.due[0] in history.pruned_runs:  # pruned while it was validated
                case.due.pop(0)
                continue
            change = self._next_change(case, history, pins)
            if change is not None:
                return change
            case.due.pop(0)
        settled = settle(history, None, self._clock.now())
        return None if settled == history.state else StateChange(history.state, settled, None)

    def _next_change(self, case: _Case, history: KeyHistory, pins: dict[_PinOf, TableSchema]) -> StateChange | None:
        """The change that the first due run makes; None if its result is on record already."""
        now = self._clock.now()
        run_id = case.due[0]
        pin = None
        if case.is_unsealed(run_id):
            assert case.unsealed is not None
            result = unsealed_result(case.key, case.unsealed, now)
        else:
            inspection = case.inspections.get(run_id)
            if inspection is None:
                inspection = inspect(self._reader, case.key, run_id, self._declared(case.key.report))
            pinned = self._pinned(case.key, inspection, pins)
            result = validation_result(case.key, run_id, inspection, pinned, now, self._vanished_rows)
            if is_news(history, result):
                result = with_changes(result, inspection, history, self._reader)
            case.inspections[run_id] = replace(inspection, table=None)
            if pinned is None:
                pin = _pin_for(result, inspection)
        after = settle(history, result, now)
        return None if after is history.state else StateChange(history.state, after, result, pin)

    def _pinned(self, key: PartitionKey, inspection: Inspection, pins: dict[_PinOf, TableSchema]) -> TableSchema | None:
        """The schema fixed for the version that the run was sealed under; once known, it is known for good."""
        if inspection.metadata is None:
            return None
        pin_of = (key.source, key.report, inspection.metadata.facts.schema_version)
        if pin_of not in pins:
            pin = self._ledger.schema_pin(*pin_of)
            if pin is None:
                return None
            pins[pin_of] = pin.schema
        return pins[pin_of]

    def _record(self, proposals: list[_Proposal]) -> None:
        recorded = self._ledger.record([proposal.change for proposal in proposals]) if proposals else []
        for proposal, was_recorded in zip(proposals, recorded, strict=True):
            proposal.case.recorded(proposal.change) if was_recorded else proposal.case.conflicted()


@dataclass(slots=True)
class _Case:
    """A key while it is validated."""

    key: PartitionKey
    unsealed: UnsealedRun | None
    recheck: bool
    first: PartitionState | None = None
    history: KeyHistory | None = None
    due: list[RunId] = field(default_factory=list)
    due_known: bool = False
    sealed: frozenset[RunId] = frozenset()
    inspections: dict[RunId, Inspection] = field(default_factory=dict)
    results: list[ValidationResult] = field(default_factory=list)
    last: PartitionState | None = None
    conflicts: int = 0
    settled: bool = False
    error: Exception | None = None

    @contextmanager
    def keeping_error(self) -> Iterator[None]:
        """Keep an error of this key until the other keys are done."""
        try:
            yield
        except Exception as error:
            self.error = error

    def read(self, history: KeyHistory) -> None:
        self.history = history
        self.first = self.first or history.state
        self.last = history.state

    def find_due(self, sealed: list[RunId]) -> None:
        """The runs to validate, oldest first: a validated seal that is gone is due for a recheck too."""
        assert self.history is not None
        validated = {result.run_id for result in self.history.results if result.has_seal}
        due = set(sealed) | validated if self.recheck else set(sealed) - validated
        due -= self.history.pruned_runs
        self.sealed = frozenset(sealed) | validated
        if self.unsealed is not None:
            due.add(self.unsealed.run_id)
        self.due = sorted(due)
        self.due_known = True

    def is_unsealed(self, run_id: RunId) -> bool:
        return self.unsealed is not None and run_id == self.unsealed.run_id and run_id not in self.sealed

    def recorded(self, change: StateChange) -> None:
        """Go on from what was just written; if another process wrote since, the next write conflicts."""
        assert self.history is not None
        results = self.history.results
        if change.attempt is not None:
            results = (*results, change.attempt)
            self.results.append(change.attempt)
            self.due.pop(0)
        self.read(replace(self.history, state=change.after, results=results))

    def conflicted(self) -> None:
        self.history = None
        self.conflicts += 1
        if self.conflicts > MAX_CONFLICTS:
            self.error = LedgerConflictError(
                f"{self.key}: other processes kept changing it", hint="validate it again when they are done"
            )

    def validation(self) -> PartitionValidation:
        assert self.first is not None
        assert self.last is not None
        return PartitionValidation(self.first, self.last, tuple(self.results))


class _Proposal(NamedTuple):
    case: _Case
    change: StateChange


def _pin_for(result: ValidationResult, inspection: Inspection) -> SchemaPin | None:
    if result.outcome is not ValidationOutcome.PASSED or inspection.metadata is None:
        return None
    facts = inspection.metadata.facts
    return SchemaPin(result.key.source, result.key.report, facts.schema_version, facts.schema)


def _with_one_schema_a_version(proposals: list[_Proposal]) -> list[_Proposal]:
    """Without the proposals that would fix another schema than the oldest run does; they wait for the next round.

    Those that agree with the oldest carry the same pin, so that none depends on another's being recorded.
    """
    fixed: dict[_PinOf, SchemaPin] = {}
    kept = []
    oldest_first = sorted(
        proposals, key=lambda one: (one.change.attempt.run_id.value if one.change.attempt else "", one.case.key)
    )
    for proposal in oldest_first:
        pin = proposal.change.pin
        if pin is None:
            kept.append(proposal)
            continue
        first = fixed.setdefault((pin.source, pin.report, pin.schema_version), pin)
        if first.schema.fingerprint == pin.schema.fingerprint:
            kept.append(proposal if pin == first else _Proposal(proposal.case, replace(proposal.change, pin=first)))
    return kept


def _raise_first(failed: list[_Case]) -> None:
    if not failed:
        return
    error = failed[0].error
    assert error is not None
    for other in failed[1:]:
        error.add_note(f"also {other.key}: {other.error}")
    raise error
