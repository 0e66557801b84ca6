"""Holds the warehouse to contracts/warehouse/v1: each promise by its number, on a whole pipeline."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

sys.path.append(str(Path(__file__).parents[1] / "consumer" / "pipeline"))

from consumer_pipeline import (
    CAMPAIGN,
    CLICKS,
    COLUMNS,
    COST,
    DATE,
    LABELS,
    NAME,
    RUN_NUMBER,
    Pipeline,
    key_of,
    run_of,
)

from gads_consumer.errors import PartitionAlteredError, PartitionGoneError, PastUnknownError
from gads_domain.adapters import warehouse_adapter
from gads_domain.errors import ConfigurationError, GadsError, HeldElsewhereError, LedgerConflictError
from gads_domain.metadata import ColumnSpec
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import LoadStep
from gads_warehouse_duckdb.errors import (
    NewerWarehouseError,
    OtherLedgerError,
    SchemaDriftError,
    TableTakenError,
    WarehouseDamagedError,
    WarehouseHeldError,
)
from gads_warehouse_duckdb.loading import LoadReport, WarehouseLoader
from gads_warehouse_duckdb.status import status
from gads_warehouse_duckdb.verifying import DifferenceKind, verify
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

CONTRACT = Path(__file__).parents[2] / "contracts" / "warehouse" / "v1" / "README.md"
WIDER = (*COLUMNS, COST)


class House:
    """A pipeline and the warehouse behind it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.pipeline = Pipeline(base)
        self.path = base / "tables.duckdb"
        self.warehouse = DuckDbWarehouse(self.path)

    def load(self, **options: Any) -> LoadReport:
        how = {name: options.pop(name) for name in ("reconcile", "dry_run") if name in options}
        with self.pipeline.consumer() as consumer:
            return WarehouseLoader(consumer, self.warehouse, **options).load(**how)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tamper(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def shown(self, report: str = "campaign") -> list[dict[str, Any]]:
        """All rows of all tables of the report, without nulls."""
        tables = self.query(f"SELECT DISTINCT table_name FROM gads.report_tables WHERE report = '{report}'")
        with duckdb.connect(str(self.path), read_only=True) as connection:
            rows = [
                row for (name,) in tables for row in connection.sql(f'FROM main."{name}"').to_arrow_table().to_pylist()
            ]
        return _ordered([{name: value for name, value in row.items() if value is not None} for row in rows])

    def vouched(self, report: str = "campaign", position: int | None = None) -> list[dict[str, Any]]:
        """All rows that the ledger vouches for, read one schema version at a time."""
        found: list[dict[str, Any]] = []
        with self.pipeline.consumer() as consumer:
            snapshot = consumer.snapshot(report, as_of=position)
            if len(snapshot.schema_versions) == 1:
                found += snapshot.to_table(identity=True).to_pylist()
            else:
                for one in snapshot.partitions:
                    day = consumer.snapshot(
                        report,
                        as_of=snapshot.position,
                        customers=one.customer_id,
                        since=one.logical_date,
                        until=one.logical_date,
                    )
                    found += day.to_table(identity=True).to_pylist()
        return _ordered([{name: value for name, value in row.items() if value is not None} for row in found])

    def require_true(self, report: str = "campaign") -> None:
        assert self.shown(report) == self.vouched(report)


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: sorted((name, repr(value)) for name, value in row.items()))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.pipeline.close()


@pytest.fixture
def loaded(house: House) -> House:
    """Five days of one account and three of another, loaded."""
    house.pipeline.trust_days(range(5))
    house.pipeline.trust_days(range(3), customer=2)
    house.load()
    return house


def test_every_promise_has_a_test() -> None:
    promised = set(re.findall(r"\*\*(W\d+)\.\*\*", CONTRACT.read_text()))
    quoted = set(re.findall(r"\"\"\"(W\d+):", Path(__file__).read_text()))
    assert promised == quoted
    numbers = sorted(int(one[1:]) for one in promised)
    assert numbers == list(range(1, len(numbers) + 1))


def test_only_what_is_vouched_for_is_shown(loaded: House) -> None:
    """W1: a failed restatement takes nothing away, an unjudged run adds nothing, a failed day is not there."""
    loaded.pipeline.fail(key_of(1, 0), 2)
    loaded.pipeline.seal(key_of(1, 1), 3)
    loaded.pipeline.fail(key_of(3, 0), 2)
    loaded.load()
    loaded.require_true()
    assert {row["_run_id"] for row in loaded.shown()} == {run_of(1).value}
    assert loaded.query("SELECT count(*) FROM gads.pointers WHERE customer_id = '3'") == [(0,)]


def test_a_partition_shows_one_run(loaded: House) -> None:
    """W2: rows and pointers agree on one run for each partition, after any number of restatements."""
    for run in range(2, 5):
        loaded.pipeline.trust(key_of(1, 1), run, rows=run)
        loaded.pipeline.trust(key_of(2, 1), run, rows=0 if run == 3 else 4)
        loaded.load()
        runs = loaded.query(
            "SELECT _customer_id, _logical_date, count(DISTINCT _run_id) AS n FROM campaign GROUP BY ALL"
        )
        assert {n for _, _, n in runs} == {1}
        assert loaded.query("SELECT count(*) FROM campaign ANTI JOIN gads.pointers ON _run_id = run_id") == [(0,)]
        loaded.require_true()


def test_the_tables_equal_the_ledger_at_their_position(house: House) -> None:
    """W3: whatever the ledger did, and even when it has moved on since."""
    house.pipeline.trust_days(range(3))
    house.pipeline.trust(key_of(2, 0, "account"), 1, columns=(*COLUMNS, LABELS))
    house.load()
    house.pipeline.trust(key_of(1, 1), 2, rows=5)
    ((position,),) = house.query("SELECT position FROM gads.state")
    assert house.shown() == house.vouched(position=position)
    assert house.shown() != house.vouched()
    house.load()
    house.require_true()
    house.require_true("account")


def test_a_reader_sees_before_or_after(loaded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """W4: rows, pointers, records and position as seen by another connection, before the last statement and after."""
    question = """
        SELECT (SELECT count(*) FROM campaign), (SELECT sum(record_count) FROM gads.pointers),
            (SELECT position FROM gads.state), (SELECT max(load_id) FROM gads.load_records)
    """
    before = loaded.query(question)[0]
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    loaded.pipeline.withdraw(key_of(2, 0), 1)
    seen = []
    from gads_warehouse_duckdb.applying import Application

    carried_out = Application.carry_out

    def look_then_commit(application: Application) -> Any:
        done = carried_out(application)
        with duckdb.connect(str(loaded.path)) as connection:
            seen.append(connection.execute(question).fetchone())
        return done

    monkeypatch.setattr(Application, "carry_out", look_then_commit)
    loaded.load()
    after = loaded.query(question)[0]
    assert seen == [before]
    assert after[0] == after[1] == before[0] + 6 - 3
    assert after[2] > before[2]
    assert after[3] == before[3] + 1


def test_an_empty_day_is_known_to_be_empty(house: House) -> None:
    """W5: it has a pointer, no rows, and is no gap."""
    house.pipeline.trust_days([0, 2])
    house.pipeline.trust(key_of(1, 1), 1, rows=0)
    house.load()
    assert house.query("SELECT record_count FROM gads.pointers ORDER BY logical_date") == [(3,), (0,), (3,)]
    assert house.query("SELECT count(*) FROM reporting.gaps") == [(0,)]


def test_a_load_goes_on_from_where_it_was(house: House) -> None:
    """W6: the first load reads what is vouched for now, a later one what moved since."""
    for run in (1, 2, 3):
        house.pipeline.trust(key_of(1, 0), run)
    first = house.load()
    assert (first.mode.value, first.added, first.rows) == ("reconcile", 1, 3)
    assert house.query("SELECT run_id, previous_run_id FROM gads.load_records") == [(run_of(3).value, None)]
    house.pipeline.trust(key_of(1, 1), 4)
    second = house.load()
    assert (second.mode.value, second.added, second.replaced, second.rows) == ("feed", 1, 0, 3)


@pytest.mark.parametrize("options", [{}, {"reconcile": True}, {"dry_run": True}, {"reconcile": True, "dry_run": True}])
def test_nothing_to_do_changes_no_byte(loaded: House, options: dict[str, bool]) -> None:
    """W7: not even where the ledger recorded what moves no authority."""
    loaded.pipeline.fail(key_of(1, 1), 2)
    before = {path: path.read_bytes() for path in loaded.base.glob("tables*")}
    report = loaded.load(**options)
    assert not report.changed
    assert report.steps == 0
    assert {path: path.read_bytes() for path in loaded.base.glob("tables*")} == before


LOADER = """
import os, signal, sys
from pathlib import Path
from gads_consumer.consumer import Consumer
from gads_warehouse_duckdb.applying import Application
from gads_warehouse_duckdb.database_file import DatabaseFile
from gads_warehouse_duckdb.loading import WarehouseLoader
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

base, place, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
reached = 0

def die(*_):
    global reached
    reached += 1
    if reached == number:
        os.kill(os.getpid(), signal.SIGKILL)

owner = {"_insert": Application, "_move": Application, "_record_step": Application, "carry_out": Application}[place]
whole = getattr(owner, place)

def and_die(self, *arguments):
    done = whole(self, *arguments)
    die()
    return done

setattr(owner, place, and_die)
with Consumer.open(state="sqlite:state/ledger.db", sink="file:raw", base=base) as consumer:
    WarehouseLoader(consumer, DuckDbWarehouse(base / "tables.duckdb"), step_partitions=2).load()
"""


@pytest.mark.parametrize(("place", "number"), [("_move", 1), ("_insert", 2), ("_record_step", 1), ("carry_out", 2)])
def test_a_killed_load_is_gone_on_with(loaded: House, place: str, number: int) -> None:
    """W8: SIGKILL after each kind of statement, in the first step or the second."""
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    loaded.pipeline.trust(key_of(1, 3), 2, rows=0)
    loaded.pipeline.trust(key_of(4, 0), 2, columns=WIDER, schema_version=2)
    loaded.pipeline.trust(key_of(4, 1), 2, columns=(DATE, CAMPAIGN), schema_version=3)
    killed = subprocess.run([sys.executable, "-c", LOADER, str(loaded.base), place, str(number)], check=False)
    assert killed.returncode == -9
    ((position,),) = loaded.query("SELECT position FROM gads.state")
    assert loaded.shown() == loaded.vouched(position=position)
    loaded.load()
    loaded.require_true()
    with loaded.pipeline.consumer() as consumer:
        assert verify(consumer, loaded.warehouse)


def test_restated_and_withdrawn_in_one_step(loaded: House) -> None:
    """W9: the new rows in place of the old, and the withdrawn ones gone with their pointer."""
    loaded.pipeline.trust(key_of(1, 1), 2, rows=5)
    loaded.pipeline.withdraw(key_of(2, 1), 1)
    report = loaded.load()
    assert (report.steps, report.added, report.replaced, report.removed) == (1, 0, 1, 1)
    loaded.require_true()
    assert loaded.query("SELECT count(*) FROM gads.pointers") == [(7,)]
    actions = "SELECT action, run_id, previous_run_id FROM gads.load_records WHERE load_id = 2 ORDER BY action"
    assert loaded.query(actions) == [
        ("removed", None, run_of(1).value),
        ("replaced", run_of(2).value, run_of(1).value),
    ]


def test_the_order_of_arrival_does_not_matter(tmp_path: Path) -> None:
    """W10: in one load, day by day, and a backfill from the end."""
    found = []
    for name, days, each in (("one", range(6), False), ("each", range(6), True), ("back", range(5, -1, -1), True)):
        (tmp_path / name).mkdir()
        house = House(tmp_path / name)
        for day in days:
            house.pipeline.trust(
                key_of(1, day), day + 1, rows=day, columns=COLUMNS if day < 3 else WIDER, schema_version=1 + day // 3
            )
            if each:
                house.load()
        house.load()
        house.require_true()
        found.append(house.shown())
        house.pipeline.close()
    assert found[0] == found[1] == found[2]


def test_a_step_ends_at_a_move_of_the_log(loaded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """W11: the tables equal the ledger at the position of each step, in steps of any size."""
    for day in range(5):
        loaded.pipeline.trust(key_of(1, day), 2, rows=day)
        loaded.pipeline.trust(key_of(1, day), 3, rows=day + 1)
    apply = DuckDbWarehouse.apply
    positions = []

    def and_look(self: DuckDbWarehouse, step: LoadStep) -> Any:
        done = apply(self, step)
        positions.append(step.to.position)
        assert loaded.shown() == loaded.vouched(position=step.to.position)
        return done

    monkeypatch.setattr(DuckDbWarehouse, "apply", and_look)
    report = loaded.load(step_partitions=2)
    assert report.steps == len(positions) > 2
    assert positions == sorted(positions)
    loaded.require_true()


def test_reconciling_puts_right_whatever_differs(loaded: House) -> None:
    """W12: rows lost and added by hand, pointers lost and added by hand, and what moved."""
    loaded.pipeline.trust(key_of(2, 0), 2, rows=8)
    loaded.pipeline.trust(key_of(3, 0), 2)
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
    loaded.require_true()
    with loaded.pipeline.consumer() as consumer:
        assert verify(consumer, loaded.warehouse)
        assert status(consumer, loaded.warehouse)


@pytest.mark.parametrize("reconcile", [False, True])
def test_a_dry_run_says_and_does_nothing(loaded: House, reconcile: bool) -> None:
    """W13: the counts are those of the load that follows; an absent file is not created."""
    loaded.pipeline.trust(key_of(1, 1), 2, rows=5)
    loaded.pipeline.trust(key_of(1, 1), 3, rows=6)
    loaded.pipeline.trust(key_of(5, 1), 3, rows=6)
    loaded.pipeline.withdraw(key_of(2, 1), 1)
    before = loaded.path.read_bytes()
    told = loaded.load(dry_run=True, reconcile=reconcile)
    assert loaded.path.read_bytes() == before
    done = loaded.load(reconcile=reconcile)
    assert (told.added, told.replaced, told.removed, told.rows) == (1, 1, 1, 12)
    assert (done.added, done.replaced, done.removed, done.rows) == (1, 1, 1, 12)
    elsewhere = DuckDbWarehouse(loaded.base / "absent.duckdb")
    with loaded.pipeline.consumer() as consumer:
        assert WarehouseLoader(consumer, elsewhere).load(dry_run=True).added == 8
    assert not elsewhere.path.exists()


@pytest.mark.parametrize("gone", [False, True])
def test_damage_ends_a_load_until_it_is_withdrawn(loaded: House, gone: bool) -> None:
    """W14: nothing of the step is loaded; a recheck withdraws the authority, and the load gets past."""
    loaded.pipeline.trust(key_of(1, 0), 2, rows=7)
    loaded.pipeline.trust(key_of(1, 1), 2, rows=7)
    payload = loaded.pipeline.payload(key_of(1, 1), run_of(2))
    payload.chmod(0o644)
    payload.unlink() if gone else payload.write_bytes(payload.read_bytes()[:-1] + b"x")
    before = loaded.shown()
    with pytest.raises(PartitionGoneError if gone else PartitionAlteredError) as caught:
        loaded.load()
    assert caught.value.hint
    assert loaded.shown() == before
    loaded.pipeline.validate(key_of(1, 1), recheck=True)
    loaded.load(step_partitions=1)
    loaded.require_true()


def test_another_ledger_is_refused_and_a_rolled_back_one_put_right(loaded: House, tmp_path: Path) -> None:
    """W15: a warehouse is of one ledger for good; of a log that was rolled back only a comparison makes sense."""
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other")
    other.pipeline.trust_days(range(2))
    with other.pipeline.consumer() as consumer:
        for options in ({}, {"reconcile": True}):
            with pytest.raises(OtherLedgerError, match="ledger") as caught:
                WarehouseLoader(consumer, loaded.warehouse).load(**options)
            assert caught.value.hint
    other.pipeline.close()
    loaded.require_true()
    # A backup of the ledger is restored, and goes on differently.
    ledger = loaded.base / "state" / "ledger.db"
    loaded.pipeline.close()
    backup = ledger.read_bytes()
    loaded.pipeline = Pipeline(loaded.base)
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    loaded.load()
    loaded.pipeline.close()
    for leftover in ledger.parent.glob("ledger.db-*"):
        leftover.unlink()
    ledger.write_bytes(backup)
    loaded.pipeline = Pipeline(loaded.base)
    loaded.pipeline.trust(key_of(1, 2), 3, rows=1)
    with pytest.raises(PastUnknownError):
        loaded.load()
    loaded.load(reconcile=True)
    loaded.require_true()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_open_elsewhere_is_held(loaded: House, read_only: bool) -> None:
    """W16: by a reader or a writer of another process; afterwards the load goes on."""
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    code = f"""
import duckdb, sys
connection = duckdb.connect({str(loaded.path)!r}, read_only={read_only})
print("open", flush=True)
sys.stdin.read()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(WarehouseHeldError) as caught:
            loaded.load()
        assert isinstance(caught.value, HeldElsewhereError)
        assert caught.value.hint
    finally:
        holder.communicate(b"", timeout=30)
    loaded.load()
    loaded.require_true()


FULL = """
import resource, signal, sys
from pathlib import Path
from gads_consumer.consumer import Consumer
from gads_domain.errors import StorageFullError
from gads_warehouse_duckdb.loading import WarehouseLoader
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


def test_no_space_left_changes_nothing(loaded: House) -> None:
    """W17: a file that may not grow ends the load; with space it goes on."""
    loaded.pipeline.trust(key_of(1, 0), 2, 20_000, columns=WIDER, schema_version=2)
    before = loaded.shown()
    most = 400_000
    assert loaded.path.stat().st_size > most
    done = subprocess.run([sys.executable, "-c", FULL, str(loaded.base), str(most)], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert loaded.shown() == before
    loaded.load()
    assert loaded.query(f"SELECT count(*) FROM campaign WHERE _run_id = '{run_of(2)}'") == [(20_000,)]


def test_of_two_loaders_one_wins(loaded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """W18: the one that comes later finds another position than it started from."""
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    apply = DuckDbWarehouse.apply
    overtaken = threading.Event()

    def overtaken_first(self: DuckDbWarehouse, step: LoadStep) -> Any:
        if not overtaken.is_set():
            overtaken.set()
            loaded.load()
        return apply(self, step)

    monkeypatch.setattr(DuckDbWarehouse, "apply", overtaken_first)
    with pytest.raises(LedgerConflictError):
        loaded.load()
    loaded.require_true()
    assert loaded.query("SELECT count(*) FROM gads.loads") == [(2,)]


def test_what_is_no_warehouse_is_not_touched(loaded: House) -> None:
    """W19: another file, a damaged one, one of another major version; a minor one is read."""
    alien = loaded.base / "alien.duckdb"
    alien.write_bytes(b"not a database" * 1000)
    with loaded.pipeline.consumer() as consumer:
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
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    with pytest.raises(NewerWarehouseError):
        loaded.load()
    assert loaded.path.read_bytes() == before


def test_a_report_has_a_table_of_its_name(loaded: House) -> None:
    """W20: the payload's columns in their order, then the identity; a table that is somebody else's is left alone."""
    names = [name for name, *_ in loaded.query("DESCRIBE campaign")]
    assert names == [*(column.name for column in COLUMNS), "_customer_id", "_logical_date", "_run_id"]
    loaded.tamper("CREATE TABLE notes (text VARCHAR)")
    loaded.pipeline.trust(key_of(1, 0, "notes"), 1)
    with pytest.raises(TableTakenError):
        loaded.load()
    assert loaded.query("FROM notes") == []
    loaded.tamper("DROP TABLE notes")
    loaded.load()
    loaded.require_true("notes")


def test_types_are_those_of_the_payload(house: House) -> None:
    """W21: also of lists, and null stays null."""
    house.pipeline.trust(key_of(), 1, columns=(*WIDER, LABELS))
    house.load()
    kinds = {name: kind for name, kind, *_ in house.query("DESCRIBE campaign")}
    assert kinds == {
        "segments_date": "DATE",
        "campaign_id": "BIGINT",
        "campaign_name": "VARCHAR",
        "metrics_clicks": "BIGINT",
        "metrics_run": "BIGINT",
        "metrics_cost": "DOUBLE",
        "campaign_labels": "VARCHAR[]",
        "_customer_id": "VARCHAR",
        "_logical_date": "DATE",
        "_run_id": "VARCHAR",
    }
    house.require_true()


def test_pointers_name_the_seal(loaded: House) -> None:
    """W22: a row a partition, as the consumer's snapshot has it."""
    with loaded.pipeline.consumer() as consumer:
        expected = [
            (one.customer_id, "campaign", one.logical_date, one.run_id.value, 1, one.record_count, one.seal_sha256, 1)
            for one in consumer.snapshot("campaign").partitions
        ]
    rows = loaded.query(
        "SELECT customer_id, report, logical_date, run_id, schema_version, record_count, seal_sha256, load_id "
        "FROM gads.pointers WHERE loaded_at IS NOT NULL ORDER BY ALL"
    )
    assert rows == sorted(expected)
    ((age,),) = loaded.query("SELECT max(abs(epoch(loaded_at) - epoch(current_timestamp))) FROM gads.pointers")
    assert age < 3_600


def test_loads_are_on_record(loaded: House) -> None:
    """W23: what was there stays, and each step adds its own."""
    first = loaded.query("FROM gads.load_records ORDER BY ALL")
    loaded.pipeline.trust(key_of(1, 1), 2, rows=9)
    loaded.load()
    assert set(first) < set(loaded.query("FROM gads.load_records"))
    assert loaded.query(
        "SELECT load_id, mode, position_before, position, added, replaced, removed, record_count, contract_version "
        "FROM gads.loads ORDER BY load_id"
    ) == [(1, "reconcile", None, 8, 8, 0, 0, 24, "1.0"), (2, "feed", 8, 9, 0, 1, 0, 9, "1.0")]
    assert loaded.query(
        "SELECT action, customer_id, report, logical_date, run_id, previous_run_id, schema_version, record_count, "
        "contract_version FROM gads.load_records WHERE load_id = 2"
    ) == [("replaced", "1", "campaign", date(2024, 6, 2), run_of(2).value, run_of(1).value, 1, 9, "1.0")]


def test_the_catalogue_says_what_columns_mean(loaded: House) -> None:
    """W24: every column of every table, with the API's own words where the API has the field."""
    rows = loaded.query("SELECT column_name, data_type, category, field, meaning FROM gads.catalogue ORDER BY position")
    assert [row[0] for row in rows] == [name for name, *_ in loaded.query("DESCRIBE campaign")]
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["metrics_clicks"] == ("BIGINT", "metrics", "metrics.clicks", "The number of clicks.")
    assert by_name["campaign_name"][1:3] == ("attributes", "campaign.name")
    assert by_name["_run_id"][1] == "identity"
    assert all(row[4] for row in rows if row[0] != "metrics_run")
    views = loaded.query("SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal")
    assert sorted(views) == sorted(loaded.query("FROM gads.views"))
    assert all(meaning for _, _, meaning in views)


@pytest.mark.parametrize("narrow_first", [True, False])
def test_added_columns_widen_the_table(house: House, narrow_first: bool) -> None:
    """W25: in whichever order the versions come, the rows share a table."""
    steps = [(key_of(1, 0), COLUMNS, 1), (key_of(1, 1), WIDER, 2)]
    for key, columns, version in steps if narrow_first else reversed(steps):
        house.pipeline.trust(key, 1, columns=columns, schema_version=version)
        house.load()
    house.require_true()
    assert house.query("SELECT DISTINCT table_name FROM gads.report_tables") == [("campaign",)]
    nulls = house.query("SELECT _logical_date, count(metrics_cost) FROM campaign GROUP BY 1 ORDER BY 1")
    assert [count for _, count in nulls] == [0, 3]
    assert house.query("SELECT count(*) FROM reporting.campaign WHERE metrics_cost IS NOT NULL") == [(3,)]
    versions = house.query("SELECT schema_versions FROM gads.catalogue WHERE column_name = 'metrics_cost'")
    assert versions == [([2],)]


CHANGES: dict[str, tuple[ColumnSpec, ...]] = {
    "type": (DATE, CAMPAIGN, NAME, ColumnSpec("metrics_clicks", "metrics.clicks", "double"), RUN_NUMBER),
    "column less": (DATE, CAMPAIGN, CLICKS, RUN_NUMBER),
    "meaning": COLUMNS,
    "order": (CAMPAIGN, DATE, NAME, CLICKS, RUN_NUMBER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_has_a_table_of_its_own(loaded: House, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """W26: named by its version, with a view over all versions that says so, and nothing cast."""
    _doubles(monkeypatch)
    before = loaded.query("DESCRIBE campaign")
    loaded.pipeline.trust(key_of(3, 0), 2, columns=CHANGES[change], schema_version=2)
    loaded.load()
    loaded.require_true()
    assert loaded.query("DESCRIBE campaign") == before
    assert loaded.query("SELECT count(*) FROM campaign__v2") == [(3,)]
    names = {name: kind for name, kind, *_ in loaded.query("DESCRIBE reporting.campaign__all_versions")}
    if change == "type":
        assert (names["metrics_clicks__v1"], names["metrics_clicks__v2"]) == ("BIGINT", "DOUBLE")
        assert "metrics_clicks" not in names
    counts = loaded.query("SELECT _table, count(*) FROM reporting.campaign__all_versions GROUP BY 1 ORDER BY 1")
    assert counts == [("campaign", 24), ("campaign__v2", 3)]
    ((told,),) = loaded.query("SELECT meaning FROM gads.views WHERE view_name = 'campaign__all_versions'")
    assert "campaign__v2 has schema version 2" in told


def test_versions_never_mix_in_a_partition(loaded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """W27: a partition moves between tables whole, there and back."""
    _doubles(monkeypatch)
    for run, version in ((2, 2), (3, 1), (4, 2)):
        columns = CHANGES["type"] if version == 2 else COLUMNS
        loaded.pipeline.trust(key_of(1, 1), run, columns=columns, schema_version=version)
        loaded.load()
        places = loaded.query(
            "SELECT DISTINCT _table FROM reporting.campaign__all_versions "
            "WHERE _customer_id = '1' AND _logical_date = DATE '2024-06-02'"
        )
        assert places == [("campaign__v2" if version == 2 else "campaign",)]
        loaded.require_true()


def test_one_version_with_two_schemas_is_refused(tmp_path: Path, loaded: House) -> None:
    """W28: the validator does not let it happen; a ledger that vouches for it all the same is not believed."""
    from dataclasses import replace as changed

    from gads_domain.metadata import TableSchema
    from gads_domain.ports.warehouse import LoadMode, Replacement
    from gads_warehouse_duckdb.comparing import position_of
    from gads_warehouse_duckdb.loading import loaded as pointer_of

    at = loaded.warehouse.position()
    assert at is not None
    loaded.pipeline.trust(key_of(5, 0), 2, columns=WIDER, schema_version=2)
    with loaded.pipeline.consumer() as consumer:
        (partition,) = consumer.snapshot("campaign", customers="5").partitions
        (copy,) = consumer.copy_payloads([partition], tmp_path)
        pointer = changed(pointer_of(partition), schema_version=1)
        replacement = Replacement(pointer, TableSchema(WIDER), copy.path)
        step = LoadStep(
            LoadMode.FEED,
            "google_ads",
            at,
            position_of(consumer.cursor()),
            loaded.pipeline.clock.now(),
            [[replacement]],
            [],
        )
        with pytest.raises(SchemaDriftError, match="metrics_cost: absent -> double"):
            loaded.warehouse.apply(step)
    loaded.load()
    loaded.require_true()


COST_MICROS = ColumnSpec("metrics_cost_micros", "metrics.cost_micros", "int64")
AVERAGE_CPC = ColumnSpec("metrics_average_cpc", "metrics.average_cpc", "double")
CONVERSIONS = ColumnSpec("metrics_conversions", "metrics.conversions", "double")
ACCOUNT = (
    ColumnSpec("customer_id", "customer.id", "int64"),
    ColumnSpec("customer_descriptive_name", "customer.descriptive_name", "string"),
    ColumnSpec("customer_currency_code", "customer.currency_code", "string"),
    ColumnSpec("customer_time_zone", "customer.time_zone", "string"),
)


@pytest.fixture
def agency(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Two accounts with money, conversions and names that change, and the reports that dbt wants."""
    _doubles(monkeypatch)
    money = (*COLUMNS, COST_MICROS, AVERAGE_CPC, CONVERSIONS)
    house.pipeline.trust(key_of(1, 0), 1, rows=4, columns=money)
    house.pipeline.trust(key_of(1, 1), 1, rows=4, columns=money)
    house.pipeline.trust(key_of(2, 0), 1, rows=2, columns=money)
    house.pipeline.trust(key_of(1, 0, "customer"), 1, rows=1, columns=ACCOUNT)
    house.pipeline.trust(key_of(1, 2, "customer"), 5, rows=1, columns=ACCOUNT)
    house.load()
    return house


def test_money_stands_beside_micros(agency: House) -> None:
    """W29: exact, with the account's name, currency and time zone."""
    rows = agency.query(
        "SELECT DISTINCT metrics_cost_micros, metrics_cost, "
        "metrics_average_cpc_in_currency * 1e6 = metrics_average_cpc, _account_name, _currency_code, _time_zone "
        "FROM reporting.campaign WHERE _customer_id = '1' ORDER BY 1 LIMIT 2"
    )
    account = (True, "Account of run 5", "EUR", "Europe/Zurich")
    assert rows == [(0, Decimal("0.000000"), *account), (1_234_567, Decimal("1.234567"), *account)]
    assert agency.query("SELECT DISTINCT _currency_code FROM reporting.campaign WHERE _customer_id = '2'") == [(None,)]


def test_accounts_are_as_last_told(agency: House) -> None:
    """W30: one row an account, named by its latest day; one that no report tells of is there without a name."""
    assert agency.query(
        "SELECT customer_id, account_name, currency_code, as_of FROM reporting.accounts ORDER BY 1"
    ) == [
        ("1", "Account of run 5", "EUR", date(2024, 6, 3)),
        ("2", None, None, None),
    ]


def test_campaigns_by_day(agency: House) -> None:
    """W31: one row a day a campaign, and the sums are those of the table."""
    counts = "SELECT count(*), count(DISTINCT (day, customer_id, campaign_id)) FROM reporting.campaign_daily"
    assert agency.query(counts) == [(10, 10)]
    for name in ("clicks", "cost_micros", "cost", "conversions"):
        daily = agency.query(f"SELECT sum({name}) FROM reporting.campaign_daily")
        assert daily == agency.query(f"SELECT sum(metrics_{name}) FROM reporting.campaign")


def test_freshness_and_gaps(loaded: House) -> None:
    """W32: from the pointers, so that a withdrawn day is a gap."""
    loaded.pipeline.withdraw(key_of(1, 2), 1)
    loaded.load()
    rows = loaded.query(
        "SELECT customer_id, first_day, last_day, complete_until, days, missing_days, record_count "
        "FROM reporting.freshness ORDER BY 1"
    )
    assert rows == [
        ("1", date(2024, 6, 1), date(2024, 6, 5), date(2024, 6, 2), 4, 1, 12),
        ("2", date(2024, 6, 1), date(2024, 6, 3), date(2024, 6, 3), 3, 0, 9),
    ]
    assert loaded.query("SELECT customer_id, logical_date FROM reporting.gaps ORDER BY ALL") == [
        ("1", date(2024, 6, 3)),
        ("2", date(2024, 6, 4)),
        ("2", date(2024, 6, 5)),
    ]


DBT_COLUMNS = {
    "account_history": {"id", "updated_at", "currency_code", "auto_tagging_enabled", "time_zone", "descriptive_name"},
    "campaign_history": {
        "id", "customer_id", "updated_at", "name", "status", "serving_status", "start_date", "end_date",
        "advertising_channel_type", "advertising_channel_subtype", "tracking_url_template",
    },
    "campaign_stats": {
        "customer_id", "date", "id", "ad_network_type", "device", "clicks", "cost_micros", "impressions",
        "conversions", "conversions_value", "view_through_conversions",
    },
}  # fmt: skip


def test_dbt_finds_its_sources(agency: House) -> None:
    """W33: with the columns that the package documents, and only where the reports are loaded."""
    there = {name for (name,) in agency.query("SELECT view_name FROM gads.views WHERE schema_name = 'google_ads'")}
    assert there == {"account_history", "campaign_history"}  # no impressions, so no stats
    for name in there:
        columns = {column for column, *_ in agency.query(f"DESCRIBE google_ads.{name}")}
        assert columns > DBT_COLUMNS[name] | {"_fivetran_active", "_fivetran_synced"}
    active = agency.query("SELECT id, descriptive_name FROM google_ads.account_history WHERE _fivetran_active")
    assert active == [(1, "Account of run 5")]


def test_dbt_sources_from_the_packaged_reports(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """W33: every source of the package, from the reports that come with gads-etl."""
    from gads_gaql.catalogue import latest, load
    from gads_gaql.columns import table_schema
    from gads_gaql.parser import parse
    from gads_reports.catalogue import builtin

    _doubles(monkeypatch)
    names = (
        "customer", "account", "campaign_settings", "campaign", "ad_group_settings", "ad_group", "ad_settings", "ad",
        "ad_group_criterion", "keyword", "search_term_keyword",
    )  # fmt: skip
    for name in names:
        columns = table_schema(parse(builtin()[name].query), load(latest())).columns
        house.pipeline.trust(key_of(1, 0, name), 1, rows=0, columns=columns)
    house.load()
    there = {name for (name,) in house.query("SELECT view_name FROM gads.views WHERE schema_name = 'google_ads'")}
    promised = re.search(r"\*\*W33\.\*\*(.*?)with the columns", CONTRACT.read_text(), re.DOTALL)
    assert promised is not None
    assert there == set(re.findall(r"`(\w+)`", promised[1])) - {"google_ads"}
    for name, expected in DBT_COLUMNS.items():
        assert expected <= {column for column, *_ in house.query(f"DESCRIBE google_ads.{name}")}
    for schema, name in house.query("SELECT schema_name, view_name FROM gads.views"):
        house.query(f'SELECT count(*) FROM {schema}."{name}"')


def test_status_names_what_differs(loaded: House) -> None:
    """W34: behind, orphaned and untrue, by report."""
    with loaded.pipeline.consumer() as consumer:
        assert status(consumer, loaded.warehouse)
        loaded.pipeline.trust(key_of(1, 0), 2)
        loaded.pipeline.trust(key_of(9, 0), 2)
        loaded.pipeline.withdraw(key_of(2, 0), 1)
        loaded.tamper("DELETE FROM campaign WHERE _customer_id = '2' AND _logical_date = DATE '2024-06-02'")
        found = status(consumer, loaded.warehouse)
        assert not found
        (report,) = found.reports
        assert (report.partitions, report.behind, report.orphaned, report.untrue) == (8, 2, 1, 1)
        assert (report.first_day, report.last_day) == (date(2024, 6, 1), date(2024, 6, 5))


def test_verify_names_every_difference(loaded: House) -> None:
    """W35: rows lost, sums changed, values changed, rows of nobody, what is behind."""
    day = "_customer_id = '1' AND _logical_date = DATE '2024-06-0{}'"
    loaded.tamper(f"DELETE FROM campaign WHERE {day.format(1)} AND campaign_id = 0")
    loaded.tamper(f"UPDATE campaign SET metrics_clicks = metrics_clicks + 1 WHERE {day.format(2)} AND campaign_id = 0")
    loaded.tamper(f"UPDATE campaign SET campaign_name = 'other' WHERE {day.format(3)} AND campaign_id = 0")
    loaded.tamper(
        "INSERT INTO campaign BY NAME SELECT '9' AS _customer_id, DATE '2024-06-01' AS _logical_date, 'z' AS _run_id"
    )
    loaded.tamper("UPDATE campaign SET _run_id = '20240701T040509000Z-00000000' WHERE _customer_id = '9'")
    loaded.pipeline.trust(key_of(1, 3), 2)
    loaded.pipeline.trust(key_of(8, 0), 2)
    before = loaded.path.read_bytes()
    with loaded.pipeline.consumer() as consumer:
        found = verify(consumer, loaded.warehouse)
    assert loaded.path.read_bytes() == before
    named = {(one.kind, _short(one.key), one.column, one.expected, one.found) for one in found.differences}
    assert named == {
        (DifferenceKind.ROWS, "1 1", None, "3", "2"),
        (DifferenceKind.SUM, "1 1", "metrics_clicks", "12", "11"),
        (DifferenceKind.SUM, "1 1", "metrics_run", "3", "2"),
        (DifferenceKind.SUM, "1 2", "metrics_clicks", "12", "13"),
        (DifferenceKind.VALUES, "1 3", None, "the sealed rows", "other values"),
        (DifferenceKind.ORPHANED, "9 1", None, None, "rows alone"),
        (DifferenceKind.OUTDATED, "1 4", None, run_of(2).value, run_of(1).value),
        (DifferenceKind.ABSENT, "8 1", None, run_of(2).value, None),
    }
    loaded.load(reconcile=True)
    with loaded.pipeline.consumer() as consumer:
        left = {one.kind for one in verify(consumer, loaded.warehouse).differences}
    assert left == {DifferenceKind.SUM, DifferenceKind.VALUES}


def test_every_error_says_what_to_do() -> None:
    import gads_warehouse_duckdb.errors as errors

    kinds = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert len({one.code for one in kinds if issubclass(one, GadsError)}) == len(kinds)
    assert all(one.default_hint for one in kinds if issubclass(one, GadsError))


def _short(key: PartitionKey) -> str:
    return f"{key.customer_id} {key.logical_date.day}"


def _doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pipeline make up values for any column, by its type."""
    import consumer_pipeline
    import pyarrow as pa

    from gads_payload.schema import arrow_schema

    made = consumer_pipeline._rows

    def rows(key: PartitionKey, run: int, count: int, schema: Any) -> pa.RecordBatch:
        plain = made(key, run, count, type(schema)(COLUMNS)).to_pydict()
        own: dict[str, list[Any]] = {
            "metrics_cost_micros": [number * 1_234_567 for number in range(count)],
            "customer_descriptive_name": [f"Account of run {run}"] * count,
            "customer_currency_code": ["EUR"] * count,
            "customer_id": [int(key.customer_id)] * count,
            "customer_time_zone": ["Europe/Zurich"] * count,
        }
        usual: dict[str, Any] = {
            "int64": run,
            "double": 0.25 * run,
            "string": "text",
            "bool": True,
            "date32": key.logical_date,
        }
        values: dict[str, list[Any]] = {
            column.name: own.get(column.name)
            or (plain[column.name] if column.name in plain else [usual.get(column.type, [])] * count)
            for column in schema.columns
        }
        for column in schema.columns:
            if column.type == "double":
                values[column.name] = [float(number) / 4 for number in range(count)]
        return pa.RecordBatch.from_pydict(values, schema=arrow_schema(schema))

    monkeypatch.setattr(consumer_pipeline, "_rows", rows)
