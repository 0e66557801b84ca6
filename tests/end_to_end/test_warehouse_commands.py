"""`gads-etl warehouse`: from an empty folder to tables, as a user does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest


@pytest.fixture(scope="module")
def folder(gads_etl: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = tmp_path_factory.mktemp("warehouse")
    done = gads_etl("demo", "--dir", found, "--until", "2024-05-14", "--format", "json")
    assert done.code == 0, done.err
    sample = done.json["warehouse"]
    assert sample["added"] == 126
    assert len(sample["rows"]) == 5
    assert "reporting.campaign_daily" in sample["query"]
    return found


def test_nothing_that_a_command_makes_is_for_others(folder: Path) -> None:
    """Payloads, seals, ledger, tables and configuration, under the usual umask of 022."""
    made = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in made} >= {".parquet", ".json", ".db", ".duckdb", ".toml"}
    assert [path for path in made if path.stat().st_mode & 0o007] == []


def test_a_load_after_a_load_changes_nothing(
    gads_etl: Any, folder: Path, digest_of: Callable[[Path], dict[str, bytes]]
) -> None:
    before = digest_of(folder)
    for options in ([], ["--reconcile"], ["--dry-run"]):
        done = gads_etl("warehouse", "load", *options, "--format", "json", "-c", folder / "gads.toml")
        assert done.code == 0, done.err
        assert not done.json["changed"]
    for command in ("status", "verify"):
        assert gads_etl("warehouse", command, "-c", folder / "gads.toml").code == 0
    assert digest_of(folder) == before


def test_status_and_verify_tell_what_differs_by_their_exit(gads_etl: Any, folder: Path) -> None:
    config = folder / "gads.toml"
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("DELETE FROM campaign WHERE _logical_date = DATE '2024-05-03'")
    told = gads_etl("warehouse", "status", "--format", "json", "-c", config)
    assert told.code == 1
    assert {one["report"]: one["mismatched"] for one in told.json["reports"]} == {
        "ad_group": 0,
        "campaign": 3,
        "keyword": 0,
    }
    found = gads_etl("warehouse", "verify", "--format", "json", "-c", config)
    assert found.code == 1
    assert {one["logical_date"] for one in found.json["differences"]} == {"2024-05-03"}
    assert gads_etl("warehouse", "load", "--reconcile", "-c", config).code == 0
    assert gads_etl("warehouse", "verify", "-c", config).code == 0


def test_a_run_loads_if_it_is_configured(gads_etl: Any, folder: Path) -> None:
    config = folder / "gads.toml"
    text = config.read_text()
    assert "load_after_run = false" in text
    config.write_text(text.replace("load_after_run = false", "load_after_run = true"))
    days = ("--since", "2024-05-14", "--until", "2024-05-15")
    done = gads_etl("run", "-c", config, "--report", "campaign", *days)
    assert done.code == 0, done.err
    assert "3 added, 0 replaced" in done.err
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT max(_logical_date)::VARCHAR FROM campaign").fetchone() == ("2024-05-15",)


def test_a_warehouse_that_is_open_elsewhere_is_told_by_the_exit(gads_etl: Any, folder: Path) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb")):
        done = gads_etl("warehouse", "load", "-c", folder / "gads.toml")
    assert done.code == 75
    assert "hint:" in done.err
    assert "Traceback" not in done.err
