"""Complete-up-to and gaps of an agency's year: 1,000 accounts, 10 reports and 365 days are 3,650,000 partitions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from gads_consumer.consumer import Consumer
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.completeness import Answer
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS
from gads_state_sqlite.migration import migrate
from gads_state_sqlite.schema import MIGRATIONS, RANGES_VERSION

URL = "sqlite:ledger.db"
NOW = datetime(2024, 12, 31, 12, tzinfo=UTC)
FIRST, LAST = date(2024, 1, 1), date(2024, 12, 30)
ACCOUNTS = [str(1_000_000_000 + number) for number in range(1_000)]
REPORTS = [f"report_{number}" for number in range(10)]

_T = TypeVar("_T")

_FILL = """
INSERT INTO partition_state (source, customer_id, report, logical_date, status, current_run_id, schema_version,
  record_count, seal_sha256, attempt_count, updated_at, last_error, version)
WITH RECURSIVE
  a(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM a WHERE n < 999),
  r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < 9),
  d(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM d WHERE n < 364)
SELECT 'google_ads', 1000000000 + a.n, 'report_' || r.n, date('2024-01-01', '+' || d.n || ' days'), 'success',
  '20240530T000000000Z-00000000', 1, 100, printf('%064d', 7), 1, '2024-05-30T00:00:00.000000Z', NULL, 1 FROM a, r, d
"""


class _Noon:
    def now(self) -> datetime:
        return NOW


def _measured(what: str, work: Callable[[], _T]) -> tuple[_T, float]:
    """What `work` returns, and the processor's time: on a busy machine the wall's clock says little."""
    began, worked = time.perf_counter(), time.process_time()
    result = work()
    worked = time.process_time() - worked
    print(f"{what}: {time.perf_counter() - began:.2f} s, of processor time {worked:.2f} s")
    return result, worked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of the version before ranges were kept, filled and migrated, and a list of its accounts."""
    folder = tmp_path_factory.mktemp("agency")
    ledger_adapter(URL).open_for_validator(URL, folder).close()
    with closing(sqlite3.connect(folder / "empty.db", isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[: RANGES_VERSION - 1])
        connection.execute("INSERT INTO ledger_meta VALUES (1, 'agency', '2024-01-01T00:00:00.000000Z')")
        connection.execute(_FILL)
    (folder / "empty.db").replace(folder / "ledger.db")
    opened, _ = _measured(
        "\nmigration of 3,650,000 rows", lambda: ledger_adapter(URL).open_for_control_plane(URL, folder)
    )
    accounts = tuple(ListedAccount(number, f"Account {number}", time_zone="Europe/Berlin") for number in ACCOUNTS)
    drawn = DrawnList(GOOGLE_ADS, NOW, accounts, {(one, report): FIRST for one in ACCOUNTS for report in REPORTS})
    with opened:
        _measured("the account list put on record", lambda: opened.record_list(drawn))
    return folder


@pytest.mark.benchmark
@pytest.mark.timeout(900)
def test_complete_up_to_of_an_agency(folder: Path) -> None:
    reader = sink_adapter("file:raw").open_reader("file:raw", folder)
    with Consumer(ledger_adapter(URL).open_reader(URL, folder), reader, clock=_Noon()) as consumer:
        mark, worked = _measured("complete up to, one report", lambda: consumer.watermark(REPORTS[0]))
        assert mark == LAST
        answer, worked = _measured("complete up to and gaps, ten reports", lambda: consumer.ready(REPORTS))
        assert (answer.answer, set(answer.watermarks.values())) == (Answer.COMPLETE, {LAST})
        assert worked < 1
        before = FIRST - timedelta(days=365)
        never, _ = _measured("a year that nothing asked for", lambda: consumer.ready(REPORTS, since=before, day=FIRST))
        assert never.completeness.days == 3_650_000
