"""Holds the warehouse to contracts/warehouse/v1, full loads: each promise by its number."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import gads_consumer.payloads
import gads_warehouse.loader
from gads_consumer.errors import PartitionGoneError
from gads_consumer.payloads import PayloadReader, Seal
from gads_domain.errors import LedgerConflictError
from gads_domain.ports.warehouse import FullLoad, LoadStep
from gads_testing.local_deployment import key_of, run_of
from gads_testing.warehouse_deployment import WarehouseDeployment
from gads_warehouse import WarehouseLoader, status, verify
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The payloads that were read, as text."""
    found: list[str] = []
    fetch = PayloadReader.fetch

    def noted(self: PayloadReader, seal: Seal) -> Any:
        found.append(str(seal.partition))
        return fetch(self, seal)

    monkeypatch.setattr(PayloadReader, "fetch", noted)
    return found


KILLED = """
import os, signal, sys
from pathlib import Path
from gads_consumer.consumer import Consumer
from gads_warehouse import WarehouseLoader
from gads_warehouse_duckdb.step import StepTransaction
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

base, after = Path(sys.argv[1]), int(sys.argv[2])
execute = StepTransaction.execute
steps = 0

def and_die(self):
    global steps
    done = execute(self)
    steps += 1
    if steps > after:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

StepTransaction.execute = and_die
with Consumer.open(state="sqlite:state/ledger.db", sink="file:raw", base=base) as consumer:
    loader = WarehouseLoader(consumer, DuckDbWarehouse(base / "tables.duckdb"), step_partitions=2)
    loader.load(reconcile=sys.argv[3] == "reconcile")
"""


def _killed_after(deployment: WarehouseDeployment, steps: int, how: str = "first load") -> None:
    """Load in steps of two partitions, and be killed at the end of the one after so many."""
    killed = subprocess.run([sys.executable, "-c", KILLED, str(deployment.base), str(steps), how], check=False)
    assert killed.returncode == -9


def _progress(deployment: WarehouseDeployment) -> list[tuple[Any, ...]]:
    return deployment.query("SELECT done, remaining FROM gads.full_load")


def test_between_the_steps_there_is_no_position(
    deployment: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W36: rows equal pointers, no position is shown until the last step, and each step is on record."""
    deployment.make_days_authoritative(range(5))
    apply = DuckDbWarehouse.apply
    seen = []

    def and_look(self: DuckDbWarehouse, step: LoadStep) -> Any:
        done = apply(self, step)
        ((state, cursor),) = deployment.query("SELECT position, cursor FROM gads.state")
        ((pointers,),) = deployment.query("SELECT count(*) FROM gads.pointers")
        assert len(deployment.shown()) == 3 * pointers
        assert deployment.query("SELECT count(*) FROM reporting.campaign") == [(3 * pointers,)]
        assert self.mismatched() == []
        assert (state is None) == (cursor is None) == (self.position() is None)
        seen.append((state, pointers, _progress(deployment)))
        return done

    monkeypatch.setattr(DuckDbWarehouse, "apply", and_look)
    told: list[tuple[int, int]] = []
    report = deployment.load(step_partitions=2, progress=lambda *counts: told.append(counts))
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]
    assert seen == [(None, 2, [(2, 3)]), (None, 4, [(4, 1)]), (5, 5, [])]
    assert (report.steps, report.added, report.rows, report.resumed) == (3, 5, 15, False)
    assert deployment.query("SELECT position_before, position, added FROM gads.loads ORDER BY load_id") == [
        (None, None, 2),
        (None, None, 2),
        (None, 5, 1),
    ]
    deployment.require_equal()
    deployment.make_days_authoritative(range(5, 8))
    told.clear()
    deployment.load(step_partitions=2, progress=lambda *counts: told.append(counts))
    assert (told[0], told[-1]) == ((0, 3), (3, 3)), "the feed is counted by its changes"


def test_reconciling_much_proceeds_in_steps(loaded: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """W36: few differences are one step between two positions; of many the first step gives up the position."""
    loaded.make_authoritative(key_of(1, 0), 2, rows=7)
    apply = DuckDbWarehouse.apply
    states = []

    def and_look(self: DuckDbWarehouse, step: LoadStep) -> Any:
        done = apply(self, step)
        states.append(loaded.query("SELECT position FROM gads.state")[0][0])
        return done

    monkeypatch.setattr(DuckDbWarehouse, "apply", and_look)
    assert loaded.load(reconcile=True, step_partitions=2).steps == 1
    loaded.tamper("DELETE FROM campaign WHERE _customer_id = '1'")
    loaded.tamper("INSERT INTO campaign BY NAME SELECT 'abc' AS _customer_id")
    loaded.damage(key_of(2, 0), 1)
    assert loaded.load(reconcile=True, step_partitions=2).steps == 3
    assert states == [9, None, None, 10]
    loaded.require_equal()
    assert _progress(loaded) == []


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_killed_first_load_is_resumed(deployment: WarehouseDeployment, read: list[str], steps: int) -> None:
    """W37: SIGKILL inside a step; the next load reads no payload again that is loaded, and follows the feed after."""
    deployment.make_days_authoritative(range(8))
    _killed_after(deployment, steps)
    report = deployment.load(step_partitions=2)
    assert len(read) == len(set(read)) == 8 - 2 * steps
    assert (report.resumed, report.before, report.added, report.steps) == (steps > 0, None, len(read), 4 - steps)
    deployment.require_equal()
    deployment.make_authoritative(key_of(1, 9), 2)
    read.clear()
    assert (deployment.load().mode.value, len(read)) == ("feed", 1)
    deployment.require_equal()
    with deployment.consumer() as consumer:
        assert verify(consumer, deployment.warehouse)


def test_a_killed_comparison_is_resumed_by_any_load(loaded: WarehouseDeployment, read: list[str]) -> None:
    """W37: also without `--reconcile`, since there is no position to follow the feed from."""
    loaded.tamper("DELETE FROM campaign")
    _killed_after(loaded, 2, "reconcile")
    read.clear()
    report = loaded.load()
    assert (report.mode.value, report.resumed, report.replaced, len(read)) == ("reconcile", True, 4, 4)
    loaded.require_equal()


def test_a_resumed_load_leads_to_where_the_ledger_is_now(deployment: WarehouseDeployment, read: list[str]) -> None:
    """W37: what was restated, revoked and added since it was interrupted is not left for later."""
    deployment.make_days_authoritative(range(6))
    _killed_after(deployment, 2)
    deployment.make_authoritative(key_of(1, 0), 2, rows=5)
    deployment.make_authoritative(key_of(1, 5), 2, rows=6)
    deployment.damage(key_of(1, 1), 1)
    deployment.make_authoritative(key_of(2, 0), 2)
    planned, report = deployment.load(dry_run=True), deployment.load(step_partitions=2)
    for one in (planned, report):
        assert (one.added, one.replaced, one.removed, one.resumed) == (3, 1, 1, True)
    assert len(read) == 4
    deployment.require_equal()
    assert deployment.query("SELECT position FROM gads.state") == [(report.after.position,)]


def test_a_damaged_payload_interrupts_a_first_load_until_it_is_revoked(
    deployment: WarehouseDeployment, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """W37: the steps before it stay, and the load that follows its revocation loads the rest."""
    monkeypatch.setattr(gads_consumer.payloads, "_GROUP_PARTITIONS", 2)
    deployment.make_days_authoritative(range(5))
    payload = deployment.payload(key_of(1, 4), run_of(1))
    payload.unlink()
    with pytest.raises(PartitionGoneError):
        deployment.load(step_partitions=2)
    assert _progress(deployment) == [(4, 1)]
    deployment.validate(key_of(1, 4), recheck=True)
    read.clear()
    assert deployment.load(step_partitions=2).added == 0
    assert read == []
    deployment.require_equal()
    assert _progress(deployment) == []


def test_status_says_that_a_load_is_incomplete(deployment: WarehouseDeployment) -> None:
    """W34: how far it is, and it is not current even when no partition differs any more."""
    deployment.make_days_authoritative(range(5))
    _killed_after(deployment, 2)
    with deployment.consumer() as consumer:
        found = status(consumer, deployment.warehouse)
        assert found.loaded is None
        assert found.full_load is not None
        assert (found.full_load.target.position, found.full_load.done, found.full_load.remaining) == (5, 4, 1)
        assert (found.reports[0].partitions, found.reports[0].behind) == (4, 1)
    deployment.damage(key_of(1, 4), 1)
    with deployment.consumer() as consumer:
        found = status(consumer, deployment.warehouse)
        assert found.reports[0].behind == 0
        assert not found


def test_of_two_loaders_of_everything_one_wins(
    deployment: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W18: the one that is overtaken between two steps of a full load changes nothing any more."""
    deployment.make_days_authoritative(range(6))
    apply = DuckDbWarehouse.apply
    overtaken: list[bool] = []

    def overtaken_at_the_second(self: DuckDbWarehouse, step: LoadStep) -> Any:
        if isinstance(step.after, FullLoad) and not overtaken:
            overtaken.append(True)
            with deployment.consumer() as consumer:
                WarehouseLoader(consumer, deployment.warehouse, step_partitions=3).load()
        return apply(self, step)

    monkeypatch.setattr(DuckDbWarehouse, "apply", overtaken_at_the_second)
    with pytest.raises(LedgerConflictError):
        deployment.load(step_partitions=2)
    deployment.require_equal()
    assert deployment.query("SELECT count(*) FROM gads.loads") == [(3,)]


def test_payloads_are_copied_before_a_step_begins(
    deployment: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W36: while they are fetched, the file is free for readers."""
    deployment.make_days_authoritative(range(4))
    fetch = PayloadReader.fetch
    looked = []

    def and_open(self: PayloadReader, seal: Seal) -> Any:
        code = "import duckdb, sys; duckdb.connect(sys.argv[1], read_only=True)"
        looked.append(subprocess.run([sys.executable, "-c", code, str(deployment.path)], check=False).returncode)
        return fetch(self, seal)

    deployment.load()
    deployment.make_days_authoritative(range(2), run=2)
    monkeypatch.setattr(PayloadReader, "fetch", and_open)
    deployment.load()
    assert looked == [0, 0]


def test_steps_are_bounded_by_rows_too(deployment: WarehouseDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """W36: of a first load and of the feed."""
    monkeypatch.setattr(gads_warehouse.loader, "STEP_ROWS", 10)
    deployment.make_days_authoritative(range(8))
    assert deployment.load().steps == 2
    deployment.make_days_authoritative(range(8), run=2)
    assert deployment.load().steps == 2
    deployment.require_equal()
