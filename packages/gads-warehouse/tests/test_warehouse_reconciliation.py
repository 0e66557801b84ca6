"""Holds the warehouse to contracts/warehouse/v1, reconciling, damage and locks: each promise by its number."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_consumer.errors import PartitionAlteredError, PartitionGoneError, PastUnknownError
from gads_domain.adapters import warehouse_adapter
from gads_domain.errors import ConfigurationError, HeldElsewhereError, LedgerConflictError
from gads_testing.local_deployment import (
    key_of,
    run_of,
)
from gads_testing.warehouse_deployment import WIDER, WarehouseDeployment
from gads_warehouse import OtherLedgerError, WarehouseDamagedError, WarehouseLoader, status, verify
from gads_warehouse_duckdb import working_copy
from gads_warehouse_duckdb.errors import (
    NewerWarehouseError,
    TableTakenError,
    WarehouseHeldError,
)
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse


def test_reconciling_puts_right_whatever_differs(loaded: WarehouseDeployment) -> None:
    """W12: rows lost and added by hand, pointers lost and added by hand, and what changed in the ledger."""
    loaded.make_authoritative(key_of(2, 0), 2, rows=8)
    loaded.make_authoritative(key_of(3, 0), 2)
    day = key_of().logical_date
    loaded.tamper(f"DELETE FROM campaign WHERE _customer_id = '1' AND _logical_date = DATE '{day}' AND campaign_id = 1")
    loaded.tamper(
        f"INSERT INTO campaign BY NAME SELECT '77' AS _customer_id, DATE '{day}' AS _logical_date, 'x' AS _run_id"
    )
    loaded.tamper(
        f"DELETE FROM gads.pointers WHERE customer_id = '1' AND logical_date = DATE '{day + timedelta(days=1)}'"
    )
    loaded.tamper(
        "UPDATE gads.pointers SET customer_id = '9' WHERE customer_id = '2' AND logical_date = DATE '2024-06-02'"
    )
    loaded.load(reconcile=True)
    loaded.require_equal()
    with loaded.consumer() as consumer:
        assert verify(consumer, loaded.warehouse)
        assert status(consumer, loaded.warehouse)


def _day(number: int, customer: int = 1) -> str:
    return f"customer_id = '{customer}' AND logical_date = DATE '2024-06-0{number}'"


_ROW = "INSERT INTO campaign BY NAME SELECT DATE '2024-06-01' AS _logical_date"
_STRAY = f"{_ROW}, '9' AS _customer_id, '{run_of(1)}' AS _run_id"
_TWICE = f"INSERT INTO gads.pointers SELECT * FROM gads.pointers WHERE {_day(1)}"
TOGETHER = (
    f"{_ROW}, 'abc' AS _customer_id, '{run_of(1)}' AS _run_id",
    f"{_ROW}, '1' AS _customer_id",
    f"{_ROW}, '1' AS _customer_id, 'x' AS _run_id",
    f"UPDATE gads.pointers SET run_id = '{run_of(5)}' WHERE {_day(1)}",
    f"UPDATE gads.pointers SET run_id = 'x' WHERE {_day(2)}",
    f"UPDATE gads.pointers SET customer_id = NULL WHERE {_day(3)}",
    f"UPDATE gads.pointers SET report = 'No Report' WHERE {_day(4)}",
    f"UPDATE gads.pointers SET report = 'nowhere' WHERE {_day(5)}",
    f"UPDATE gads.pointers SET record_count = 4 WHERE {_day(1, 2)}",
    f"UPDATE gads.pointers SET seal_sha256 = 'x' WHERE {_day(2, 2)}",
    f"UPDATE gads.pointers SET schema_version = 2 WHERE {_day(3, 2)}",
)


@pytest.mark.parametrize(
    ("sql", "counts"),
    [
        (_STRAY, (0, 0, 0, 1)),
        ("INSERT INTO campaign BY NAME SELECT 7 AS campaign_id FROM range(2)", (0, 0, 0, 2)),
        (_TWICE, (0, 1, 0, 0)),
        ("; ".join(TOGETHER), (4, 4, 1, 6)),
    ],
    ids=["rows without a pointer", "rows without identity", "a pointer twice", "all kinds"],
)
def test_what_other_software_wrote_is_put_right(loaded: WarehouseDeployment, sql: str, counts: tuple[int, ...]) -> None:
    """W12: also where it is all that differs; foreseen by a dry run, and done once."""
    loaded.tamper(sql)
    planned, done, again = (loaded.load(reconcile=True, **how) for how in ({"dry_run": True}, {}, {}))
    for one in (planned, done):
        assert (one.added, one.replaced, one.removed, one.strays) == counts
    assert (again.changed, again.steps) == (False, 0)
    loaded.require_equal()
    assert loaded.query("SELECT count(*), count(DISTINCT (customer_id, logical_date)) FROM gads.pointers") == [(8, 8)]


def test_tables_that_are_not_the_loaders_any_more_are_told(loaded: WarehouseDeployment) -> None:
    """W19: a column, the table itself, the position, the cursor: each an error with a hint, and nothing is touched."""
    whole = loaded.path.read_bytes()
    for sql in (
        "ALTER TABLE campaign RENAME COLUMN metrics_clicks TO clicks",
        "DROP TABLE campaign",
        "UPDATE gads.state SET position = 99",
        "UPDATE gads.state SET cursor = 'junk'",
    ):
        loaded.path.write_bytes(whole)
        loaded.tamper(sql)
        before = loaded.path.read_bytes()
        with loaded.consumer() as consumer, pytest.raises(WarehouseDamagedError) as caught:
            verify(consumer, loaded.warehouse)
        assert caught.value.hint
        assert "\n" not in caught.value.message
        assert loaded.path.read_bytes() == before


@pytest.mark.parametrize("reconcile", [False, True])
def test_a_dry_run_says_and_does_nothing(loaded: WarehouseDeployment, reconcile: bool) -> None:
    """W13: the counts are those of the load that follows; an absent file is not created."""
    loaded.make_authoritative(key_of(1, 1), 2, rows=5)
    loaded.make_authoritative(key_of(1, 1), 3, rows=6)
    loaded.make_authoritative(key_of(5, 1), 3, rows=6)
    loaded.damage(key_of(2, 1), 1)
    before = loaded.path.read_bytes()
    planned = loaded.load(dry_run=True, reconcile=reconcile)
    assert loaded.path.read_bytes() == before
    done = loaded.load(reconcile=reconcile)
    assert (planned.added, planned.replaced, planned.removed, planned.rows) == (1, 1, 1, 12)
    assert (done.added, done.replaced, done.removed, done.rows) == (1, 1, 1, 12)
    elsewhere = DuckDbWarehouse(loaded.base / "absent.duckdb")
    with loaded.consumer() as consumer:
        assert WarehouseLoader(consumer, elsewhere).load(dry_run=True).added == 8
    assert not elsewhere.path.exists()


@pytest.mark.parametrize("gone", [False, True])
def test_damage_ends_a_load_until_it_is_withdrawn(loaded: WarehouseDeployment, gone: bool) -> None:
    """W14: nothing of the step is loaded; a recheck withdraws the authority, and the load gets past."""
    loaded.make_authoritative(key_of(1, 0), 2, rows=7)
    loaded.make_authoritative(key_of(1, 1), 2, rows=7)
    payload = loaded.payload(key_of(1, 1), run_of(2))
    payload.chmod(0o644)
    payload.unlink() if gone else payload.write_bytes(payload.read_bytes()[:-1] + b"x")
    before = loaded.shown()
    with pytest.raises(PartitionGoneError if gone else PartitionAlteredError) as caught:
        loaded.load()
    assert caught.value.hint
    assert loaded.shown() == before
    loaded.validate(key_of(1, 1), recheck=True)
    loaded.load(step_partitions=1)
    loaded.require_equal()


def test_another_ledger_is_refused_and_a_rolled_back_one_put_right(loaded: WarehouseDeployment, tmp_path: Path) -> None:
    """W15: a warehouse is of one ledger for good; of a log that was rolled back only a comparison makes sense."""
    (tmp_path / "other").mkdir()
    other = WarehouseDeployment(tmp_path / "other")
    other.make_days_authoritative(range(2))
    with other.consumer() as consumer:
        for options in ({}, {"reconcile": True}):
            with pytest.raises(OtherLedgerError, match="ledger") as caught:
                WarehouseLoader(consumer, loaded.warehouse).load(**options)
            assert caught.value.hint
    other.close()
    loaded.require_equal()
    # A backup of the ledger is restored, and goes on differently.
    ledger = loaded.base / "state" / "ledger.db"
    loaded.close()
    backup = ledger.read_bytes()
    loaded.open()
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    loaded.load()
    loaded.close()
    for leftover in ledger.parent.glob("ledger.db-*"):
        leftover.unlink()
    ledger.write_bytes(backup)
    loaded.open()
    loaded.make_authoritative(key_of(1, 2), 3, rows=1)
    with pytest.raises(PastUnknownError):
        loaded.load()
    loaded.load(reconcile=True)
    loaded.require_equal()


HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "True")
for line in sys.stdin:
    (row,) = connection.execute("SELECT position, (SELECT count(*) FROM campaign) FROM gads.state").fetchall()
    print(*row, flush=True)
"""


@contextmanager
def held_by_another(path: Path, *, read_only: bool) -> Iterator[Callable[[], tuple[int, int]]]:
    """A process that has the file open; asks it for the position and the number of rows that it sees."""
    command = [sys.executable, "-c", HOLDER, str(path), str(read_only)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None

        def look() -> tuple[int, int]:
            assert holder.stdin is not None
            assert holder.stdout is not None
            holder.stdin.write("look\n")
            holder.stdin.flush()
            position, rows = map(int, holder.stdout.readline().split())
            return position, rows

        look()
        yield look
        holder.stdin.close()


@pytest.mark.parametrize("loads", [3, pytest.param(60, marks=[pytest.mark.campaign, pytest.mark.timeout(600)])])
def test_a_reader_that_holds_the_file_keeps_no_load_from_landing(loaded: WarehouseDeployment, loads: int) -> None:
    """W44: it goes on seeing the position that it opened; who opens the file sees the last load, W3 at each."""
    loaded.path.chmod(0o640)
    with held_by_another(loaded.path, read_only=True) as look:
        first = look()
        for run in range(2, 2 + loads):
            loaded.make_authoritative(key_of(1, 1), run, rows=run + 5)
            assert loaded.load().replaced == 1
            loaded.require_equal()
            assert look() == first
            with held_by_another(loaded.path, read_only=True) as newer:
                assert newer()[0] > first[0]
    assert loaded.path.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in loaded.base.glob("tables*")] == ["tables.duckdb"]


WRITER = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE notes AS SELECT 7 AS mine")
os._exit(0)
"""


def test_what_a_killed_writer_left_in_its_log_is_kept_beside_a_reader_and_a_link_stays_a_link(
    loaded: WarehouseDeployment,
) -> None:
    """W44: what was committed counts, also if it is not in the file yet; the file takes the target's place."""
    real = loaded.path.rename(loaded.base / "real.duckdb")
    loaded.path.symlink_to(real)
    subprocess.run([sys.executable, "-c", WRITER, str(real)], check=True)
    assert (loaded.base / "real.duckdb.wal").exists()
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    with held_by_another(real, read_only=True) as look:
        first = look()
        assert loaded.load().replaced == 1
        loaded.require_equal()
        assert look() == first
    assert loaded.query("FROM notes") == [(7,)]
    assert loaded.path.is_symlink()
    assert [path.name for path in loaded.base.glob("*duckdb*") if path != loaded.path] == ["real.duckdb"]


def test_a_full_load_goes_on_beside_a_reader_too(loaded: WarehouseDeployment) -> None:
    """W45: with no position until its last step."""
    with held_by_another(loaded.path, read_only=True) as look:
        first = look()
        for account in (1, 2):
            loaded.make_authoritative(key_of(account, 2), 5, rows=2)
        assert loaded.load(reconcile=True, step_partitions=1).steps == 2
        loaded.require_equal()
        assert look() == first


def test_a_file_that_another_process_writes_is_held(loaded: WarehouseDeployment) -> None:
    """W16: what it writes would be lost; afterwards the load goes on."""
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    with held_by_another(loaded.path, read_only=False):
        with pytest.raises(WarehouseHeldError) as caught:
            loaded.load()
        assert isinstance(caught.value, HeldElsewhereError)
        assert caught.value.hint
    loaded.load()
    loaded.require_equal()


@pytest.mark.parametrize("shares_blocks", [True, False])
def test_until_a_load_is_published_other_processes_open_the_file_to_read_alone(
    loaded: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch, shares_blocks: bool
) -> None:
    """W44: also on a file system that copies byte by byte."""
    if not shares_blocks:
        monkeypatch.delattr("os.copy_file_range")
    before = loaded.path.read_bytes()
    with working_copy.working_copy(loaded.path) as copy:
        assert copy.read_bytes() == before
        for read_only in (True, False):
            connect = f"import duckdb; duckdb.connect({str(loaded.path)!r}, read_only={read_only})"
            tried = subprocess.run([sys.executable, "-c", connect], capture_output=True, text=True, check=False)
            assert (tried.returncode == 0) == read_only, tried.stderr
    assert loaded.load().steps == 0


FULL = """
import resource, signal, sys
from pathlib import Path
from gads_consumer.consumer import Consumer
from gads_domain.errors import StorageFullError
from gads_warehouse import WarehouseLoader
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

base, most = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
with Consumer.open(state="sqlite:state/ledger.db", sink="file:raw", base=base) as consumer:
    try:
        WarehouseLoader(consumer, DuckDbWarehouse(base / "tables.duckdb")).load()
    except StorageFullError as error:
        assert error.hint
        sys.exit(9)
"""


@pytest.mark.parametrize("more", [-100_000, 100_000])
def test_no_space_left_changes_nothing(loaded: WarehouseDeployment, more: int) -> None:
    """W17: without space for the copy, or for what the step adds to it, the load ends; with space it goes on."""
    loaded.make_authoritative(key_of(1, 0), 2, 20_000, columns=WIDER, schema_version=2)
    before = loaded.shown()
    most = loaded.path.stat().st_size + more
    done = subprocess.run([sys.executable, "-c", FULL, str(loaded.base), str(most)], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert loaded.shown() == before
    assert [path.name for path in loaded.base.glob("tables*")] == ["tables.duckdb"]
    loaded.load()
    assert loaded.query(f"SELECT count(*) FROM campaign WHERE _run_id = '{run_of(2)}'") == [(20_000,)]


@pytest.mark.parametrize(("owner", "moment"), [(DuckDbWarehouse, "apply"), (working_copy, "_own")])
def test_of_two_loaders_one_wins(
    loaded: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch, owner: Any, moment: str
) -> None:
    """W18: the one that comes later finds another position than it started from, up to the moment of its copy."""
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    late = getattr(owner, moment)
    overtaken = threading.Event()

    def overtaken_first(*arguments: Any) -> Any:
        if not overtaken.is_set():
            overtaken.set()
            loaded.load()
        return late(*arguments)

    monkeypatch.setattr(owner, moment, overtaken_first)
    with pytest.raises(LedgerConflictError):
        loaded.load()
    loaded.require_equal()
    assert loaded.query("SELECT count(*) FROM gads.loads") == [(2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE SCHEMA reporting",
        "CREATE SCHEMA google_ads; CREATE TABLE google_ads.account_stats (clicks INTEGER)",
        "CREATE SCHEMA gads",
        "CREATE VIEW campaign AS SELECT 1",
    ],
)
def test_another_database_is_left_as_it_is(deployment: WarehouseDeployment, sql: str) -> None:
    """W19: with names of ours in it, it is refused, and the hint is not to move it away."""
    deployment.make_days_authoritative(range(1))
    deployment.tamper(sql)
    before = deployment.path.read_bytes()
    with pytest.raises(TableTakenError) as caught:
        deployment.load()
    assert "a file of its own" in caught.value.hint
    assert deployment.path.read_bytes() == before


def test_a_table_where_a_view_belongs_is_left_as_it_is(loaded: WarehouseDeployment) -> None:
    """W19: the load that would make the view anew is refused until it is gone."""
    loaded.tamper("DROP VIEW reporting.freshness; CREATE TABLE reporting.freshness AS SELECT 7 AS mine")
    loaded.make_authoritative(key_of(1, 6), 2, columns=WIDER, schema_version=2)
    with pytest.raises(TableTakenError, match=r"reporting\.freshness"):
        loaded.load()
    assert loaded.query("FROM reporting.freshness") == [(7,)]
    loaded.tamper("DROP TABLE reporting.freshness")
    loaded.load()
    loaded.require_equal()


def test_what_is_no_warehouse_is_not_touched(loaded: WarehouseDeployment) -> None:
    """W19: another file, a damaged one, one of another major version; a minor one is read."""
    alien = loaded.base / "alien.duckdb"
    alien.write_bytes(b"not a database" * 1000)
    with loaded.consumer() as consumer:
        with pytest.raises(WarehouseDamagedError):
            WarehouseLoader(consumer, DuckDbWarehouse(alien)).load()
        assert alien.read_bytes() == b"not a database" * 1000
        with pytest.raises(ConfigurationError):
            WarehouseLoader(consumer, DuckDbWarehouse(loaded.base / "absent" / "tables.duckdb")).load()
    for name in ("gads", "reporting", "google_ads", "main"):
        with pytest.raises(ConfigurationError):
            warehouse_adapter("duckdb:x").open_warehouse(f"duckdb:{name}.duckdb", loaded.base)
    loaded.tamper("UPDATE gads.state SET contract_version = '1.7'")
    loaded.load()
    loaded.tamper("UPDATE gads.state SET contract_version = '2.0'")
    before = loaded.path.read_bytes()
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    with pytest.raises(NewerWarehouseError):
        loaded.load()
    assert loaded.path.read_bytes() == before
