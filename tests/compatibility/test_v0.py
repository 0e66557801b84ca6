"""Everything that version 0.1.0 wrote is read, and goes on being written, by the present version.

The expectations are what 0.1.0 printed of it. Members may get other names and more may come, so documents are compared
by the values in them.
"""

from __future__ import annotations

import copy
import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
import pytest

from gads_consumer.consumer import Consumer, load_snapshot
from gads_domain.adapters import ledger_adapter
from gads_domain.completeness import Answer
from gads_domain.run import RunId
from gads_pipeline import Pipeline
from gads_status.screen import screen

SAMPLE = Path(__file__).with_name("v0")
PRINTED: dict[str, Any] = json.loads((SAMPLE / "printed.json").read_text(encoding="utf-8"))


class Done(Protocol):
    code: int
    err: str

    @property
    def json(self) -> Any: ...


class Command(Protocol):
    def __call__(self, *arguments: object, cwd: Path | None = None) -> Done: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample to work in."""
    copy = tmp_path / "v0"
    shutil.copytree(SAMPLE, copy)
    (copy / "warehouse.duckdb").write_bytes(gzip.decompress((copy / "warehouse.duckdb.gz").read_bytes()))
    return copy


def values(document: Any) -> Counter[tuple[str, Any]]:
    """Every value of a JSON document that is no null, whatever the name of its member."""

    def walk(part: Any) -> Iterator[Any]:
        if isinstance(part, dict):
            for member in part.values():
                yield from walk(member)
        elif isinstance(part, list):
            for item in part:
                yield from walk(item)
        elif part is not None:
            yield type(part).__name__, part

    return Counter(walk(document))


def assert_holds(found: Any, expected: Any) -> None:
    """`found` holds every value of `expected`, as often at least."""
    assert not values(expected) - values(found)


def authority(rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    members = ("customer_id", "report", "logical_date", "status", "current_run_id", "schema_version", "record_count")
    return {tuple(row[member] for member in members) for row in rows}


def keys() -> list[str]:
    return sorted(PRINTED["state history"])


def test_the_sample_holds_what_it_is_kept_for() -> None:
    histories = [one["printed"] for one in PRINTED["state history"].values()]
    assert {history["state"]["status"] for history in histories} == {"pending", "success", "failed"}
    assert {attempt["outcome"] for one in histories for attempt in one["attempts"]} == {
        "passed",
        "rejected",
        "unsealed",
    }
    assert {mark for one in histories for mark in one["marks"]} == {"held", "terminal"}
    assert {act["kind"] for one in histories for act in one["acts"]} >= {"retry", "hold", "release", "revoke"}
    assert {act["by_policy"] for one in histories for act in one["acts"]} == {True, False}


def test_every_row_is_read(gads_etl: Command, folder: Path) -> None:
    found = gads_etl("state", "inspect", "--format", "json", cwd=folder)
    assert found.code == 0, found.err
    expected = PRINTED["state inspect"]["printed"]
    assert len(found.json) == len(expected) == len(keys())
    assert authority(found.json) == authority(expected)
    for row, was in zip(found.json, expected, strict=True):
        assert_holds(row, was)


def test_a_status_says_what_was_not_on_record_then(folder: Path) -> None:
    status = Pipeline.open(folder / "gads.toml").status()
    assert status.answer is not Answer.COMPLETE
    assert (status.unknown, status.accounts.drawn_at) == ("no list of accounts was ever drawn", None)
    assert status.activity_unknown
    assert {one.report for one in status.reports} == {"campaign", "ad_group_clicks"}
    assert sum(one.authoritative for one in status.reports) > 0
    assert all(one.complete_up_to is None for one in status.reports)
    assert screen(status)


@pytest.mark.parametrize("key", keys())
def test_every_history_is_read(gads_etl: Command, folder: Path, key: str) -> None:
    found = gads_etl("state", "history", key, "--format", "json", cwd=folder)
    assert found.code == 0, found.err
    expected = copy.deepcopy(PRINTED["state history"][key]["printed"])
    for check in (check for attempt in expected["attempts"] for check in attempt["checks"] if check["passed"]):
        check["figures"] = {}  # of checks that held, later versions keep the names alone
    assert_holds(found.json, expected)


def test_the_change_feed_is_read_from_the_beginning_and_from_a_cursor(gads_etl: Command, folder: Path) -> None:
    expected = PRINTED["consume changes"]["printed"]["changes"]
    cursor = (folder / "cursor.txt").read_text().strip()
    for arguments, rest in (((), expected), (("--after", cursor), expected[6:])):
        found = gads_etl("consume", "changes", *arguments, "--format", "json", cwd=folder)
        assert found.code == 0, found.err
        assert len(found.json["changes"]) == len(rest)
        for change, was in zip(found.json["changes"], rest, strict=True):
            assert_holds({**change, "change_version": None}, {**was, "change_version": None})
        assert found.json["cursor"] == PRINTED["consume changes"]["printed"]["cursor"]


def test_gaps_are_the_same(gads_etl: Command, folder: Path) -> None:
    found = gads_etl(
        "consume", "gaps", "--since", "2024-05-01", "--until", "2024-05-04", "--format", "json", cwd=folder
    )
    assert found.code == 1, found.err
    assert len(found.json["gaps"]) == len(PRINTED["consume gaps"]["printed"]["gaps"])
    assert_holds(found.json, PRINTED["consume gaps"]["printed"])


@pytest.mark.parametrize("report", ["campaign", "ad_group_clicks"])
def test_every_row_of_the_partitions_is_read(gads_etl: Command, folder: Path, report: str) -> None:
    found = gads_etl("consume", "preview", report, "--rows", "50", "--unify", "--format", "json", cwd=folder)
    assert found.code == 0, found.err
    assert found.json == PRINTED["consume preview"][report]["printed"]


def test_a_manifest_reads_the_rows_of_its_day_with_and_without_the_ledger(folder: Path) -> None:
    exported = pq.read_table(folder / "campaign.parquet")
    manifest = folder / "campaign.parquet.manifest.json"
    assert load_snapshot(manifest, sink="file:raw", base=folder).to_table().equals(exported)
    consumer = Consumer.open(state="sqlite:state.db", sink="file:raw", base=folder)
    assert consumer.load(manifest).to_table().equals(exported)
    assert not consumer.snapshot("campaign").to_table().equals(exported)  # the days were restated since


def test_an_export_as_of_then_is_the_export_of_then(gads_etl: Command, folder: Path) -> None:
    position = json.loads((folder / "campaign.parquet.manifest.json").read_text())["position"]
    done = gads_etl("consume", "export", "campaign", "again.parquet", "--as-of", position, cwd=folder)
    assert done.code == 0, done.err
    assert pq.read_table(folder / "again.parquet").equals(pq.read_table(folder / "campaign.parquet"))


def test_validated_again_nothing_loses_authority(gads_etl: Command, folder: Path) -> None:
    done = gads_etl("validate", "--recheck", "--format", "json", cwd=folder)
    expected = PRINTED["validate --recheck"]
    assert done.code == expected["exit_code"], done.err
    assert done.json["looked_at"] == expected["printed"]["partitions"]
    not_success = [row for row in done.json["partitions"] if row["status"] != "success" or row["last_error"]]
    assert authority(not_success) == authority(expected["printed"]["not_success"])
    rows = gads_etl("state", "inspect", "--format", "json", cwd=folder).json
    assert authority(rows) == authority(PRINTED["state inspect"]["printed"])


def test_the_warehouse_is_read_loaded_and_equal_to_the_payloads(gads_etl: Command, folder: Path) -> None:
    for command in ("status", "verify", "load"):
        found = gads_etl("warehouse", command, "--format", "json", cwd=folder)
        expected = PRINTED[f"warehouse {command}"]
        assert found.code == expected["exit_code"], found.err
        assert_holds(found.json, expected["printed"])
    assert gads_etl("warehouse", "status", cwd=folder).code == 0
    verified = gads_etl("warehouse", "verify", "--format", "json", cwd=folder)
    assert verified.code == 0, verified.err
    assert verified.json["rows"] == PRINTED["warehouse verify"]["printed"]["rows"]
    assert not verified.json["differences"]


def test_leases_and_quota_are_read(folder: Path) -> None:
    with ledger_adapter("sqlite:state.db").open_reader("sqlite:state.db", folder) as ledger:
        (lease,) = ledger.leases(datetime(2026, 11, 27, 20, 21, 30, tzinfo=UTC))
        assert (lease.scope, lease.number) == ("google_ads/8646067664/campaign", 12)
        before = ledger.spent("default", datetime(2026, 11, 27, tzinfo=UTC))
        assert [part.count for part in before.parts] == [12]
    with ledger_adapter("sqlite:state.db").open_for_control_plane("sqlite:state.db", folder) as control:
        assert control.spent("default", datetime(2026, 11, 27, tzinfo=UTC)).count == 12
        assert control.rests("default", datetime(2026, 11, 27, tzinfo=UTC)) == []


def test_the_newest_run_is_found_before_and_after_the_migration(folder: Path) -> None:
    results = {
        (key, attempt["run_id"])
        for key, one in PRINTED["state history"].items()
        for attempt in one["printed"]["attempts"]
    }
    revoked = {(key, run) for key, one in PRINTED["state history"].items() for run in one["printed"]["revoked"]}
    assert revoked
    newest = RunId(max(run for _, run in results - revoked))
    adapter = ledger_adapter("sqlite:state.db")
    before = (folder / "state.db").read_bytes()
    with adapter.open_reader("sqlite:state.db", folder) as reader:
        assert reader.newest_run() == newest
        assert (folder / "state.db").read_bytes() == before
        adapter.open_for_validator("sqlite:state.db", folder).close()
        assert (folder / "state.db").read_bytes() != before
        assert reader.newest_run() == newest


def test_expectations_are_inferred_from_the_rows_before_and_after_the_migration(folder: Path) -> None:
    adapter = ledger_adapter("sqlite:state.db")
    days: dict[tuple[str, str], list[str]] = {}
    for row in PRINTED["state inspect"]["printed"]:
        days.setdefault((row["customer_id"], row["report"]), []).append(row["logical_date"])
    expected = [(*pair, min(found), max(found), True) for pair, found in sorted(days.items())]

    def found() -> list[tuple[Any, ...]]:
        with adapter.open_reader("sqlite:state.db", folder) as reader:
            answer = reader.expectations("google_ads")
        assert (answer.drawn_at, answer.accounts) == (None, ())
        return [
            (one.customer_id, one.report, str(one.first_day), str(one.last_day), one.inferred)
            for one in answer.expected
        ]

    assert found() == expected
    adapter.open_for_control_plane("sqlite:state.db", folder).close()
    assert found() == expected


def test_a_new_run_goes_on_where_the_old_version_ended(gads_etl: Command, folder: Path) -> None:
    day = ("--since", "2024-05-03", "--until", "2024-05-04", "--customer", "8646067664", "--report", "campaign")
    done = gads_etl("run", *day, cwd=folder)
    assert done.code == 0, done.err
    rows = gads_etl("state", "inspect", "--format", "json", cwd=folder).json
    before = authority(PRINTED["state inspect"]["printed"])
    (new,) = authority(rows) - before
    assert new[:4] == ("8646067664", "campaign", "2024-05-04", "success")
    assert before < authority(rows)
    (change,) = gads_etl(
        "consume", "changes", "--after", PRINTED["consume changes"]["printed"]["cursor"], "--format", "json", cwd=folder
    ).json["changes"]
    assert change["position"] > PRINTED["consume changes"]["printed"]["changes"][-1]["position"]
    assert change["run_id"] == new[4]
    assert gads_etl("warehouse", "load", cwd=folder).code == 0
    assert gads_etl("warehouse", "verify", cwd=folder).code == 0
    with ledger_adapter("sqlite:state.db").open_reader("sqlite:state.db", folder) as ledger:
        assert ledger.leases(datetime.now(UTC)) == []
