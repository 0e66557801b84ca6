"""The control plane from the command line, against the local API: what is printed, what is changed, how it exits."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_etl.main import run

REPORT = """
[[reports]]
name = "account"
query = "SELECT customer.id, segments.date, metrics.impressions, metrics.clicks FROM customer"
"""
DAYS = ("--since", "2024-05-01", "--until", "2024-05-03")


@pytest.fixture
def config(project: Any, agency: Path, customers: list[str]) -> Path:
    made: Path = project(agency, customers[:2], REPORT, "[run]\nworkers = 1\n[quota]\noperations_per_day = 100\n")
    return made


def test_a_backfill_and_what_operators_do_to_it(
    config: Path, gads_etl: Any, customers: list[str], digest_of: Callable[[Path], dict[str, bytes]]
) -> None:
    def ask(*words: str) -> Any:
        return gads_etl(*words, "-c", config, "--format", "json")

    planned = ask("backfill", *DAYS, "--dry-run")
    assert (planned.code, planned.json["operations"], planned.json["partitions"]) == (0, 2, 6)
    assert not (config.parent / "state.db").exists()
    assert not (config.parent / "raw").exists()
    done = ask("backfill", *DAYS)
    assert done.code == 0, done.err
    assert done.json["summary"] == {"pending": 0, "success": 6, "failed": 0}
    assert (done.json["operations"], done.json["ended"]) == (2, "done")
    assert ask("backfill", *DAYS).json["operations"] == 0

    key = f"google_ads/{customers[0]}/account/2024-05-02"
    before = digest_of(config.parent)
    meant = ask("state", "revoke", key, "--run", done.json["run_ids"][0][-8:], "--reason", "wrong", "--dry-run")
    assert (meant.code, meant.json["done"], len(meant.json["partitions"])) == (0, 0, 1)
    assert digest_of(config.parent) == before

    revoked = ask("state", "revoke", key, "--run", done.json["run_ids"][0], "--reason", "wrong", "--json-events")
    assert (revoked.code, revoked.json["partitions"][0]["status"]) == (0, "failed")
    facts = [json.loads(line) for line in revoked.err.splitlines()]
    assert [fact["event"] for fact in facts] == ["run_revoked", "authority_changed"]
    assert (facts[1]["from_run"], facts[1]["to_run"], facts[1]["run_id"]) == (done.json["run_ids"][0], "", "")
    again = ask("state", "revoke", key, "--run", done.json["run_ids"][0], "--reason", "wrong")
    assert again.code == 1
    assert again.json["partitions"][0]["why_not"] == "the run has no validation result here, or is revoked already"

    days = ("--since", "2024-05-03", "--until", "2024-05-04")
    held = ask("state", "hold", "--customer", customers[0], *days, "--reason", "odd", "--json-events")
    assert (held.code, held.json["done"]) == (0, 2)
    assert [json.loads(line)["event"] for line in held.err.splitlines()] == ["partition_held"] * 2
    assert ask("state", "retry", key, f"google_ads/{customers[1]}/account/2024-05-02").code == 1
    found = ask("state", "gaps", "--since", "2024-05-01", "--until", "2024-05-04", "--customer", customers[0])
    assert found.code == 1
    assert [(gap["since"], gap["status"], gap["reason"]) for gap in found.json["gaps"]] == [
        ("2024-05-02", "pending", "a retry is ordered"),
        ("2024-05-04", "pending", "held"),
    ]
    more = ask("backfill", "--since", "2024-05-01", "--until", "2024-05-04", "--customer", customers[0])
    assert (more.code, more.json["operations"], more.json["attempted"]) == (1, 1, 1)
    held = {row["logical_date"]: row["skipped"]["code"] for row in more.json["partitions"] if row["skipped"]}
    assert held == {"2024-05-04": "held"}, "the third is success, and held"

    history = ask("state", "history", key).json
    assert history["revoked"] == [done.json["run_ids"][0]]
    assert [result["outcome"] for result in history["results"]] == ["passed", "passed"]
    assert [act["kind"] for act in history["acts"]] == ["revoke", "retry"]
    assert [change["cause"] for change in history["authority_changes"]] == ["validate", "order", "retry", "validate"]
    assert history["results"][0]["checks"]
    assert {"actor", "command", "filter", "reason", "before", "after"} <= set(history["acts"][0])


def test_what_cannot_be_meant_is_refused(
    config: Path, gads_etl: Any, customers: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    known, slip = f"google_ads/{customers[0]}/account/2024-05-01", f"google_ads/{customers[0]}/acount/2024-05-01"
    stranger, why = "google_ads/1111111111/account/2024-05-01", ("--reason", "odd")
    for words in (
        ("state", "retry"),
        ("state", "hold", known),
        ("state", "mark-terminal", known, "--reason", " "),
        ("state", "hold", "nonsense", *why),
        ("state", "hold", slip, *why),
        ("state", "hold", known.replace("google_ads", "googleads"), *why),
        ("state", "hold", "--report", "nothing", *why),
        ("state", "release", stranger),
        ("state", "retry", "--customer", "1111111111"),
        ("state", "revoke", "--run", "20240602T040506789Z-7f3a9c21", "--all", *why),
        ("state", "inspect", "--report", "acount"),
        ("state", "gaps", "--customer", "1111111111", *DAYS),
        ("state", "history", slip),
        ("state", "retry", "google_ads/1/account/2024-05-01", "--all"),
        ("backfill",),
        ("state", "hold", "--since", "2024-01-01", "--until", "2024-12-31", *why),
    ):
        # In this process, since each of so many would take half a second to start.
        with pytest.raises(SystemExit) as ended:
            run([*words, "-c", str(config)])
        said = capsys.readouterr().err
        assert ended.value.code == 2, (words, said)
        assert "hint:" in said
        assert "Traceback" not in said
    assert not (config.parent / "state.db").exists()
    nothing = gads_etl("state", "retry", "--all", "-c", config, "--format", "json")
    assert (nothing.code, nothing.json) == (
        0,
        {"operation": "retry", "dry_run": False, "done": 0, "partitions": []},
    )


def test_a_plan_says_what_it_costs_and_serve_once_does_it(config: Path, gads_etl: Any) -> None:
    planned = gads_etl("plan", "-c", config, "--format", "json").json
    assert planned["quota"] == {
        "operations_per_day": 100,
        "daily_operations": 4,
        "spent": 0,
        "left": 100,
        "more_from": None,
        "days": 1,
        "last_day": planned["quota"]["last_day"],
        "rests": [],
    }
    assert planned["operations"] == len(planned["slices"]) == 2
    assert set(planned["by_reason"]) == {"new"}
    assert not (config.parent / "state.db").exists()
    config.write_text(f'{config.read_text()}[warehouse]\nload_after_run = true\nurl = "duckdb:tables/w.duckdb"\n')
    served = gads_etl("serve", "--once", "--json-events", "--format", "json", "-c", config)
    assert served.code == 2, "the warehouse was not loaded"
    assert "there is no folder" in served.err
    assert (served.json["ended"], served.json["operations"], served.json["summary"]["success"]) == ("done", 2, 6)
    events = [json.loads(line) for line in served.err.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events if event["event"].startswith("run_")] == ["run_planned", "run_ended"]
    (config.parent / "tables").mkdir()
    assert gads_etl("serve", "--once", "-c", config).code == 0, "nothing else is due"
    assert gads_etl("warehouse", "status", "-c", config).code == 0, "the tables are where the ledger is"
    after = gads_etl("plan", "-c", config, "--format", "json").json
    assert after["operations"] == 0
    assert after["quota"]["spent"] > 2, "the two, and the list of accounts"


def test_sigterm_ends_the_daemon_within_ten_seconds(config: Path, gads_etl_script: Path) -> None:
    process = subprocess.Popen(
        [str(gads_etl_script), "serve", "-c", str(config), "--log-level", "debug"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "slice_started" in line:
                break
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=30)
        assert time.monotonic() - began < 10
        assert process.returncode == 0
        assert re.match(r"ended.*: 1 run in \d+ s, \d+ partitions? validated, ", rest.splitlines()[-1])
    finally:
        process.kill()
        process.wait()


def test_r46_rows_that_vanish_are_held_and_named_everywhere_until_they_are_accepted(
    project: Any, emulator: Callable[..., Path], gads_etl: Any, tmp_path: Path
) -> None:
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=n)).isoformat() for n in (6, 5)]
    account = {"id": "4611686018", "time_zone": "Europe/Berlin"}
    rows = [
        {"customer": account, "segments": {"date": day}, "metrics": {"impressions": "5", "clicks": "2"}} for day in days
    ]
    served = []
    for name, some in (("all", rows), ("one", rows[:1])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "customer.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
        served.append(emulator("--data", tmp_path / name))
    config = project(served[0], ["4611686018"], REPORT, "[freshness]\ndue_hours = 0\n")
    span = ("--since", days[0], "--until", days[1])

    def ask(*words: str) -> Any:
        return gads_etl(*words, "-c", config, "--format", "json")

    first = ask("run", *span)
    assert first.code == 0, first.err
    config.write_text(config.read_text().replace(str(served[0]), str(served[1])))
    key = f"google_ads/4611686018/account/{days[1]}"
    restated = ask("run", *span, "--reprocess")
    assert restated.code == 1, restated.err
    rows_of = {row["logical_date"]: row for row in restated.json["partitions"]}
    assert rows_of[days[0]]["reason"] is None
    held = rows_of[days[1]]
    assert (held["status"], held["current_run_id"], held["record_count"]) == ("success", first.json["run_ids"][0], 1)
    assert held["reason"].startswith("vanished_rows: ")
    assert (held["held_run_id"],) == tuple(restated.json["run_ids"])
    assert any("state accept" in hint for hint in restated.json["hints"])
    assert ask("run", *span).code == 1, "what is held is not up to date"

    gaps = ask("state", "gaps", *span, "--customer", "4611686018")
    assert (gaps.code, [(gap["since"], gap["status"]) for gap in gaps.json["gaps"]]) == (1, [(days[1], "success")])
    assert "held for a decision" in gaps.json["gaps"][0]["reason"]
    table = gads_etl("state", "history", key, "-c", config)
    assert re.search(r"held", table.out)
    assert ask("consume", "gaps", *span, "--customer", "4611686018").code == 1

    assert ask("state", "accept", key).code == 2, "a reason goes on record"
    meant = ask("state", "accept", "--since", days[0], "--reason", "the account was emptied", "--dry-run")
    assert [row["logical_date"] for row in meant.json["partitions"]] == [days[1]]
    accepted = ask("state", "accept", "--since", days[0], "--reason", "the account was emptied")
    assert accepted.code == 0
    assert [(row["record_count"], row["held_run_id"]) for row in accepted.json["partitions"]] == [(0, None)]
    assert ask("state", "gaps", *span, "--customer", "4611686018").code == 0
    assert ask("state", "accept", key, "--reason", "again").code == 1
