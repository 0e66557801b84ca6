"""`--metrics-file` as a scheduler uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gads_testing.prometheus import promtool

DAY = "2024-05-01"


def lines(file: Path) -> set[str]:
    text = file.read_text()
    promtool("check", "metrics", given=text)
    return set(text.splitlines())


def test_a_command_leaves_its_metrics_however_it_ends(
    tmp_path: Path, gads_etl: Any, project: Any, agency: Path, customers: list[str]
) -> None:
    config, file = project(agency, customers[:1]), tmp_path / "gads_etl.prom"
    run = ["run", "-c", config, "--since", DAY, "--until", DAY, "--report", "account", "--metrics-file", file]
    refused = gads_etl(*run, "--customer", "1")
    assert refused.code == 2, refused.err
    assert {"gads_etl_ledger_up 0.0", 'gads_etl_ledger_failure{code="ledger"} 1.0'} < lines(file)
    done = gads_etl(*run)
    assert done.code == 0, done.err
    assert {
        "gads_etl_ledger_up 1.0",
        'gads_etl_results_total{code="ok",outcome="passed"} 1.0',
        'gads_etl_calls_total{code="ok"} 1.0',
        'gads_etl_partitions{report="account",status="authoritative"} 1.0',
        "gads_etl_rounds_total 1.0",
        "gads_etl_last_success_known 1.0",
    } <= lines(file)
