"""Ledgers as version 8 of their tables wrote them: a validation result a partition, with all figures of all checks."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gads_state_sqlite.ledger_file import create
from gads_state_sqlite.schema import MIGRATIONS

VERSION = 8

_SUM = "lower(hex(randomblob(32)))"

_FIGURES = f"""
    '[{{"name":"seal","passed":true,"detail":"","figures":{{"metadata_bytes":1204}}}},'
    || '{{"name":"identity","passed":true,"detail":"","figures":{{}}}},'
    || '{{"name":"payload_size","passed":true,"detail":"","figures":{{"expected_bytes":5770,"found_bytes":5770}}}},'
    || '{{"name":"payload_sha256","passed":true,"detail":"","figures":{{"found_sha256":"' || {_SUM} || '"}}}},'
    || '{{"name":"readable","passed":true,"detail":"","figures":{{"columns":9}}}},'
    || '{{"name":"record_count","passed":true,"detail":"",'
    || '"figures":{{"expected_rows":60,"found_rows":60,"footer_rows":60}}}},'
    || '{{"name":"schema_fingerprint","passed":true,"detail":"",'
    || '"figures":{{"expected_fingerprint":"{"a" * 64}","found_fingerprint":"{"a" * 64}"}}}},'
    || '{{"name":"logical_date","passed":true,"detail":"","figures":{{"rows":60}}}},'
    || '{{"name":"customer","passed":true,"detail":"","figures":{{}}}},'
    || '{{"name":"grain","passed":true,"detail":"","figures":{{"rows":60}}}}]'
"""

_STATES = f"""
WITH RECURSIVE
    days(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM days WHERE n < :days - 1),
    pairs(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM pairs WHERE n < :first + :pairs - 1)
INSERT INTO partition_state (source, customer_id, report, logical_date, status, current_run_id, schema_version,
    record_count, seal_sha256, attempt_count, updated_at, version)
SELECT 'google_ads', 1234000000 + pairs.n / 10, 'report_number_' || (pairs.n % 10),
    date('2024-01-01', '+' || days.n || ' days'), 'success',
    printf('20240601T%02d%02d00000Z-%08x', days.n / 60, days.n % 60, days.n), 1, pairs.n * 31 % 4000, {_SUM}, 1,
    printf('2024-06-02T%02d:%02d:00.%06dZ', days.n / 60, days.n % 60, pairs.n % 1000000), 1
FROM pairs, days
"""

_RESULTS = f"""
INSERT INTO attempts (source, customer_id, report, logical_date, version, run_id, outcome, judged_at, checks,
    schema_version, record_count, seal_sha256, content_sha256, vanished_rows)
SELECT source, customer_id, report, logical_date, 1, current_run_id, 'passed', updated_at, {_FIGURES}, schema_version,
    record_count, seal_sha256, {_SUM}, 1.0
FROM partition_state WHERE customer_id >= :since ORDER BY source, customer_id, report, logical_date
"""

_CHANGES = """
INSERT INTO authority_log (source, customer_id, report, logical_date, to_run, status_before, status_after,
    schema_version, record_count, seal_sha256, at, cause)
SELECT source, customer_id, report, logical_date, current_run_id, 'pending', 'success', schema_version, record_count,
    seal_sha256, '2024-06-02T00:00:00.000000Z', 'validate'
FROM partition_state WHERE customer_id >= :since ORDER BY source, customer_id, report, logical_date
"""


def write_former_ledger(path: Path, account_reports: int, days: int) -> int:
    """Write a ledger of version 8 with as many partitions, which it returns; `account_reports` divide by ten."""
    create(path, 1, MIGRATIONS[:VERSION])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, account_reports, 500):
            count = min(500, account_reports - first)
            connection.execute("BEGIN")
            connection.execute(_STATES, {"days": days, "first": first, "pairs": count})
            for statement in (_RESULTS, _CHANGES):
                connection.execute(statement, {"since": str(1234000000 + first // 10)})
            connection.execute("COMMIT")
    return account_reports * days
