"""Erasures killed at random moments: others lose nothing, nothing of the account is read, the next call finishes."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest

from gads_domain.erasure import in_force
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import StateFilter
from gads_testing.local_deployment import key_of
from gads_testing.warehouse_deployment import WarehouseDeployment, erase_account

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["gads_testing.warehouse_deployment", "gads_pipeline.account_erasure"])
DAYS = range(6)


@pytest.mark.parametrize(
    ("kills", "seed"), [(3, 1), pytest.param(100, 2, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])]
)
def test_an_erasure_that_is_killed_is_finished_by_the_next_call(tmp_path: Path, kills: int, seed: int) -> None:
    chance, deployment = random.Random(seed), WarehouseDeployment(tmp_path)
    deployment.list_accounts(1, 2)
    deployment.make_days_authoritative(DAYS, customer=2)
    deployment.make_authoritative(key_of(2, 0), 2, rows=5)
    others = (_files(tmp_path), _rows(deployment))
    took, killed, run = 0.0, 0, 10
    while killed < kills:
        for day in DAYS:
            run += 1
            deployment.make_authoritative(key_of(1, day), run, rows=4)
        deployment.seal(key_of(1, 9), run)
        deployment.load()
        cursor = deployment.ledger.position()
        started = PROCESSES.Event()
        child = PROCESSES.Process(target=erase_account, args=(tmp_path, "1", started))
        child.start()
        assert started.wait(60)
        began = time.monotonic()
        child.join(chance.uniform(0, took) if took else 60)
        if child.exitcode is None:
            child.kill()
            child.join()
            killed += 1
        else:
            took = max(took, time.monotonic() - began)
        ordered = bool(in_force(deployment.ledger.erasures(GOOGLE_ADS)))
        with deployment.consumer() as consumer:
            shown = {one.key.customer_id for one in consumer.snapshot("campaign").partitions}
            assert shown == ({"2"} if ordered else {"1", "2"})
            removed = [one for one in consumer.changes() if one.position > cursor]
            assert len(removed) == (len(DAYS) if ordered else 0)
        assert (_files(tmp_path), _rows(deployment)) == others
        receipt = erase_account(tmp_path, "1")
        assert receipt["left"] == {"ledger": {}, "raw_partitions": 0, "warehouse": {}}
        assert (receipt["erased"]["partitions"], receipt["erased"]["changes"]) == (len(DAYS), len(DAYS))
        assert (_files(tmp_path), _rows(deployment)) == others
        assert not list((tmp_path / "raw").rglob("*customer_id=1/**/*.parquet"))
        deployment.require_equal()
        deployment.control_plane.readmit(GOOGLE_ADS, "1", deployment.act("accounts readmit"))
    deployment.close()


def _files(base: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (base / "raw").rglob("*") if path.is_file() and "=2/" in str(path)}


def _rows(deployment: WarehouseDeployment) -> object:
    keys = [key_of(2, day) for day in DAYS]
    return (
        deployment.ledger.histories(keys),
        [deployment.ledger.authority_changes_of(key) for key in keys],
        deployment.ledger.authoritative_days(StateFilter(GOOGLE_ADS, ("2",))).days,
        deployment.ledger.account_rows(GOOGLE_ADS, "2"),
    )
