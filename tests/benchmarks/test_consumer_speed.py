"""Reading through a snapshot against `pyarrow.dataset` over the same files by name, and resolving in a large ledger."""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from gads_consumer.consumer import Consumer
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import SystemClock, iso_utc
from gads_domain.metadata import ColumnSpec, PartitionFacts, TableSchema
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.sink import RawSink
from gads_domain.run import RunId
from gads_payload.schema import arrow_schema
from gads_payload.writer import PayloadWriter
from gads_state_sqlite.ledger_file import create
from gads_state_sqlite.schema import MIGRATIONS
from gads_validator.validator import RawPartitionValidator

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1_200)]

STATE, SINK = "sqlite:ledger.db", "file:raw"
ROUNDS = 7
SHAPES = {"2,000 x 500 rows": (2_000, 500), "20 x 500,000 rows": (20, 500_000)}
LEAST = {"without integrity": 0.8, "with integrity": 0.5}
SCHEMA = TableSchema(
    (
        ColumnSpec("segments_date", "segments.date", "date32"),
        ColumnSpec("campaign_id", "campaign.id", "int64"),
        ColumnSpec("campaign_name", "campaign.name", "string"),
        ColumnSpec("campaign_status", "campaign.status", "string"),
        ColumnSpec("segments_device", "segments.device", "string"),
        ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),
        ColumnSpec("metrics_impressions", "metrics.impressions", "int64"),
        ColumnSpec("metrics_cost_micros", "metrics.cost_micros", "int64"),
        ColumnSpec("metrics_conversions", "metrics.conversions", "double"),
        ColumnSpec("metrics_ctr", "metrics.ctr", "double"),
    )
)
RUN = RunId.compose(datetime(2024, 6, 1, tzinfo=UTC), b"abcd")


def _rows(day: date, rows: int, dice: np.random.Generator) -> pa.RecordBatch:
    numbers = np.arange(rows)
    columns: list[Any] = [
        pa.array([day] * rows, pa.date32()),
        pa.array(numbers),
        pa.array([f"Campaign {number % 997}" for number in range(rows)]),
        pa.array(np.where(numbers % 3 == 0, "PAUSED", "ENABLED").tolist()),
        pa.array(np.where(numbers % 2 == 0, "MOBILE", "DESKTOP").tolist()),
        pa.array(dice.integers(0, 1_000, rows)),
        pa.array(dice.integers(0, 100_000, rows)),
        pa.array(dice.integers(0, 10**9, rows)),
        pa.array(dice.random(rows)),
        pa.array(dice.random(rows)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(SCHEMA))


@pytest.fixture(scope="module", params=list(SHAPES))
def sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    partitions, rows = SHAPES[request.param]
    base = tmp_path_factory.mktemp("sealed")
    sink = sink_adapter(SINK).open_sink(SINK, base)
    dice = np.random.default_rng(1)
    keys = [
        PartitionKey(GOOGLE_ADS, str(1 + number % 20), "campaign", date(2024, 1, 1) + timedelta(days=number // 20))
        for number in range(partitions)
    ]
    for key in keys:
        _seal(sink, key, RUN, rows, dice)
    with ledger_adapter(STATE).open_for_validator(STATE, base) as ledger:
        validator = RawPartitionValidator(sink, ledger, SystemClock())
        for start in range(0, partitions, 100):
            validator.validate(keys[start : start + 100])
    return request.param, base


def _seal(sink: RawSink, key: PartitionKey, run_id: RunId, rows: int, dice: np.random.Generator) -> None:
    with sink.open_writer(key, run_id) as writer:
        payload = PayloadWriter(writer, SCHEMA)
        payload.write(_rows(key.logical_date, rows, dice))
        payload.close()
        facts = PartitionFacts(RUN.started_at, "v26", "SELECT campaign.id FROM campaign", 1, SCHEMA, rows, (), "b", "0")
        writer.finalize(facts)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _whole(consumer: Consumer) -> pa.Table:
    return consumer.snapshot("campaign").to_table()


def test_reading_keeps_up_with_pyarrow_dataset(sealed: tuple[str, Path]) -> None:
    shape, base = sealed
    names = sorted(str(path) for path in base.rglob("*.parquet"))
    readers = {
        "without integrity": Consumer.open(state=STATE, sink=SINK, base=base, integrity=False),
        "with integrity": Consumer.open(state=STATE, sink=SINK, base=base),
    }
    ways: dict[str, Callable[[], object]] = {"pyarrow.dataset": lambda: ds.dataset(names, format="parquet").to_table()}
    for name, reader in readers.items():
        ways[name] = partial(_whole, reader)
    ways["with integrity, batches"] = lambda: sum(
        batch.num_rows for batch in readers["with integrity"].snapshot("campaign").to_batches()
    )
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(_seconds(way))
    for name, seconds in taken.items():
        ratio = statistics.median(taken["pyarrow.dataset"]) / statistics.median(seconds)
        best = min(taken["pyarrow.dataset"]) / min(seconds)
        print(f"{shape}, {name}: {statistics.median(seconds) * 1000:.0f} ms, {ratio:.2f} (best {best:.2f})")
        assert max(ratio, best) >= LEAST.get(name, 0)


def test_batches_are_read_in_bounded_memory(sealed: tuple[str, Path]) -> None:
    shape, base = sealed
    with Consumer.open(state=STATE, sink=SINK, base=base) as consumer:
        snapshot = consumer.snapshot("campaign")
        pool = pa.default_memory_pool()
        before, most, total = pool.bytes_allocated(), 0, 0
        for batch in snapshot.to_batches():
            total += batch.nbytes
            most = max(most, pool.bytes_allocated() - before)
    print(f"{shape}: {most / 1e6:.0f} MB of Arrow at most, for {total / 1e6:.0f} MB of rows")
    assert most < 300_000_000


ACCOUNTS, REPORTS, DAYS = 950, ("ad_group", "campaign", "keyword"), 366


@pytest.fixture(scope="module")
def large_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of more than a million partitions, each moved once, every third twice."""
    base = tmp_path_factory.mktemp("ledger")
    create(base / "ledger.db", 1, MIGRATIONS[:8])
    at, run, seal = iso_utc(RUN.started_at), RUN.value, "ab" * 32
    keys = [
        (GOOGLE_ADS, str(1_000_000_000 + account), report, (date(2024, 1, 1) + timedelta(days=day)).isoformat())
        for day in range(DAYS)
        for account in range(ACCOUNTS)
        for report in REPORTS
    ]
    later_run = RunId.compose(RUN.started_at + timedelta(days=1), b"abcd")
    later = later_run.value
    moves: list[tuple[str | None, ...]] = [(*key, None, run, "pending") for key in keys]
    moves += [(*key, run, later, "success") for key in keys[::3]]
    with sqlite3.connect(base / "ledger.db") as connection:
        connection.executemany(
            "INSERT INTO partition_state (source, customer_id, report, logical_date, status, current_run_id, "
            "schema_version, record_count, seal_sha256, attempt_count, updated_at, version) "
            f"VALUES (?, ?, ?, ?, 'success', '{run}', 1, 500, '{seal}', 1, '{at}', 1)",
            sorted(keys),
        )
        connection.executemany(
            "INSERT INTO authority_log (source, customer_id, report, logical_date, from_run, to_run, status_before, "
            "status_after, schema_version, record_count, seal_sha256, at, cause) "
            f"VALUES (?, ?, ?, ?, ?, ?, ?, 'success', "
            f"1, 500, '{seal}', '{at}', 'v')",
            moves,
        )
    connection.close()
    ledger_adapter(STATE).open_for_validator(STATE, base).close()
    # A consumer looks for one of the newest partitions, to see that the sink is the ledger's.
    source, customer, report, day = keys[::3][-1]
    newest = PartitionKey(source, customer, report, date.fromisoformat(day))
    _seal(sink_adapter(SINK).open_sink(SINK, base), newest, later_run, 1, np.random.default_rng(1))
    return base


def test_one_accounts_year_is_resolved_in_a_ledger_of_a_million(large_ledger: Path) -> None:
    with Consumer.open(state=STATE, sink=SINK, base=large_ledger) as consumer:
        end = consumer.snapshot("campaign", customers="1000000001", until="2024-01-01").position

        def year(account: int, **options: Any) -> int:
            return len(
                consumer.snapshot(
                    "campaign",
                    since="2024-01-01",
                    until="2024-12-31",
                    customers=str(1_000_000_000 + account),
                    **options,
                ).partitions
            )

        assert year(3) == DAYS
        for what, options in {"now": {}, "as of the middle of the log": {"as_of": end // 2}}.items():
            taken = [_seconds(partial(year, account, **options)) for account in range(40)]
            print(f"{what}: median {statistics.median(taken) * 1000:.1f} ms, worst {max(taken) * 1000:.1f} ms")
            assert statistics.median(taken) < 0.05
        others: dict[str, Callable[[], object]] = {
            "a day of all accounts": partial(consumer.snapshot, "campaign", since="2024-05-05", until="2024-05-05"),
            "the reports there are": consumer.reports,
            "the watermark of an account": partial(consumer.watermark, "campaign", customers="1000000007"),
            "a delta of the last 1,000 moves": partial(
                consumer.delta,
                "campaign",
                after=consumer.snapshot("campaign", customers="1000000001", as_of=end - 1_000).cursor,
            ),
        }
        for what, ask in others.items():
            print(f"{what}: {_seconds(ask) * 1000:.0f} ms")


def test_importing_is_light() -> None:
    code = "import time; s = time.perf_counter(); import gads_consumer.consumer; print(time.perf_counter() - s)"
    taken = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    print(f"import: {min(taken) * 1000:.0f} ms at best, {statistics.median(taken) * 1000:.0f} ms in the middle")
    assert min(taken) < 0.5
