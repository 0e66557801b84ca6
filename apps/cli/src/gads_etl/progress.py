"""Progress of a run on stderr: a bar on a terminal, a line a stretch elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gads_domain.state import PartitionStatus

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gads_domain.ports.validation import Verdict
    from gads_domain.report import Stretch
    from gads_orchestrator.planning import RunPlan


class RunProgress:
    """A `RunObserver` that shows how far the run is."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._rows = 0
        self._current = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
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

    def started(self, stretch: Stretch) -> None:
        """Name the stretch in hand."""
        self._rows += self._current
        self._current = 0
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=f"{stretch.customer_id} {stretch.report.name}")

    def received(self, stretch: Stretch, rows: int) -> None:
        """Count rows."""
        self._current = rows
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, rows=self._rows + rows)

    def judged(self, verdicts: list[Verdict]) -> None:
        """Advance by what was judged."""
        good = sum(1 for verdict in verdicts if verdict.after.status is PartitionStatus.SUCCESS)
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, len(verdicts))
        elif verdicts:
            first, last = verdicts[0].after.key, verdicts[-1].after.key
            self._say(
                f"{first.customer_id} {first.report} {first.logical_date}..{last.logical_date}: "
                f"{good} of {len(verdicts)} success ({time.monotonic() - self._began:.1f} s)"
            )

    def interrupted(self, stretch: Stretch, error: Exception) -> None:
        """Say at once what could not be judged."""
        self._say(f"{stretch.customer_id} {stretch.report.name}: not judged: {error}")

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            sys.stderr.write(text + "\n")
