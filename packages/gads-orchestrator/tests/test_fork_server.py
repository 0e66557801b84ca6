"""Workers are forked by one process, which may die as they may."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import connection
from pathlib import Path

import pytest

from gads_orchestrator.fork_server import ForkServer


@pytest.fixture
def server() -> Iterator[ForkServer]:
    with closing(ForkServer(("decimal", "no_such_module"))) as server:
        yield server


def _started(server: ForkServer) -> tuple[int, connection.Connection]:
    mine, theirs = connection.Pipe()
    with theirs:
        return server.fork(theirs.fileno()), mine


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _answer(pipe: connection.Connection) -> str:
    """What a worker says of a context that is none."""
    pipe.send(os.getpid)
    assert pipe.poll(30.0)
    return str(pipe.recv())


def test_workers_have_one_parent_which_is_replaced_when_it_is_killed(server: ForkServer) -> None:
    (one, first), (other, second) = _started(server), _started(server)
    parent = _parent(one)
    assert parent == _parent(other) != os.getpid()
    os.kill(parent, signal.SIGKILL)
    third, pipe = _started(server)
    assert _parent(third) not in (parent, os.getpid())
    for found in (first, second, pipe):
        assert "a worker failed" in _answer(found), "the death of the parent has ended it"


def test_a_worker_that_is_ended_is_gone_and_no_zombie(server: ForkServer) -> None:
    (one, _one), (other, pipe) = _started(server), _started(server)
    os.kill(one, signal.SIGKILL)
    assert Path(f"/proc/{one}").exists(), "its number was given away before it was known to be dead"
    server.end(one)
    server.end(other)
    assert not Path(f"/proc/{one}").exists()
    assert not Path(f"/proc/{other}").exists()
    with pytest.raises(EOFError):
        pipe.recv()


def test_nothing_is_left_after_the_end(server: ForkServer) -> None:
    (one, pipe), parent = _started(server), 0
    parent = _parent(one)
    pipe.close()
    server.close()
    assert not Path(f"/proc/{one}").exists()
    assert not Path(f"/proc/{parent}").exists()
