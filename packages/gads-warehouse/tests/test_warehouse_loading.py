"""Holds the warehouse to contracts/warehouse/v1, what is shown and loading: each promise by its number."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gads_domain.ports.warehouse import LoadStep, WarehousePosition
from gads_testing.local_deployment import (
    CAMPAIGN,
    COLUMNS,
    DATE,
    LABELS,
    key_of,
    run_of,
)
from gads_testing.warehouse_deployment import CONTRACT, WIDER, WarehouseDeployment
from gads_warehouse import WarehouseLoader, verify
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse


def test_every_promise_has_a_test() -> None:
    promised = set(re.findall(r"\*\*(W\d+)\.\*\*", CONTRACT.read_text()))
    folder = Path(__file__).parents[2]
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("gads-warehouse*/tests/test_*.py"))
    quoted = set(re.findall(r"\"\"\"(W\d+):", sources))
    assert promised == quoted
    numbers = sorted(int(one[1:]) for one in promised)
    assert numbers == list(range(1, len(numbers) + 1))


def test_only_what_is_authoritative_is_shown(loaded: WarehouseDeployment) -> None:
    """W1: a failed restatement removes nothing, a run that was not validated adds nothing, a failed day is absent."""
    loaded.seal_invalid(key_of(1, 0), 2)
    loaded.seal(key_of(1, 1), 3)
    loaded.seal_invalid(key_of(3, 0), 2)
    loaded.load()
    loaded.require_equal()
    assert {row["_run_id"] for row in loaded.shown()} == {run_of(1).value}
    assert loaded.query("SELECT count(*) FROM gads.pointers WHERE customer_id = '3'") == [(0,)]


def test_a_partition_shows_one_run(loaded: WarehouseDeployment) -> None:
    """W2: rows and pointers agree on one run for each partition, after any number of restatements."""
    for run in range(2, 5):
        loaded.make_authoritative(key_of(1, 1), run, rows=run)
        loaded.make_authoritative(key_of(2, 1), run, rows=0 if run == 3 else 4)
        loaded.load()
        runs = loaded.query(
            "SELECT _customer_id, _logical_date, count(DISTINCT _run_id) AS n FROM campaign GROUP BY ALL"
        )
        assert {n for _, _, n in runs} == {1}
        assert loaded.query("SELECT count(*) FROM campaign ANTI JOIN gads.pointers ON _run_id = run_id") == [(0,)]
        loaded.require_equal()


def test_the_tables_equal_the_ledger_at_their_position(deployment: WarehouseDeployment) -> None:
    """W3: whatever the ledger did, and also when it has changed since."""
    deployment.make_days_authoritative(range(3))
    deployment.make_authoritative(key_of(2, 0, "account"), 1, columns=(*COLUMNS, LABELS))
    deployment.load()
    deployment.make_authoritative(key_of(1, 1), 2, rows=5)
    ((position,),) = deployment.query("SELECT position FROM gads.state")
    assert deployment.shown() == deployment.authoritative_rows(position=position)
    assert deployment.shown() != deployment.authoritative_rows()
    deployment.load()
    deployment.require_equal()
    deployment.require_equal("account")


def test_the_name_of_a_folder_is_no_pattern(deployment: WarehouseDeployment) -> None:
    """W3: DuckDB takes a path for one, and key=value in it for a column; the copies may lie in any folder."""
    folder = deployment.base / "campaign_name=other" / "co[p]ies * ? 'of' payloads"
    folder.mkdir(parents=True)
    deployment.make_days_authoritative(range(3))
    deployment.load(folder=folder)
    deployment.require_equal()
    with deployment.consumer() as consumer:
        assert verify(consumer, deployment.warehouse, folder=folder)
    assert list(folder.iterdir()) == []


def test_a_reader_sees_before_or_after(loaded: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """W4: rows, pointers, records and position as seen by another connection, before the last statement and after."""
    question = """
        SELECT (SELECT count(*) FROM campaign), (SELECT sum(record_count) FROM gads.pointers),
            (SELECT position FROM gads.state), (SELECT max(load_id) FROM gads.load_records)
    """
    before = loaded.query(question)[0]
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    loaded.damage(key_of(2, 0), 1)
    seen = []
    from gads_warehouse_duckdb.step import StepTransaction

    carried_out = StepTransaction.execute

    def look_then_commit(application: StepTransaction) -> Any:
        done = carried_out(application)
        with duckdb.connect(str(loaded.path)) as connection:
            seen.append(connection.execute(question).fetchone())
        return done

    monkeypatch.setattr(StepTransaction, "execute", look_then_commit)
    loaded.load()
    after = loaded.query(question)[0]
    assert seen == [before]
    assert after[0] == after[1] == before[0] + 6 - 3
    assert after[2] > before[2]
    assert after[3] == before[3] + 1


def test_an_empty_day_is_known_to_be_empty(deployment: WarehouseDeployment) -> None:
    """W5: it has a pointer, no rows, and is no gap."""
    deployment.make_days_authoritative([0, 2])
    deployment.make_authoritative(key_of(1, 1), 1, rows=0)
    deployment.load()
    assert deployment.query("SELECT record_count FROM gads.pointers ORDER BY logical_date") == [(3,), (0,), (3,)]
    assert deployment.query("SELECT count(logical_date) FROM reporting.gaps") == [(0,)]


def test_a_load_goes_on_from_where_it_was(deployment: WarehouseDeployment) -> None:
    """W6: the first load reads what is authoritative now, a later one what changed since."""
    for run in (1, 2, 3):
        deployment.make_authoritative(key_of(1, 0), run)
    first = deployment.load()
    assert (first.mode.value, first.added, first.rows) == ("reconcile", 1, 3)
    assert deployment.query("SELECT run_id, previous_run_id FROM gads.load_records") == [(run_of(3).value, None)]
    deployment.make_authoritative(key_of(1, 1), 4)
    second = deployment.load()
    assert (second.mode.value, second.added, second.replaced, second.rows) == ("feed", 1, 0, 3)


@pytest.mark.parametrize("options", [{}, {"reconcile": True}, {"dry_run": True}, {"reconcile": True, "dry_run": True}])
def test_nothing_to_do_changes_no_byte(loaded: WarehouseDeployment, options: dict[str, bool]) -> None:
    """W7: not even where the ledger recorded what changes no authority."""
    loaded.seal_invalid(key_of(1, 1), 2)
    before = {path: path.read_bytes() for path in loaded.base.glob("tables*")}
    report = loaded.load(**options)
    assert not report.changed
    assert report.steps == 0
    assert {path: path.read_bytes() for path in loaded.base.glob("tables*")} == before


LOADER = """
import os, signal, sys
from pathlib import Path
from gads_consumer.consumer import Consumer
from gads_warehouse_duckdb.step import StepTransaction
from gads_warehouse import WarehouseLoader
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

base, place, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
reached = 0

def die(*_):
    global reached
    reached += 1
    if reached == number:
        os.kill(os.getpid(), signal.SIGKILL)

whole = getattr(StepTransaction, place)

def and_die(self, *arguments):
    done = whole(self, *arguments)
    die()
    return done

setattr(StepTransaction, place, and_die)
with Consumer.open(state="sqlite:state/ledger.db", sink="file:raw", base=base) as consumer:
    WarehouseLoader(consumer, DuckDbWarehouse(base / "tables.duckdb"), step_partitions=2).load()
"""


@pytest.mark.parametrize(
    ("place", "number"), [("_change_pointers", 1), ("_replace", 2), ("_record_step", 1), ("execute", 2)]
)
def test_a_killed_load_is_continued(loaded: WarehouseDeployment, place: str, number: int) -> None:
    """W8: SIGKILL after each kind of statement, in the first step or the second."""
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    loaded.make_authoritative(key_of(1, 3), 2, rows=0)
    loaded.make_authoritative(key_of(4, 0), 2, columns=WIDER, schema_version=2)
    loaded.make_authoritative(key_of(4, 1), 2, columns=(DATE, CAMPAIGN), schema_version=3)
    killed = subprocess.run([sys.executable, "-c", LOADER, str(loaded.base), place, str(number)], check=False)
    assert killed.returncode == -9
    ((position,),) = loaded.query("SELECT position FROM gads.state")
    assert loaded.shown() == loaded.authoritative_rows(position=position)
    loaded.load()
    loaded.require_equal()
    with loaded.consumer() as consumer:
        assert verify(consumer, loaded.warehouse)


KILLED_BEFORE_CLOSING = """
import contextlib, os, signal, sys
from pathlib import Path
from gads_consumer.consumer import Consumer
from gads_warehouse_duckdb.database_file import DatabaseFile
from gads_warehouse import WarehouseLoader
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

connected = DatabaseFile._connected

@contextlib.contextmanager
def and_die(self, path, *, read_only):
    with connected(self, path, read_only=read_only) as connection:
        yield connection
        if not read_only:
            os.kill(os.getpid(), signal.SIGKILL)

DatabaseFile._connected = and_die
with Consumer.open(state="sqlite:state/ledger.db", sink="file:raw", base=sys.argv[1]) as consumer:
    WarehouseLoader(consumer, DuckDbWarehouse(Path(sys.argv[1]) / "tables.duckdb")).load()
"""


def test_a_load_killed_before_it_is_published_is_done_by_the_next(loaded: WarehouseDeployment) -> None:
    """The file is as it was (W44); what the load left beside it is used up by the next one."""
    loaded.make_authoritative(key_of(1, 1), 2, rows=9)
    before = loaded.path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_CLOSING, str(loaded.base)], check=False)
    assert killed.returncode == -9
    assert loaded.path.read_bytes() == before
    assert (loaded.base / "tables.duckdb.loading").exists()
    assert loaded.load().steps == 1
    loaded.require_equal()
    assert [path.name for path in loaded.base.glob("tables*")] == ["tables.duckdb"]


def test_restated_and_revoked_in_one_step(loaded: WarehouseDeployment) -> None:
    """W9: the new rows in place of the old, and the revoked ones gone with their pointer."""
    loaded.make_authoritative(key_of(1, 1), 2, rows=5)
    loaded.damage(key_of(2, 1), 1)
    report = loaded.load()
    assert (report.steps, report.added, report.replaced, report.removed) == (1, 0, 1, 1)
    loaded.require_equal()
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
        deployment = WarehouseDeployment(tmp_path / name)
        for day in days:
            deployment.make_authoritative(
                key_of(1, day), day + 1, rows=day, columns=COLUMNS if day < 3 else WIDER, schema_version=1 + day // 3
            )
            if each:
                deployment.load()
        deployment.load()
        deployment.require_equal()
        found.append(deployment.shown())
        deployment.close()
    assert found[0] == found[1] == found[2]


def test_a_step_ends_at_a_move_of_the_log(loaded: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """W11: the tables equal the ledger at the position of each step, in steps of any size."""
    for day in range(5):
        loaded.make_authoritative(key_of(1, day), 2, rows=day)
        loaded.make_authoritative(key_of(1, day), 3, rows=day + 1)
    apply = DuckDbWarehouse.apply
    positions = []

    def and_look(self: DuckDbWarehouse, step: LoadStep) -> Any:
        done = apply(self, step)
        assert isinstance(step.to, WarehousePosition)
        positions.append(step.to.position)
        assert loaded.shown() == loaded.authoritative_rows(position=step.to.position)
        return done

    monkeypatch.setattr(DuckDbWarehouse, "apply", and_look)
    report = loaded.load(step_partitions=2)
    assert report.steps == len(positions) > 2
    assert positions == sorted(positions)
    loaded.require_equal()


def test_an_erased_account_is_in_no_table(loaded: WarehouseDeployment) -> None:
    """W47: the feed removes its rows, and a step at the end of the log what the tables beside them have of it."""
    loaded.list_accounts(1, 2)
    loaded.make_authoritative(key_of(2, 0), 3, rows=5)
    loaded.load()
    before = loaded.warehouse.account_rows("2")
    assert {"gads.pointers", "gads.load_records", "gads.accounts"} < before.keys()
    loaded.erase(1)
    for _ in range(2):
        with loaded.consumer() as consumer:
            WarehouseLoader(consumer, loaded.warehouse).erase("1")
        assert loaded.warehouse.account_rows("1") == {}
        assert loaded.warehouse.account_rows("2") == before
        loaded.require_equal()
        with loaded.consumer() as consumer:
            assert verify(consumer, loaded.warehouse)
        assert not loaded.load().changed
    absent = DuckDbWarehouse(loaded.base / "absent.duckdb")
    with loaded.consumer() as consumer:
        WarehouseLoader(consumer, absent).erase("1")
    assert not absent.path.exists()
