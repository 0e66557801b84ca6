"""`/metrics` of an agency's quarter: 10,000 accounts, 40 reports and 90 days are 36,000,000 partitions."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest

from gads_pipeline import Pipeline
from gads_testing.large_ledger import LargeLedger
from gads_ui.application import create_app
from gads_ui.monitoring import monitoring_routes
from gads_ui.server import Address, HttpServer


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("accounts", "reports"), [(1_000, 40), (10_000, 40)])
def test_metrics_of_an_agency(tmp_path: Path, accounts: int, reports: int) -> None:
    ledger = LargeLedger(accounts=accounts, reports=reports, days=90, now=datetime.now(UTC))
    began = time.monotonic()
    pipeline = Pipeline.open(ledger.write(tmp_path))
    print(f"\n{ledger.partitions:,} partitions, written in {time.monotonic() - began:.0f} s")
    app = create_app(pipeline, extra_routes=monitoring_routes(pipeline))
    with HttpServer(app, Address.parse("127.0.0.1:0")) as server:
        for what in ("first scrape", "at once again", "when the status is old", "and again"):
            began, worked = time.monotonic(), time.process_time()
            with urlopen(f"{server.url}/metrics", timeout=30) as answer:
                text = answer.read().decode()
            took, work = time.monotonic() - began, time.process_time() - worked
            print(f"{what}: {took * 1000:,.0f} ms, {work * 1000:,.0f} ms of the processor, {len(text) / 1000:.0f} kB")
            if what == "at once again":
                time.sleep(5.1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory at most: {peak:.0f} MB")
    assert "\ngads_etl_ledger_up 1.0\n" in text
