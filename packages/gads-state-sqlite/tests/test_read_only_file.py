"""A reader changes nothing on disk and is never wrong, whatever other processes do."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import change_of, key_of, record_one, result_of
from gads_domain.state import PartitionState, StateChange, StateFilter
from gads_state_sqlite.adapter import ADAPTER
from gads_state_sqlite.read_only_file import CHUNK, ReadOnlyFile

URL = "sqlite:ledger.db"

CRASH = """
import os, sys
from pathlib import Path
from gads_conformance.ledger.samples import result_of, key_of, record_one
from gads_state_sqlite.adapter import ADAPTER
ledger = ADAPTER.open_for_validator("sqlite:ledger.db", Path(sys.argv[1]))
record_one(ledger, result_of(key_of(2), 1))
os._exit(0)
"""


def on_disk(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.iterdir())
    }


def read_everything(folder: Path) -> tuple[object, ...]:
    with ADAPTER.open_reader(URL, folder) as reader:
        return (
            reader.ledger_id(),
            reader.position(),
            list(reader.find(StateFilter())),
            reader.history(key_of(1)),
            reader.acts(key_of(1)),
            reader.authority_changes(),
        )


def fill(folder: Path, rows: int = 1, number: int = 1) -> None:
    """Bring every row one version further, and leave the ledger as a single file."""
    with ADAPTER.open_for_validator(URL, folder) as ledger:
        keys = [key_of(1 + row // 1_000, row % 1_000) for row in range(rows)]
        first = change_of(ledger.history(keys[0]), result_of(keys[0], number)).after
        changes = [
            StateChange(state, replace(first, key=state.key, version=state.version + 1), None)
            for state in ledger.get_many(keys)
        ]
        assert all(ledger.record(changes))


def test_the_last_writer_leaves_a_single_file(tmp_path: Path) -> None:
    fill(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_reading_an_idle_ledger_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path, rows=2 * CHUNK)
    before = on_disk(tmp_path)
    assert len(list(read_everything(tmp_path))) == 6
    assert on_disk(tmp_path) == before


def test_reading_what_a_crashed_writer_left_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=True)
    before = on_disk(tmp_path)
    assert "ledger.db-wal" in before
    with ADAPTER.open_reader(URL, tmp_path) as reader:
        assert reader.get(key_of(2)).version == 1
        assert len(list(reader.find(StateFilter()))) == 2
    assert on_disk(tmp_path) == before


def test_reading_beside_a_writer_changes_nothing_and_sees_every_commit(tmp_path: Path) -> None:
    with (
        ADAPTER.open_for_validator(URL, tmp_path) as ledger,
        ADAPTER.open_reader(URL, tmp_path) as reader,
    ):
        for number in range(1, 4):
            record_one(ledger, result_of(key_of(1), number))
            before = on_disk(tmp_path)
            assert reader.get(key_of(1)).version == number
            assert len(list(reader.find(StateFilter()))) == 1
            assert on_disk(tmp_path) == before


def test_a_read_only_folder_can_be_read(tmp_path: Path) -> None:
    fill(tmp_path)
    expected = read_everything(tmp_path)
    (tmp_path / "ledger.db").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert read_everything(tmp_path) == expected
    finally:
        tmp_path.chmod(0o755)


def test_a_symbolic_link_is_read_with_the_log_beside_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    with (
        ADAPTER.open_for_validator(URL, tmp_path) as ledger,
        ADAPTER.open_reader("sqlite:link.db", tmp_path) as reader,
    ):
        record_one(ledger, result_of(key_of(1), 1))
        assert reader.position() == 1


def test_a_reader_lives_through_writers_that_come_and_go(tmp_path: Path) -> None:
    with ADAPTER.open_reader(URL, tmp_path) as reader:
        for number in range(1, 6):
            fill(tmp_path, number=number)
            assert reader.get(key_of(1)).version == number


def test_what_a_checkpoint_moved_during_a_reading_is_read_again(tmp_path: Path) -> None:
    fill(tmp_path)
    source = ReadOnlyFile(tmp_path / "ledger.db", 5)
    tries = []

    def work(connection: sqlite3.Connection) -> int:
        seen = int(connection.execute("SELECT version FROM partition_state").fetchone()[0])
        tries.append(seen)
        if len(tries) == 1:
            fill(tmp_path, number=2)
        return seen

    assert source.read(work) == 2
    assert tries == [1, 2]
    source.close()


@pytest.mark.parametrize("rows", [3, 3 * CHUNK])
def test_a_stream_without_locks_keeps_its_moment(tmp_path: Path, rows: int) -> None:
    fill(tmp_path, rows)
    with ADAPTER.open_reader(URL, tmp_path) as reader:
        found = reader.find(StateFilter())
        first = next(found)
        fill(tmp_path, rows, number=2)
        assert {state.version for state in (first, *found)} == {1}
        assert {state.version for state in reader.find(StateFilter())} == {2}
        assert len(list(reader.find(StateFilter(), limit=rows - 1))) == rows - 1


def test_a_ledger_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    fill(tmp_path)
    with ADAPTER.open_reader(URL, tmp_path) as reader:
        name = reader.ledger_id()
        (tmp_path / "ledger.db").unlink()
        assert reader.ledger_id() is None
        assert reader.get(key_of(1)) == PartitionState(key_of(1))
        fill(tmp_path)
        assert reader.ledger_id() not in {name, None}


def test_readers_are_right_while_writers_open_and_close(tmp_path: Path) -> None:
    """Each writer checkpoints as it leaves; a reader without locks has to notice every time."""
    code = (
        "import sys; from pathlib import Path; from gads_conformance.ledger.samples import *\n"
        "from gads_state_sqlite.adapter import ADAPTER\n"
        "for number in range(1, 31):\n"
        "    with ADAPTER.open_for_validator('sqlite:ledger.db', Path(sys.argv[1])) as ledger:\n"
        "        keys = [key_of(1, day) for day in range(30)]\n"
        "        changes = [change_of(ledger.history(key), result_of(key, number)) for key in keys]\n"
        "        assert all(ledger.record(changes))\n"
    )
    fill(tmp_path, rows=1)
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as writer:
        last = 0
        with ADAPTER.open_reader(URL, tmp_path) as reader:
            while last < 30 and writer.poll() in (None, 0):
                versions = {s.version for s in reader.find(StateFilter()) if s.key != key_of(1)}
                assert len(versions) <= 1, "a batch was seen in part"
                assert max(versions, default=0) >= last, "the ledger went back"
                last = max(versions, default=0)
    assert writer.returncode == 0
    assert last == 30


def test_a_writer_opens_whatever_threads_of_its_process_read(tmp_path: Path) -> None:
    """As in a daemon with a page; another process holds the log open, so that readers use the shared memory."""
    fill(tmp_path)
    is_over = threading.Event()

    def look() -> int:
        looks = 0
        with ADAPTER.open_reader(URL, tmp_path) as reader:
            while not is_over.is_set():
                looks += reader.get(key_of(1)).version > 0
        return looks

    hold = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM ledger_meta').fetchall()"
    command = [sys.executable, "-c", f"{hold}; print(); sys.stdin.read()", str(tmp_path / "ledger.db")]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
        ThreadPoolExecutor(3) as pool,
    ):
        assert other.stdout is not None
        other.stdout.readline()
        looks = [pool.submit(look) for _ in range(3)]
        try:
            for number in range(2, 12):
                ADAPTER.check(URL, tmp_path)
                with ADAPTER.open_for_validator(URL, tmp_path) as ledger:
                    record_one(ledger, result_of(key_of(1), number))
        finally:
            is_over.set()
            other.kill()
        assert all(one.result() for one in looks)
