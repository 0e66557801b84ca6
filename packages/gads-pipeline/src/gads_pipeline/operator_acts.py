"""An operator's acts: which partitions are meant, the act on record, and what came of each partition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from gads_domain.clock import SystemClock
from gads_domain.control import Lease
from gads_domain.errors import GadsError, UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.run import RunId
from gads_domain.state import OperatorAct, PartitionState, StateFilter
from gads_domain.state_row import state_row
from gads_orchestrator.events import Observer
from gads_orchestrator.operator_actions import Operation, Outcome, applies_to, operate
from gads_orchestrator.worker import validation_events
from gads_pipeline.composition import (
    open_ledger_for_control_plane,
    open_ledger_for_validator,
    open_ledger_reader,
    open_sink_reader,
    validator_of,
)
from gads_pipeline.ledger_queries import require_known, require_known_keys
from gads_pipeline.work_request import require_order

if TYPE_CHECKING:
    from gads_domain.expectations import Expectation
    from gads_domain.ports.ledger import StateReader
    from gads_pipeline.configuration import Configuration

_LAST_PART = re.compile("[0-9a-f]{8}")
"""What a run id ends in, and a table on a terminal shows of it."""

_NEED_A_REASON = (Operation.HOLD, Operation.MARK_TERMINAL, Operation.REVOKE, Operation.ACCEPT)
"""They keep days or rows from readers, who can look up why."""

_VALIDATED = {Operation.REVOKE: "revocation", Operation.ACCEPT: "acceptance"}
"""Acts that are on record once they are done, and that the validator makes effective."""


@dataclass(frozen=True, slots=True)
class PartitionSelection:
    """Which partitions an act is about: keys, or a filter, or all. Raises `UsageError` for none or several of these."""

    keys: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    all: bool = False

    def __post_init__(self) -> None:
        require_order(self.since, self.until)
        filtered = bool(self.customers or self.reports or self.since or self.until)
        if self.keys and (filtered or self.all):
            raise UsageError("give either keys or a filter, not both", hint="keys are taken as they are")
        if not self.keys and not filtered and not self.all:
            raise UsageError("which partitions?", hint="give `keys`, a filter such as `customers` or `since`, or `all`")

    def __str__(self) -> str:
        if self.keys:
            return f"keys={len(self.keys)}"
        parts = [
            *(f"customer={number}" for number in self.customers),
            *(f"report={name}" for name in self.reports),
            *([f"since={self.since}"] if self.since else []),
            *([f"until={self.until}"] if self.until else []),
        ]
        return " ".join(parts) or "all"


@dataclass(frozen=True, slots=True)
class ActResult:
    """What came of an act; with `dry_run` what it would be about. `states` are those of `outcomes`, in their order."""

    operation: Operation
    dry_run: bool
    outcomes: tuple[Outcome, ...]
    states: tuple[PartitionState, ...]

    @property
    def done(self) -> int:
        """How many partitions were changed."""
        return 0 if self.dry_run else sum(outcome.done for outcome in self.outcomes)

    def to_document(self) -> dict[str, Any]:
        """The result as JSON."""
        return {
            "operation": self.operation.value,
            "dry_run": self.dry_run,
            "done": self.done,
            "partitions": [
                {**state_row(state), "done": outcome.done and not self.dry_run, "why_not": outcome.why_not or None}
                for outcome, state in zip(self.outcomes, self.states, strict=True)
            ],
        }


def require_reason(what: str, reason: str) -> None:
    """Raise `UsageError` if there is no reason for what needs one."""
    if not reason.strip():
        raise UsageError(f"{what} needs a reason, which goes on record", hint="say why in `reason`")


def require_reason_of(operation: Operation, reason: str) -> None:
    """Raise `UsageError` if `operation` needs a reason and there is none."""
    if operation in _NEED_A_REASON:
        require_reason(operation, reason)


def selected_keys(
    configuration: Configuration, operation: Operation, selection: PartitionSelection, run_id: RunId | None
) -> tuple[PartitionKey, ...]:
    """The partitions that `selection` means for `operation`; `run_id` is the run to revoke.

    Raises `UsageError` for an account, a report or a run that is unknown.
    """
    with open_ledger_reader(configuration) as ledger:
        if selection.keys:
            named = tuple(dict.fromkeys(PartitionKey.parse(text) for text in selection.keys))
            require_known_keys(configuration, ledger, named)
            return named
        require_known(configuration, ledger, selection.customers, selection.reports)
        return _filtered_keys(configuration, operation, selection, ledger, run_id)


def run_named(configuration: Configuration, text: str, selection: PartitionSelection) -> RunId:
    """The run whose id is `text`, or ends in it if no other run of the partitions that `selection` means does."""
    if not _LAST_PART.fullmatch(text):
        return RunId(text)
    with open_ledger_reader(configuration) as ledger:
        keys = [PartitionKey.parse(key) for key in selection.keys]
        if not keys:
            keys = [state.key for state in ledger.scheduling_states(_filter_of(selection))]
        results = (result for key in keys for result in ledger.history(key).results)
        found = sorted({result.run_id for result in results if str(result.run_id).endswith(f"-{text}")})
    if not found:
        raise UsageError(
            f"none of these partitions has a validation result of a run that ends in {text}",
            hint="`Pipeline.history` lists the runs of a partition",
        )
    if len(found) > 1:
        raise UsageError(f"several runs end in {text}: {', '.join(map(str, found))}", hint="write the one meant whole")
    return found[0]


def act(
    configuration: Configuration,
    operation: Operation,
    keys: Sequence[PartitionKey],
    record: OperatorAct,
    observer: Observer,
    run_id: RunId | None,
) -> ActResult:
    """Perform `operation` on `keys`; a revocation or an acceptance is also validated, so that authority changes first.

    If that validation fails, the error says that the act stays on record, and a later validation makes it effective.
    """
    if not keys:  # a ledger that does not exist is not created for nothing
        return ActResult(operation, False, (), ())
    with open_ledger_for_control_plane(configuration) as control:
        outcomes = operate(operation, keys, control, record, observer, run_id)
    if operation in _VALIDATED:
        try:
            with open_ledger_for_validator(configuration) as ledger:
                validations = validator_of(configuration, open_sink_reader(configuration), ledger).validate(keys)
        except GadsError as error:
            what = _VALIDATED[operation]
            hint = f"the {what} is on record and not effective yet; validate once this is fixed; {error.hint}"
            raise type(error)(error.message, hint=hint.removesuffix("; ")) from error
        observer.on_events(*validation_events(SystemClock().now(), "", validations))
    return _result(configuration, operation, outcomes, dry_run=False)


def dry_run(configuration: Configuration, operation: Operation, keys: Sequence[PartitionKey]) -> ActResult:
    """What `act` would be about; nothing is changed."""
    return _result(configuration, operation, [Outcome(key) for key in keys], dry_run=True)


def _result(
    configuration: Configuration, operation: Operation, outcomes: Sequence[Outcome], *, dry_run: bool
) -> ActResult:
    with open_ledger_reader(configuration) as ledger:
        states = tuple(ledger.get_many([outcome.key for outcome in outcomes]))
    return ActResult(operation, dry_run, tuple(outcomes), states)


def _filtered_keys(
    configuration: Configuration,
    operation: Operation,
    selection: PartitionSelection,
    ledger: StateReader,
    run_id: RunId | None,
) -> tuple[PartitionKey, ...]:
    states = list(ledger.scheduling_states(_filter_of(selection)))
    if operation is Operation.REVOKE:
        found = tuple(s.key for s in states if any(r.run_id == run_id for r in ledger.history(s.key).results))
        if not found:
            raise UsageError(
                f"none of these partitions has a validation result of run {run_id}",
                hint="`Pipeline.history` lists the runs of a partition",
            )
        return found
    keys = {state.key for state in states if applies_to(operation, state)}
    if operation is Operation.HOLD and selection.since is not None and selection.until is not None:
        keys |= _never_attempted(configuration, selection) - {state.key for state in states}
    return tuple(sorted(keys))


def _filter_of(selection: PartitionSelection) -> StateFilter:
    return StateFilter(GOOGLE_ADS, selection.customers, selection.reports, selection.since, selection.until)


def _never_attempted(configuration: Configuration, selection: PartitionSelection) -> set[PartitionKey]:
    """Every day of the selection: a hold also covers days that the ledger does not know yet."""
    assert selection.since is not None
    assert selection.until is not None
    customers = selection.customers or configuration.google_ads.customer_ids
    if not customers:
        raise UsageError(
            "which accounts? a hold also covers days that were never attempted",
            hint=f"{configuration.path} names no account: give `customers`",
        )
    names = selection.reports or [section.name for section in configuration.report_sections]
    days = [selection.since + timedelta(days=n) for n in range((selection.until - selection.since).days + 1)]
    return {PartitionKey(GOOGLE_ADS, c, r, d) for c in customers for r in names for d in days}


def break_lease(configuration: Configuration, scope: str, record: OperatorAct, dry_run: bool) -> Lease:
    """Take a lease from its holder; returns it as it was, and changes nothing in a dry run."""
    require_reason("breaking a lease", record.reason)
    with open_ledger_reader(configuration) as reader:
        held = next((lease for lease in reader.leases(record.at) if lease.scope == scope), None)
    if held is not None and not dry_run:
        with open_ledger_for_control_plane(configuration) as ledger:
            held = held if ledger.break_lease(held, record) else None
    if held is None:
        raise UsageError(f"no process holds a lease of {scope!r}", hint="`Pipeline.leases` lists what is held")
    return held


def forget_account(
    configuration: Configuration, customer_id: str, record: OperatorAct, dry_run: bool
) -> tuple[Expectation, ...]:
    """Take an account out of what is expected; returns what was, and changes nothing in a dry run."""
    require_reason("forgetting an account", record.reason)
    with open_ledger_reader(configuration) as reader:
        expectations = reader.expectations(GOOGLE_ADS)
    found = tuple(one for one in expectations.expected if one.customer_id == customer_id)
    if expectations.drawn_at is None:
        raise UsageError("no list of accounts was ever drawn", hint="`Pipeline.accounts` draws one")
    if any(account.customer_id == customer_id for account in expectations.selected):
        raise UsageError(
            f"customer {customer_id} is selected by the last list of accounts",
            hint=f"take it out of {configuration.path} first (google_ads.customer_ids, or name it in "
            "accounts.exclude), and list the accounts again by `Pipeline.accounts`",
        )
    if not found:
        raise UsageError(f"nothing is expected of customer {customer_id}", hint="`Pipeline.gaps` names what is missing")
    if not dry_run:
        with open_ledger_for_control_plane(configuration) as ledger:
            ledger.forget(GOOGLE_ADS, customer_id, record)
    return found
