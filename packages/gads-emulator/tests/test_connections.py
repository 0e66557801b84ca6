from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from gads_emulator.connections import sever_soon


def test_a_severed_connection_ends_for_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, (host, port) = listener.accept()
        with client, served:
            sever_soon(f"ipv4:{host}:{port}")
            client.settimeout(30)
            assert client.recv(1) == b""


def test_searching_for_a_connection_leaks_no_descriptor(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with (tmp_path / "lock").open("w") as locked, (tmp_path / "lock").open("w") as other:
        fcntl.flock(locked, fcntl.LOCK_SH)
        sever_soon("ipv4:127.0.0.1:1")
        locked.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)
