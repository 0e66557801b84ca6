"""The validator: judges what is sealed, and moves authority by what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gads_domain.clock import Clock
from gads_domain.errors import LedgerConflictError, UsageError
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.sink import RawReader
from gads_domain.ports.validation import PartitionValidation, UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import KeyHistory, PartitionState, SchemaPin, StateChange, ValidationOutcome, ValidationResult
from gads_domain.state_machine import is_news, settle
from gads_validator.checks.declared import DeclaredChecks
from gads_validator.inspection import NOTHING_DECLARED, Inspection, inspect
from gads_validator.validation_result import judge, unsealed_result, with_changes

MAX_CONFLICTS = 100
"""How often somebody else may move a row between the read and the write of a decision before the key is given up."""

_PinOf = tuple[str, str, int]


class RawPartitionValidator:
    """Judges sealed runs by their bytes and writes what follows; see `gads_domain.ports.validation` for the laws.

    `reports` gives the checks that the owner of a report declares, by report name. The state of a partition follows
    from its judged runs alone; only which of two different schemas a `schema_version` is fixed to hangs on which run
    passed first, and among the runs of one call that is the oldest.
    """

    def __init__(
        self,
        reader: RawReader,
        ledger: ValidatorLedger,
        clock: Clock,
        *,
        reports: Mapping[str, DeclaredChecks] | None = None,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        self._reports = dict(reports or {})

    def validate(
        self,
        keys: Sequence[PartitionKey],
        *,
        unsealed: Mapping[PartitionKey, UnsealedRun] | None = None,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        """Judge `keys`, in order; with `recheck` also the seals that were judged before, to find later damage.

        A bad partition is a rejected attempt and no error. What kept a key from being judged is raised after the
        other keys were: `StorageError` if the storage failed, `HeldElsewhereError` if others kept moving its row,
        `LedgerError`. Nothing of a key's run that was not judged is recorded, so the call may be repeated as it was.
        Raises `UsageError` if `unsealed` names a key that is not in `keys`.
        """
        unsealed = unsealed or {}
        strangers = [str(key) for key in set(unsealed).difference(keys)]
        if strangers:
            raise UsageError(f"unsealed runs of partitions that are not asked for: {', '.join(sorted(strangers))}")
        cases = {key: _Case(key, unsealed.get(key), recheck) for key in keys}
        pins: dict[_PinOf, TableSchema] = {}
        open_cases = list(cases.values())
        while open_cases:
            proposals = self._propose_all(open_cases, pins)
            if proposals:
                self._record(proposals)
            open_cases = [case for case in open_cases if not case.settled and case.error is None]
        _raise_first([case for case in cases.values() if case.error is not None])
        return [cases[key].validation() for key in keys]

    def _propose_all(self, cases: list[_Case], pins: dict[_PinOf, TableSchema]) -> list[_Proposal]:
        """The next change of each case, at most one, and none that hangs on a schema that is not fixed yet."""
        self._look_at_all(cases)
        proposals = []
        for case in cases:
            if case.error is not None:
                continue
            try:
                change = self._propose(case, pins)
            except Exception as error:  # one partition's trouble is its own; raised when the others are through
                case.error = error
                continue
            if change is None:
                case.settled = True
            else:
                proposals.append(_Proposal(case, change))
        return _with_one_schema_a_version(proposals)

    def _look_at_all(self, cases: list[_Case]) -> None:
        """What is sealed, and only then what is on record, so that what others judge meanwhile is known as judged."""
        sealed: list[tuple[_Case, list[RunId]]] = []
        for case in cases:
            if not case.due_known:
                try:
                    sealed.append((case, self._reader.runs(case.key)))
                except Exception as error:  # as in `_propose_all`
                    case.error = error
        self._meet_all([case for case in cases if case.history is None and case.error is None])
        for case, runs in sealed:
            if case.error is None:
                case.find_due(runs)

    def _meet_all(self, cases: list[_Case]) -> None:
        try:
            histories = self._ledger.histories([case.key for case in cases]) if cases else []
        except Exception:  # whose trouble it is shows one by one
            for case in cases:
                try:
                    case.meet(self._ledger.history(case.key))
                except Exception as error:  # as in `_propose_all`
                    case.error = error
        else:
            for case, history in zip(cases, histories, strict=True):
                case.meet(history)

    def _propose(self, case: _Case, pins: dict[_PinOf, TableSchema]) -> StateChange | None:
        history = case.history
        assert history is not None
        while case.due:
            change = self._judge_next(case, history, pins)
            if change is not None:
                return change
            case.due.pop(0)
        settled = settle(history, None, self._clock.now())
        return None if settled == history.state else StateChange(history.state, settled, None)

    def _judge_next(self, case: _Case, history: KeyHistory, pins: dict[_PinOf, TableSchema]) -> StateChange | None:
        """The change that the first due run makes; None if all that it says is on record."""
        now = self._clock.now()
        run_id = case.due[0]
        if case.is_unsealed(run_id):
            assert case.unsealed is not None
            attempt, pin = unsealed_result(case.key, case.unsealed, now), None
        else:
            inspection = case.inspections.get(run_id)
            if inspection is None:
                inspection = inspect(self._reader, case.key, run_id, self._declared(case.key))
            pinned = self._pinned(case.key, inspection, pins)
            attempt = judge(case.key, run_id, inspection, pinned, now)
            if is_news(history, attempt):
                attempt = with_changes(attempt, inspection, history, self._reader)
            case.inspections[run_id] = replace(inspection, table=None)
            pin = _pin_for(attempt, inspection) if pinned is None else None
        after = settle(history, attempt, now)
        return None if after is history.state else StateChange(history.state, after, attempt, pin)

    def _declared(self, key: PartitionKey) -> DeclaredChecks:
        return self._reports.get(key.report, NOTHING_DECLARED)

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
        recorded = self._ledger.record([proposal.change for proposal in proposals])
        for proposal, was_recorded in zip(proposals, recorded, strict=True):
            proposal.case.recorded(proposal.change) if was_recorded else proposal.case.conflicted()


@dataclass(slots=True)
class _Case:
    """A key on its way to a verdict."""

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

    def meet(self, history: KeyHistory) -> None:
        self.history = history
        self.first = self.first or history.state
        self.last = history.state

    def find_due(self, sealed: list[RunId]) -> None:
        """The runs to judge, oldest first: a seal that was judged and is gone is due for a recheck too."""
        assert self.history is not None
        judged = {attempt.run_id for attempt in self.history.results if attempt.has_seal}
        due = set(sealed) | judged if self.recheck else set(sealed) - judged
        self.sealed = frozenset(sealed) | judged
        if self.unsealed is not None:
            due.add(self.unsealed.run_id)
        self.due = sorted(due)
        self.due_known = True

    def is_unsealed(self, run_id: RunId) -> bool:
        return self.unsealed is not None and run_id == self.unsealed.run_id and run_id not in self.sealed

    def recorded(self, change: StateChange) -> None:
        """Go on from what was just written; nobody can have written in between, or the next write will conflict."""
        assert self.history is not None
        attempts = self.history.results
        if change.attempt is not None:
            attempts = (*attempts, change.attempt)
            self.results.append(change.attempt)
            self.due.pop(0)
        self.meet(replace(self.history, state=change.after, results=attempts))

    def conflicted(self) -> None:
        self.history = None
        self.conflicts += 1
        if self.conflicts > MAX_CONFLICTS:
            self.error = LedgerConflictError(
                f"{self.key}: others kept moving it", hint="validate it again when they are done"
            )

    def validation(self) -> PartitionValidation:
        assert self.first is not None
        assert self.last is not None
        return PartitionValidation(self.first, self.last, tuple(self.results))


@dataclass(frozen=True, slots=True)
class _Proposal:
    case: _Case
    change: StateChange


def _pin_for(attempt: ValidationResult, inspection: Inspection) -> SchemaPin | None:
    if attempt.outcome is not ValidationOutcome.PASSED or inspection.metadata is None:
        return None
    facts = inspection.metadata.facts
    return SchemaPin(attempt.key.source, attempt.key.report, facts.schema_version, facts.schema)


def _with_one_schema_a_version(proposals: list[_Proposal]) -> list[_Proposal]:
    """Leave out the proposals that would fix another schema than the oldest run does; they wait for the next round.

    Whoever agrees with the oldest carries the same pin, so that none hangs on another's being recorded.
    """
    fixed: dict[_PinOf, SchemaPin] = {}
    kept = []
    for proposal in sorted(proposals, key=_by_run):
        pin = proposal.change.pin
        if pin is None:
            kept.append(proposal)
            continue
        first = fixed.setdefault((pin.source, pin.report, pin.schema_version), pin)
        if first.schema.fingerprint == pin.schema.fingerprint:
            kept.append(proposal if pin == first else _Proposal(proposal.case, replace(proposal.change, pin=first)))
    return kept


def _by_run(proposal: _Proposal) -> tuple[str, PartitionKey]:
    attempt = proposal.change.attempt
    return (attempt.run_id.value if attempt else "", proposal.case.key)


def _raise_first(failed: list[_Case]) -> None:
    if not failed:
        return
    error = failed[0].error
    assert error is not None
    for other in failed[1:]:
        error.add_note(f"also {other.key}: {other.error}")
    raise error
