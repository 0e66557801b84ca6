"""One operator's act from what was typed to what is printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gads_domain.clock import SystemClock
from gads_domain.errors import GadsError, UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import OperatorAct, PartitionState, StateFilter
from gads_domain.state_row import state_row
from gads_etl.composition import (
    actor_name,
    open_ledger_for_control_plane,
    open_ledger_for_validator,
    open_ledger_reader,
    open_sink_reader,
    validator_of,
)
from gads_etl.configuration import load_configuration
from gads_etl.confirming import confirm_above
from gads_etl.event_lines import EventLines
from gads_etl.exit_codes import ExitCode
from gads_etl.known_names import require_known, require_known_keys
from gads_etl.options import require_order
from gads_etl.printing import Format, print_json, print_table, say
from gads_orchestrator.events import NullObserver, Observer
from gads_orchestrator.operator_actions import Operation, Outcome, applies_to, operate
from gads_orchestrator.worker import validation_events

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_domain.run import RunId
    from gads_etl.configuration import Configuration

MANY = 100
"""How many partitions may be changed without being asked."""

_NEED_A_REASON = (Operation.HOLD, Operation.MARK_TERMINAL, Operation.REVOKE)
"""What keeps days from readers: whoever finds them missing reads why."""


@dataclass(frozen=True, slots=True)
class SelectedDays:
    """What was typed to say which partitions are meant: keys, or a filter, or explicitly all."""

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
            raise UsageError("which partitions?", hint="give keys, a filter such as --customer or --since, or --all")

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
class Manner:
    """How it is done and told."""

    dry_run: bool = False
    yes: bool = False
    format: Format = Format.TABLE
    json_events: bool = False


def operate_on(
    operation: Operation, config: Path, chosen: SelectedDays, reason: str, manner: Manner, run_id: RunId | None = None
) -> None:
    """Choose, ask, act, and print what came of each partition; exits with 1 if any was left as it was."""
    configuration = load_configuration(config)
    if operation in _NEED_A_REASON and not reason.strip():
        raise UsageError(f"why? {operation} goes on record with a reason", hint='give --reason "…"')
    with open_ledger_reader(configuration) as reader:
        keys = _chosen_keys(operation, chosen, configuration, reader, run_id)
        if manner.dry_run or not keys:
            states = reader.get_many(keys)
            _print(operation, [Outcome(key) for key in keys], states, manner.format, dry_run=manner.dry_run)
            return
    confirm_above(MANY, len(keys), f"{len(keys):,} partitions", manner.yes)
    command = " ".join(["gads-etl", *sys.argv[1:]])
    act = OperatorAct(SystemClock().now(), actor_name(), command, reason, str(chosen))
    observer = EventLines(as_json=True) if manner.json_events else NullObserver()
    with open_ledger_for_control_plane(configuration) as ledger:
        outcomes = operate(operation, keys, ledger, act, observer, run_id)
    if operation is Operation.REVOKE:
        _carry_out(configuration, keys, observer)
    with open_ledger_reader(configuration) as reader:
        states = reader.get_many(keys)
    _print(operation, outcomes, states, manner.format, dry_run=False)
    if not all(outcome.done for outcome in outcomes):
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _chosen_keys(
    operation: Operation, chosen: SelectedDays, configuration: Configuration, ledger: StateReader, run_id: RunId | None
) -> list[PartitionKey]:
    if chosen.keys:
        named = list(dict.fromkeys(PartitionKey.parse(text) for text in chosen.keys))
        require_known_keys(configuration, ledger, named)
        return named
    require_known(configuration, ledger, chosen.customers, chosen.reports)
    wanted = StateFilter(
        source=GOOGLE_ADS,
        customer_ids=chosen.customers,
        reports=chosen.reports,
        since=chosen.since,
        until=chosen.until,
    )
    scheduling_states = list(ledger.scheduling_states(wanted))
    if operation is Operation.REVOKE:
        found = [s.key for s in scheduling_states if any(a.run_id == run_id for a in ledger.history(s.key).results)]
        if not found:
            raise UsageError(
                f"run {run_id} was not judged in any of these", hint="gads-etl state history KEY names runs"
            )
        return found
    keys = {scheduling.key for scheduling in scheduling_states if applies_to(operation, scheduling)}
    if operation is Operation.HOLD and chosen.since is not None and chosen.until is not None:
        customers = chosen.customers or configuration.google_ads.customer_ids
        if not customers:
            raise UsageError(
                "which accounts? days that were never attempted are held too",
                hint=f"{configuration.path} names no account: give --customer",
            )
        names = chosen.reports or [section.name for section in configuration.report_sections]
        days = [chosen.since + timedelta(days=n) for n in range((chosen.until - chosen.since).days + 1)]
        known = {scheduling.key for scheduling in scheduling_states}
        keys |= {PartitionKey(GOOGLE_ADS, c, r, d) for c in customers for r in names for d in days} - known
    return sorted(keys)


def _carry_out(configuration: Configuration, keys: list[PartitionKey], observer: Observer) -> None:
    """Have the validator make what the orders say true."""
    try:
        with open_ledger_for_validator(configuration) as ledger:
            validations = validator_of(configuration, open_sink_reader(configuration), ledger).validate(keys)
    except GadsError:
        say("the order is on record and not carried out yet; give it again, or gads-etl validate, when this is mended")
        raise
    observer.on_events(*validation_events(SystemClock().now(), "", validations))


def _print(
    operation: Operation, outcomes: list[Outcome], states: list[PartitionState], format_: Format, *, dry_run: bool
) -> None:
    done = sum(1 for outcome in outcomes if outcome.done)
    if format_ is Format.JSON:
        print_json(
            {
                "operation": operation.value,
                "dry_run": dry_run,
                "done": 0 if dry_run else done,
                "partitions": [_row(o, s, dry_run) for o, s in zip(outcomes, states, strict=True)],
            }
        )
        return
    title = f"{operation}: {len(outcomes):,} partitions are meant; nothing was changed"
    print_table(
        title if dry_run else f"{operation}: {done:,} of {len(outcomes):,} done",
        ["partition", "status", "believed run", "not done because"],
        [[o.key, s.status, s.current_run_id, o.why_not] for o, s in zip(outcomes, states, strict=True)],
    )


def _row(outcome: Outcome, state: PartitionState, dry_run: bool) -> dict[str, Any]:
    return {**state_row(state), "done": outcome.done and not dry_run, "why_not": outcome.why_not or None}
