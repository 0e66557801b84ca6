"""What a run, a backfill or `serve --once` came to: contracts/outcome/v1."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from gads_domain.documents import members_of, plain
from gads_domain.errors import FailureReason, GadsError
from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionStatus
from gads_domain.state_row import state_row
from gads_orchestrator.outcome import (
    MOST_LOOKUPS,
    Ending,
    PartitionOutcome,
    RunOutcome,
    generic_reason,
    hints,
    partitions,
    skipped_partitions,
)
from gads_orchestrator.selection import NOT_RETRIED
from gads_pipeline.composition import open_ledger_reader

if TYPE_CHECKING:
    from gads_pipeline.command_completeness import CommandCompleteness
    from gads_pipeline.configuration import Configuration

OUTCOME_VERSION = "1.2"
_SUMS = ("operations", "slices", "attempted", "unchanged", "recovered", "changed", "given_up")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The executions that a request took, mostly one, and what they came to together.

    The partitions are read from the ledger when they are asked for, and are not kept. `completeness` says what is
    missing since, whether or not it was attempted. `notes` are what the request did not cover. `load_failure` is why
    the warehouse was not loaded afterwards, where that is configured.
    """

    configuration: Configuration
    executions: tuple[RunOutcome, ...]
    completeness: CommandCompleteness
    notes: tuple[str, ...] = ()
    load_failure: GadsError | None = None

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs that were begun, oldest first."""
        return tuple(str(one.run.run_id) for one in self.executions if one.run is not None)

    @property
    def ended(self) -> str:
        """`done`, `stopped` on request, or the scope of the failure that ended the last execution."""
        ended = self.executions[-1].ended if self.executions else Ending.DONE
        # After an execution that asked for a new plan there was nothing left to plan.
        return Ending.DONE.value if ended == Ending.REPLAN else str(ended)

    @property
    def stopped_by(self) -> FailureReason | None:
        """The failure that ended the last execution."""
        return self.executions[-1].stopped_by if self.executions else None

    @property
    def operations(self) -> int:
        """How many operations of the daily quota were spent."""
        return sum(one.operations for one in self.executions)

    @property
    def unchanged(self) -> int:
        """How many partitions came as they were, and were not sealed again."""
        return sum(one.unchanged for one in self.executions)

    @property
    def up_to_date(self) -> int:
        """How many partitions were asked for and are success already."""
        return self.executions[-1].plan.up_to_date if self.executions else 0

    @property
    def is_whole(self) -> bool:
        """Whether everything that was planned was attempted, and all of that is success."""
        failed = any(
            one.unsuccessful or one.interrupted or one.overtaken or one.stopped_accounts for one in self.executions
        )
        left = bool(self.executions) and bool(self.executions[-1].leased or self.executions[-1].resting)
        return self.ended == Ending.DONE and not failed and not left

    def partitions(self) -> Iterator[PartitionOutcome]:
        """Every partition that was planned, as it stands now, in key order."""
        with open_ledger_reader(self.configuration) as ledger:
            streams = [((found.state.key, found) for found in partitions(one, ledger)) for one in self.executions]
            last: PartitionOutcome | None = None
            # Of a partition that several executions planned, the last one says why it is not well.
            for _, found in heapq.merge(*streams, key=lambda pair: pair[0]):
                if last is not None and last.state.key != found.state.key:
                    yield last
                last = found
            if last is not None:
                yield last

    def skipped(self) -> Iterator[PartitionOutcome]:
        """Every partition that was skipped for a reason and is not success."""
        if self.executions:
            with open_ledger_reader(self.configuration) as ledger:
                yield from skipped_partitions(self.executions[-1].plan, ledger)

    def hints(self, failures: Mapping[PartitionKey, str]) -> tuple[str, ...]:
        """What can be done about `failures` (reasons by partition) and about what stopped the execution."""
        if not self.executions:
            return ()
        with open_ledger_reader(self.configuration) as ledger:
            return hints(self.executions[-1], failures, ledger)

    def head(self) -> dict[str, Any]:
        """The members of the document before its `partitions`."""
        accounts = {number: reason for one in self.executions for number, reason in one.stopped_accounts.items()}
        return {
            "outcome_version": OUTCOME_VERSION,
            "run_ids": list(self.run_ids),
            "ended": self.ended,
            "stopped_by": None if self.stopped_by is None else _failure(self.stopped_by),
            "stopped_accounts": {number: _failure(reason) for number, reason in sorted(accounts.items())},
            **{name: sum(getattr(one, name) for one in self.executions) for name in _SUMS},
            "deferred": dict(sum((one.deferred for one in self.executions), Counter[str]())),
            "up_to_date": self.up_to_date,
            "notes": list(self.notes),
            "completeness": self.completeness.to_document(),
        }

    def tail(self, tally: Tally) -> dict[str, Any]:
        """The members of the document after its `partitions`, all of which `tally` has counted."""
        return {
            "summary": {status.value: tally.summary[status] for status in PartitionStatus},
            "hints": list(self.hints(tally.failures)),
        }

    def to_document(self) -> dict[str, Any]:
        """The whole document in memory; of a million partitions, stream `head`, `row` and `tail` instead."""
        tally = Tally()
        rows = [row(found) for found in tally.count(chain(self.partitions(), self.skipped()))]
        return {**self.head(), "partitions": rows, **self.tail(tally)}


@dataclass(slots=True)
class Tally:
    """Counts of the partitions that go by; none of them is kept."""

    summary: Counter[PartitionStatus] = field(default_factory=Counter)
    unwell: Counter[PartitionStatus] = field(default_factory=Counter)
    """Those of them that have a reason for not being well."""
    not_retried: int = 0
    failures: dict[PartitionKey, str] = field(default_factory=dict)
    """A partition and its reason for each reason that reads like none before it, as many as hints look up."""
    _known: set[str] = field(default_factory=set)

    def count(self, found: Iterable[PartitionOutcome]) -> Iterator[PartitionOutcome]:
        """Hand on each of `found`, counted."""
        for one in found:
            self.summary[one.state.status] += 1
            self.unwell[one.state.status] += one.reason is not None
            self.not_retried += one.skipped is not None and one.skipped.why.code == NOT_RETRIED
            if one.reason is not None and len(self.failures) < MOST_LOOKUPS:
                text = generic_reason(one.state.key, one.reason)
                if text not in self._known:
                    self._known.add(text)
                    self.failures[one.state.key] = one.reason
            yield one


@dataclass(slots=True)
class Groups:
    """Counts of the partitions that go by, for each account and report."""

    found: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def count(self, found: Iterable[PartitionOutcome]) -> Iterator[PartitionOutcome]:
        """Hand on each of `found`, counted."""
        for one in found:
            key, day = one.state.key, one.state.key.logical_date
            empty = {"since": day, "until": day, "rows": 0, **dict.fromkeys(map(str, PartitionStatus), 0)}
            group = self.found.setdefault((key.customer_id, key.report), empty)
            group |= {"since": min(group["since"], day), "until": max(group["until"], day)}
            group[one.state.status.value] += 1
            group["rows"] += one.state.record_count or 0
            yield one

    def rows(self) -> list[dict[str, Any]]:
        """By account and report: first and last day, rows, and the number of partitions in each status."""
        return [
            {"customer_id": customer_id, "report": report, **group}
            for (customer_id, report), group in sorted(self.found.items())
        ]


def row(found: PartitionOutcome) -> dict[str, Any]:
    """One partition of an outcome as JSON."""
    why = None if found.skipped is None else found.skipped.why
    skipped = None if why is None else {"code": why.code, "due_at": plain(why.until)}
    return {**state_row(found.state), "reason": found.reason, "skipped": skipped}


def _failure(reason: FailureReason) -> dict[str, str]:
    return members_of(reason, ("scope", "code", "message", "hint"))
