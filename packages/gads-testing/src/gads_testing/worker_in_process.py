"""A worker of a run in the process of the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gads_orchestrator.events import Event, RowsReceived
from gads_orchestrator.worker import Task, WorkerContext, work_on
from gads_orchestrator.worker_pool import Done, Emitted, Message


def _ignore(_event: Event) -> None:
    return None


class InThisProcess:
    """One worker, which works while `wait` is called.

    `rows_received` gets the rows' events as they come; all other events come when the task has ended.
    """

    def __init__(self, context: WorkerContext, rows_received: Callable[[Event], None] = _ignore) -> None:
        self._rooms = context
        self._rows_received = rows_received
        self._task: Task | None = None

    def idle(self) -> Sequence[int]:
        """Worker 0, if it has nothing to do."""
        return (0,) if self._task is None else ()

    def give(self, worker: int, task: Task) -> None:
        """Keep the task for `wait`."""
        self._task = task

    def wait(self, seconds: float) -> list[Message]:
        """Do the task."""
        if self._task is None:
            return []
        task, self._task = self._task, None
        events: list[Event] = []

        def emit(told: list[Event]) -> None:
            for event in told:
                self._rows_received(event) if isinstance(event, RowsReceived) else events.append(event)

        result = work_on(task, self._rooms, emit)
        return [Emitted(0, tuple(events)), Done(0, result)]

    def close(self) -> None:
        """Nothing is at work between two calls of `wait`."""
