"""Servers that tests share: each is started by whoever needs it first and ends when nobody holds on to it."""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 300.0  # the packages may have to be fetched first


@dataclass(frozen=True)
class Server:
    endpoint: str
    access_key: str
    secret_key: str
    guest_access_key: str = ""
    guest_secret_key: str = ""

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])


@contextmanager
def radosgw(state: Path, *options: str) -> Iterator[Server]:
    """Ceph's radosgw, shared by all processes that name the same `state` folder."""
    state.mkdir(parents=True, exist_ok=True)
    process = None
    with (state / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with (state / "start").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            if not (state / "ready.json").exists():
                process = _start_radosgw(state, *options)
        yield Server(**json.loads((state / "ready.json").read_text()))
        fcntl.flock(users, fcntl.LOCK_UN)  # not left to close(): a duplicate of the descriptor would hold on to it
    if process is not None:
        with suppress(subprocess.TimeoutExpired):  # others may use it for longer; it ends with the last of them
            process.wait(timeout=30)


def _start_radosgw(state: Path, *options: str) -> subprocess.Popen[bytes]:
    with (state / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gads_testing.s3.radosgw", str(state), *options], stdout=output, stderr=output
        )
    deadline = time.monotonic() + _START_SECONDS
    while not (state / "ready.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = (state / "output").read_text()[-3000:]
            raise RuntimeError(f"radosgw did not start; another server can be named by GADS_TEST_S3_URL.\n{said}")
        time.sleep(0.1)
    return process


@contextmanager
def rclone(folder: Path) -> Iterator[Server]:
    """`rclone serve s3` on a folder: a server that ignores conditions."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", "rclone-tests", "rclone-secret-0123456789")
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}"]
    options = ["--auth-key", f"{server.access_key},{server.secret_key}", "--vfs-cache-mode", "off", "--config", ""]
    with (folder.parent / "rclone.out").open("wb") as output:
        process = subprocess.Popen([*command, *options], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"rclone did not start: {(folder.parent / 'rclone.out').read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
