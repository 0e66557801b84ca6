"""A plan of a million partitions: what it costs to make it, and to print what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PARTITIONS = 1_000_000
_ACCOUNTS, _REPORTS, _DAYS = 200, 5, 1_000

_PROGRAM = """
import json, resource, sys, time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from gads_domain.adapters import ledger_adapter
from gads_domain.completeness import Completeness
from gads_domain.report import ReportDefinition
from gads_etl.outcome_report import print_outcome
from gads_terminal.output import Format
from gads_terminal.table_options import TableOptions
from gads_orchestrator.outcome import RunOutcome
from gads_orchestrator.plan import Account, WorkRequest, plan_work
from gads_orchestrator.retry_policy import RetryPolicy
from gads_orchestrator.selection import SelectDue
from gads_pipeline.command_completeness import CommandCompleteness
from gads_pipeline.configuration import Configuration
from gads_pipeline.outcome import Outcome

class Counter:
    rows = 0
    def write(self, text):
        self.rows += text.count('"logical_date"')

folder, filled, accounts, reports, days = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
adapter, url = ledger_adapter("sqlite:x"), "sqlite:ledger.db"
now = datetime(2024, 6, 1, 12, tzinfo=UTC)
since = now.date() - timedelta(days=days)
with adapter.open_reader(url, Path(folder)) as ledger:
    request = WorkRequest(
        tuple(Account(str(1000 + n), "Europe/Berlin") for n in range(accounts)),
        tuple(ReportDefinition(f"r{n}", "SELECT", max_days_per_request=1 if n == 0 else None) for n in range(reports)),
        now, SelectDue(RetryPolicy(max_age_days=2000)), since)
    began, worked = time.perf_counter(), time.process_time()
    plan = plan_work(request, ledger)
    made = time.perf_counter() - began
    walked = sum(len(planned.slice_.days) for planned in plan)
    whole, worked = time.perf_counter() - began, time.process_time() - worked
document = {"storage": {"sink": "file:raw", "state": url}, "reports": [{"name": "campaign"}]}
complete = CommandCompleteness(Completeness((), plan.partitions), 0)
outcome = Outcome(Configuration.of(document, Path(folder) / "gads.toml"), (RunOutcome(plan),), complete)
real, sys.stdout, began = sys.stdout, Counter(), time.perf_counter()
print_outcome(outcome, TableOptions(format_=Format.JSON))
told, sys.stdout, telling = sys.stdout.rows, real, time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({
    "told": told, "telling_s": telling,
    "partitions": plan.partitions, "walked": walked, "operations": plan.operations,
    "made_s": made, "cpu_s": worked, "whole_s": whole, "peak_mb": peak}))
"""

_FILL = """
INSERT INTO partition_state (source, customer_id, report, logical_date, status, current_run_id, schema_version,
  record_count, attempt_count, updated_at, last_error, version)
WITH RECURSIVE
  a(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM a WHERE n < :accounts - 1),
  r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < :reports - 1),
  d(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < :days)
SELECT 'google_ads', 1000 + a.n, 'r' || r.n, date('2024-06-01', '-' || d.n || ' days'), 'failed', NULL, NULL, NULL,
  1, '2024-05-30T00:00:00.000000Z', 'api_transient: m', 1 FROM a, r, d
"""

_ATTEMPTS = """
INSERT INTO attempts (source, customer_id, report, logical_date, version, run_id, outcome, judged_at, checks, failure)
SELECT source, customer_id, report, logical_date, 1, '20240530T000000000Z-00000000', 'unsealed',
  '2024-05-30T00:00:00.000000Z', '[]', '{"code":"api_transient","message":"m","retryable":true,"hint":""}'
FROM partition_state
"""


def _fill(folder: Path) -> None:
    import sqlite3

    from gads_domain.adapters import ledger_adapter
    from gads_state_sqlite.ledger_file import create
    from gads_state_sqlite.schema import MIGRATIONS

    create(folder / "ledger.db", 1, MIGRATIONS[:8])
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.execute(_FILL, {"accounts": _ACCOUNTS, "reports": _REPORTS, "days": _DAYS})
        connection.execute(_ATTEMPTS)
    connection.close()
    ledger_adapter("sqlite:x").open_for_validator("sqlite:ledger.db", folder).close()


@pytest.mark.benchmark
@pytest.mark.timeout(900)
@pytest.mark.parametrize("filled", ["empty ledger", "a million failed rows"])
def test_a_plan_of_a_million_partitions(filled: str, tmp_path: Path) -> None:
    if filled != "empty ledger":
        _fill(tmp_path)
    words = [str(tmp_path), filled, *map(str, (_ACCOUNTS, _REPORTS, _DAYS))]
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *words], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(
        f"\n{filled}: {found['partitions']:,} partitions, {found['operations']:,} requests: made in "
        f"{found['made_s']:.1f} s, walked in {found['whole_s'] - found['made_s']:.1f} s, of processor time "
        f"{found['cpu_s']:.1f} s, each partition printed in {found['telling_s']:.1f} s, peak {found['peak_mb']:.0f} MB"
    )
    assert found["partitions"] == found["walked"] == found["told"] == PARTITIONS
    assert found["cpu_s"] < 30  # on a machine that is busy otherwise the wall's clock says little
    assert found["peak_mb"] < 300
