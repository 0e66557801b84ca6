"""A real terminal for what draws on one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Terminal:
    """`stream` writes to it; what is drawn is read from the other end."""

    stream: TextIO
    _master: int

    def read(self, until: str = "") -> str:
        """What is drawn up to `until`, or so far."""
        self.stream.flush()
        found = b""
        while not found or until.encode() not in found:
            assert select.select([self._master], [], [], 10)[0], found
            found += os.read(self._master, 1 << 20)
        return found.decode()


@contextmanager
def a_terminal(columns: int = 80) -> Iterator[Terminal]:
    """A terminal of so many columns, until the block ends."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield Terminal(stream, master)
    os.close(master)
