"""Holds gads-consumer to contracts/consumer/v1: manifests, exports, errors, documents by schema."""

from __future__ import annotations

import csv
import errno
import hashlib
import inspect
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

import gads_consumer.errors as consumer_errors
from gads_consumer.atomic_file import only_writer
from gads_consumer.consumer import Consumer, load_snapshot
from gads_consumer.errors import (
    LedgerAbsentError,
    ManifestError,
    NewerContractError,
    PartitionAlteredError,
    PartitionGoneError,
    PastUnknownError,
    SchemaMismatchError,
    SinkLostError,
    UnknownReportError,
)
from gads_consumer.file_export import ExportFormat, export, manifest_path, preview
from gads_consumer.manifest import decode_manifest, encode_manifest
from gads_domain.errors import GadsError, InvalidValueError, StorageError, StorageFullError
from gads_domain.metadata import TableSchema
from gads_payload.schema import arrow_schema
from gads_testing.consumer_contract import CONTRACT, EXAMPLES, SCHEMAS, day, flip_bit
from gads_testing.local_deployment import (
    COLUMNS,
    LABELS,
    SINK,
    STATE,
    LocalDeployment,
    key_of,
    run_of,
)

# Manifests and exports


def test_c29_a_manifest_pins_for_good(deployment: LocalDeployment, consumer: Consumer, tmp_path: Path) -> None:
    deployment.make_days_authoritative(range(3))
    deployment.seal_invalid(key_of(1, 3), 1)
    snapshot = consumer.snapshot("campaign", since=day(0), until=day(5), customers="1")
    rows = snapshot.to_table(identity=True)
    path = tmp_path / "report.json"
    snapshot.save(path)
    assert [
        error.message for error in Draft202012Validator(SCHEMAS["manifest"]).iter_errors(json.loads(path.read_bytes()))
    ] == []
    deployment.make_authoritative(key_of(1, 1), 2, 9)
    loaded = [consumer.load(path), load_snapshot(path, sink=SINK, base=deployment.base)]
    deployment.close()
    for ledger in (deployment.base / "state").iterdir():
        ledger.unlink()
    loaded.append(load_snapshot(path, sink=SINK, base=deployment.base))
    for one in loaded:
        assert one.partitions == snapshot.partitions
        assert one.to_table(identity=True).equals(rows)
        assert (one.position, one.cursor, one.ledger_id) == (snapshot.position, snapshot.cursor, snapshot.ledger_id)
        assert (one.missing, one.resolved_at) == (snapshot.missing, snapshot.resolved_at)
        assert encode_manifest(one.manifest()) == path.read_bytes()


def test_c29_a_delta_is_pinned_as_one(deployment: LocalDeployment, consumer: Consumer, tmp_path: Path) -> None:
    deployment.make_days_authoritative(range(3))
    cursor = consumer.cursor()
    deployment.make_authoritative(key_of(1, 0), 2, 4)
    deployment.make_authoritative(key_of(1, 2), 2, 4)
    snapshot = consumer.delta("campaign", after=cursor).snapshot
    snapshot.save(tmp_path / "delta.json")
    document = json.loads((tmp_path / "delta.json").read_bytes())
    assert [error.message for error in Draft202012Validator(SCHEMAS["manifest"]).iter_errors(document)] == []
    assert document["after"] == cursor
    again = consumer.load(tmp_path / "delta.json")
    assert again.to_table().equals(snapshot.to_table())
    assert again.missing == snapshot.missing == ()


def test_c30_a_manifest_that_is_not_as_saved_is_refused(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path
) -> None:
    deployment.make_days_authoritative(range(2))
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
    other = LocalDeployment(tmp_path / "other")
    other.make_days_authoritative(range(1))
    with other.consumer() as foreign, pytest.raises(ManifestError, match="is of the ledger"):
        foreign.load(path)
    other.close()
    with pytest.raises(ManifestError, match="cannot be read"):
        consumer.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("kind", list(ExportFormat))
def test_c31_an_export_appears_whole_with_its_manifest(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path, kind: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.make_days_authoritative(range(3), rows=40)
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
    deployment.payload(key_of(1, 2), run_of(1)).unlink()
    with pytest.raises(PartitionGoneError):
        export(snapshot, path, overwrite=True)
    assert {one.name: one.read_bytes() for one in out.iterdir()} == before
    folder = out / f"folder.{kind}"
    folder.mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        export(consumer.snapshot("campaign", until=day(1)), folder, overwrite=True)
    folder.rmdir()
    assert {one.name: one.read_bytes() for one in out.iterdir()} == before


def test_c31_an_export_that_cannot_be_made_durable_leaves_no_manifest(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.make_days_authoritative(range(1), rows=3_000)
    out = tmp_path / "out"
    out.mkdir()

    def full_for_the_rows(file: int) -> None:
        if os.fstat(file).st_size > 10_000:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gads_consumer.atomic_file.os.fsync", full_for_the_rows)
    with pytest.raises(StorageFullError, match="no space is left"):
        export(consumer.snapshot("campaign"), out / "campaign.parquet")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_c40_a_manifest_does_not_appear_where_the_file_cannot(
    deployment: LocalDeployment,
    consumer: Consumer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overwrite: bool,
) -> None:
    deployment.make_days_authoritative(range(2))
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "campaign.parquet"
    if overwrite:
        export(consumer.snapshot("campaign", until=day(0)), path)
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    replace = Path.replace

    def onto_a_mount_point(self: Path, target: Path) -> Path:
        if target == path:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", onto_a_mount_point)
    with pytest.raises(StorageError, match="is a mount point") as caught:
        export(consumer.snapshot("campaign"), path, overwrite=overwrite)
    assert caught.value.hint == "mount its folder instead"
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


def test_c40_of_two_exports_to_one_name_one_is_refused(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path
) -> None:
    deployment.make_days_authoritative(range(1))
    path = tmp_path / "campaign.parquet"
    with only_writer(path), pytest.raises(StorageError, match="another process is writing"):
        export(consumer.snapshot("campaign"), path)
    export(consumer.snapshot("campaign"), path)
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_c31_what_a_format_cannot_hold_is_said_first(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path
) -> None:
    deployment.make_authoritative(key_of(1, 0), 1, columns=(*COLUMNS, LABELS))
    snapshot = consumer.snapshot("campaign")
    for name, safe in (("campaign.xlsx", False), ("campaign", False), ("campaign.parquet", True)):
        with pytest.raises(InvalidValueError):
            export(snapshot, tmp_path / "out" / name, safe_csv=safe)
    assert not (tmp_path / "out").exists()
    assert preview(snapshot, 2).num_rows == 2
    assert preview(snapshot, 0).num_rows == 0
    assert "_run_id" in preview(snapshot).column_names


TEXTS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "a=b", "", None, 'Zürich, "x"']


@pytest.mark.parametrize("safe", [False, True])
def test_c39_csv_has_lists_as_json_text_and_formulas_as_texts_where_that_is_asked_for(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path, safe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [["ü", None, 'a"b'], [], None, *[["=1"]] * 6]
    rows: dict[str, Any] = {
        "segments_date": [day(0)] * 9,
        "campaign_name": TEXTS,
        "campaign_labels": labels,
        "metrics_clicks": [-1] * 9,
    }

    def sealed_rows(_key: object, _run: int, _rows: int, schema: TableSchema) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(rows, schema=arrow_schema(schema))

    monkeypatch.setattr("gads_testing.local_deployment._rows", sealed_rows)
    columns = (*(one for one in COLUMNS if one.name in rows), LABELS)
    deployment.make_authoritative(key_of(1, 0), 1, 9, columns=columns)
    manifest = export(consumer.snapshot("campaign"), tmp_path / "campaign.csv", safe_csv=safe)
    with (tmp_path / "campaign.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert manifest.export is not None
    assert list(written[0]) == list(manifest.export.columns)
    assert [row["metrics_clicks"] for row in written] == ["-1"] * 9
    texts = [row["campaign_labels"] for row in written]
    assert [json.loads(text) if text else None for text in texts] == labels
    escaped = [text and f"'{text}" for text in TEXTS[:5]] if safe else TEXTS[:5]
    assert [row["campaign_name"] for row in written] == [*escaped, "a=b", "", "", TEXTS[-1]]


# Errors


def test_c32_nothing_to_ask_is_no_empty_answer(deployment: LocalDeployment, consumer: Consumer, tmp_path: Path) -> None:
    with pytest.raises(LedgerAbsentError):
        Consumer.open(state="sqlite:nowhere/ledger.db", sink=SINK, base=tmp_path)
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(UnknownReportError):
        consumer.snapshot("campaign")
    deployment.make_days_authoritative(range(2))
    deployment.seal_invalid(key_of(1, 0, "keyword"), 1)
    customers = {"customers": "1"}
    for ask in (
        lambda: consumer.snapshot("campain"),
        lambda: consumer.gaps(["campaign", "campain"], since=day(0), until=day(0), **customers),
        lambda: consumer.watermark("campain", **customers),
        lambda: consumer.ready("campain", day=day(0), **customers),
        lambda: consumer.delta("campain"),
        lambda: consumer.delta("campain", after=consumer.cursor()),
        lambda: consumer.changes(reports=["campaign", "campain"]),
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
        lambda: consumer.snapshot("campaign", since=20240601),  # type: ignore[arg-type]  # on purpose
        lambda: consumer.snapshot("campaign", customers=1234567890),  # type: ignore[arg-type]  # on purpose
        lambda: consumer.snapshot(["campaign", "keyword"]),  # type: ignore[arg-type]  # on purpose
        lambda: consumer.delta(["campaign", "keyword"]),  # type: ignore[arg-type]  # on purpose
        lambda: consumer.watermark(["campaign", "keyword"], **customers),  # type: ignore[arg-type]  # on purpose
    ):
        with pytest.raises(InvalidValueError):
            wrong()


def test_c32_a_ledger_that_goes_away_or_is_replaced_is_noticed(tmp_path: Path) -> None:
    mine, other = LocalDeployment(tmp_path / "mine"), LocalDeployment(tmp_path / "other")
    for deployment in (mine, other):
        deployment.make_days_authoritative(range(1))
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
    assert len(kinds) >= 10
    assert len({kind.code for kind in kinds}) == len(kinds)
    source = "".join(path.read_text() for path in Path(inspect.getfile(Consumer)).parent.glob("*.py"))
    for kind in kinds:
        raised = re.findall(
            rf"raise {kind.__name__}\(\n?((?:.|\n)*?)\n? +\)(?: from|\n)|raise {kind.__name__}\((.*)\)", source
        )
        assert raised or kind.default_hint, kind
        if not kind.default_hint:
            assert all("hint=" in "".join(text) for text in raised), kind


def test_c40_a_sink_without_the_newest_partitions_is_not_opened(deployment: LocalDeployment) -> None:
    deployment.consumer().close()  # nothing is authoritative, and nothing is missed
    deployment.make_days_authoritative(range(5))
    newest = [deployment.folder(key_of(1, number), run_of(1)) / "metadata.json" for number in (4, 3, 2)]
    for seal in newest[:2]:
        seal.rename(seal.with_name("away"))
    deployment.consumer().close()  # single days that are lost are found where they are read
    newest[2].rename(newest[2].with_name("away"))
    with pytest.raises(SinkLostError, match="such as google_ads/1/campaign/2024-06-05") as caught:
        deployment.consumer()
    assert (caught.value.code, caught.value.retryable) == ("sink_lost", False)
    newest[0].with_name("away").rename(newest[0])
    for day_ in range(5):
        deployment.validate(key_of(1, day_), recheck=True)  # what is gone loses its authority
    deployment.consumer().close()


# Copies


def test_c34_a_copy_is_what_was_sealed_or_an_error(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path
) -> None:
    deployment.make_days_authoritative(range(3))
    folder = tmp_path / "copies"
    folder.mkdir()
    partitions = consumer.snapshot("campaign").partitions
    copies = list(consumer.copy_payloads(partitions, folder))
    assert [copy.partition for copy in copies] == list(partitions)
    for copy in copies:
        assert copy.path.read_bytes() == deployment.payload(copy.partition.key, copy.partition.run_id).read_bytes()
    flip_bit(deployment.payload(partitions[1].key, partitions[1].run_id), 100)
    again = consumer.copy_payloads(partitions, folder)
    with pytest.raises(PartitionAlteredError):
        list(again)


def test_c41_the_files_of_a_snapshot_are_one_run_a_day(deployment: LocalDeployment, consumer: Consumer) -> None:
    """DuckDB reads the listed files as they are, and a day that is taken again is not there twice."""
    deployment.make_days_authoritative(range(3), 1, rows=5)
    deployment.seal_invalid(key_of(1, 1), 2)
    before = consumer.snapshot("campaign")
    listed = [file.path for file in before.files()]
    deployment.make_authoritative(key_of(1, 2), 3, 8)
    files = consumer.snapshot("campaign").files()
    assert [file.partition for file in files] == list(consumer.snapshot("campaign").partitions)
    assert [(file.path, file.size) for file in files] == [
        (str(path := deployment.payload(one.partition.key, one.partition.run_id)), path.stat().st_size) for one in files
    ]
    counted = "SELECT count(*), count(DISTINCT segments_date) FROM read_parquet($1)"
    assert duckdb.execute(counted, [[file.path for file in files]]).fetchone() == (18, 3)
    assert [file.path for file in before.files()] == listed
    assert duckdb.execute(counted, [listed]).fetchone() == (15, 3)
    deployment.make_authoritative(key_of(1, 3), 4, columns=(*COLUMNS, LABELS), schema_version=2)
    mixed = consumer.snapshot("campaign")
    with pytest.raises(SchemaMismatchError):
        mixed.files()
    assert len(mixed.files(unify=True)) == 4
    (deployment.folder(key_of(1, 0), run_of(1)) / "metadata.json").unlink()
    with pytest.raises(PartitionGoneError):
        before.files()


# The contract itself


def test_every_way_to_ask_has_its_promises() -> None:
    asked = {name for name, _ in inspect.getmembers(Consumer) if not name.startswith("_")} - {"open", "close"}
    table = re.findall(r"^\| `(\w+)` \| .*C[0-9]+", (CONTRACT / "README.md").read_text(), re.MULTILINE)
    assert set(table) == asked


def test_every_promise_has_a_test_and_every_test_a_promise() -> None:
    promised = {
        int(number)
        for number in re.findall(r"^- \*\*C([0-9]+)\.\*\*", (CONTRACT / "README.md").read_text(), re.MULTILINE)
    }
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    tested = {int(number) for number in re.findall(r"^def test_c([0-9]+)_", sources, re.MULTILINE)}
    assert promised == set(range(1, max(promised) + 1))
    assert tested == promised


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_a_schema_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}")
def test_an_example_is_what_its_folder_says(path: Path) -> None:
    kind, validation = path.parts[-3], path.parts[-2]
    data = path.read_bytes()
    if path.stem == "code-not-json":
        faults: list[str] = []
    else:
        faults = [error.message for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(json.loads(data))]
    assert bool(faults) == path.stem.startswith("schema-"), faults
    if kind == "manifest":
        if validation == "invalid":
            with pytest.raises((ManifestError, NewerContractError)):
                decode_manifest(data, path.name)
        else:
            manifest = decode_manifest(data, path.name)
            assert validation == "later-minor" or encode_manifest(manifest) == data


def test_documents_have_the_members_of_their_schemas(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative(range(1))
    (change,) = consumer.changes()
    assert set(change.to_record()) == set(SCHEMAS["change"]["properties"]) == set(SCHEMAS["change"]["required"])
    document = json.loads(encode_manifest(consumer.snapshot("campaign").manifest()))
    assert (
        set(document)
        == set(SCHEMAS["manifest"]["required"])
        == set(SCHEMAS["manifest"]["properties"]) - {"after", "export"}
    )


def test_the_state_url_of_the_tests_is_the_readers(deployment: LocalDeployment) -> None:
    with Consumer.open(state=STATE, sink=SINK, base=deployment.base) as opened:
        assert opened.reports() == []
