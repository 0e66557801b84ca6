"""A process that a suite starts, talks to in lines of JSON, and may kill."""

import json
import subprocess
import sys
from typing import Any, Self

DEADLINE_SECONDS = 60


class WorkerProcess:
    """Runs a module in a process of its own, which is killed when the block ends."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin, self.stdout = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def send(self, value: object) -> None:
        self.stdin.write(json.dumps(value) + "\n")
        self.stdin.flush()

    def receive(self) -> Any:
        """Wait for the next line; None if the process has ended."""
        line = self.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, value: object) -> Any:
        self.send(value)
        return self.receive()

    def finish(self) -> list[Any]:
        """Close the input and wait for the process to end well; returns the lines that were still to be read."""
        output, _ = self._process.communicate(timeout=DEADLINE_SECONDS)
        assert self._process.returncode == 0
        return [json.loads(line) for line in output.splitlines()]

    def killed(self) -> list[Any]:
        """End the process by SIGKILL; returns the whole lines that were still to be read."""
        self._process.kill()
        return [json.loads(line) for line in self.stdout.read().splitlines()]

    def kill(self) -> None:
        """End the process by SIGKILL, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self.stdin.close()
        self.stdout.close()


def emit(value: object) -> None:
    """Write one line from within the process."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
