"""How far a run, a backfill or a daemon is, by its events."""

import sys
from typing import Self

from gads_domain.figures import counted
from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    Event,
    PartitionValidated,
    RowsReceived,
    RunEnded,
    RunPlanned,
    SliceDeferred,
    SliceEnded,
    SliceEvent,
    SliceStarted,
)
from gads_pipeline.events import CompletenessRead
from gads_terminal.output import print_note
from gads_terminal.progress import Progress


class RunProgress(Progress):
    """An `Observer` that shows how many partitions of the plan are done; what happens meanwhile is in the log.

    `idle` is what a daemon does between two rounds.
    """

    def __init__(self, idle: str = "") -> None:
        super().__init__("extracting")
        self._idle = idle
        self._partitions = self._failed = self._operations = 0

    def __enter__(self) -> Self:
        if self._idle:
            self.begin(self._idle)
        return self

    def on_events(self, *events: Event) -> None:
        """Show how far it is."""
        for event in events:
            if isinstance(event, RunPlanned):
                self._planned(event)
            elif isinstance(event, RunEnded):
                self.begin("ending the round: loading, pruning, counting" if self._idle else "counting what is missing")
            elif isinstance(event, CompletenessRead) and self._idle:
                self.begin(self._idle)
            elif isinstance(event, SliceEvent):
                self._show_slice(event, f"{event.customer_id} {event.report}")
            elif isinstance(event, PartitionValidated):
                self._failed += event.outcome != ValidationOutcome.PASSED

    def _planned(self, event: RunPlanned) -> None:
        self._partitions = self._failed = self._operations = 0
        if not sys.stderr.isatty():
            print_note(f"{counted(event.partitions, 'partition')} in {counted(event.operations, 'request')}")
        self.begin("extracting", event.partitions)

    def _show_slice(self, event: SliceEvent, name: str) -> None:
        if isinstance(event, SliceStarted):
            self._at(name)
        elif isinstance(event, RowsReceived):
            self._at(f"{name}: {counted(event.rows, 'row')}")
        elif isinstance(event, SliceEnded):
            self._operations += event.operations
            self._end(event, name)
        elif isinstance(event, SliceDeferred) and event.code in ("leased", "done"):
            self._end(event, name)

    def _end(self, event: SliceEvent, name: str) -> None:
        self._partitions += (event.last - event.first).days + 1
        self._at(name)

    def _at(self, doing: str) -> None:
        failed = f", {self._failed:,} failed" if self._failed else ""
        self.at(self._partitions, doing=doing, more=counted(self._operations, "operation") + failed)
