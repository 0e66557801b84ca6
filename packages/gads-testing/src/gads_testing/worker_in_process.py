"""A worker of a run in the process of the test."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from gads_orchestrator.events import Event
from gads_orchestrator.worker import Task, WorkerContext, work_on
from gads_orchestrator.worker_pool import Done, Emitted, Message, WorkerContextFactory


class InThisProcess:
    """One worker, which works while `wait` is called; its events come when the task has ended."""

    def __init__(self, context: WorkerContext | None = None) -> None:
        self._context = context
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
        assert self._context is not None
        task, self._task = self._task, None
        events: list[Event] = []
        result = work_on(task, self._context, events.extend)
        return [Emitted(0, tuple(events)), Done(0, result)]

    def close(self) -> None:
        """Nothing is at work between two calls of `wait`."""


class OpenedInThisProcess(InThisProcess):
    """In place of `WorkerProcesses`, for a test that changes what a worker uses."""

    def __init__(self, _count: int, *, preload: Sequence[str] = ()) -> None:
        super().__init__()
        self.factory: WorkerContextFactory | None = None
        self._opened = ExitStack()

    def open(self, factory: WorkerContextFactory) -> None:
        """Open the context."""
        self.factory = factory
        self._context = self._opened.enter_context(factory())

    def wait(self, seconds: float) -> list[Message]:
        """Do the task, after the context was opened."""
        if self._context is None and self.factory is not None:
            self.open(self.factory)
        return super().wait(seconds)

    def close(self) -> None:
        """Close the context."""
        self._opened.close()
