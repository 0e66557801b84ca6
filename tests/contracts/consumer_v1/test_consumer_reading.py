"""Holds gads-consumer to contracts/consumer/v1: what is read, and its rows."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from gads_consumer.consumer import Consumer
from gads_consumer.errors import (
    NothingAuthoritativeError,
    PartitionAlteredError,
)
from gads_consumer.payloads import PayloadReader, Seal
from gads_domain.errors import InvalidValueError
from gads_domain.ports.ledger import ControlPlaneLedger, ValidatorLedger
from gads_domain.ports.sink import RawSink
from gads_testing.consumer_contract import authoritative_runs, day, flip_bit, pd, totals_by_duckdb
from gads_testing.local_deployment import (
    COLUMNS,
    COST,
    LABELS,
    LocalDeployment,
    faults_of_reading,
    key_of,
    run_of,
)

# What is read


def test_c1_what_is_not_authoritative_does_not_exist(deployment: LocalDeployment, consumer: Consumer) -> None:
    good, unvalidated, rejected, lost, gone = (key_of(1, number) for number in range(5))
    deployment.make_authoritative(good, 1)
    deployment.seal(good, 9)
    deployment.seal(unvalidated, 1)
    deployment.seal_invalid(rejected, 1)
    deployment.make_authoritative(lost, 3)
    deployment.seal(lost, 2, 7)
    deployment.validate(lost)
    deployment.make_authoritative(gone, 1)
    deployment.damage(gone, 1)
    assert authoritative_runs(consumer) == {good: run_of(1).value, lost: run_of(3).value}
    snapshot = consumer.snapshot("campaign")
    assert faults_of_reading(snapshot.to_table(identity=True), snapshot.partitions) == []


def test_c2_a_partition_is_of_one_run_whole(deployment: LocalDeployment, consumer: Consumer) -> None:
    for number in range(4):
        for run in range(1, 4):
            deployment.make_authoritative(key_of(1, number), run * 10 + number, rows=run + number)
    snapshot = consumer.snapshot("campaign")
    assert len({one.key for one in snapshot.partitions}) == len(snapshot.partitions) == 4
    assert faults_of_reading(snapshot.to_table(identity=True), snapshot.partitions) == []
    assert snapshot.record_count == snapshot.to_table().num_rows == sum(3 + number for number in range(4))


def test_c3_what_moves_later_is_not_in_a_snapshot(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative(range(3))
    before = consumer.snapshot("campaign")
    deployment.make_authoritative(key_of(1, 1), 2, 9)
    deployment.make_authoritative(key_of(1, 7), 2)
    assert {one.run_id for one in before.partitions} == {run_of(1)}
    assert len(before.partitions) == 3
    assert before.position == 3
    assert consumer.snapshot("campaign").position == 5


def test_c4_a_snapshot_reads_the_same_whatever_moves(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative(range(3))
    snapshot = consumer.snapshot("campaign")
    first = snapshot.to_table(identity=True)
    deployment.make_authoritative(key_of(1, 0), 2, 9)
    deployment.seal_invalid(key_of(1, 1), 2)
    deployment.make_authoritative(key_of(1, 2), 3)
    assert snapshot.to_table(identity=True).equals(first)
    deployment.damage(key_of(1, 2), 1)
    with pytest.raises(PartitionAlteredError):
        snapshot.to_table()


def test_c5_a_failed_restatement_takes_nothing_away(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative(range(2))
    before = authoritative_runs(consumer)
    deployment.seal_invalid(key_of(1, 0), 2)
    deployment.report_unsealed(key_of(1, 1), 3)
    assert authoritative_runs(consumer) == before


def test_c6_a_consumer_cannot_write(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative(range(2))
    writing = {
        name
        for port in (ValidatorLedger, ControlPlaneLedger, RawSink)
        for name, _ in inspect.getmembers(port, inspect.isfunction)
        if name in {"record", "retry", "open_writer"}
    }
    assert writing == {"record", "retry", "open_writer"}
    seen: set[int] = set()
    waiting: list[object] = [consumer, consumer.snapshot("campaign"), consumer.changes()]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or not type(thing).__module__.startswith("gads_"):
            continue
        seen.add(id(thing))
        assert not writing & set(dir(thing)), thing
        waiting += [found for held in gc.get_referents(thing) for found in (authoritative_runs, *_inside(held))]
    assert len(seen) > 5

    def everything() -> dict[str, tuple[bytes, int]]:
        files = (path for path in sorted(deployment.base.rglob("*")) if path.is_file() and "-shm" not in path.name)
        return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = everything()
    consumer.snapshot("campaign").to_table()
    list(consumer.changes())
    consumer.ready("campaign", day=day(0), customers="1")
    assert everything() == before


def _inside(thing: object) -> list[object]:
    if isinstance(thing, dict):
        return list(thing.values())
    return list(thing) if isinstance(thing, list | tuple) else []


# Rows


def test_c7_rows_come_by_account_and_day_as_sealed(deployment: LocalDeployment, consumer: Consumer) -> None:
    for customer in (9, 10, 2):
        for number in (2, 0, 1):
            deployment.make_authoritative(key_of(customer, number), 1, 5)
    table = consumer.snapshot("campaign").to_table(identity=True)
    read = [(row["_customer_id"], row["_logical_date"], row["campaign_id"]) for row in table.to_pylist()]
    assert read == [(who, day(when), row) for who in ("10", "2", "9") for when in range(3) for row in range(5)]


def test_c8_identity_comes_on_request(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, 2)
    deployment.make_authoritative(key_of(2, 1), 2, 1)
    snapshot = consumer.snapshot("campaign")
    plain = [column.name for column in COLUMNS]
    assert snapshot.to_table().column_names == plain
    assert not [name for name in plain if name.startswith("_")]
    table = snapshot.to_table(identity=True)
    assert table.column_names == [*plain, "_customer_id", "_logical_date", "_run_id"]
    assert table.schema.field("_customer_id").type == pa.string()
    assert table.schema.field("_logical_date").type == pa.date32()
    assert table.schema.field("_run_id").type == pa.string()
    assert table.select(["_customer_id", "_logical_date", "_run_id"]).to_pylist() == [
        {"_customer_id": who, "_logical_date": day(when), "_run_id": run_of(run).value}
        for who, when, run in (("1", 0, 1), ("1", 0, 1), ("2", 1, 2))
    ]


FILTERS = [
    None,
    pc.field("metrics_clicks") > 10,
    (pc.field("campaign_name") == "Campaign 3") | pc.field("campaign_id").isin([1, 2]),
    pc.field("_customer_id") == "2",
    (pc.field("_logical_date") >= date(2024, 6, 2)) & (pc.field("metrics_clicks") < 9),
    pc.field("_run_id") == run_of(2).value,
    (pc.field("_customer_id") == "1") | (pc.field("metrics_run") == 2),
    pc.field("metrics_clicks") > 1_000_000,
]


@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_c9_columns_and_filter_are_those_of_the_whole_table(
    deployment: LocalDeployment, consumer: Consumer, number: int
) -> None:
    for customer in (1, 2):
        for when in range(3):
            deployment.make_authoritative(key_of(customer, when), 1 + when % 2, 10, row_group_rows=4)
    snapshot = consumer.snapshot("campaign")
    whole = snapshot.to_table(identity=True)
    wanted = FILTERS[number]
    expected = whole if wanted is None else whole.filter(wanted)
    for columns in (["metrics_clicks"], ["_run_id", "campaign_id"], ["_customer_id"], None):
        names = columns or [column.name for column in COLUMNS]
        scan = snapshot.scan(columns, wanted)
        assert scan.to_table().equals(expected.select(names))
        assert scan.schema == expected.select(names).schema
        assert scan.count_rows() == expected.num_rows
        assert scan.head(7).equals(expected.select(names).slice(0, 7))


@pytest.mark.parametrize(
    "ask",
    [
        lambda snapshot: snapshot.scan(["metrics_click"]),
        lambda snapshot: snapshot.scan("metrics_clicks"),
        lambda snapshot: snapshot.scan([]),
        lambda snapshot: snapshot.scan(["campaign_id", "campaign_id"]),
        lambda snapshot: snapshot.scan(filter=pc.field("nothing") == 1),
        lambda snapshot: snapshot.scan(filter=pc.field("campaign_name") > 1),
        lambda snapshot: snapshot.scan(filter=pc.field("campaign_id") + 1),
    ],
)
def test_c9_what_cannot_be_meant_names_the_columns(
    deployment: LocalDeployment, consumer: Consumer, ask: Callable[[Any], Any]
) -> None:
    deployment.make_days_authoritative(range(1))
    with pytest.raises(InvalidValueError) as caught:
        ask(consumer.snapshot("campaign")).to_table()
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_c10_batches_hold_the_rows_of_the_table(deployment: LocalDeployment, consumer: Consumer, rows: int) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, 50, row_group_rows=8)
    deployment.make_authoritative(key_of(1, 1), 1, 0)
    deployment.make_authoritative(key_of(1, 2), 1, 20)
    snapshot = consumer.snapshot("campaign")
    batches = list(snapshot.to_batches(rows=rows, identity=True))
    assert all(0 < batch.num_rows <= rows for batch in batches)
    assert pa.Table.from_batches(batches).equals(snapshot.to_table(identity=True))
    with pytest.raises(InvalidValueError):
        list(snapshot.to_batches(rows=0))


def test_c10_a_payload_too_large_to_hold_is_streamed(
    deployment: LocalDeployment, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, 500, row_group_rows=100)
    deployment.make_authoritative(key_of(1, 1), 1, 5)
    snapshot = consumer.snapshot("campaign")
    expected = snapshot.to_table(identity=True)
    monkeypatch.setattr("gads_consumer.payloads.IN_MEMORY_BYTES", 1_700)
    opened: list[Any] = []
    real = PayloadReader.open

    def counted(self: PayloadReader, seal: Seal) -> Any:
        opened.append(real(self, seal))
        return opened[-1]

    monkeypatch.setattr(PayloadReader, "open", counted)
    assert snapshot.to_table(identity=True).equals(expected)
    assert pa.Table.from_batches(list(snapshot.to_batches(identity=True))).equals(expected)
    assert len(opened) == 2
    assert all(stream.closed for stream in opened)
    path = deployment.payload(key_of(1, 0), run_of(1))
    flip_bit(path, 100)
    with pytest.raises(PartitionAlteredError):
        snapshot.to_table()


def test_c11_others_take_snapshots_and_scans_as_they_are(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, 30, columns=(*COLUMNS, COST, LABELS))
    deployment.make_authoritative(key_of(1, 1), 1, 0, columns=(*COLUMNS, COST, LABELS))
    snapshot = consumer.snapshot("campaign")
    scan = snapshot.scan(["metrics_clicks", "_customer_id"], pc.field("campaign_id") < 10)
    pairs: list[tuple[Any, pa.Table]] = [(snapshot, snapshot.to_table()), (scan, scan.to_table())]
    for taken, expected in pairs:
        assert pa.table(taken).equals(expected)
        assert pa.schema(taken) == expected.schema
        assert pl.DataFrame(taken).to_arrow().num_rows == expected.num_rows
        assert pl.DataFrame(taken)["metrics_clicks"].to_list() == expected["metrics_clicks"].to_pylist()
        assert pd.DataFrame.from_arrow(taken)["metrics_clicks"].tolist() == expected["metrics_clicks"].to_pylist()
        total = pc.sum(expected["metrics_clicks"]).as_py()
        assert totals_by_duckdb(taken) == [(expected.num_rows, total)]


def test_c12_zero_rows_are_a_fact_and_no_partition_is_none(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, 0)
    empty = consumer.snapshot("campaign", until=day(0))
    assert (len(empty.partitions), empty.record_count) == (1, 0)
    assert empty.to_table().num_rows == 0
    assert empty.to_table().column_names == [column.name for column in COLUMNS]
    nothing = consumer.snapshot("campaign", since=day(1), until=day(2), customers="1")
    assert nothing.partitions == ()
    assert len(nothing.missing) == 2
    for read in (
        nothing.to_table,
        lambda: list(nothing.to_batches()),
        nothing.scan().to_reader,
        lambda: pa.table(nothing),
    ):
        with pytest.raises(NothingAuthoritativeError):
            read()
