from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import key_of, record_one, result_of
from gads_domain.errors import HeldElsewhereError, LedgerError
from gads_state_sqlite.adapter import ADAPTER, SqliteLedgerAdapter

URL = "sqlite:ledger.db"
UNPRIVILEGED = 65534


def fill(folder: Path) -> None:
    with ADAPTER.open_for_validator(URL, folder) as ledger:
        record_one(ledger, result_of(key_of(1), 1))


@pytest.fixture(params=["without a ledger", "with a ledger"])
def denied(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that this process may read and not write, whatever user runs it."""
    folder = Path(tempfile.mkdtemp())
    if request.param == "with a ledger":
        fill(folder)
        (folder / "ledger.db").chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(UNPRIVILEGED)
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_ledger_that_cannot_be_written_is_found(denied: Path) -> None:
    before = sorted(path.name for path in denied.iterdir())
    for url in (URL, "sqlite:deeper/still/ledger.db"):
        with pytest.raises(LedgerError) as caught:
            ADAPTER.check(url, denied)
        assert caught.value.hint
    assert sorted(path.name for path in denied.iterdir()) == before


def test_a_place_where_one_could_be_made_is_left_as_it_was(tmp_path: Path) -> None:
    ADAPTER.check("sqlite:deeper/still/ledger.db", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_found(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(LedgerError, match="no ledger can be created at"):
        ADAPTER.check("sqlite:taken/ledger.db", tmp_path)


def test_a_ledger_is_left_as_it_was(tmp_path: Path) -> None:
    fill(tmp_path)
    before = (tmp_path / "ledger.db").read_bytes()
    ADAPTER.check(URL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_a_ledger_that_another_process_holds_is_reported_as_held(tmp_path: Path) -> None:
    fill(tmp_path)
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(HeldElsewhereError):
        SqliteLedgerAdapter(busy_seconds=0.05).check(URL, tmp_path)
    holder.close()
