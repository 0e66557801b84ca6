"""The workers of a run: this process, or worker processes that live as long as the run."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing import connection, process
from typing import Protocol

from gads_domain.errors import GadsError
from gads_orchestrator.events import Event, RowsReceived
from gads_orchestrator.worker import Task, TaskResult, WorkerContext, work_on

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


@dataclass(slots=True)
class _Process:
    process: process.BaseProcess
    pipe: connection.Connection
    busy: bool = False


@dataclass(slots=True)
class SpawnedWorkers:
    """Up to `count` processes, started by spawn when there is something for them to do, and kept over slices.

    A worker ends when its pipe does, and at once when the process that started it dies, so that it does not go on
    spending. It ignores SIGTERM and SIGINT: the starter decides when it stops.
    """

    factory: WorkerContextFactory
    count: int
    _running: dict[int, _Process] = field(default_factory=dict)

    def idle(self) -> Sequence[int]:
        """Those that run and are idle, then those that could be started."""
        waiting = [number for number, running in self._running.items() if not running.busy]
        return [*waiting, *(number for number in range(self.count) if number not in self._running)]

    def give(self, worker: int, task: Task) -> None:
        """Send the task; a worker that does not run yet is started."""
        running = self._running.get(worker) or self._start(worker)
        running.busy = True
        # A worker that has just died is found by `wait`, as one that dies later.
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
            running.process.join(2.0)
            if running.process.is_alive():
                running.process.kill()
                running.process.join()
        self._running.clear()

    def open_anew(self, factory: WorkerContextFactory) -> None:
        """Between two runs: end all workers; those that start from now on open their context by `factory`."""
        self.close()
        self.factory = factory

    def _start(self, worker: int) -> _Process:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        started = context.Process(target=_serve, args=(theirs, self.factory), name=f"gads-etl-worker-{worker}")
        started.start()
        theirs.close()
        running = self._running[worker] = _Process(started, mine)
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
        running.process.join()
        return [Lost(worker)] if running.busy else []


def _serve(pipe: connection.Connection, factory: WorkerContextFactory) -> None:
    """A worker's life."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_the_starter, daemon=True).start()

    def emit(events: list[Event]) -> None:
        if events:
            pipe.send(_thinned(events))

    try:
        with factory() as context:
            while True:
                task: Task = pipe.recv()
                pipe.send(work_on(task, context, emit))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except GadsError as error:
        _say_last(pipe, error)
    except Exception as error:
        _say_last(pipe, RuntimeError(f"a worker failed: {type(error).__name__}: {error}"))
        raise


def _thinned(events: list[Event]) -> list[Event]:
    """Of counts that follow each other, the last says all."""
    return [
        event
        for event, after in zip(events, [*events[1:], None], strict=True)
        if not (isinstance(event, RowsReceived) and isinstance(after, RowsReceived))
    ]


def _say_last(pipe: connection.Connection, error: Exception) -> None:
    with contextlib.suppress(OSError):
        pipe.send(error)


def _die_with_the_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()
        os._exit(1)
