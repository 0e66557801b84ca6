"""How fast and in what memory a large ledger says how it stands, against counting what completeness finds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gads_domain.adapters import ledger_adapter
from gads_domain.ledger_standing import LedgerStanding
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.standing import Scope
from gads_testing.large_ledger import LargeLedger

URL = "sqlite:ledger.db"

_ASKS = """
import json, resource, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from gads_domain.standing import AccountFilter
from gads_pipeline.pipeline import Pipeline

found = {}
def asked(what, work):
    began, worked = time.perf_counter(), time.process_time()
    result = work()
    found[what] = time.perf_counter() - began, time.process_time() - worked
    return result

pipeline = Pipeline.open(Path(sys.argv[1]))
report, until = pipeline.configuration.report_sections[3].name, datetime.now(UTC).date()
since = until - timedelta(days=89)
total = asked("standings", pipeline.standings).total
asked("gap groups", pipeline.gap_groups)
asked("heat map", lambda: pipeline.heat_map(report, since, until))
asked("heat map of those behind", lambda: pipeline.heat_map(report, since, until, AccountFilter(behind=True)))
zoom = AccountFilter(first="1000000000", last="1000000499")
asked("heat map of 500 accounts", lambda: pipeline.heat_map(report, since, until, zoom))
asked("heat map of one account", lambda: pipeline.heat_map(report, since, until, AccountFilter(search="1000000077")))
asked("account", lambda: pipeline.account_standing("1000000077"))
asked("restatement drift", lambda: pipeline.restatement_drift(report))
found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
found["expected"] = total.expected
print(json.dumps(found))
"""


def _process(*words: str | Path) -> tuple[str, float]:
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode in (0, 1, 3), done.stderr[-2000:]
    return done.stdout, time.perf_counter() - began


def _worked(work: Callable[[], Any]) -> tuple[Any, float]:
    worked = time.process_time()
    result = work()
    return result, time.process_time() - worked


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("accounts", [1_000, 10_000])
def test_how_a_large_ledger_stands(accounts: int, tmp_path: Path, gads_etl_script: Path) -> None:
    large = LargeLedger(accounts, reports=40, days=90, now=datetime.now(UTC))
    configuration, built = _worked(lambda: large.write(tmp_path))
    size = (tmp_path / "ledger.db").stat().st_size / 1e9
    print(f"\n{large.partitions:,} partitions, {size:.2f} GB, written in {built:.1f} s of CPU")
    found = json.loads(_process(sys.executable, "-c", _ASKS, configuration)[0])
    memory, expected = found.pop("memory"), found.pop("expected")
    for what, (elapsed, worked) in found.items():
        print(f"  {what}: {elapsed * 1e3:,.0f} ms, of CPU {worked * 1e3:,.0f} ms")
    _, seconds = _process(gads_etl_script, "status", "-c", configuration, "--format", "json")
    print(f"  gads-etl status, a process: {seconds:.2f} s; memory of the process that asked all: {memory:.0f} MB")
    if accounts == 1_000:
        with ledger_adapter(URL).open_reader(URL, tmp_path) as reader:
            scope = Scope(GOOGLE_ADS, large.report_names, datetime.now(UTC))
            standings, general = _worked(lambda: LedgerStanding(reader).standings(scope))
        print(f"  standings, counted of what completeness finds: {general * 1e3:,.0f} ms of CPU")
        assert standings.total.expected == expected
        assert found["standings"][1] < general
    assert memory < 300
    assert all(worked < 0.5 for what, (_, worked) in found.items() if "map" in what)
