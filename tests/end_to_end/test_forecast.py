"""What `plan` and `backfill --dry-run` say beforehand, against what a run then does and writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

BUDGET = "[quota]\noperations_per_day = 100\n"
SEEN = ("--since", "2024-03-01", "--until", "2024-03-04")
MORE = ("--since", "2024-03-01", "--until", "2024-03-31")


def _stored(config: Path, report: str = "*") -> tuple[int, int]:
    found = [path for path in config.parent.glob(f"raw/*/*/report={report}/**/*") if path.is_file()]
    return len(found), sum(path.stat().st_size for path in found)


def test_a_backfill_costs_and_writes_what_its_dry_run_says(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers, extra=BUDGET)

    def ask(*words: object) -> Any:
        done = gads_etl(*words, "-c", config, "--format", "json")
        assert done.code == 0, done.err
        return done.json

    nothing = ask("backfill", *MORE, "--dry-run")
    assert (nothing["files_at_most"], nothing["bytes_at_most"], nothing["seen"]) == (2 * 6 * 31, None, 0)
    assert not (config.parent / "state.db").exists()
    ask("run", *SEEN, "--customer", customers[0], "--customer", customers[1])

    said = ask("backfill", *MORE, "--dry-run")
    # A new day and one request for the days before it, of two reports of three accounts; two runs asked for 4 slices.
    assert (said["quota"]["daily_operations"], said["quota"]["spent"]) == (12, 4)
    today = datetime.now(UTC).date()
    assert said["quota"]["days"] == 1
    assert said["quota"]["last_day"] in (str(today - timedelta(days=1)), str(today))
    before = {name: _stored(config, name) for name in ("account", "campaign", "*")}
    done = ask("backfill", *MORE)
    assert done["operations"] == said["operations"]
    assert [one["report"] for one in said["reports"]] == ["account", "campaign"]
    for one in said["reports"]:
        files, size = (
            now - then for now, then in zip(_stored(config, one["report"]), before[one["report"]], strict=True)
        )
        assert (one["files_at_least"], one["files_at_most"], one["restated"], one["seen"]) == (files, files, 0, 8)
        assert one["bytes_at_least"] == one["bytes_at_most"] == pytest.approx(size, rel=0.1)
    assert said["bytes_at_most"] == sum(one["bytes_at_most"] for one in said["reports"])
    assert said["files_at_most"] == _stored(config)[0] - before["*"][0] == 2 * said["partitions"]

    # Every day is success: at most as much again, and nothing if nothing changed.
    again = ask("run", *MORE, "--reprocess", "--dry-run")
    assert again["restated"] == again["partitions"] == 6 * 31
    assert (again["files_at_least"], again["bytes_at_least"], again["files_at_most"]) == (0, 0, 12 * 31)
    stored = _stored(config)
    assert again["bytes_at_most"] == pytest.approx(stored[1], rel=0.1)
    assert ask("run", *MORE, "--reprocess")["unchanged"] == 6 * 31
    assert _stored(config) == stored
    config.write_text(f"{config.read_text()}[restatement]\nseal_unchanged = true\n")
    assert ask("run", *MORE, "--reprocess", "--dry-run")["files_at_least"] == 12 * 31


def test_the_table_fits_a_terminal_and_a_sink_that_is_gone_ends_no_plan(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers, extra=BUDGET.replace("100", "13"))
    assert gads_etl("run", "-c", config, *SEEN).code == 0
    table = gads_etl("backfill", "-c", config, *MORE, "--dry-run")
    assert "in all" in table.out
    assert max(map(len, table.out.splitlines())) <= 80
    assert "quota: all of it is done in" in table.err
    (config.parent / "raw").rename(config.parent / "elsewhere")
    lost = gads_etl("backfill", "-c", config, *MORE, "--dry-run")
    assert lost.code == 0, lost.err
    assert "unknown" in lost.out
