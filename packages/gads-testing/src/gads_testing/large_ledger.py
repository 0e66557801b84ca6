"""Ledgers of an agency, of millions of partitions in seconds: a few statements insert also what triggers keep.

A few of a thousand days failed, some are held, missing or never attempted; accounts left and came back. Results and
changes are there of what failed, and of all days of `detailed` accounts, which have restatements.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.run import RunId
from gads_reports.catalogue import builtin
from gads_state_sqlite.ledger_file import create

ZONES = (
    *("Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney"),
)
_REPLACED = ("success_days_start_with_a_row", "runs_count_results")
"""The triggers whose work is done by statements."""

_FAILURES = (
    ("api_transient", "the API did not answer within 600 s", True),
    ("api_permanent", "USER_PERMISSION_DENIED: the user has no access to this account", False),
    ("validation_failed", "3 rows are of another day", False),
)


@dataclass(frozen=True, slots=True)
class LargeLedger:
    """`accounts` × `reports` × `days` up to yesterday; `detailed` accounts have all their results and changes."""

    accounts: int
    reports: int
    days: int
    now: datetime
    detailed: int = 20

    @property
    def partitions(self) -> int:
        """How many logical partitions are expected, but for accounts that left."""
        return self.accounts * self.reports * self.days

    @property
    def report_names(self) -> tuple[str, ...]:
        """The packaged reports, and further names if there are not as many."""
        daily = [name for name, report in builtin().items() if report.kind.has_history]
        return tuple([*daily, *(f"own_{number:02}" for number in range(self.reports))][: self.reports])

    @property
    def last_day(self) -> date:
        """The last day that has rows: yesterday in UTC, which is not due everywhere."""
        return self.now.astimezone(UTC).date() - timedelta(days=1)

    def write(self, folder: Path) -> Path:
        """Write `ledger.db`, a `gads.toml` that names it, and the seal of its newest partition; returns the latter."""
        path = folder / "ledger.db"
        create(path, 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "ignore_check_constraints = ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("PRAGMA cache_size = -100000")
            triggers = connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE name IN (?, ?)", _REPLACED
            ).fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("BEGIN")
            values = self._values()
            for statement in _STATEMENTS:
                connection.execute(statement, {name: values[name] for name in values if f":{name}" in statement})
            newest = connection.execute(_NEWEST).fetchone()
            for _, sql in triggers:
                connection.execute(sql)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        reports = "".join(f'\n[[reports]]\nname = "{name}"\n' + _own(name) for name in self.report_names)
        configuration = folder / "gads.toml"
        configuration.write_text(f'[google_ads]\n\n[storage]\nsink = "file:raw"\nstate = "sqlite:ledger.db"\n{reports}')
        if newest is not None:
            key = PartitionKey(GOOGLE_ADS, newest[0], newest[1], date.fromisoformat(newest[2]))
            seal = folder / "raw" / partition_prefix(key, RunId(newest[3]))
            seal.mkdir(parents=True)
            (seal / METADATA_NAME).write_text("{}")
        return configuration

    def _values(self) -> dict[str, object]:
        midnight = datetime.combine(self.last_day, datetime.min.time(), UTC)
        return {
            "accounts": self.accounts,
            "days": self.days,
            "detailed": self.detailed,
            "first": (self.last_day - timedelta(days=self.days - 1)).isoformat(),
            "midnight": int(midnight.timestamp()) * 1_000_000,
            "drawn": f"{self.now.astimezone(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000000Z",
            "reports": json.dumps(self.report_names),
            "zones": json.dumps(ZONES),
            "failures": json.dumps([_failure(*one) for one in _FAILURES]),
            "checks": json.dumps(["seal", "identity", "payload_sha256", "record_count", "grain"]),
        }


def _failure(code: str, message: str, retryable: bool) -> str:
    return json.dumps({"code": code, "message": message, "retryable": retryable, "hint": ""})


def _own(name: str) -> str:
    if not name.startswith("own_"):
        return ""
    return 'query = """SELECT campaign.id, segments.date, metrics.clicks FROM campaign"""\n'


# The days of each account and report are those of one of 499 patterns, in which a remainder stands for chance.
_STATEMENTS = (
    "INSERT INTO account_lists VALUES ('google_ads', :drawn)",
    """
    INSERT INTO listed_accounts
    WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :accounts - 1)
    SELECT 'google_ads', CAST(1000000000 + n AS TEXT), printf('%s %d', CASE n % 5 WHEN 0 THEN 'Shop' WHEN 1 THEN 'Hotel'
            WHEN 2 THEN 'Bakery' WHEN 3 THEN 'Garage' ELSE 'Law office' END, n),
        'EUR', json_extract(:zones, printf('$[%d]', n % json_array_length(:zones))),
        json_array('9000000001', printf('90000001%02d', n % 40)),
        CASE WHEN n % 97 = 5 THEN 'SUSPENDED' ELSE 'ENABLED' END, n % 50 <> 7,
        CASE WHEN n % 50 = 7 THEN 'the account is not listed any more' ELSE '' END, :drawn, :drawn
    FROM n
    """,
    """
    INSERT INTO account_reports (source, customer_id, report)
    SELECT a.source, a.customer_id, r.value FROM listed_accounts AS a, json_each(:reports) AS r
    ORDER BY a.customer_id, r.value
    """,
    # Of fifty accounts one left after two thirds of the days, and one left and came back.
    """
    INSERT INTO expectations
    SELECT source, customer_id, report, 1, :first,
        CASE WHEN customer_id % 50 IN (7, 8) THEN date(:first, '+' || (:days * 2 / 3) || ' days') END,
        CASE WHEN customer_id % 50 IN (7, 8) THEN 'the account is not listed any more' ELSE '' END
    FROM account_reports
    UNION ALL
    SELECT source, customer_id, report, 2, date(:first, '+' || (:days * 2 / 3 + 9) || ' days'), NULL, ''
    FROM account_reports WHERE customer_id % 50 = 8
    """,
    """
    INSERT INTO runs (run_id)
    WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :days + 2)
    SELECT printf('%sT050000000Z-%08x', strftime('%Y%m%d', :first, '+' || n || ' days'), n) FROM n
    """,
    "INSERT INTO check_lists (checks) VALUES (:checks)",
    f"""
    CREATE TEMP TABLE pattern_days AS
    WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :days - 1),
    patterns(number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM patterns WHERE number < 498)
    SELECT pattern, day, date, iif(chance < 6, 'failed', 'success') AS status, iif(chance < 6, NULL, day + 2) AS run,
        iif(chance < 6, NULL, 1) AS schema_version, iif(chance < 6, NULL, chance) AS record_count,
        iif(chance < 6, NULL, x'{"5a" * 32}') AS seal, 1 + (chance % 7 = 3) AS results,
        iif(chance < 6 OR chance = 11, 'see its results', NULL) AS error, iif(chance = 11, day + 3, NULL) AS held,
        iif(chance > 11 AND day >= :days - 14 AND chance % 7 <> 3, :days + 2, NULL) AS confirmed,
        iif(chance > 11 AND day >= :days - 14 AND chance % 7 <> 3, :midnight + 86400000000, NULL) AS confirmed_at
    FROM (
        SELECT number AS pattern, n AS day, date(:first, '+' || n || ' days') AS date,
            (number * 7919 + n * 104729) % 10007 AS chance
        FROM patterns, n
    )
    WHERE chance <> 10 AND (pattern % 301 <> 17 OR day < :days - 1) AND (pattern <> 3 OR day < :days - 5)
    """,
    "CREATE INDEX temp.days_of_patterns ON pattern_days (pattern, day)",
    """
    CREATE TEMP TABLE pattern_ranges AS
    SELECT pattern, min(date) AS first, max(date) AS last FROM (
        SELECT pattern, date, day - row_number() OVER (PARTITION BY pattern ORDER BY day) AS island
        FROM pattern_days WHERE status = 'success'
    ) GROUP BY pattern, island
    """,
    "CREATE INDEX temp.ranges_of_patterns ON pattern_ranges (pattern, first)",
    """
    CREATE TEMP TABLE pairs AS
    SELECT id AS account_report, id % 499 AS pattern, iif(customer_id % 50 = 7,
        date(:first, '+' || (:days * 2 / 3) || ' days'), '9999-12-31') AS gone
    FROM account_reports ORDER BY id
    """,
    """
    INSERT INTO partitions
    SELECT account_report, date, status, run, schema_version, record_count, seal, results, :midnight, error, results,
        held, confirmed, confirmed_at
    FROM pairs CROSS JOIN pattern_days AS d ON d.pattern = pairs.pattern WHERE date <= gone
    ORDER BY pairs.rowid, day
    """,
    """
    INSERT INTO success_days
    SELECT account_report, first, min(last, gone)
    FROM pairs CROSS JOIN pattern_ranges AS r ON r.pattern = pairs.pattern WHERE first <= gone
    ORDER BY pairs.rowid, first
    """,
    """
    INSERT INTO results (account_report, logical_date, version, run, outcome, validated_at, checks, failure)
    SELECT p.account_report, p.logical_date, 1, 3, 'rejected', :midnight, '[]',
        json_extract(:failures, printf('$[%d]', p.account_report % json_array_length(:failures)))
    FROM partitions AS p INDEXED BY partitions_not_success WHERE p.status <> 'success'
    """,
    f"""
    INSERT INTO results (account_report, logical_date, version, run, outcome, validated_at, check_list, schema_version,
        record_count, seal_sha256, content_sha256, changes)
    WITH version(version) AS (SELECT 1 UNION ALL SELECT 2)
    SELECT p.account_report, p.logical_date, v.version, max(1, p.current_run - p.attempt_count + v.version), 'passed',
        :midnight + v.version * 1000000, 1, 1, p.record_count, p.seal_sha256, x'{"a5" * 32}',
        iif(v.version = 1, NULL, json_object('rows_added', 1, 'rows_removed', 0, 'rows_changed', 4,
            'metrics', json_object(
                'metrics_clicks', json_object('before', 100 + p.record_count, 'after', 103 + p.record_count),
                'metrics_conversions', json_object('before', 5.5, 'after', 7.25))))
    FROM partitions AS p, version AS v
    WHERE p.account_report <= :detailed * json_array_length(:reports) AND p.status = 'success'
        AND v.version <= p.attempt_count
    """,
    """
    INSERT INTO authority_changes (account_report, logical_date, from_run, to_run, status_before, status_after,
        schema_version, record_count, seal_sha256, at, cause)
    SELECT p.account_report, p.logical_date, iif(r.version = 1, NULL, p.current_run - 1), r.run,
        iif(r.version = 1, 'pending', 'success'), 'success', 1, p.record_count, p.seal_sha256, r.validated_at,
        'validate'
    FROM partitions AS p JOIN results AS r ON r.account_report = p.account_report AND r.logical_date = p.logical_date
    WHERE p.account_report <= :detailed * json_array_length(:reports) AND p.status = 'success'
    ORDER BY r.version, p.account_report, p.logical_date
    """,
    "UPDATE runs SET results = n FROM (SELECT run, count(*) AS n FROM results GROUP BY run) WHERE id = run",
)
_NEWEST = """
SELECT k.customer_id, k.report, c.logical_date, (SELECT run_id FROM runs WHERE id = p.current_run)
FROM authority_changes AS c JOIN account_reports AS k ON k.id = c.account_report
JOIN partitions AS p ON p.account_report = c.account_report AND p.logical_date = c.logical_date
ORDER BY c.sequence DESC LIMIT 1
"""
