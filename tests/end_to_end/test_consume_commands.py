"""`gads-etl consume` and `gads-etl reports`: each does what its line of help says, on a real demo."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def demo(gads_etl: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("demo")
    assert gads_etl("demo", "--dir", folder, "--until", "2024-05-14").code == 0
    return folder / "gads.toml"


def test_preview_says_where_each_row_is_from(gads_etl: Any, demo: Path) -> None:
    done = gads_etl("consume", "preview", "campaign", "-c", demo, "--rows", 3, "--format", "json")
    assert done.code == 0
    assert len(done.json) == 3
    assert {"_customer_id", "_logical_date", "_run_id", "metrics_clicks"} <= set(done.json[0])


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_export_writes_the_file_and_its_manifest(gads_etl: Any, demo: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    days = ("--since", "2024-05-01", "--until", "2024-05-14")
    done = gads_etl("consume", "export", "campaign", path, "-c", demo, "--complete", *days, "--format", "json")
    assert done.code == 0, done.err
    manifest = json.loads(Path(done.json["manifest"]).read_text())
    assert manifest["export"]["rows"] == done.json["rows"] > 0
    if suffix == "parquet":
        assert pq.read_metadata(path).num_rows == done.json["rows"]
    if suffix == "csv":
        with path.open(newline="") as file:
            assert len(list(csv.DictReader(file))) == done.json["rows"]
    again = gads_etl("consume", "export", "campaign", path, "-c", demo)
    assert again.code == 2
    assert "--overwrite" in again.err or "overwrit" in again.err


def test_columns_are_chosen_by_name(gads_etl: Any, demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    chosen = ("--columns", "campaign.id,metrics_clicks")
    assert gads_etl("consume", "export", "campaign", path, "-c", demo, *chosen, "--safe-csv").code == 0
    assert path.read_text().splitlines()[0] == '"campaign_id","metrics_clicks"'
    preview = ("consume", "preview", "campaign", "-c", demo, "--rows", 1, "--format", "json")
    whole, some = gads_etl(*preview).json[0], gads_etl(*preview, "--exclude", "campaign_id,campaign.name").json[0]
    assert set(whole) - set(some) == {"campaign_id", "campaign_name"}
    for wrong in (["--columns", "nonsense"], ["--exclude", "nonsense"], [*chosen, "--exclude", "campaign_id"]):
        done = gads_etl(*preview, *wrong)
        assert (done.code, done.out) == (2, ""), done.err
        assert "hint: " in done.err


def test_paths_are_a_manifest_of_the_authoritative_files(gads_etl: Any, demo: Path, tmp_path: Path) -> None:
    config = ("campaign", "-c", demo)
    listed = gads_etl("consume", "paths", *config)
    (tmp_path / "campaign.txt").write_text(listed.out)
    facts = gads_etl("consume", "paths", *config, "--format", "json").json
    assert [file["path"] for file in facts["files"]] == listed.out.split()
    assert f"{len(facts['files'])} files as of" in listed.err
    rows = duckdb.execute(
        f"SET VARIABLE files = (SELECT list(column0) FROM read_csv('{tmp_path}/campaign.txt', header = false)); "
        "SELECT count(*) FROM read_parquet(getvariable('files'))"
    ).fetchone()
    assert rows == (sum(file["record_count"] for file in facts["files"]),)
    refused = gads_etl("consume", "paths", *config, "--complete", "--since", "2020-01-01")
    assert (refused.code, refused.out) == (1, "")


def test_changes_go_on_where_they_ended(gads_etl: Any, demo: Path) -> None:
    first = gads_etl("consume", "changes", "-c", demo, "--limit", 100, "--format", "json").json
    second = gads_etl("consume", "changes", "-c", demo, "--after", first["cursor"], "--format", "json").json
    positions = [change["position"] for change in first["changes"] + second["changes"]]
    assert len(positions) == 126
    assert positions == sorted(set(positions))
    end = gads_etl("consume", "changes", "-c", demo, "--after", second["cursor"], "--format", "json").json
    assert end["changes"] == []


def test_gaps_answers_whether_to_publish(gads_etl: Any, demo: Path) -> None:
    whole = gads_etl(
        "consume", "gaps", "-c", demo, "--since", "2024-05-01", "--until", "2024-05-14", "--format", "json"
    )
    assert (whole.code, whole.json["ready"], whole.json["gaps"]) == (0, True, [])
    short = gads_etl(
        "consume", "gaps", "-c", demo, "--since", "2024-05-14", "--until", "2024-05-15", "--format", "json"
    )
    assert (short.code, short.json["ready"], len(short.json["gaps"])) == (1, False, 9)
    assert {gap["status"] for gap in short.json["gaps"]} == {"pending"}
    tomorrow = gads_etl("consume", "gaps", "-c", demo, "--since", "tomorrow", "--until", "tomorrow", "--format", "json")
    answer = tomorrow.json
    assert (tomorrow.code, answer["ready"], answer["gaps"], answer["not_due"]) == (0, False, [], 9)
    since_then = gads_etl("consume", "gaps", "-c", demo, "--format", "json")
    assert (since_then.code, since_then.json["answer"]) == (1, "incomplete")
    assert set(since_then.json["watermarks"].values()) == {"2024-05-14"}
    assert min(gap["since"] for gap in since_then.json["gaps"]) == "2024-05-15"
    recent = gads_etl("consume", "gaps", "-c", demo, "--since", "-5d", "--until", "-3d", "--report", "campaign")
    assert (recent.code, recent.out.count("never attempted")) == (1, 3), recent.out


def test_what_the_ledger_does_not_know_is_an_error_and_not_an_empty_answer(gads_etl: Any, demo: Path) -> None:
    out = demo.parent / "nothing.parquet"
    for code, said, *asked in (
        (2, "nonsense", "preview", "nonsense"),
        (2, "nonsense", "changes", "--report", "nonsense"),
        (2, "no position 99999999999999999999", "preview", "campaign", "--as-of", "99999999999999999999"),
        (2, "neither a moment nor a cursor", "preview", "campaign", "--as-of", "²"),
        (1, "2024-05-15 is pending", "export", "campaign", out, "--complete", "--since", "2024-05-15"),
    ):
        done = gads_etl("consume", *asked, "-c", demo, *(["--until", "2024-05-15"] if out in asked else []))
        assert (done.code, done.out) == (code, ""), done.err
        assert said in done.err
        assert "hint: " in done.err
    assert not out.exists()


def test_reports_are_listed_and_shown(gads_etl: Any, demo: Path) -> None:
    rows = gads_etl("reports", "list", "--format", "json").json
    assert len(rows) >= 45
    assert {row["kind"] for row in rows} == {"daily", "snapshot", "event"}
    shown = gads_etl("reports", "show", "campaign", "--format", "json").json
    assert any(column["name"] == "metrics_clicks" and column["is_metric"] for column in shown["columns"])
    assert "SELECT" in gads_etl("reports", "show", "campaign", "--gaql").out
    wrong = gads_etl("reports", "show", "campain")
    assert wrong.code == 2
    assert "campaign" in wrong.err


def test_own_report_stands_before_the_packaged_one_of_its_name(gads_etl: Any, tmp_path: Path) -> None:
    config = tmp_path / "gads.toml"
    config.write_text(
        '[storage]\nsink = "file:raw"\nstate = "sqlite:s.db"\n[[reports]]\nname = "campaign"\n'
        'query = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign"\n'
    )
    rows = gads_etl("reports", "list", "-c", config, "--format", "json").json
    (own,) = [row for row in rows if row["name"] == "campaign"]
    assert own["origin"].startswith("own")
    assert len(gads_etl("reports", "show", "campaign", "-c", config, "--format", "json").json["columns"]) == 3


def test_comparing_versions_names_what_would_break(gads_etl: Any, tmp_path: Path) -> None:
    config = tmp_path / "gads.toml"
    config.write_text(
        '[storage]\nsink = "file:raw"\nstate = "sqlite:s.db"\n[[reports]]\nname = "campaign_lifecycle_goal"\n'
        '[[reports]]\nname = "campaign"\n'
    )
    done = gads_etl("check", "-c", config, "--api-version", "v24", "--api-version", "v26", "--format", "json")
    assert done.code == 2
    faults = [f for f in done.json if not f["ok"]]
    assert {f["subject"] for f in faults} == {
        "report campaign_lifecycle_goal",
        "report campaign_lifecycle_goal, v24 to v26",
    }
    lost = [f["message"] for f in faults if ": v26 has no field " in f["message"]]
    assert len(lost) == 5, "column by column"
    assert all(message.split(": ")[1].startswith("campaign_lifecycle_goal_") for message in lost)
    assert any(f["subject"] == "report campaign, v24 to v26" and f["ok"] for f in done.json)


def test_a_sweep_takes_nothing_that_a_writer_could_still_need(gads_etl: Any, demo: Path) -> None:
    (seal, *_) = (demo.parent / "raw").rglob("metadata.json")
    fresh = seal.with_name(".payload-0123456789abcdef.partial")
    fresh.write_bytes(b"half a payload")
    planned = gads_etl("sink", "sweep", "-c", demo, "--dry-run", "--format", "json")
    assert (planned.code, planned.json) == (0, {"removed": False, "leftovers": []})
    assert gads_etl("sink", "sweep", "-c", demo).code == 0
    assert fresh.exists()
    fresh.unlink()
    young = gads_etl("sink", "sweep", "-c", demo, "--older-than-hours", 1)
    assert (young.code, "hint: " in young.err) == (2, True)
