"""Any story of a pipeline and its loader: after each load the tables equal the union of the authoritative payloads."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from gads_domain.metadata import ColumnSpec
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_testing.local_deployment import (
    CAMPAIGN,
    CLICKS,
    COLUMNS,
    COST,
    DATE,
    RUN_NUMBER,
    LocalDeployment,
    key_of,
    run_of,
)
from gads_testing.warehouse_deployment import PLACES, load_and_die
from gads_warehouse import WarehouseLoader, verify
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

VERSIONS: dict[int, tuple[ColumnSpec, ...]] = {
    1: COLUMNS,
    2: (*COLUMNS, COST),
    3: (DATE, CAMPAIGN, CLICKS, RUN_NUMBER),
    4: (DATE, CAMPAIGN, CLICKS, RUN_NUMBER, COST),
}
KEYS = st.builds(key_of, st.integers(1, 2), st.integers(0, 2), st.sampled_from(["campaign", "account"]))
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["gads_testing.warehouse_deployment"])


class WarehouseStory(RuleBasedStateMachine):
    """Restatements, failures, withdrawals, retries, schema changes, loads and crashes inside of loads."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.base = Path(self.folder.name)
        self.deployment = LocalDeployment(self.base)
        self.path = self.base / "tables.duckdb"
        self.runs = itertools.count(1)
        self.authoritative: dict[PartitionKey, int] = {}
        self.gone: set[str] = set()
        """The accounts that were erased, and that the tables may still show."""

    @rule(key=KEYS, rows=st.integers(0, 4), version=st.sampled_from(sorted(VERSIONS)))
    def make_authoritative(self, key: PartitionKey, rows: int, version: int) -> None:
        run = next(self.runs)
        self.deployment.make_authoritative(key, run, rows, columns=VERSIONS[version], schema_version=version)
        self.authoritative[key] = run

    @rule(key=KEYS)
    def fail(self, key: PartitionKey) -> None:
        self.deployment.seal_invalid(key, next(self.runs))

    @rule(key=KEYS)
    def seal_and_leave(self, key: PartitionKey) -> None:
        self.deployment.report_unsealed(key, next(self.runs))

    @precondition(lambda self: self.authoritative)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.authoritative)))
        self.deployment.damage(key, self.authoritative.pop(key))
        # An earlier run may be authoritative again in its place.
        current = self.deployment.ledger.get(key).current_run_id
        if current is not None:
            self.authoritative[key] = next(number for number in range(1, 1_000) if run_of(number) == current)

    @rule(customer=st.integers(1, 2), from_tables=st.booleans())
    def erase(self, customer: int, from_tables: bool) -> None:
        """Erase an account that then begins from nothing; without `from_tables` the next load makes up for it."""
        deployment, account = self.deployment, str(customer)
        deployment.erase(customer)
        self.authoritative = {key: run for key, run in self.authoritative.items() if key.customer_id != account}
        self.gone.add(account)
        if from_tables:
            warehouse = DuckDbWarehouse(self.path)
            with deployment.consumer() as consumer:
                WarehouseLoader(consumer, warehouse).erase(account)
            assert warehouse.account_rows(account) == {}
            self.gone.clear()
            if self.path.exists():
                self._require_equal()
        deployment.control_plane.readmit(GOOGLE_ADS, account, deployment.act("accounts readmit"))

    @rule(reconcile=st.booleans(), step=st.integers(1, 4))
    def load(self, reconcile: bool, step: int) -> None:
        self._load(reconcile, step)
        self.gone.clear()
        self._require_equal()
        before = self.path.read_bytes()
        self._load(reconcile, step)
        assert self.path.read_bytes() == before

    @rule(reconcile=st.booleans(), place=st.sampled_from(PLACES), number=st.integers(1, 3))
    def load_and_die(self, reconcile: bool, place: str, number: int) -> None:
        """A process of its own, killed without a chance to tidy up."""
        child = PROCESSES.Process(target=load_and_die, args=(self.base, reconcile, place, number))
        child.start()
        child.join(60)
        assert child.exitcode in (0, -signal.SIGKILL)
        if self.path.exists():
            self._require_position()

    def _load(self, reconcile: bool, step: int) -> None:
        with self.deployment.consumer() as consumer:
            loader = WarehouseLoader(consumer, DuckDbWarehouse(self.path), step_partitions=step)
            loader.load(reconcile=reconcile)

    def _require_equal(self) -> None:
        with self.deployment.consumer() as consumer:
            found = verify(consumer, DuckDbWarehouse(self.path))
            assert found, found.differences
            assert found.loaded is not None
            reports = consumer.reports()
            expected = sum(len(consumer.snapshot(report).partitions) for report in reports)
            assert found.partitions == expected

    def _require_position(self) -> None:
        """The pointers, and so their rows, are what was authoritative at the stored position, if there is one."""
        warehouse = DuckDbWarehouse(self.path)
        position = warehouse.position()
        assert warehouse.mismatched() == []
        if position is None:
            assert warehouse.full_load() is not None or warehouse.reports() == []
            return
        with self.deployment.consumer() as consumer:
            for report in consumer.reports():
                expected = consumer.snapshot(report, as_of=position.position).partitions if position.position else ()
                shown, wanted = (
                    [(one.key, one.run_id, one.seal_sha256) for one in some if one.key.customer_id not in self.gone]
                    for some in (warehouse.pointers(report), expected)
                )
                assert shown == wanted

    def teardown(self) -> None:
        self.deployment.close()
        self.folder.cleanup()


def _tell(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        WarehouseStory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_after_each_load_the_tables_equal_the_ledger() -> None:
    _tell(3, 10)


@pytest.mark.campaign
@pytest.mark.timeout(1_200)
def test_after_each_load_the_tables_equal_the_ledger_at_length() -> None:
    _tell(60, 30)


def _read_all_along(path: Path, started: threading.Event, ended: threading.Event, seen: list[Any]) -> None:
    while not ended.is_set():
        with duckdb.connect(str(path), read_only=True) as connection:
            seen.append(
                connection.execute(
                    "SELECT (SELECT position FROM gads.state), (SELECT sum(record_count) FROM gads.pointers), "
                    "(SELECT count(*) FROM campaign), (SELECT sum(metrics_clicks) FROM campaign)"
                ).fetchone()
            )
        started.set()


def test_a_reader_always_sees_a_position_of_the_ledger(tmp_path: Path) -> None:
    """Totals read while steps are committed are, every time, those of the ledger at the position read with them."""
    deployment = LocalDeployment(tmp_path)
    deployment.make_days_authoritative(range(4))
    path = tmp_path / "tables.duckdb"
    with deployment.consumer() as consumer:
        WarehouseLoader(consumer, DuckDbWarehouse(path)).load()
    for run in range(2, 5):
        for day in range(4):
            deployment.make_authoritative(key_of(1, day), run, rows=day + run)
    deployment.damage(key_of(1, 0), 4)
    started, ended, seen = threading.Event(), threading.Event(), list[Any]()
    reader = threading.Thread(target=_read_all_along, args=(path, started, ended, seen))
    reader.start()
    try:
        assert started.wait(30)
        with deployment.consumer() as consumer:
            report = WarehouseLoader(consumer, DuckDbWarehouse(path), step_partitions=1).load()
    finally:
        ended.set()
        reader.join(30)
    assert report.steps > 8
    assert len({position for position, *_ in seen}) > 1
    with deployment.consumer() as consumer:
        for position, pointed, rows, clicks in set(seen):
            partitions = consumer.snapshot("campaign", as_of=position).partitions
            assert pointed == rows == sum(one.record_count for one in partitions)
            expected = sum(
                sum(3 * number + run_number(one) for number in range(one.record_count)) for one in partitions
            )
            assert clicks == expected
    deployment.close()


def run_number(partition: Any) -> int:
    return next(number for number in range(1, 10) if run_of(number) == partition.run_id)
