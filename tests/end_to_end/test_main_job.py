"""From the API's wire to an authoritative partition, as an operator sees it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

DAYS = ("--since", "2024-03-01", "--until", "2024-03-05")


def _payload_sums(folder: Path, report: str) -> tuple[int, ...]:
    files = [str(path) for path in folder.glob(f"google_ads/*/report={report}/*/*/payload-*.parquet")]
    found = duckdb.execute(
        "SELECT count(*), sum(metrics_clicks)::BIGINT, sum(metrics_impressions)::BIGINT, "
        "sum(metrics_cost_micros)::BIGINT FROM read_parquet(?, hive_partitioning = false)",
        [files],
    ).fetchone()
    assert found is not None
    return tuple(int(value or 0) for value in found)


def test_run_extracts_seals_and_trusts(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], digest_of: Any
) -> None:
    config = project(agency, customers)
    planned = gads_etl("run", "-c", config, *DAYS, "--dry-run", "--format", "json")
    assert planned.code == 0
    assert planned.json["operations"] == 6
    assert planned.json["partitions"] == 30
    assert not (config.parent / "state.db").exists()

    done = gads_etl("run", "-c", config, *DAYS, "--format", "json")
    assert done.code == 0, done.err
    assert done.json["summary"] == {"pending": 0, "success": 30, "failed": 0}
    (run_id,) = done.json["run_ids"]
    assert {row["current_run_id"] for row in done.json["partitions"]} == {run_id}
    assert len(list((config.parent / "raw").rglob("metadata.json"))) == 30
    assert all(f"run_id={run_id}" in str(path) for path in (config.parent / "raw").rglob("metadata.json"))
    # Every device of every campaign adds up to what the account itself reports.
    campaign, account = (_payload_sums(config.parent / "raw", name) for name in ("campaign", "account"))
    assert campaign[1:] == account[1:]
    assert campaign[1] > 0

    before = digest_of(config.parent)
    rows = gads_etl("state", "inspect", "-c", config, "--format", "json")
    assert rows.code == 0
    assert [row["status"] for row in rows.json] == ["success"] * 30
    assert digest_of(config.parent) == before

    again = gads_etl("run", "-c", config, *DAYS, "--format", "json")
    assert again.code == 0
    assert again.json["operations"] == 0
    assert len(list((config.parent / "raw").rglob("metadata.json"))) == 30


def test_restatement_with_the_same_rows_moves_nothing(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers[:1])
    first = gads_etl("run", "-c", config, *DAYS, "--report", "account", "--format", "json").json["run_ids"]
    second = gads_etl("run", "-c", config, *DAYS, "--report", "account", "--reprocess", "--format", "json")
    assert second.code == 0
    assert second.json["run_ids"] != first
    assert [row["current_run_id"] for row in second.json["partitions"]] == first * 5
    rows = {(row["attempt_count"], row["confirmed_run_id"]) for row in second.json["partitions"]}
    assert rows == {(1, second.json["run_ids"][0])}
    assert (second.json["attempted"], second.json["unchanged"], second.json["changed"]) == (5, 5, 0)
    assert len(list((config.parent / "raw").rglob("metadata.json"))) == 5
    checked = gads_etl("validate", "-c", config, "--recheck", "--format", "json")
    assert checked.code == 0
    assert (checked.json["looked_at"], checked.json["partitions"]) == (5, [])


def test_one_denied_account_changes_nothing_for_the_others(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, [customers[0], "9999999999", customers[1]])
    done = gads_etl("run", "-c", config, *DAYS, "--report", "account", "--workers", 2)
    assert done.code == 1
    assert re.search(
        r"^not success: 9999999999 account 2024-03-01\.\.2024-03-05: .*USER_PERMISSION_DENIED", done.err, re.M
    )
    rows = gads_etl("state", "inspect", "-c", config, "--format", "json").json
    assert {row["status"] for row in rows if row["customer_id"] != "9999999999"} == {"success"}
    denied = [row for row in rows if row["customer_id"] == "9999999999"]
    assert len(denied) == 5
    assert all(row["status"] == "failed" and "USER_PERMISSION_DENIED" in row["last_error"] for row in denied)

    left = gads_etl("run", "-c", config, *DAYS, "--report", "account", "--format", "json")
    assert (left.code, left.json["operations"]) == (1, 0)
    retried = gads_etl("run", "-c", config, *DAYS, "--report", "account", "--retry-failed", "--format", "json")
    assert (retried.code, retried.json["operations"]) == (1, 1)
    attempts = {row["attempt_count"] for row in retried.json["partitions"] if row["customer_id"] == "9999999999"}
    assert attempts == {2}


def test_recorded_rows_arrive_as_recorded(
    gads_etl: Any, project: Callable[..., Path], emulator: Callable[..., Path], tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "customer": {"id": "4611686018"},
            "campaign": {"id": str(2**40 + n), "name": f"Кампания {n}", "labels": [f"customers/4611686018/labels/{n}"]},
            "segments": {"date": f"2022-04-{day:02d}", "hour": n},
            "metrics": {"clicks": str(n), "impressions": str(10 * n), "cost_micros": str(10**12 + n)},
        }
        for day in (8, 10, 11)
        for n in range(1, 6)
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "campaign.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reports = """
[[reports]]
name = "hourly"
query = '''SELECT campaign.id, campaign.name, campaign.labels, segments.date, segments.hour,
metrics.clicks, metrics.impressions, metrics.cost_micros FROM campaign'''
"""
    config = project(emulator("--data", data), ["4611686018"], reports)
    done = gads_etl("run", "-c", config, "--since", "2022-04-07", "--until", "2022-04-12", "--format", "json")
    assert done.code == 0, done.err
    assert [row["record_count"] for row in done.json["partitions"]] == [0, 5, 0, 5, 5, 0]
    expected = [sum(int(row["metrics"][name]) for row in rows) for name in ("clicks", "impressions", "cost_micros")]
    assert _payload_sums(config.parent / "raw", "hourly") == (15, *expected)
    files = [str(path) for path in (config.parent / "raw").rglob("payload-*.parquet")]
    names = duckdb.execute(
        "SELECT DISTINCT campaign_name, campaign_id FROM read_parquet(?) ORDER BY 2", [files]
    ).fetchall()
    assert names == [(f"Кампания {n}", 2**40 + n) for n in range(1, 6)]

    config.write_text(config.read_text().replace('history = "unlimited"\n', ""))
    for command in (["run", "--reprocess"], ["backfill", "--yes"]):
        refused = gads_etl(*command, "-c", config, "--since", "2022-04-07", "--until", "2022-04-13")
        assert refused.code == 2, refused.err
        assert 'google_ads.history = "unlimited"' in refused.err
        assert "it keeps 37 months, from 20" in refused.err
    rows_now = gads_etl("state", "inspect", "-c", config, "--format", "json").json
    assert [row["record_count"] for row in rows_now] == [0, 5, 0, 5, 5, 0]


def test_days_that_the_api_no_longer_has_are_skipped_by_name_and_never_asked_for(
    gads_etl: Any, project: Callable[..., Path], emulator: Callable[..., Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "customer.jsonl").write_text(json.dumps({"customer": {"id": "4611686018", "time_zone": "UTC"}}) + "\n")
    (data / "click_view.jsonl").write_text("")
    reports = """
[[reports]]
name = "my_clicks"
query = "SELECT customer.id, click_view.gclid, segments.date, metrics.clicks FROM click_view"
"""
    config = project(emulator("--data", data), ["4611686018"], reports)
    config.write_text(config.read_text().replace('history = "unlimited"\n', ""))
    today = datetime.now(UTC).date()
    first, last = (str(today - timedelta(days=days)) for days in (95, 80))
    done = gads_etl("run", "-c", config, "--since", first, "--until", last, "--format", "json")
    (note,) = [note for note in done.json["notes"] if "no longer has" in note]
    assert note.startswith(f"skipped: {first} to ")
    assert "(5 days)" in note or "(4 days)" in note, "by the zone where a day ends last"
    assert "it keeps 90 days, from " in note
    assert note.endswith("my_clicks of 4611686018")
    rows = gads_etl("state", "inspect", "-c", config, "--format", "json").json
    assert min(row["logical_date"] for row in rows) >= str(today - timedelta(days=91))
    assert len(rows) == done.json["attempted"]
    assert done.code == 1, "what is asked for and not had is missing"
    (gap,) = done.json["completeness"]["gaps"]
    assert (gap["since"], gap["reason"]) == (first, "never taken, and the API no longer has it")


def test_every_damage_and_loss_is_found_and_authority_falls_back(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers[:1])
    days = ("--since", "2024-03-01", "--until", "2024-03-04", "--report", "account")
    assert gads_etl("run", "-c", config, *days).code == 0
    raw = config.parent / "raw"
    changed, unsealed, gone, _ = sorted(path.parent for path in raw.rglob("metadata.json"))
    (payload,) = changed.glob("payload-*.parquet")
    data = bytearray(payload.read_bytes())
    data[len(data) // 2] ^= 1
    payload.write_bytes(data)
    (unsealed / "metadata.json").unlink()
    shutil.rmtree(gone)

    raw.rename(config.parent / "elsewhere")
    unmounted = gads_etl("validate", "-c", config, "--recheck")
    assert (unmounted.code, unmounted.out) == (2, "")
    (config.parent / "elsewhere").rename(raw)

    found = gads_etl("validate", "-c", config, "--recheck", "--format", "json")
    assert (found.code, found.json["looked_at"], found.json["rejected_runs"]) == (1, 4, 3)
    failed = [
        (row["logical_date"], row["status"], row["rejected_runs"][0]["failed_checks"])
        for row in found.json["partitions"]
    ]
    assert failed == [
        ("2024-03-01", "failed", ["payload_sha256"]),
        ("2024-03-02", "failed", ["seal"]),
        ("2024-03-03", "failed", ["seal"]),
    ]


def test_a_sink_that_is_gone_is_found_by_whatever_is_about_its_partitions(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], digest_of: Any
) -> None:
    config = project(agency, customers[:1])
    days = ("--since", "2024-03-01", "--until", "2024-03-04", "--report", "account")
    assert gads_etl("run", "-c", config, *days).code == 0
    assert gads_etl("warehouse", "load", "-c", config).code == 0
    raw = config.parent / "raw"
    raw.rename(config.parent / "elsewhere")
    before = digest_of(config.parent)
    run = ("run", "-c", config, "--since", "2024-03-01", "--until", "2024-03-05", "--report", "account")
    gaps, load = ("gaps", "-c", config, "--report", "account"), ("warehouse", "load", "-c", config)
    for number, command in enumerate((run, ("state", *gaps), ("consume", *gaps), load, run)):
        if number == 4:
            raw.mkdir()  # empty, as a mount point is
        done = gads_etl(*command)
        assert (done.code, done.out) == (2, ""), done
        assert "error: the sink has none of the ledger's newest partitions, such as google_ads/" in done.err
        assert "hint: point storage.sink at the partitions of this ledger, or mount the storage" in done.err
    checked = gads_etl("check", "--offline", "-c", config, "--format", "json")
    (fault,) = [one for one in checked.json if not one["ok"]]
    assert (checked.code, fault["subject"]) == (2, "sink")
    assert digest_of(config.parent) == before, "nothing was spent, marked or made"
    raw.rmdir()
    (config.parent / "elsewhere").rename(raw)
    assert gads_etl(*run).code == 0
