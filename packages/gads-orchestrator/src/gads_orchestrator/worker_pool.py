"""The workers of a run: processes that live as long as the run, so that the death of one costs its slice alone."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Protocol

from gads_orchestrator import worker_process
from gads_orchestrator.events import Event
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
    process: subprocess.Popen[bytes]
    pipe: connection.Connection
    busy: bool = False


@dataclass(slots=True)
class WorkerProcesses:
    """Up to `count` processes, started when there is something for them to do, and kept over slices.

    Each opens its context by `factory`.
    """

    count: int
    factory: WorkerContextFactory | None = None
    _running: dict[int, _Process] = field(default_factory=dict)

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
                running.process.kill()
        for running in self._running.values():
            try:
                running.process.wait(2.0)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()
        self._running.clear()

    def open_anew(self, factory: WorkerContextFactory) -> None:
        """Between two runs: end all workers; those that start from now on open their context by `factory`."""
        self.close()
        self.factory = factory

    def _start(self, worker: int) -> _Process:
        mine, theirs = connection.Pipe()
        # Not by `multiprocessing`, whose processes import the main module of this one once more: with a script that
        # is not written for that, each would start the whole run anew.
        command = [sys.executable, "-P", "-m", worker_process.__name__, str(theirs.fileno())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            # None of these signals reaches a worker before it ignores them.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, worker_process.SIGNALS)
            try:
                started = subprocess.Popen(
                    command,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        running = self._running[worker] = _Process(started, mine)
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
        running.process.kill()
        running.process.wait()
        return [Lost(worker)] if running.busy else []
