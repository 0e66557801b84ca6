"""The process that forks the workers of a run: it imports once what each of them needs, and they share its memory.

It has no thread and no connection of its own. `multiprocessing` has one too, which imports the main module of the run
once more: with a script that is not written for that, each worker would start the whole run anew.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from gads_orchestrator import worker_process


@dataclass(slots=True)
class ForkServer:
    """Starts workers and ends them; its own process is started with the first one, and again if it dies.

    It imports the modules `preload` before it forks. No worker is reaped before it is ended, so that its number cannot
    be another process's meanwhile.
    """

    preload: Sequence[str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _control: socket.socket | None = field(default=None, init=False)
    _workers: set[int] = field(default_factory=set, init=False)

    def fork(self, pipe: int) -> int:
        """Start a worker that serves the other end of `pipe`; returns its process id."""
        for _ in range(2):
            pid = self._asked(0, [pipe])
            if pid is not None:
                self._workers.add(pid)
                return pid
            self.close()  # it was killed: another one starts
        raise RuntimeError("the process that starts the workers died twice")

    def end(self, pid: int) -> None:
        """Kill a worker, unless it is dead, and wait until it is."""
        self._workers.discard(pid)
        _kill(pid)
        self._asked(pid, [])

    def close(self) -> None:
        """End the process, after the workers whose pipes are closed."""
        if self._process is None or self._control is None:
            return
        self._control.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            for pid in self._workers:
                _kill(pid)
            self._process.wait()
        self._process = self._control = None
        self._workers.clear()

    def _asked(self, pid: int, pipes: list[int]) -> int | None:
        """What the process answers; None if it is dead."""
        if self._control is None:
            if not pipes:
                return None
            self._control = self._start()
        with contextlib.suppress(OSError):
            socket.send_fds(self._control, [worker_process.message(pid)], pipes)
            answer = self._control.recv(worker_process.MESSAGE_BYTES, socket.MSG_WAITALL)
            return worker_process.number(answer) if answer else None
        return None

    def _start(self) -> socket.socket:
        mine, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", worker_process.__name__, str(theirs.fileno()), *self.preload]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            # None of these signals reaches it before it ignores them.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, worker_process.SIGNALS)
            try:
                self._process = subprocess.Popen(
                    command,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return mine


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
