"""The life of a worker process: it opens its context, and works on what comes through its pipe."""

import contextlib
import os
import select
import signal
import sys
import threading
from multiprocessing.connection import Connection

from gads_domain.errors import GadsError
from gads_orchestrator.events import Event, RowsReceived
from gads_orchestrator.worker import Task, work_on

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


if __name__ == "__main__":
    for _number in SIGNALS:
        signal.signal(_number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    serve(Connection(int(sys.argv[1])))
