"""The life of a worker process: it is forked, opens its context, and works on what comes through its pipe."""

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import NoReturn

from gads_domain.errors import GadsError
from gads_orchestrator.events import Event, RowsReceived
from gads_orchestrator.worker import Task, work_on

MESSAGE_BYTES = 8
SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What a worker ignores: the process that started it decides when it stops, and kills it."""


def serve(pipe: Connection) -> None:
    """Receive how to open the context, say that it is open, and do each task, until `pipe`'s other end is closed.

    A worker whose starter dies during a task ends at once, so that it does not go on spending.
    """
    is_busy = threading.Event()
    threading.Thread(target=_end_with_the_starter, args=(pipe.fileno(), is_busy), daemon=True).start()

    def emit(events: list[Event]) -> None:
        if events:
            pipe.send(_thinned(events))

    try:
        with pipe.recv()() as context:
            pipe.send([])
            while True:
                task: Task = pipe.recv()
                is_busy.set()
                pipe.send(work_on(task, context, emit))
                is_busy.clear()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except GadsError as error:
        _send_last(pipe, error)
    except Exception as error:
        _send_last(pipe, RuntimeError(f"a worker failed: {type(error).__name__}: {error}"))
        raise


def _thinned(events: list[Event]) -> list[Event]:
    """Of counts that follow each other, the last says all."""
    return [
        event
        for event, after in zip(events, [*events[1:], None], strict=True)
        if not (isinstance(event, RowsReceived) and isinstance(after, RowsReceived))
    ]


def _send_last(pipe: Connection, error: Exception) -> None:
    with contextlib.suppress(OSError):
        pipe.send(error)


def _end_with_the_starter(pipe: int, is_busy: threading.Event) -> None:
    hung_up = select.poll()
    hung_up.register(pipe, 0)
    hung_up.poll()
    is_busy.wait()
    os._exit(1)


def message(number: int) -> bytes:
    """A process id as it is sent between the process that forks and the one that has it fork; 0 asks for a worker."""
    return number.to_bytes(MESSAGE_BYTES)


def number(data: bytes) -> int:
    """The process id in a message."""
    return int.from_bytes(data)


def _fork_workers(control: socket.socket) -> None:
    """Fork a worker for each pipe that comes, and reap what is ended, until `control`'s other end is closed."""
    gc.freeze()  # so that a collection in a worker does not copy what all of them share
    workers = set[int]()
    while True:
        asked, pipes, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if not asked:
            break
        pid = number(asked)
        if not pid:
            pid = os.fork()
            if not pid:
                control.close()
                _serve_and_exit(pipes[0])
            os.close(pipes[0])
            workers.add(pid)
        elif pid in workers:
            os.waitpid(pid, 0)
            workers.discard(pid)
        with contextlib.suppress(OSError):
            control.sendall(message(pid))
    for pid in workers:
        os.waitpid(pid, 0)


def _serve_and_exit(pipe: int) -> NoReturn:
    code = 1
    try:
        serve(Connection(pipe))
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        # Nothing that the process of its parent has still to do is done here as well.
        os._exit(code)


if __name__ == "__main__":
    for _number in SIGNALS:
        signal.signal(_number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    for _module in sys.argv[2:]:
        with contextlib.suppress(Exception):  # the worker that needs it says what is wrong
            importlib.import_module(_module)
    _fork_workers(socket.socket(fileno=int(sys.argv[1])))
