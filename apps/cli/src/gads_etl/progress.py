"""Progress of a run on stderr: a bar on a terminal, a line a slice elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Self

from gads_domain.state import ValidationOutcome
from gads_domain.visible_text import visible
from gads_orchestrator.events import (
    Event,
    PartitionUnchanged,
    PartitionValidated,
    RowsReceived,
    RunPlanned,
    SliceEnded,
    SliceEvent,
    SliceStarted,
)
from gads_terminal.output import counted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


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

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_events(self, *events: Event) -> None:
        """Show how far the run is; what happens meanwhile is in the log."""
        for event in events:
            self._show(event)

    def _show(self, event: Event) -> None:
        if isinstance(event, SliceEvent):
            self._show_slice(event, f"{event.customer_id} {event.report}")
        elif isinstance(event, PartitionUnchanged) or (
            isinstance(event, PartitionValidated) and event.outcome == ValidationOutcome.PASSED
        ):
            self._passed.add((event.customer_id, event.report, event.logical_date))
        elif isinstance(event, RunPlanned):
            self._planned(event)

    def _planned(self, event: RunPlanned) -> None:
        if self._bar is not None:
            self._task = self._bar.add_task("extracting", total=event.partitions, rows=0)
        else:
            self._print(f"{counted(event.partitions, 'partition')} in {counted(event.operations, 'request')}")

    def _show_slice(self, event: SliceEvent, name: str) -> None:
        if isinstance(event, SliceStarted):
            self._describe(name)
        elif isinstance(event, RowsReceived):
            self._rows[event.customer_id, event.report, event.first] = event.rows
            self._describe(name)
        elif isinstance(event, SliceEnded):
            self._ended(event, name)

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
        self._print(f"{name} {event.first}..{event.last}: {good} of {len(days)} passed ({seconds:.1f} s)")

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(visible(text), markup=False, highlight=False)
        else:
            sys.stderr.write(visible(text) + "\n")
