"""What came of a plan: counts while it is executed, and each partition's state as the ledger has it afterwards."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import islice

from gads_domain.account_days import DayRange
from gads_domain.control import Mark
from gads_domain.errors import FailureReason
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_domain.state import PartitionState, PartitionStatus, ValidationOutcome
from gads_domain.state_machine import VANISHED_ROWS
from gads_orchestrator.events import (
    AuthorityChanged,
    Event,
    PartitionEvent,
    PartitionOvertaken,
    PartitionRecovered,
    PartitionUnchanged,
    PartitionValidated,
    RowsVanished,
)
from gads_orchestrator.plan import WorkPlan
from gads_orchestrator.selection import Skipped

_KEYS_A_LOOKUP = 1000

MOST_LOOKUPS = 20
"""How many partitions are looked up for the hints of one run."""

_VANISHED_HINT = (
    "the former rows stay authoritative; if the rows are really gone, `state accept` takes the new run, and "
    "`state revoke` drops it; a later run that has rows replaces it by itself"
)

LEASED = "leased"
"""Why a slice was deferred: another process works on it."""
RESTING = "resting"
"""Why a slice was deferred: the API asked not to be called so before a time that has not come."""


class Ending(StrEnum):
    """How the execution of a plan ended, unless a failure ended it."""

    DONE = "done"
    """Everything in the plan was attempted, or is being worked on by another process."""
    STOPPED = "stopped"
    """It was asked to stop; the rest is pending."""
    REPLAN = "replan"
    """It is time for a new plan; what was under work came to its end."""


@dataclass(slots=True)
class RunOutcome:
    """What came of executing `plan`; what became of each partition is on the ledger (`partitions`).

    - `run` is None if nothing was begun.
    - `stopped_by` is the failure that ended the execution, which reaches further than an account; what was not tried is
      pending. `stopped_accounts` are the refusals of single accounts, by customer id.
    - `operations` of the quota were spent; `slices` were begun; `deferred` counts those not asked for, by why.
    - `leased` are the slices that another process works on; `interrupted` were begun and could not be validated;
      `resting` are those that the API asked to leave for later.
    - `unsuccessful` are the partitions that were attempted, and whose newest run did not pass or is held; `overtaken`
      those whose authoritative run has a later id than this run, by that run.
    - `attempted`, `unchanged`, `recovered` and `changed` count partitions: attempted by this run, found by it as they
      were, sealed by an earlier run and validated now, and with another status or authority than before. `given_up`
      were marked terminal by policy.
    """

    plan: WorkPlan
    run: RunContext | None = None
    ending: Ending = Ending.DONE
    stopped_by: FailureReason | None = None
    stopped_accounts: dict[str, FailureReason] = field(default_factory=dict)
    operations: int = 0
    slices: int = 0
    deferred: Counter[str] = field(default_factory=Counter)
    leased: list[ReportSlice] = field(default_factory=list)
    interrupted: list[tuple[ReportSlice, FailureReason]] = field(default_factory=list)
    resting: list[tuple[ReportSlice, FailureReason]] = field(default_factory=list)
    unsuccessful: set[PartitionKey] = field(default_factory=set)
    overtaken: dict[PartitionKey, str] = field(default_factory=dict)
    attempted: int = 0
    unchanged: int = 0
    recovered: int = 0
    changed: int = 0
    given_up: int = 0

    def count(self, events: Iterable[Event]) -> None:
        """Take up what a worker emitted."""
        assert self.run is not None
        for event in events:
            if not isinstance(event, PartitionEvent):
                continue
            if isinstance(event, PartitionValidated):
                self.attempted += event.validated_run == self.run.run_id.value
                passed = event.outcome == ValidationOutcome.PASSED
                (self.unsuccessful.discard if passed else self.unsuccessful.add)(_key_of(event))
            elif isinstance(event, PartitionUnchanged):
                self.attempted += 1
                self.unchanged += 1
                self.unsuccessful.discard(_key_of(event))
            elif isinstance(event, RowsVanished):
                self.unsuccessful.add(_key_of(event))
            elif isinstance(event, PartitionOvertaken):
                self.overtaken[_key_of(event)] = event.newer_run
            self.recovered += isinstance(event, PartitionRecovered)
            self.changed += isinstance(event, AuthorityChanged)

    @property
    def ended(self) -> str:
        """`done`, `stopped`, `replan`, or the scope of the failure that ended it."""
        return self.ending.value if self.stopped_by is None else self.stopped_by.scope.value

    @property
    def is_whole(self) -> bool:
        """Whether everything in the plan was attempted, and nothing attempted is unsuccessful.

        What the plan skips is not looked at: ask `partitions`.
        """
        return (
            self.ended == Ending.DONE
            and not (self.interrupted or self.unsuccessful or self.overtaken or self.leased or self.resting)
            and not self.stopped_accounts
        )


def _key_of(event: PartitionEvent) -> PartitionKey:
    return PartitionKey(GOOGLE_ADS, event.customer_id, event.report, event.logical_date)


@dataclass(frozen=True, slots=True)
class PartitionOutcome:
    """How a partition stands after an execution, and why it is not well; `reason` is None if it is.

    `skipped` is set for what the plan left out.
    """

    state: PartitionState
    reason: str | None = None
    skipped: Skipped | None = None


def partitions(outcome: RunOutcome, ledger: StateReader) -> Iterator[PartitionOutcome]:
    """Each partition of the plan, in key order, as it stands now; a thousand at a time in memory."""
    why_not = _Reasons(outcome)
    for state in states_of(ledger, outcome.plan.keys()):
        yield PartitionOutcome(state, why_not.of(state))


def skipped_partitions(plan: WorkPlan, ledger: StateReader) -> Iterator[PartitionOutcome]:
    """Each partition that the plan skips for a reason that is told and that is not well, in key order."""
    spans = sorted([*plan.skipped, *plan.give_up], key=lambda span: (span.customer_id, span.report, span.first))
    for span in spans:
        for state in states_of(ledger, span.keys):
            if state.status is not PartitionStatus.SUCCESS or state.held_run_id is not None:
                yield PartitionOutcome(state, _skip_reason(state, span), span)


def _skip_reason(state: PartitionState, span: Skipped) -> str:
    if state.status is PartitionStatus.PENDING:
        return f"pending: {span.why.reason}"
    mark = f" ({span.why.reason})" if span.why.code in set(Mark) else ""
    return f"{state.last_error or 'failed'}{mark}"


class _Reasons:
    """Why a planned partition is not well."""

    def __init__(self, outcome: RunOutcome) -> None:
        self._outcome = outcome
        self._interrupted = _by_key(outcome.interrupted)
        self._leased = _by_key((slice_, None) for slice_ in outcome.leased)
        self._resting = _by_key(outcome.resting)

    def of(self, state: PartitionState) -> str | None:
        outcome, key = self._outcome, state.key
        if key in self._interrupted:
            return str(self._interrupted[key])
        if state.status is PartitionStatus.PENDING:
            return f"pending: {self._why_not_asked(key)}"
        if state.status is PartitionStatus.FAILED:
            return state.last_error or "failed"
        if key in outcome.overtaken:
            return f"overtaken: run {outcome.overtaken[key]} has a later id than this run and stays authoritative"
        return state.last_error if key in outcome.unsuccessful else None

    def _why_not_asked(self, key: PartitionKey) -> str:
        outcome = self._outcome
        if key in self._leased:
            return "not asked for; another process works on it; run it again when that has ended"
        refused = self._resting.get(key) or outcome.stopped_accounts.get(key.customer_id)
        if outcome.stopped_by is not None or refused is not None:
            return f"not asked for; {refused or outcome.stopped_by}"
        return "not asked for; the run ended before that"


def _by_key(spans: Iterable[tuple[ReportSlice, FailureReason | None]]) -> dict[PartitionKey, FailureReason | None]:
    return {key: reason for slice_, reason in spans for key in slice_.keys}


def states_of(ledger: StateReader, keys: Iterable[PartitionKey]) -> Iterator[PartitionState]:
    """The states of any number of keys, in their order; a thousand at a time in memory."""
    rest = iter(keys)
    while batch := list(islice(rest, _KEYS_A_LOOKUP)):
        yield from ledger.get_many(batch)


def generic_reason(key: PartitionKey, reason: str) -> str:
    """`reason` without the partition's own name, so that one failure of many partitions reads the same for each."""
    return reason.replace(str(key), "the partition")


def hints(outcome: RunOutcome, failures: Mapping[PartitionKey, str], ledger: StateReader) -> tuple[str, ...]:
    """What can be done about `failures` (reasons by partition) and about what stopped the run, each hint once.

    Partitions with one reason are looked up once, and at most `MOST_LOOKUPS` are looked up.
    """
    stops = [outcome.stopped_by] if outcome.stopped_by is not None else []
    found = dict.fromkeys(
        reason.hint
        for reason in (
            *stops,
            *outcome.stopped_accounts.values(),
            *(reason for _, reason in (*outcome.interrupted, *outcome.resting)),
        )
    )
    if any(text.startswith(f"{VANISHED_ROWS}: ") for text in failures.values()):
        found.setdefault(_VANISHED_HINT)
    different: dict[str, PartitionKey] = {}
    for key, text in sorted(failures.items()):
        different.setdefault(generic_reason(key, text), key)
    for key in islice(different.values(), MOST_LOOKUPS):
        failed = [result for result in ledger.history(key).results if result.failure is not None]
        if failed:
            newest = max(failed, key=lambda result: result.run_id)
            assert newest.failure is not None
            found.setdefault(newest.failure.hint)
    return tuple(hint for hint in found if hint)


@dataclass(frozen=True, slots=True, order=True)
class FailedDays:
    """Adjacent days of one report of one account that have one reason for not being well."""

    first: PartitionKey
    last: PartitionKey
    reason: str

    @property
    def days(self) -> DayRange:
        """The days themselves."""
        return DayRange(self.first.logical_date, self.last.logical_date)


def joined(failures: Iterable[tuple[PartitionKey, str]]) -> Iterator[FailedDays]:
    """Join adjacent days of one account and report with one reason; `failures` are in key order.

    Reasons that differ in nothing but the partition's name are one; a range has it without the name.
    """
    pending: FailedDays | None = None
    for key, reason in failures:
        if pending is not None:
            last = pending.last
            is_next = key.logical_date - last.logical_date == timedelta(days=1)
            is_same = generic_reason(last, pending.reason) == generic_reason(key, reason)
            if is_next and is_same and (key.customer_id, key.report) == (last.customer_id, last.report):
                pending = FailedDays(pending.first, key, generic_reason(key, reason))
                continue
            yield pending
        pending = FailedDays(key, key, reason)
    if pending is not None:
        yield pending
