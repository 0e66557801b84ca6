"""What a run tells while it goes."""

from __future__ import annotations

from typing import Protocol

from gads_domain.ports.validation import Verdict
from gads_domain.report import Stretch
from gads_orchestrator.planning import RunPlan


class RunObserver(Protocol):
    """Hears of each step of a run, in order; what it does changes nothing."""

    def planned(self, plan: RunPlan) -> None:
        """The run begins."""
        ...

    def started(self, stretch: Stretch) -> None:
        """A stretch is asked of the API."""
        ...

    def received(self, stretch: Stretch, rows: int) -> None:
        """`rows` rows of the stretch have arrived so far."""
        ...

    def judged(self, verdicts: list[Verdict]) -> None:
        """The validator has spoken about these partitions."""
        ...

    def interrupted(self, stretch: Stretch, error: Exception) -> None:
        """What was sealed of a stretch could not be judged now."""
        ...


class SilentObserver:
    """Hears everything and does nothing."""

    def planned(self, plan: RunPlan) -> None:
        """Nothing."""

    def started(self, stretch: Stretch) -> None:
        """Nothing."""

    def received(self, stretch: Stretch, rows: int) -> None:
        """Nothing."""

    def judged(self, verdicts: list[Verdict]) -> None:
        """Nothing."""

    def interrupted(self, stretch: Stretch, error: Exception) -> None:
        """Nothing."""
