"""Copies of a ledger and their way back: what the docstring of `CopiedLedgerAdapter` promises."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from gads_conformance.ledger.samples import record_one, result_of
from gads_domain.errors import HeldElsewhereError, LedgerError, UsageError
from gads_domain.ledger_copy import CopiedLedgerAdapter
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import StateFilter
from gads_state_sqlite.adapter import ADAPTER
from gads_testing.local_deployment import key_of

URL = "sqlite:ledger.db"


def fill(base: Path, first: int, last: int, url: str = URL) -> None:
    with ADAPTER.open_for_validator(url, base) as ledger:
        for day in range(first, last):
            record_one(ledger, result_of(key_of(day=day), 1))


def found(base: Path, url: str = URL) -> tuple[str | None, int, list[PartitionKey]]:
    """Which ledger it is, its position, and what is authoritative; all of it has to be of one moment."""
    with ADAPTER.open_reader(url, base) as ledger:
        keys = [row.key for row in ledger.find(StateFilter(GOOGLE_ADS))]
        assert keys == [change.key for change in ledger.authority_changes()]
        return ledger.ledger_id(), ledger.position(), keys


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    assert isinstance(ADAPTER, CopiedLedgerAdapter)
    fill(tmp_path, 0, 3)
    done = Event()

    def write() -> None:
        day = 3
        while not done.is_set():
            fill(tmp_path, day, day + 2)
            day += 2

    writer = Thread(target=write)
    writer.start()
    try:
        copies = [ADAPTER.back_up(URL, tmp_path, tmp_path / "copies" / f"{number}.db") for number in range(8)]
    finally:
        done.set()
        writer.join()
    for copy in copies:
        ledger_id, position, keys = found(tmp_path, f"sqlite:{copy.path}")
        assert (ledger_id, position) == (copy.ledger_id, copy.position)
        assert position == len(keys) >= 3
        data = copy.path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (copy.bytes, copy.sha256)
    assert copies[-1].position > copies[0].position
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == [f"{number}.db" for number in range(8)]


def test_nothing_is_overwritten_and_an_absent_ledger_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        ADAPTER.back_up(URL, tmp_path, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []
    fill(tmp_path, 0, 1)
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        ADAPTER.back_up(URL, tmp_path, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_restoration_that_is_refused_changes_nothing(dry_run: bool, tmp_path: Path) -> None:
    fill(tmp_path, 0, 40)
    copy = ADAPTER.back_up(URL, tmp_path, tmp_path / "copy.db").path
    fill(tmp_path, 40, 42)
    data = copy.read_bytes()
    (tmp_path / "short.db").write_bytes(data[: len(data) // 2])
    (tmp_path / "torn.db").write_bytes(data[:12_288] + bytes(8_192) + data[20_480:])
    (tmp_path / "text.db").write_text("no ledger at all" * 100)
    fill(tmp_path, 0, 1, "sqlite:other.db")
    before = found(tmp_path), sorted(tmp_path.iterdir())
    for name, error in (
        ("short.db", LedgerError),
        ("torn.db", LedgerError),
        ("text.db", LedgerError),
        ("other.db", UsageError),
        ("ledger.db", UsageError),
        ("absent.db", UsageError),
    ):
        with pytest.raises(error) as caught:
            ADAPTER.restore(URL, tmp_path, tmp_path / name, dry_run=dry_run)
        assert caught.value.hint, name
        assert (found(tmp_path), sorted(tmp_path.iterdir())) == before, name
    with ADAPTER.open_for_control_plane(URL, tmp_path), pytest.raises(HeldElsewhereError, match="ledger"):
        ADAPTER.restore(URL, tmp_path, copy, dry_run=dry_run)
    assert found(tmp_path) == before[0]
    planned = ADAPTER.restore(URL, tmp_path, copy, dry_run=True)
    assert (planned.replaced, planned.lost, planned.kept) == (42, 2, None)
    assert (found(tmp_path), sorted(tmp_path.iterdir())) == before


@pytest.mark.parametrize("there", ["later", "damaged", "nothing"])
def test_a_copy_takes_the_place_of_the_ledger_which_is_kept(there: str, tmp_path: Path) -> None:
    """Also where what was there can no longer be read, and on another machine."""
    fill(tmp_path, 0, 5)
    copy = ADAPTER.back_up(URL, tmp_path, tmp_path / "copy.db")
    fill(tmp_path, 5, 7)
    ledger = tmp_path / "ledger.db"
    if there == "damaged":
        ledger.write_bytes(b"\0" * 4_096)
    elif there == "nothing":
        ledger.unlink()
    former = None if there == "nothing" else ledger.read_bytes()
    restored = ADAPTER.restore(URL, tmp_path, copy.path, dry_run=False)
    assert found(tmp_path)[:2] == (copy.ledger_id, 5)
    assert (restored.replaced, restored.lost) == ((7, 2) if there == "later" else (None, None))
    assert (restored.kept is None) == (there == "nothing")
    if there == "later":
        assert found(tmp_path, f"sqlite:{restored.kept}")[1] == 7
    elif restored.kept is not None:
        assert restored.kept.read_bytes() == former
    fill(tmp_path, 5, 9)
    assert found(tmp_path)[1] == 9
    assert found(tmp_path, f"sqlite:{copy.path}")[1] == 5


KILLED = """
import os, signal, sys
from pathlib import Path
from gads_state_sqlite.adapter import ADAPTER
at, seen = int(sys.argv[2]), 0
def audit(event, _):
    global seen
    if event in ("open", "os.link", "os.rename", "os.remove", "sqlite3.connect"):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
base = Path(sys.argv[1])
sys.addaudithook(audit)
ADAPTER.restore("sqlite:ledger.db", base, base / "copy.db", dry_run=False)
"""


def test_whenever_it_is_killed_the_ledger_is_the_former_one_or_the_copy(tmp_path: Path) -> None:
    """By SIGKILL before each of the calls that open, link, rename or remove a file."""
    fill(tmp_path, 0, 4)
    ADAPTER.back_up(URL, tmp_path, tmp_path / "copy.db")
    fill(tmp_path, 4, 6)
    positions = []
    for at in range(1, 60):
        ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(at)], check=False).returncode
        positions.append(found(tmp_path)[1])
        assert positions[-1] in (4, 6)
        if positions[-1] == 4:
            assert any(found(tmp_path, f"sqlite:{kept}")[1] == 6 for kept in tmp_path.glob("ledger.db.replaced-*"))
            fill(tmp_path, 4, 6)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert positions[0] == 6
    assert positions[-1] == 4
    assert len(positions) > 5
