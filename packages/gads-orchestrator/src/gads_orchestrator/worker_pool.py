"""The workers of a run: processes that live as long as the run, so that the death of one costs its slice alone."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import connection
from typing import Protocol

from gads_orchestrator.events import Event
from gads_orchestrator.fork_server import ForkServer
from gads_orchestrator.worker import Task, TaskResult, WorkerContext

WorkerContextFactory = Callable[[], AbstractContextManager[WorkerContext]]
"""Opens what a worker needs, in the worker; for processes it has to be picklable."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """Events of a worker's present task."""

    worker: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A worker has ended its task and waits for the next."""

    worker: int
    result: TaskResult


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker died during its task; another has its number now."""

    worker: int


Message = Emitted | Done | Lost


class Workers(Protocol):
    """Some workers, by number.

    Laws:

    1. A worker has one task at a time; for each task that was given there is exactly one `Done` or `Lost`.
    2. An error in opening a worker's context, and a bug of the software, is raised by `wait`.
    3. After `close` nothing is at work any more.
    """

    def idle(self) -> Sequence[int]:
        """The workers without a task."""

    def give(self, worker: int, task: Task) -> None:
        """Have an idle worker begin `task`."""

    def wait(self, seconds: float) -> list[Message]:
        """The messages of the workers, as soon as there is one; empty after `seconds`."""

    def close(self) -> None:
        """End at once what is still at work; what it had not sealed stays invisible."""


@dataclass(slots=True)
class _Process:
    pid: int
    pipe: connection.Connection
    busy: bool = False


class WorkerProcesses:
    """Up to `count` processes, started when there is something for them to do, and kept over slices.

    Each opens its context by `factory`. The modules `preload` are imported once for all of them.
    """

    def __init__(self, count: int, factory: WorkerContextFactory | None = None, *, preload: Sequence[str] = ()) -> None:
        self.count = count
        self.factory = factory
        self._server = ForkServer(preload)
        self._running: dict[int, _Process] = {}

    def open(self, factory: WorkerContextFactory) -> None:
        """Have the first worker open its context by `factory`, and wait for it; raises what keeps it from that."""
        self.factory = factory
        self._start(0)
        self._heard(0)

    def idle(self) -> Sequence[int]:
        """Those that run and are idle, then those that could be started."""
        waiting = [number for number, running in self._running.items() if not running.busy]
        return [*waiting, *(number for number in range(self.count) if number not in self._running)]

    def give(self, worker: int, task: Task) -> None:
        """Send the task; a worker that does not run yet is started."""
        running = self._running.get(worker) or self._start(worker)
        running.busy = True
        # A worker that has just died is found by `wait`, as one that dies later; so below.
        with contextlib.suppress(OSError):
            running.pipe.send(task)

    def wait(self, seconds: float) -> list[Message]:
        """The messages that came through the pipes."""
        by_pipe = {running.pipe: number for number, running in self._running.items()}
        messages: list[Message] = []
        for ready in connection.wait(list(by_pipe), seconds) if by_pipe else ():
            assert isinstance(ready, connection.Connection)
            messages += self._heard(by_pipe[ready])
        return messages

    def close(self) -> None:
        """End those that wait, kill the others."""
        for running in self._running.values():
            running.pipe.close()
            if running.busy:
                self._server.end(running.pid)
        self._running.clear()
        self._server.close()

    def open_anew(self, factory: WorkerContextFactory) -> None:
        """Between two runs: end all workers; those that start from now on open their context by `factory`."""
        self.close()
        self.factory = factory

    def _start(self, worker: int) -> _Process:
        mine, theirs = connection.Pipe()
        with theirs:
            pid = self._server.fork(theirs.fileno())
        running = self._running[worker] = _Process(pid, mine)
        with contextlib.suppress(OSError):
            mine.send(self.factory)
        return running

    def _heard(self, worker: int) -> list[Message]:
        running = self._running[worker]
        try:
            said = running.pipe.recv()
        except (EOFError, OSError):
            return self._lost(worker)
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, TaskResult):
            running.busy = False
            return [Done(worker, said)]
        return [Emitted(worker, tuple(said))]

    def _lost(self, worker: int) -> list[Message]:
        running = self._running.pop(worker)
        running.pipe.close()
        self._server.end(running.pid)
        return [Lost(worker)] if running.busy else []
