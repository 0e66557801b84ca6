"""What `gads-etl serve --once` came to: what was spent, what is not good, and the exit code that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import ValidationOutcome
from gads_domain.state_row import state_row
from gads_etl.exit_codes import ExitCode
from gads_etl.printing import print_table, say
from gads_etl.run_report import failure_lines
from gads_orchestrator.events import Event, Observer, PartitionValidated
from gads_orchestrator.requested_run import states_of

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_orchestrator.execution import WorkResult

_LINES = 50


class NotPassed:
    """Keeps the partitions whose last judgement was not `passed`, and hands every event on."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.keys: set[PartitionKey] = set()

    def on_events(self, *events: Event) -> None:
        """Note how each partition was judged."""
        for event in events:
            if isinstance(event, PartitionValidated):
                key = PartitionKey(GOOGLE_ADS, event.customer_id, event.report, event.logical_date)
                (self.keys.discard if event.outcome == ValidationOutcome.PASSED.value else self.keys.add)(key)
        self._observer.on_events(*events)


def once_document(results: Sequence[WorkResult], not_passed: set[PartitionKey], ledger: StateReader) -> dict[str, Any]:
    """The runs together as JSON; `not_success` are the partitions that were attempted in vain, with the reason."""
    # After `enough` it was looked again, and nothing was left.
    last = results[-1] if results and results[-1].reason != "enough" else None
    deferred = sum((result.deferred for result in results), Counter[str]())
    return {
        "runs": [str(result.run.run_id) for result in results],
        "ended": "done" if last is None else last.reason,
        "detail": "" if last is None else last.detail,
        "operations": sum(result.operations for result in results),
        "slices": sum(result.slices for result in results),
        "deferred": dict(deferred),
        "interrupted": sum(len(result.interrupted) for result in results),
        "given_up": sum(result.given_up for result in results),
        "not_success": [
            {**state_row(state), "reason": state.last_error} for state in states_of(ledger, sorted(not_passed))
        ],
    }


def print_once(document: dict[str, Any]) -> None:
    """The same for people."""
    facts = ("ended", "operations", "slices", "interrupted", "given_up")
    print_table("", ["", "value"], [[fact, document[fact]] for fact in facts])
    failed = [(_key_of(row), row["reason"] or "") for row in document["not_success"]]
    lines = list(failure_lines(failed))
    for line in lines[:_LINES]:
        say(line)
    if len(lines) > _LINES:
        say(f"… and {len(lines) - _LINES:,} more; --format json lists them all")


def _key_of(row: dict[str, Any]) -> PartitionKey:
    return PartitionKey.parse("/".join(row[name] for name in ("source", "customer_id", "report", "logical_date")))


def once_exit_code(document: dict[str, Any]) -> ExitCode:
    """0 if all that was due was attempted and is good."""
    is_whole = document["ended"] == "done" and not document["interrupted"] and not document["deferred"].get("leased")
    return ExitCode.OK if is_whole and not document["not_success"] else ExitCode.INCOMPLETE
