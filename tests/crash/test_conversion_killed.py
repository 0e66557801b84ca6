"""The conversion of an older ledger and its compaction, killed at random moments: nothing is lost, the next ends it."""

from __future__ import annotations

import hashlib
import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from gads_domain.state import StateFilter
from gads_state_sqlite.adapter import ADAPTER
from gads_state_sqlite.ledger_file import connect, uri_of
from gads_state_sqlite.schema import FORMER, MIGRATIONS, has_table, version_of
from gads_testing.former_ledger import write_former_ledger
from gads_testing.killed_process import seconds_of

URL = "sqlite:ledger.db"
_PROGRAM = """
import sys
from pathlib import Path
from gads_state_sqlite import migration
from gads_state_sqlite.adapter import ADAPTER
migration.RANGE = 300
print("begins", flush=True)
ADAPTER.compact("sqlite:ledger.db", Path(sys.argv[1]), dry_run=False, say=lambda line: None)
"""


def _all_of(folder: Path) -> str:
    """The sum of all that a reader gets."""
    with ADAPTER.open_reader(URL, folder) as ledger:
        states = list(ledger.find(StateFilter()))
        histories = ledger.histories([state.key for state in states])
        days = ledger.authoritative_days(StateFilter("google_ads")).days
        whole = (states, histories, ledger.authority_changes(), sorted(days.items()), ledger.newest_run())
    return hashlib.sha256(repr(whole).encode()).hexdigest()


def _kill(tmp_path: Path, partitions: int, kills: int, chance: random.Random) -> None:
    sample, folder = tmp_path / "sample", tmp_path / "work"
    for each in (sample, folder):
        each.mkdir()
    write_former_ledger(sample / "ledger.db", partitions // 50, 50)
    shutil.copy(sample / "ledger.db", folder)
    expected = _all_of(folder)
    whole = seconds_of(_PROGRAM, folder, None)
    assert _all_of(folder) == expected
    for number in range(kills):
        for left in folder.iterdir():
            left.unlink()
        shutil.copy(sample / "ledger.db", folder)
        seconds_of(_PROGRAM, folder, whole * (number + chance.random()) / kills)
        assert _all_of(folder) == expected
        if number % 2:
            seconds_of(_PROGRAM, folder, whole * chance.random())
            assert _all_of(folder) == expected
        ADAPTER.compact(URL, folder, dry_run=False, say=lambda _: None)
        assert _all_of(folder) == expected
        with closing(connect(uri_of(folder / "ledger.db", mode="ro"), 1)) as connection:
            assert version_of(connection) == len(MIGRATIONS)
            assert not any(has_table(connection, table) for table in FORMER)
            assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_conversion_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    _kill(tmp_path, 1_000, 3, random.Random(16))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_hundred_conversions_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    _kill(tmp_path, 8_000, 100, random.Random())
