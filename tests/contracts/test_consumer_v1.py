"""Holds gads-consumer to contracts/consumer/v1: each promise by its number, and the documents by their schemas."""

from __future__ import annotations

import gc
import hashlib
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

sys.path.append(str(Path(__file__).parents[1] / "consumer" / "pipeline"))

from consumer_pipeline import (
    CAMPAIGN,
    CLICKS,
    COLUMNS,
    COST,
    DATE,
    FIRST_DAY,
    LABELS,
    NAME,
    RUN_NUMBER,
    SINK,
    STATE,
    Pipeline,
    SteppingClock,
    faults_of_reading,
    key_of,
    run_of,
)

import gads_consumer.errors as consumer_errors
from gads_consumer.changes import Change, ChangeKind
from gads_consumer.consumer import Consumer, load_snapshot
from gads_consumer.errors import (
    ClockSkewError,
    IncompleteError,
    LedgerAbsentError,
    ManifestError,
    NewerContractError,
    NothingVouchedForError,
    PartitionAlteredError,
    PartitionGoneError,
    PastUnknownError,
    SchemaMismatchError,
    UnknownReportError,
)
from gads_consumer.exporting import ExportFormat, export, manifest_path, preview
from gads_consumer.gap import Gap
from gads_consumer.manifest import decode_manifest, encode_manifest
from gads_consumer.partitions import TrustedPartition
from gads_consumer.payloads import PayloadReader
from gads_consumer.seals import Seal, SealReader
from gads_domain.errors import GadsError, InvalidValueError
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, ValidatorLedger
from gads_domain.ports.sink import RawSink
from gads_domain.state import OperatorAct, PartitionStatus

pd: Any = importlib.import_module("pandas")
"""It ships no types."""

CONTRACT = Path(__file__).parents[2] / "contracts" / "consumer" / "v1"
SCHEMAS = {kind: json.loads((CONTRACT / f"{kind}.schema.json").read_bytes()) for kind in ("manifest", "change")}
EXAMPLES = sorted((CONTRACT / "examples").glob("*/*/*.json"))


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


@pytest.fixture
def consumer(pipeline: Pipeline) -> Iterator[Consumer]:
    with pipeline.consumer(clock=pipeline.clock) as opened:
        yield opened


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def held(consumer: Consumer, **options: Any) -> dict[PartitionKey, str]:
    """What is vouched for, as key and run."""
    return {one.key: one.run_id.value for one in consumer.snapshot("campaign", **options).partitions}


def applied(changes: list[Change], onto: dict[PartitionKey, TrustedPartition]) -> dict[PartitionKey, TrustedPartition]:
    """`onto` after the changes, as a consumer keeps it."""
    mine = dict(onto)
    for change in changes:
        if change.partition is None:
            mine.pop(change.key, None)
        else:
            mine[change.key] = change.partition
    return mine


# What is read


def test_c1_what_is_not_vouched_for_does_not_exist(pipeline: Pipeline, consumer: Consumer) -> None:
    good, unjudged, rejected, lost, gone = (key_of(1, number) for number in range(5))
    pipeline.trust(good, 1)
    pipeline.seal(good, 9)
    pipeline.seal(unjudged, 1)
    pipeline.fail(rejected, 1)
    pipeline.trust(lost, 3)
    pipeline.seal(lost, 2, 7)
    pipeline.validate(lost)
    pipeline.trust(gone, 1)
    pipeline.withdraw(gone, 1)
    assert held(consumer) == {good: run_of(1).value, lost: run_of(3).value}
    snapshot = consumer.snapshot("campaign")
    assert faults_of_reading(snapshot.to_table(identity=True), snapshot.partitions) == []


def test_c2_a_partition_is_of_one_run_whole(pipeline: Pipeline, consumer: Consumer) -> None:
    for number in range(4):
        for run in range(1, 4):
            pipeline.trust(key_of(1, number), run * 10 + number, rows=run + number)
    snapshot = consumer.snapshot("campaign")
    assert len({one.key for one in snapshot.partitions}) == len(snapshot.partitions) == 4
    assert faults_of_reading(snapshot.to_table(identity=True), snapshot.partitions) == []
    assert snapshot.record_count == snapshot.to_table().num_rows == sum(3 + number for number in range(4))


def test_c3_what_moves_later_is_not_in_a_snapshot(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(3))
    before = consumer.snapshot("campaign")
    pipeline.trust(key_of(1, 1), 2, 9)
    pipeline.trust(key_of(1, 7), 2)
    assert {one.run_id for one in before.partitions} == {run_of(1)}
    assert len(before.partitions) == 3
    assert before.position == 3
    assert consumer.snapshot("campaign").position == 5


def test_c4_a_snapshot_reads_the_same_whatever_moves(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(3))
    snapshot = consumer.snapshot("campaign")
    first = snapshot.to_table(identity=True)
    pipeline.trust(key_of(1, 0), 2, 9)
    pipeline.fail(key_of(1, 1), 2)
    pipeline.trust(key_of(1, 2), 3)
    assert snapshot.to_table(identity=True).equals(first)
    pipeline.withdraw(key_of(1, 2), 1)
    with pytest.raises(PartitionAlteredError):
        snapshot.to_table()


def test_c5_a_failed_restatement_takes_nothing_away(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(2))
    before = held(consumer)
    pipeline.fail(key_of(1, 0), 2)
    pipeline.report_unsealed(key_of(1, 1), 3)
    assert held(consumer) == before


def test_c6_a_consumer_cannot_write(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(2))
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
        waiting += [found for held in gc.get_referents(thing) for found in (held, *_inside(held))]
    assert len(seen) > 5

    def everything() -> dict[str, tuple[bytes, int]]:
        files = (path for path in sorted(pipeline.base.rglob("*")) if path.is_file() and "-shm" not in path.name)
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


def test_c7_rows_come_by_account_and_day_as_sealed(pipeline: Pipeline, consumer: Consumer) -> None:
    for customer in (9, 10, 2):
        for number in (2, 0, 1):
            pipeline.trust(key_of(customer, number), 1, 5)
    table = consumer.snapshot("campaign").to_table(identity=True)
    read = [(row["_customer_id"], row["_logical_date"], row["campaign_id"]) for row in table.to_pylist()]
    assert read == [(who, day(when), row) for who in ("10", "2", "9") for when in range(3) for row in range(5)]


def test_c8_identity_comes_on_request(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1, 2)
    pipeline.trust(key_of(2, 1), 2, 1)
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
    pipeline: Pipeline, consumer: Consumer, number: int
) -> None:
    for customer in (1, 2):
        for when in range(3):
            pipeline.trust(key_of(customer, when), 1 + when % 2, 10, row_group_rows=4)
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
    pipeline: Pipeline, consumer: Consumer, ask: Callable[[Any], Any]
) -> None:
    pipeline.trust_days(range(1))
    with pytest.raises(InvalidValueError) as caught:
        ask(consumer.snapshot("campaign")).to_table()
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_c10_batches_hold_the_rows_of_the_table(pipeline: Pipeline, consumer: Consumer, rows: int) -> None:
    pipeline.trust(key_of(1, 0), 1, 50, row_group_rows=8)
    pipeline.trust(key_of(1, 1), 1, 0)
    pipeline.trust(key_of(1, 2), 1, 20)
    snapshot = consumer.snapshot("campaign")
    batches = list(snapshot.to_batches(rows=rows, identity=True))
    assert all(0 < batch.num_rows <= rows for batch in batches)
    assert pa.Table.from_batches(batches).equals(snapshot.to_table(identity=True))
    with pytest.raises(InvalidValueError):
        list(snapshot.to_batches(rows=0))


def test_c10_a_payload_too_large_to_hold_is_streamed(
    pipeline: Pipeline, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.trust(key_of(1, 0), 1, 500, row_group_rows=100)
    pipeline.trust(key_of(1, 1), 1, 5)
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
    path = pipeline.payload(key_of(1, 0), run_of(1))
    _flip(path, 100)
    with pytest.raises(PartitionAlteredError):
        snapshot.to_table()


def test_c11_others_take_snapshots_and_scans_as_they_are(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1, 30, columns=(*COLUMNS, COST, LABELS))
    pipeline.trust(key_of(1, 1), 1, 0, columns=(*COLUMNS, COST, LABELS))
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
        assert _taken_by_duckdb(taken) == [(expected.num_rows, total)]


def _taken_by_duckdb(taken: object) -> Any:
    with duckdb.connect() as database:
        database.register("taken", taken)
        return database.execute("SELECT count(*), sum(metrics_clicks) FROM taken").fetchall()


def test_c12_zero_rows_are_a_fact_and_no_partition_is_none(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1, 0)
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
        with pytest.raises(NothingVouchedForError):
            read()


# Integrity


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_c13_the_seal_is_the_one_that_was_judged(pipeline: Pipeline, consumer: Consumer) -> None:
    key = key_of(1, 0)
    sealed = pipeline.seal(key, 1, 5)
    pipeline.validate(key)
    seal = pipeline.folder(key, run_of(1)) / "metadata.json"
    stored = seal.read_bytes()
    snapshot = pipeline.consumer(integrity=False).snapshot("campaign")
    for at in range(0, len(stored), 7):
        _flip(seal, at)
        with pytest.raises(PartitionAlteredError):
            snapshot.to_table()
        seal.write_bytes(stored)
    forged = replace(sealed, facts=replace(sealed.facts, api_version="v25"))
    for other in (encode_metadata(forged), b"", b"{}", stored + b"\n", stored.replace(b",", b", ", 1)):
        seal.write_bytes(other)
        with pytest.raises(PartitionAlteredError):
            snapshot.to_table()
    seal.write_bytes(stored)
    assert snapshot.to_table().num_rows == 5


def test_c14_the_payload_is_held_to_its_sum_unless_switched_off(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(3))
    snapshot, unchecked = consumer.snapshot("campaign"), pipeline.consumer(integrity=False).snapshot("campaign")
    payload = pipeline.payload(key_of(1, 1), run_of(1))
    stored = payload.read_bytes()
    for at in (0, 4, len(stored) // 2, len(stored) - 1):
        _flip(payload, at)
        with pytest.raises(PartitionAlteredError, match="2024-06-02"):
            snapshot.to_table()
        with pytest.raises(PartitionAlteredError, match="2024-06-02"):
            list(snapshot.to_batches())
        payload.write_bytes(stored)
    # Where the checks are off, bytes that cannot be decoded still name the partition, and sizes still count.
    _flip(payload, len(stored) - 1)
    with pytest.raises(PartitionAlteredError, match="2024-06-02"):
        unchecked.to_table()
    payload.write_bytes(stored[:-1])
    with pytest.raises(PartitionAlteredError, match="bytes"):
        unchecked.to_table()
    pipeline.seal(key_of(1, 1), 2)
    swapped = pipeline.payload(key_of(1, 1), run_of(2)).read_bytes()
    assert len(swapped) == len(stored)
    payload.write_bytes(swapped)
    assert unchecked.to_table()["metrics_run"].to_pylist() == [1, 1, 1, 2, 2, 2, 1, 1, 1]
    with pytest.raises(PartitionAlteredError, match="sha256"):
        snapshot.to_table()


@pytest.mark.parametrize("integrity", [True, False])
@pytest.mark.parametrize("lost", ["metadata.json", "payload", "folder"])
def test_c15_what_is_not_there_is_an_error(pipeline: Pipeline, lost: str, integrity: bool) -> None:
    pipeline.trust_days(range(3))
    folder = pipeline.folder(key_of(1, 1), run_of(1))
    paths = {"metadata.json": [folder / lost], "payload": [pipeline.payload(key_of(1, 1), run_of(1))]}
    for path in paths.get(lost, list(folder.iterdir())):
        path.unlink()
    snapshot = pipeline.consumer(integrity=integrity).snapshot("campaign")
    for read in (snapshot.to_table, lambda: list(snapshot.to_batches())):
        with pytest.raises(PartitionGoneError, match="2024-06-02"):
            read()
    # Through a capsule the error is the taker's own, with the message in it.
    for take in (pa.table, pl.DataFrame, pd.DataFrame.from_arrow, _taken_by_duckdb):
        with pytest.raises(Exception, match="2024-06-02"):
            take(snapshot)
    assert snapshot.scan(filter=pc.field("_logical_date") == day(0)).to_table().num_rows == 3


@pytest.mark.parametrize(("version", "is_read"), [("1.0", True), ("1.9", True), ("2.0", False), ("10.0", False)])
def test_c16_another_major_of_the_raw_contract_is_refused(
    pipeline: Pipeline, consumer: Consumer, version: str, is_read: bool
) -> None:
    key = key_of(1, 0)
    sealed = pipeline.seal(key, 1)
    data = encode_metadata(replace(sealed, contract_version=version))
    (pipeline.folder(key, run_of(1)) / "metadata.json").chmod(0o644)
    (pipeline.folder(key, run_of(1)) / "metadata.json").write_bytes(data)
    # As a later validator would have vouched for it.
    partition = TrustedPartition(key, run_of(1), 3, 1, json.loads(data)["seal_sha256"])
    if is_read:
        assert SealReader(pipeline.sink).read(partition).schema == sealed.facts.schema
    else:
        with pytest.raises(NewerContractError, match=re.escape(version)):
            SealReader(pipeline.sink).read(partition)


# Time travel


def _story(pipeline: Pipeline) -> None:
    pipeline.trust_days(range(3))
    pipeline.trust(key_of(1, 1), 2, 4)
    pipeline.fail(key_of(1, 3), 2)
    pipeline.withdraw(key_of(1, 0), 1)
    pipeline.trust(key_of(1, 0), 5)
    pipeline.trust(key_of(1, 3), 6)
    pipeline.trust(key_of(2, 0), 6)


def test_c17_the_answer_as_of_a_position_never_changes(pipeline: Pipeline, consumer: Consumer) -> None:
    told: dict[int, dict[PartitionKey, str]] = {}

    def listen() -> None:
        position = consumer.snapshot("campaign").position
        told[position] = held(consumer)

    pipeline.trust(key_of(1, 5), 1)
    for step in (
        lambda: pipeline.trust(key_of(1, 5), 2, 4),
        lambda: pipeline.fail(key_of(1, 6), 2),
        lambda: pipeline.withdraw(key_of(1, 5), 2),
        lambda: pipeline.trust(key_of(1, 6), 4),
    ):
        listen()
        step()
    listen()
    assert len(told) >= 5
    for position, then in told.items():
        assert held(consumer, as_of=position) == then
        cursor = consumer.snapshot("campaign", as_of=position).cursor
        assert held(consumer, as_of=cursor) == then
    assert held(consumer, as_of=0) == {}
    for wrong in (consumer.snapshot("campaign").position + 1, -1):
        with pytest.raises(PastUnknownError):
            consumer.snapshot("campaign", as_of=wrong)


def test_c18_a_moment_is_the_last_move_stamped_by_then(pipeline: Pipeline, consumer: Consumer) -> None:
    _story(pipeline)
    entries = pipeline.ledger.log()
    for entry in entries:
        for step in (timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1)):
            moment = entry.at + step
            expected = max((one.sequence for one in entries if one.at <= moment), default=0)
            assert consumer.snapshot("campaign", as_of=moment).position == expected
    east = entries[3].at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert consumer.snapshot("campaign", as_of=east).position == entries[3].sequence
    with pytest.raises(ClockSkewError, match="not come yet"):
        consumer.snapshot("campaign", as_of=pipeline.clock.moment + timedelta(hours=1))
    for wrong in ("yesterday", "2024-07-01T04:05:06"):
        with pytest.raises(InvalidValueError):
            consumer.snapshot("campaign", as_of=wrong)


def test_c18_a_ledger_ahead_of_the_clock_answers_no_moment(pipeline: Pipeline) -> None:
    pipeline.trust_days(range(1))
    behind = SteppingClock()
    behind.moment = pipeline.clock.moment - timedelta(hours=2)
    with pipeline.consumer(clock=behind) as consumer:
        with pytest.raises(ClockSkewError, match="last move"):
            consumer.snapshot("campaign", as_of=behind.moment - timedelta(days=1))
        assert len(consumer.snapshot("campaign").partitions) == 1
        assert len(consumer.snapshot("campaign", as_of=1).partitions) == 1


# Changes


def test_c19_the_feed_holds_every_move_of_authority(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1)
    pipeline.fail(key_of(1, 1), 1)
    pipeline.trust(key_of(1, 0), 2, 4)
    pipeline.fail(key_of(1, 0), 3)
    pipeline.control_plane.retry([key_of(1, 1)], OperatorAct(pipeline.clock.now(), "me", "retry", "again"))
    pipeline.trust(key_of(1, 1), 4)
    pipeline.withdraw(key_of(1, 1), 4)
    pipeline.trust(key_of(2, 0), 5)
    told = [
        (change.kind, change.key, change.previous_run_id, change.partition and change.partition.run_id)
        for change in consumer.changes()
    ]
    assert told == [
        (ChangeKind.VOUCHED, key_of(1, 0), None, run_of(1)),
        (ChangeKind.RESTATED, key_of(1, 0), run_of(1), run_of(2)),
        (ChangeKind.VOUCHED, key_of(1, 1), None, run_of(4)),
        (ChangeKind.WITHDRAWN, key_of(1, 1), run_of(4), None),
        (ChangeKind.VOUCHED, key_of(2, 0), None, run_of(5)),
    ]
    moves = [entry for entry in pipeline.ledger.log() if entry.moves_authority]
    assert [(c.position, c.at) for c in consumer.changes()] == [(e.sequence, e.at) for e in moves]
    assert [c.key for c in consumer.changes(customers="2")] == [key_of(2, 0)]
    assert list(consumer.changes(reports="keyword")) == []
    validator = Draft202012Validator(SCHEMAS["change"])
    for change in consumer.changes():
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(change.to_record())))] == []


def test_c20_the_feed_goes_on_from_every_cursor(
    pipeline: Pipeline, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _story(pipeline)
    monkeypatch.setattr("gads_consumer.changes.PAGE", 2)
    whole = list(consumer.changes())
    feed = consumer.changes()
    assert feed.cursor.startswith("v1:0:")
    for number, change in enumerate(whole):
        rest = list(consumer.changes(after=feed.cursor))
        assert rest == whole[number:]
        assert next(feed) == change
        assert feed.cursor == change.cursor
        assert list(consumer.changes(after=change.cursor)) == whole[number + 1 :]
    assert list(feed) == []
    assert feed.cursor == consumer.cursor()
    assert list(consumer.changes(after=feed.cursor)) == []
    # What is of no interest is not looked at again.
    none = consumer.changes(customers="777")
    assert list(none) == []
    assert none.cursor == consumer.cursor()
    pipeline.trust(key_of(1, 9), 9)
    assert [change.key for change in consumer.changes(after=feed.cursor)] == [key_of(1, 9)]


def test_c20_a_feed_ends_where_the_log_ended_when_it_was_asked(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(2))
    feed = consumer.changes()
    next(feed)
    pipeline.trust_days(range(2, 4))
    assert [change.key for change in feed] == [key_of(1, 1)]
    assert [change.key for change in consumer.changes(after=feed.cursor)] == [key_of(1, 2), key_of(1, 3)]


def test_c21_applying_changes_ends_in_a_fresh_snapshot(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 9), 1)
    starts = [consumer.snapshot("campaign", as_of=0)]
    starts.append(consumer.snapshot("campaign"))
    _story(pipeline)
    starts.append(consumer.snapshot("campaign", as_of=4))
    fresh = {one.key: one for one in consumer.snapshot("campaign").partitions}
    for start in starts:
        changes = list(consumer.changes(after=start.cursor, reports="campaign"))
        begun = {one.key: one for one in start.partitions}
        once = applied(changes, begun)
        assert once == fresh
        assert applied(changes, once) == fresh
        delta = consumer.delta("campaign", after=start.cursor)
        stepped = {key: one for key, one in begun.items() if key not in delta.replaced}
        assert stepped | {one.key: one for one in delta.snapshot.partitions} == fresh
        assert set(delta.withdrawn) == set(delta.replaced) - {one.key for one in delta.snapshot.partitions}
        assert delta.cursor == consumer.cursor()
    everything = consumer.delta("campaign")
    assert {one.key: one for one in everything.snapshot.partitions} == fresh


def test_c22_a_foreign_or_rolled_back_cursor_is_an_error(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.trust_days(range(2))
    other = Pipeline(tmp_path / "other")
    other.trust_days(range(5))
    foreign = other.consumer().cursor()
    other.close()
    backup = {path.name: path.read_bytes() for path in (tmp_path / "state").iterdir()}
    pipeline.trust_days(range(2, 4))
    with pipeline.consumer() as consumer:
        late = consumer.cursor()
        early = consumer.snapshot("campaign", as_of=1).cursor
        with pytest.raises(PastUnknownError, match="is of the ledger"):
            consumer.changes(after=foreign)
    pipeline.close()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    for name, data in backup.items():
        (tmp_path / "state" / name).write_bytes(data)
    restored = Pipeline(tmp_path)
    with restored.consumer() as consumer:
        with pytest.raises(PastUnknownError, match="has no move 4"):
            consumer.changes(after=late)
        restored.trust(key_of(5, 0), 7)
        restored.trust(key_of(5, 1), 7)
        for ask in (lambda: consumer.changes(after=late), lambda: consumer.snapshot("campaign", as_of=late)):
            with pytest.raises(PastUnknownError, match="rolled back"):
                ask()
        assert len(list(consumer.changes(after=early))) == 3
        for wrong in ("", "4", late.upper(), late[3:]):
            with pytest.raises(InvalidValueError):
                consumer.changes(after=wrong)
    restored.close()


# Completeness


def test_c23_gaps_are_what_is_expected_and_not_vouched_for(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days([0, 1, 4])
    pipeline.fail(key_of(1, 2), 2)
    pipeline.report_unsealed(key_of(1, 3), 2)
    pipeline.fail(key_of(1, 1), 9)
    pipeline.control_plane.retry([key_of(1, 3)], OperatorAct(pipeline.clock.now(), "me", "retry", "again"))
    pipeline.trust(key_of(1, 0, "keyword"), 1)
    gaps = consumer.gaps("campaign", since=day(0), until="2024-06-06", customers=["2", "1"])
    assert [(gap.customer_id, gap.logical_date, gap.status) for gap in gaps] == [
        ("1", day(2), PartitionStatus.FAILED),
        ("1", day(3), PartitionStatus.PENDING),
        ("1", day(5), PartitionStatus.PENDING),
        *(("2", day(number), PartitionStatus.PENDING) for number in range(6)),
    ]
    assert "record_count" in (gaps[0].reason or "")
    assert gaps[2].reason is None
    assert all(gap.reason is None for gap in gaps[3:])
    both = consumer.gaps(["keyword", "campaign"], since=day(0), until=day(1), customers="1")
    assert [(gap.report, gap.logical_date) for gap in both] == [("keyword", day(1))]
    assert consumer.gaps("campaign", since=day(0), until=day(1), customers="1") == []


def test_c24_the_watermark_is_the_end_of_what_is_unbroken(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days([2, 3, 4, 6])
    pipeline.trust_days([4, 5, 6, 7], customer=2)
    pipeline.fail(key_of(3, 0), 1)
    pipeline.trust_days([1], customer=3)
    assert consumer.watermark("campaign", customers="1") == day(4)
    assert consumer.watermark("campaign", customers="2") == day(7)
    assert consumer.watermark("campaign", customers=["1", "2"]) == day(4)
    assert consumer.watermark("campaign", customers="3") is None
    assert consumer.watermark("campaign", customers="3", since=day(1)) == day(1)
    assert consumer.watermark("campaign", customers=["1", "99"]) is None
    assert consumer.watermark("campaign", customers="1", since=day(2)) == day(4)
    assert consumer.watermark("campaign", customers="1", since=day(3)) == day(4)
    assert consumer.watermark("campaign", customers="1", since=day(1)) is None
    assert consumer.watermark("campaign", customers="1", since=day(5)) is None
    assert consumer.watermark("campaign", customers="1", since=day(6)) == day(6)
    then = consumer.snapshot("campaign").position
    pipeline.trust_days([5])
    assert consumer.watermark("campaign", customers="1") == day(6)
    assert consumer.watermark("campaign", customers="1", as_of=then) == day(4)


def test_c25_readiness_is_of_one_position(pipeline: Pipeline, consumer: Consumer) -> None:
    for customer in (1, 2):
        pipeline.trust_days(range(3), customer=customer)
    answer = consumer.ready("campaign", day=day(2), customers=["1", "2"])
    assert answer
    assert answer.gaps == ()
    assert answer.watermarks == {"campaign": day(2)}
    pipeline.withdraw(key_of(2, 2), 1)
    pinned = consumer.snapshot("campaign", since=answer.since, until=answer.day, as_of=answer.position, complete=True)
    assert len(pinned.partitions) == 2
    assert consumer.snapshot("campaign", as_of=answer.cursor).position == answer.position
    now = consumer.ready("campaign", day=day(2), customers=["1", "2"])
    assert not now
    assert [gap.key for gap in now.gaps] == [key_of(2, 2)]
    assert now.watermarks == {"campaign": day(1)}
    assert "2024-06-03 is failed" in str(now)
    assert consumer.ready("campaign", day=day(1), since=day(0), customers=["1", "2"])
    pipeline.trust(key_of(1, 2, "keyword"), 1)
    assert not consumer.ready(["campaign", "keyword"], day=day(1), customers="1")
    assert consumer.ready(["campaign", "keyword"], day=day(2), customers="1")


def test_c26_what_is_missing_is_listed_and_can_be_demanded_to_be_nothing(
    pipeline: Pipeline, consumer: Consumer
) -> None:
    pipeline.trust_days([1, 3])
    pipeline.fail(key_of(1, 2), 1)
    snapshot = consumer.snapshot("campaign", since=day(0), until=day(3), customers=["1", "2"])
    pending, failed = PartitionStatus.PENDING, PartitionStatus.FAILED
    assert snapshot.missing == (
        Gap(key_of(1, 0), pending),
        Gap(key_of(1, 2), failed),
        *(Gap(key_of(2, number), pending) for number in range(4)),
    )
    assert consumer.snapshot("campaign").missing == (Gap(key_of(1, 2), failed),)
    assert [gap.key.customer_id for gap in consumer.snapshot("campaign", customers=["1", "7"]).missing] == ["1", *"777"]
    with pytest.raises(IncompleteError, match=r"6 partitions .*2024-06-01 is pending"):
        consumer.snapshot("campaign", since=day(0), until=day(3), customers=["1", "2"], complete=True)
    assert len(consumer.snapshot("campaign", since=day(3), until=day(3), customers="1", complete=True).partitions) == 1


# Schema versions

OLD = (DATE, CAMPAIGN, NAME, RUN_NUMBER)
NEW = (DATE, CAMPAIGN, COST, CLICKS, RUN_NUMBER)


def test_c27_several_schema_versions_are_refused_with_what_differs(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1, columns=OLD)
    pipeline.trust(key_of(1, 1), 1, columns=NEW, schema_version=2)
    snapshot = consumer.snapshot("campaign")
    assert snapshot.schema_versions == (1, 2)
    reads: list[Callable[[], object]] = [
        snapshot.to_table,
        lambda: pa.table(snapshot),
        snapshot.scan(["campaign_id"]).to_table,
    ]
    for read in reads:
        with pytest.raises(SchemaMismatchError) as caught:
            read()
        assert "campaign_name: string -> absent" in caught.value.message
        assert "metrics_clicks: absent -> int64" in caught.value.message
        assert "unify" in caught.value.hint
    assert consumer.snapshot("campaign", since=day(1)).to_table().num_rows == 3


def test_c27_the_same_columns_with_another_meaning_are_refused_too(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1)
    pipeline.trust(key_of(1, 1), 1, schema_version=2)
    with pytest.raises(SchemaMismatchError, match="meaning"):
        consumer.snapshot("campaign").to_table()
    assert consumer.snapshot("campaign").to_table(unify=True).num_rows == 6


def test_c28_unified_the_missing_is_null_and_nothing_is_cast(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust(key_of(1, 0), 1, columns=OLD)
    pipeline.trust(key_of(1, 1), 1, columns=NEW, schema_version=2)
    snapshot = consumer.snapshot("campaign")
    table = snapshot.to_table(unify=True, identity=True)
    assert table.column_names[:-3] == [column.name for column in (*NEW, NAME)]
    assert table["campaign_name"].to_pylist() == ["Campaign 0", "Campaign 1", "Campaign 2", None, None, None]
    assert table["metrics_clicks"].to_pylist() == [None, None, None, 1, 4, 7]
    assert faults_of_reading(table, snapshot.partitions) == []
    some = snapshot.scan(["metrics_clicks", "campaign_name"], pc.field("metrics_clicks") > 1, unify=True)
    assert some.to_table().to_pylist() == [{"metrics_clicks": n, "campaign_name": None} for n in (4, 7)]
    as_text = (DATE, CAMPAIGN, type(CLICKS)(CLICKS.name, CLICKS.field, "double"), RUN_NUMBER)
    pipeline.trust(key_of(1, 2), 1, columns=as_text, schema_version=3)
    mixed = consumer.snapshot("campaign")
    with pytest.raises(SchemaMismatchError, match=r"metrics_clicks is int64 in schema version 2 and double"):
        mixed.to_table(unify=True)
    assert mixed.scan(["campaign_id"], unify=True).to_table().num_rows == 9
    with pytest.raises(SchemaMismatchError):
        mixed.scan(["campaign_id"], pc.field("metrics_clicks") > 1, unify=True).to_table()


# Manifests and exports


def test_c29_a_manifest_pins_for_good(pipeline: Pipeline, consumer: Consumer, tmp_path: Path) -> None:
    pipeline.trust_days(range(3))
    pipeline.fail(key_of(1, 3), 1)
    snapshot = consumer.snapshot("campaign", since=day(0), until=day(5), customers="1")
    rows = snapshot.to_table(identity=True)
    path = tmp_path / "report.json"
    snapshot.save(path)
    assert [
        error.message for error in Draft202012Validator(SCHEMAS["manifest"]).iter_errors(json.loads(path.read_bytes()))
    ] == []
    pipeline.trust(key_of(1, 1), 2, 9)
    loaded = [consumer.load(path), load_snapshot(path, sink=SINK, base=pipeline.base)]
    pipeline.close()
    for ledger in (pipeline.base / "state").iterdir():
        ledger.unlink()
    loaded.append(load_snapshot(path, sink=SINK, base=pipeline.base))
    for one in loaded:
        assert one.partitions == snapshot.partitions
        assert one.to_table(identity=True).equals(rows)
        assert (one.position, one.cursor, one.ledger_id) == (snapshot.position, snapshot.cursor, snapshot.ledger_id)
        assert (one.missing, one.resolved_at) == (snapshot.missing, snapshot.resolved_at)
        assert encode_manifest(one.manifest()) == path.read_bytes()


def test_c30_a_manifest_that_is_not_as_saved_is_refused(pipeline: Pipeline, consumer: Consumer, tmp_path: Path) -> None:
    pipeline.trust_days(range(2))
    path = tmp_path / "report.json"
    consumer.snapshot("campaign").save(path)
    stored = path.read_bytes()
    for at in range(0, len(stored), 11):
        if stored[at : at + 1].isspace():
            continue
        path.write_bytes(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
        with pytest.raises((ManifestError, NewerContractError)):
            consumer.load(path)
    path.write_bytes(stored)
    other = Pipeline(tmp_path / "other")
    other.trust_days(range(1))
    with other.consumer() as foreign, pytest.raises(ManifestError, match="is of the ledger"):
        foreign.load(path)
    other.close()
    with pytest.raises(ManifestError, match="cannot be read"):
        consumer.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("kind", list(ExportFormat))
def test_c31_an_export_appears_whole_with_its_manifest(
    pipeline: Pipeline, consumer: Consumer, tmp_path: Path, kind: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.trust_days(range(3), rows=40)
    snapshot = consumer.snapshot("campaign")
    out = tmp_path / "out"
    out.mkdir()
    path = out / f"campaign.{kind}"
    scan = snapshot.scan(["campaign_name", "metrics_clicks", "_logical_date"], pc.field("metrics_clicks") > 9)
    export(snapshot, path, scan=scan)
    document = json.loads(manifest_path(path).read_bytes())
    assert [error.message for error in Draft202012Validator(SCHEMAS["manifest"]).iter_errors(document)] == []
    assert document["export"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert document["export"]["bytes"] == path.stat().st_size
    assert document["export"]["rows"] == scan.count_rows()
    readers: dict[ExportFormat, Callable[[], pa.Table]] = {
        ExportFormat.PARQUET: lambda: pq.read_table(path),
        ExportFormat.CSV: lambda: pa.csv.read_csv(path),
        ExportFormat.ARROW: lambda: pa.ipc.open_file(str(path)).read_all(),
    }
    assert readers[kind]().equals(scan.to_table())
    assert consumer.load(manifest_path(path)).partitions == snapshot.partitions
    before = {one.name: one.read_bytes() for one in out.iterdir()}
    assert sorted(before) == sorted([path.name, manifest_path(path).name])
    with pytest.raises(InvalidValueError, match="there already"):
        export(snapshot, path)
    pipeline.payload(key_of(1, 2), run_of(1)).unlink()
    with pytest.raises(PartitionGoneError):
        export(snapshot, path, overwrite=True)
    assert {one.name: one.read_bytes() for one in out.iterdir()} == before


def test_c31_what_a_format_cannot_hold_is_said_first(pipeline: Pipeline, consumer: Consumer, tmp_path: Path) -> None:
    pipeline.trust(key_of(1, 0), 1, columns=(*COLUMNS, LABELS))
    snapshot = consumer.snapshot("campaign")
    for name in ("campaign.csv", "campaign.xlsx", "campaign"):
        with pytest.raises(InvalidValueError):
            export(snapshot, tmp_path / "out" / name)
    assert not (tmp_path / "out").exists()
    assert preview(snapshot, 2).num_rows == 2
    assert preview(snapshot, 0).num_rows == 0
    assert "_run_id" in preview(snapshot).column_names


# Errors


def test_c32_nothing_to_ask_is_no_empty_answer(pipeline: Pipeline, consumer: Consumer, tmp_path: Path) -> None:
    with pytest.raises(LedgerAbsentError):
        Consumer.open(state="sqlite:nowhere/ledger.db", sink=SINK, base=tmp_path)
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(UnknownReportError):
        consumer.snapshot("campaign")
    pipeline.trust_days(range(2))
    pipeline.fail(key_of(1, 0, "keyword"), 1)
    customers = {"customers": "1"}
    for ask in (
        lambda: consumer.snapshot("campain"),
        lambda: consumer.gaps(["campaign", "campain"], since=day(0), until=day(0), **customers),
        lambda: consumer.watermark("campain", **customers),
        lambda: consumer.ready("campain", day=day(0), **customers),
        lambda: consumer.delta("campain"),
    ):
        with pytest.raises(UnknownReportError) as caught:
            ask()
        assert caught.value.hint == "it knows campaign, keyword"
    assert consumer.reports() == ["campaign", "keyword"]
    for wrong in (
        lambda: consumer.snapshot("campaign", since=day(1), until=day(0)),
        lambda: consumer.snapshot("campaign", customers=[]),
        lambda: consumer.snapshot("campaign", customers="123-456-7890"),
        lambda: consumer.snapshot("campaign", customers=[1234567890]),  # type: ignore[list-item]  # on purpose
        lambda: consumer.snapshot("campaign", since="2024-6-1"),
        lambda: consumer.snapshot("campaign", since=datetime(2024, 6, 1, tzinfo=UTC)),
        lambda: consumer.snapshot("Campaign"),
        lambda: consumer.gaps([], since=day(0), until=day(0), customers="1"),
        lambda: consumer.changes(customers=[]),
    ):
        with pytest.raises(InvalidValueError):
            wrong()


def test_c32_a_ledger_that_goes_away_or_is_replaced_is_noticed(tmp_path: Path) -> None:
    mine, other = Pipeline(tmp_path / "mine"), Pipeline(tmp_path / "other")
    for pipeline in (mine, other):
        pipeline.trust_days(range(1))
    mine.close()
    other.close()
    with mine.consumer() as consumer:
        (tmp_path / "other/state/ledger.db").replace(tmp_path / "mine/state/ledger.db")
        with pytest.raises(PastUnknownError, match="replaced"):
            consumer.snapshot("campaign")
        (tmp_path / "mine/state/ledger.db").unlink()
        for ask in (lambda: consumer.snapshot("campaign"), consumer.changes, consumer.reports, consumer.cursor):
            with pytest.raises(LedgerAbsentError):
                ask()


def test_c33_every_error_says_what_to_do() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(consumer_errors, inspect.isclass)
        if issubclass(kind, GadsError) and kind.__module__ == consumer_errors.__name__
    ]
    assert len(kinds) >= 11
    assert len({kind.code for kind in kinds}) == len(kinds)
    source = "".join(path.read_text() for path in Path(inspect.getfile(Consumer)).parent.glob("*.py"))
    for kind in kinds:
        raised = re.findall(
            rf"raise {kind.__name__}\(\n?((?:.|\n)*?)\n? +\)(?: from|\n)|raise {kind.__name__}\((.*)\)", source
        )
        assert raised or kind.default_hint, kind
        if not kind.default_hint:
            assert all("hint=" in "".join(text) for text in raised), kind


# The contract itself


def test_every_promise_has_a_test_and_every_test_a_promise() -> None:
    promised = {
        int(number)
        for number in re.findall(r"^- \*\*C([0-9]+)\.\*\*", (CONTRACT / "README.md").read_text(), re.MULTILINE)
    }
    tested = {int(number) for name in globals() for number in re.findall(r"^test_c([0-9]+)_", name)}
    assert promised == set(range(1, max(promised) + 1))
    assert tested == promised


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_a_schema_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}")
def test_an_example_is_what_its_folder_says(path: Path) -> None:
    kind, verdict = path.parts[-3], path.parts[-2]
    data = path.read_bytes()
    if path.stem == "code-not-json":
        faults: list[str] = []
    else:
        faults = [error.message for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(json.loads(data))]
    assert bool(faults) == path.stem.startswith("schema-"), faults
    if kind == "manifest":
        if verdict == "invalid":
            with pytest.raises((ManifestError, NewerContractError)):
                decode_manifest(data, path.name)
        else:
            manifest = decode_manifest(data, path.name)
            assert verdict == "later-minor" or encode_manifest(manifest) == data


def test_documents_have_the_members_of_their_schemas(pipeline: Pipeline, consumer: Consumer) -> None:
    pipeline.trust_days(range(1))
    (change,) = consumer.changes()
    assert set(change.to_record()) == set(SCHEMAS["change"]["properties"]) == set(SCHEMAS["change"]["required"])
    document = json.loads(encode_manifest(consumer.snapshot("campaign").manifest()))
    assert set(document) == set(SCHEMAS["manifest"]["required"]) == set(SCHEMAS["manifest"]["properties"]) - {"export"}


def test_the_state_url_of_the_tests_is_the_readers(pipeline: Pipeline) -> None:
    with Consumer.open(state=STATE, sink=SINK, base=pipeline.base) as opened:
        assert opened.reports() == []
