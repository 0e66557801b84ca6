"""`gads-etl emulator serve` with faults: what the plan says happens, and what the run says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gads_emulator import SyntheticAgency, SyntheticSettings


def test_a_fault_plan_strikes_the_account_it_names_and_no_other(
    gads_etl: Any, emulator: Callable[..., Path], project: Callable[..., Path], tmp_path: Path
) -> None:
    broken, whole = SyntheticAgency(SyntheticSettings(seed=11, accounts=2)).client_ids
    plan = tmp_path / "faults.json"
    plan.write_text(
        json.dumps({"faults": [{"customers": [broken], "status": "INTERNAL", "methods": ["SearchStream"]}]})
    )
    client = emulator("--synthetic", "--seed", 11, "--accounts", 2, "--faults", plan, "--restated-for", 30)
    assert json.loads((client / "emulator.json").read_text())
    config = project(client, [broken, whole])
    done = gads_etl(
        "run", "-c", config, "--since", "2024-03-01", "--until", "2024-03-02", "--report", "account", "--format", "json"
    )
    assert done.code == 1, done.err
    statuses = {row["customer_id"]: row["status"] for row in done.json["partitions"]}
    assert statuses == {broken: "failed", whole: "success"}
    assert all("INTERNAL" in row["reason"] for row in done.json["partitions"] if row["customer_id"] == broken)


def test_a_plan_that_cannot_be_read_is_said_at_once(gads_etl: Any, tmp_path: Path) -> None:
    plan = tmp_path / "faults.toml"
    plan.write_text("[[faults]]\nnonsense = 1\n")
    done = gads_etl("emulator", "serve", "--synthetic", "--faults", plan, "--config-dir", tmp_path / "c")
    assert done.code == 2, done.err
    assert "nonsense" in done.err
