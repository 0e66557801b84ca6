"""Progress of a run on stderr: a bar on a terminal, a line a slice elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import date, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    Event,
    PartitionValidated,
    RowsReceived,
    SliceDeferred,
    SliceEnded,
    SliceEvent,
    SliceInterrupted,
    SliceStarted,
    WorkerLost,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gads_orchestrator.requested_run import RunPlan


class RunProgress:
    """An `Observer` that shows how far the run is."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._rows: dict[tuple[str, str, date], int] = {}
        self._passed: set[tuple[str, str, date]] = set()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rows]:,} rows"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def planned(self, plan: RunPlan) -> None:
        """Size the bar."""
        partitions = len(plan.keys)
        if self._bar is not None:
            self._task = self._bar.add_task("extracting", total=partitions, rows=0)
        else:
            self._say(f"{partitions} partitions in {plan.operations} requests; {len(plan.left_alone)} left as they are")

    def on_events(self, *events: Event) -> None:
        """Show what is of interest to who waits."""
        for event in events:
            self._show(event)

    def _show(self, event: Event) -> None:
        if isinstance(event, SliceEvent):
            self._saw_slice(event, f"{event.customer_id} {event.report}")
        elif isinstance(event, PartitionValidated) and event.outcome == ValidationOutcome.PASSED:
            self._passed.add((event.customer_id, event.report, event.logical_date))
        elif isinstance(event, WorkerLost):
            self._say(f"worker {event.worker} died; another goes on from what it sealed")

    def _saw_slice(self, event: SliceEvent, name: str) -> None:
        if isinstance(event, SliceStarted):
            self._describe(name)
        elif isinstance(event, RowsReceived):
            self._rows[event.customer_id, event.report, event.first] = event.rows
            self._describe(name)
        elif isinstance(event, SliceEnded):
            self._ended(event, name)
        elif isinstance(event, SliceInterrupted):
            self._say(f"{name}: not judged: {event.reason}")
        elif isinstance(event, SliceDeferred) and event.code == "awaited":
            self._say(f"{name} {event.first}..{event.last}: somebody is at it, or was killed over it; waiting to see")
        elif isinstance(event, SliceDeferred) and event.code == "leased":
            self._say(f"{name} {event.first}..{event.last}: left to somebody else, who is at it")

    def _describe(self, name: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=name, rows=sum(self._rows.values()))

    def _ended(self, event: SliceEnded, name: str) -> None:
        days = [event.first + timedelta(days=n) for n in range((event.last - event.first).days + 1)]
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, len(days))
            return
        good = sum((event.customer_id, event.report, day) in self._passed for day in days)
        seconds = time.monotonic() - self._began
        self._say(f"{name} {event.first}..{event.last}: {good} of {len(days)} passed ({seconds:.1f} s)")

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            sys.stderr.write(text + "\n")
