"""What a run says of itself: counted in its outcome, emitted to its observer, and on the ledger as its acts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gads_domain.clock import Clock
from gads_domain.control import Mark
from gads_domain.errors import FailureReason
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct
from gads_orchestrator.events import (
    ActRecorded,
    Event,
    Observer,
    PartitionGivenUp,
    PartitionRetried,
    SliceDeferred,
    SliceInterrupted,
)
from gads_orchestrator.outcome import LEASED, RunOutcome
from gads_orchestrator.selection import Skipped


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Where the execution of a plan notes what it does."""

    run: RunContext
    ledger: ControlPlaneLedger
    clock: Clock
    observer: Observer
    outcome: RunOutcome

    def retry(self, failed: Sequence[PartitionKey], *, by_policy: bool) -> set[PartitionKey]:
        """Order the retries that the plan implies; returns the keys that another process was faster with."""
        act = self.act("the retry policy says that it is due" if by_policy else "a retry was requested", by_policy)
        return set(failed) - set(self._acted(PartitionRetried, failed, self.ledger.retry(failed, act), act))

    def give_up(self, spans: Iterable[Skipped]) -> None:
        """Mark as terminal what the policy gives up."""
        for span in spans:
            act = self.act(span.why.reason, by_policy=True)
            marked = self.ledger.mark(span.keys, Mark.TERMINAL, act)
            self.outcome.given_up += len(self._acted(PartitionGivenUp, span.keys, marked, act))

    def defer(self, slice_: ReportSlice, code: str) -> None:
        """Leave a slice to a later run, or to another process."""
        self.outcome.deferred[str(code)] += 1
        if code == LEASED:
            self.outcome.leased.append(slice_)
        self.emit(SliceDeferred(*self.span(slice_), str(code)))

    def interrupt(self, slice_: ReportSlice, failure: FailureReason) -> None:
        """A slice was begun and could not be validated."""
        self.outcome.interrupted.append((slice_, failure))
        self.emit(SliceInterrupted(*self.span(slice_), str(failure)))

    def act(self, reason: str, by_policy: bool) -> OperatorAct:
        """An act of this run, as it goes on record."""
        return OperatorAct(self.clock.now(), self.run.actor, self.run.command, reason, by_policy=by_policy)

    def begin(self) -> tuple[datetime, str]:
        """What every event begins with."""
        return self.clock.now(), self.run.run_id.value

    def span(self, slice_: ReportSlice) -> tuple[datetime, str, str, str, date, date]:
        """What every event of a slice begins with."""
        return *self.begin(), slice_.customer_id, slice_.report.name, slice_.first, slice_.last

    def emit(self, *events: Event) -> None:
        """Hand events to the observer."""
        if events:
            self.observer.on_events(*events)

    def _acted(
        self, kind: type[ActRecorded], keys: Sequence[PartitionKey], done: Sequence[bool], act: OperatorAct
    ) -> list[PartitionKey]:
        changed = [key for key, was_done in zip(keys, done, strict=True) if was_done]
        common = (act.actor, act.reason)
        self.emit(*(kind(*self.begin(), k.customer_id, k.report, k.logical_date, *common) for k in changed))
        return changed
