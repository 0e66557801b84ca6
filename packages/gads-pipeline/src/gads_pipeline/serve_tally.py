"""What a daemon did so far, counted by its events."""

import time
from dataclasses import dataclass, field

from gads_domain.figures import counted
from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import Event, Observer, PartitionValidated, RunPlanned, SliceEnded
from gads_pipeline.events import CompletenessRead, SinkPruned


@dataclass(slots=True)
class ServeTally:
    """Hands events on to `inner` and counts them; as text, what a daemon did so far."""

    inner: Observer
    began: float = field(default_factory=time.monotonic)
    runs: int = 0
    validated: int = 0
    failures: int = 0
    operations: int = 0
    pruned: int = 0
    completeness: CompletenessRead | None = None

    def on_events(self, *events: Event) -> None:
        """Count them and hand them on."""
        for event in events:
            self.runs += isinstance(event, RunPlanned)
            if isinstance(event, PartitionValidated):
                self.validated += 1
                self.failures += event.outcome != ValidationOutcome.PASSED
            elif isinstance(event, SliceEnded):
                self.operations += event.operations
            elif isinstance(event, CompletenessRead):
                self.completeness = event
            elif isinstance(event, SinkPruned):
                self.pruned += event.runs
        self.inner.on_events(*events)

    def __str__(self) -> str:
        counts = (
            f"{counted(self.runs, 'run')} in {time.monotonic() - self.began:,.0f} s",
            f"{counted(self.validated, 'partition')} validated",
            f"{counted(self.operations, 'operation')} spent",
            *([f"{counted(self.pruned, 'run')} pruned"] if self.pruned else []),
            counted(self.failures, "failure"),
        )
        return "; ".join([", ".join(counts), *([str(self.completeness)] if self.completeness else [])])
