"""Connections of this process's gRPC server, which gRPC itself offers no way to break."""

import os
import socket
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

_HEAD_START_SECONDS = 0.003
"""Time for the last message to leave before the connection breaks."""


def sever_soon(peer: str) -> None:
    """Break the TCP connection whose other end is `peer` (`ipv4:127.0.0.1:4711`, as gRPC writes it) in a moment.

    Every call on that connection fails. Does nothing when there is no such connection.
    """
    kept = _socket_to(peer)
    if kept is None:
        return

    def cut() -> None:
        time.sleep(_HEAD_START_SECONDS)
        with kept, suppress(OSError):
            kept.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=cut, daemon=True, name="gads-emulator-cut").start()


def _socket_to(peer: str) -> socket.socket | None:
    """Return a duplicate of the open socket that is connected to `peer`."""
    address, _, port = unquote(peer).partition(":")[2].rpartition(":")
    for name in os.listdir("/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd"):  # noqa: PTH208
        with suppress(OSError, ValueError):
            # A duplicate of a file would keep its locks, and one of a pipe its reader waiting.
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                candidate = socket.socket(fileno=os.dup(int(name)))
                with suppress(OSError, ValueError, TypeError):
                    host, found = candidate.getpeername()[:2]
                    if found == int(port) and host.removeprefix("::ffff:") == address.strip("[]"):
                        return candidate
                candidate.close()
    return None
