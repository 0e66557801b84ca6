"""The tables, as an ordered list of migrations; the file's `user_version` says how many of them it has."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gads_state_sqlite.rows import same_columns

APPLICATION_ID = 0x47414453
"""Marks the file as a ledger (`GADS`), in SQLite's own header field for it."""

Migration = Sequence[str]
"""Statements that lead from one version of the tables to the next, run in one transaction."""

_KEY = """
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    logical_date TEXT NOT NULL CHECK (date(logical_date, '+0 days') IS logical_date)"""

_MOMENT = (
    "GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
)

_STATUS = "IN ('pending', 'success', 'failed')"


def _only_grows(table: str) -> tuple[str, str]:
    return (
        f"CREATE TRIGGER {table}_never_updated BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
        f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
    )


_FIRST: Migration = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"""CREATE TABLE ledger_meta (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    ledger_id TEXT NOT NULL,
    created_at TEXT NOT NULL CHECK (created_at {_MOMENT})
) STRICT""",
    f"""CREATE TABLE partition_state ({_KEY},
    status TEXT NOT NULL CHECK (status {_STATUS}),
    current_run_id TEXT,
    schema_version INTEGER,
    record_count INTEGER CHECK (record_count >= 0),
    seal_sha256 TEXT CHECK (length(seal_sha256) = 64),
    attempt_count INTEGER NOT NULL CHECK (attempt_count >= 0),
    updated_at TEXT NOT NULL CHECK (updated_at {_MOMENT}),
    last_error TEXT,
    version INTEGER NOT NULL CHECK (version >= 1),
    PRIMARY KEY (source, customer_id, report, logical_date),
    CHECK ((status = 'success') = (current_run_id IS NOT NULL)),
    CHECK (current_run_id IS NOT NULL
        OR (schema_version IS NULL AND record_count IS NULL AND seal_sha256 IS NULL))
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX partition_state_not_success "
    "ON partition_state (source, customer_id, report, logical_date, status) WHERE status <> 'success'",
    "CREATE INDEX partition_state_by_date ON partition_state (logical_date)",
    "CREATE TRIGGER partition_state_never_deleted BEFORE DELETE ON partition_state "
    "BEGIN SELECT RAISE(ABORT, 'a partition is never forgotten'); END",
    f"""CREATE TABLE attempts ({_KEY},
    version INTEGER NOT NULL CHECK (version >= 1),
    run_id TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'rejected', 'unsealed')),
    judged_at TEXT NOT NULL CHECK (judged_at {_MOMENT}),
    checks TEXT NOT NULL CHECK (json_valid(checks)),
    failure TEXT CHECK (failure IS NULL OR json_valid(failure)),
    schema_version INTEGER,
    record_count INTEGER CHECK (record_count >= 0),
    seal_sha256 TEXT,
    content_sha256 TEXT,
    changes TEXT CHECK (changes IS NULL OR json_valid(changes)),
    PRIMARY KEY (source, customer_id, report, logical_date, version)
) STRICT, WITHOUT ROWID""",
    *_only_grows("attempts"),
    f"""CREATE TABLE authority_log (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,{_KEY},
    from_run TEXT,
    to_run TEXT,
    status_before TEXT NOT NULL CHECK (status_before {_STATUS}),
    status_after TEXT NOT NULL CHECK (status_after {_STATUS}),
    schema_version INTEGER,
    record_count INTEGER,
    seal_sha256 TEXT,
    at TEXT NOT NULL CHECK (at {_MOMENT}),
    cause TEXT NOT NULL,
    CHECK (status_before <> status_after OR from_run IS NOT to_run),
    CHECK ((status_after = 'success') = (to_run IS NOT NULL))
) STRICT""",
    "CREATE INDEX authority_log_by_key ON authority_log (source, customer_id, report, logical_date, sequence)",
    *_only_grows("authority_log"),
    f"""CREATE TABLE operator_acts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,{_KEY},
    kind TEXT NOT NULL,
    at TEXT NOT NULL CHECK (at {_MOMENT}),
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    reason TEXT NOT NULL,
    status_before TEXT NOT NULL CHECK (status_before {_STATUS}),
    status_after TEXT NOT NULL CHECK (status_after {_STATUS})
) STRICT""",
    "CREATE INDEX operator_acts_by_key ON operator_acts (source, customer_id, report, logical_date, sequence)",
    *_only_grows("operator_acts"),
    """CREATE TABLE schema_pins (
    source TEXT NOT NULL,
    report TEXT NOT NULL,
    schema_version INTEGER NOT NULL CHECK (schema_version >= 1),
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    columns TEXT NOT NULL CHECK (json_valid(columns)),
    PRIMARY KEY (source, report, schema_version)
) STRICT, WITHOUT ROWID""",
    *_only_grows("schema_pins"),
)

_SECOND: Migration = (
    "ALTER TABLE operator_acts ADD COLUMN filter TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE operator_acts ADD COLUMN by_policy INTEGER NOT NULL DEFAULT 0 CHECK (by_policy IN (0, 1))",
    "ALTER TABLE operator_acts ADD COLUMN before TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE operator_acts ADD COLUMN after TEXT NOT NULL DEFAULT ''",
    # The version of the row that the act left: results above it came later, whatever the clocks say.
    "ALTER TABLE operator_acts ADD COLUMN row_version INTEGER NOT NULL DEFAULT 0 CHECK (row_version >= 0)",
    f"""CREATE TABLE marks ({_KEY},
    held INTEGER NOT NULL CHECK (held IN (0, 1)),
    terminal INTEGER NOT NULL CHECK (terminal IN (0, 1)),
    PRIMARY KEY (source, customer_id, report, logical_date)
) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE revocations ({_KEY},
    run_id TEXT NOT NULL,
    ordered_at TEXT NOT NULL CHECK (ordered_at {_MOMENT}),
    PRIMARY KEY (source, customer_id, report, logical_date, run_id)
) STRICT, WITHOUT ROWID""",
    *_only_grows("revocations"),
    f"""CREATE TABLE leases (
    scope TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    number INTEGER NOT NULL UNIQUE CHECK (number >= 1),
    expires_at TEXT NOT NULL CHECK (expires_at {_MOMENT})
) STRICT""",
    """CREATE TABLE quota_days (
    budget TEXT NOT NULL,
    day TEXT NOT NULL CHECK (date(day, '+0 days') IS day),
    spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    exhausted INTEGER NOT NULL DEFAULT 0 CHECK (exhausted IN (0, 1)),
    PRIMARY KEY (budget, day)
) STRICT, WITHOUT ROWID""",
    "CREATE TRIGGER leases_are_fenced BEFORE UPDATE ON leases WHEN NEW.number < OLD.number "
    "BEGIN SELECT RAISE(ABORT, 'the number of a lease never falls'); END",
    "CREATE TRIGGER quota_is_spent BEFORE UPDATE ON quota_days WHEN NEW.spent < OLD.spent "
    "BEGIN SELECT RAISE(ABORT, 'what was spent stays spent'); END",
)

_THIRD: Migration = (
    """CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    results INTEGER NOT NULL CHECK (results >= 0)
) STRICT, WITHOUT ROWID""",
    "INSERT INTO runs (run_id, results) SELECT run_id, count(*) FROM attempts AS a WHERE NOT EXISTS "
    f"(SELECT 1 FROM revocations AS r WHERE {same_columns('r', 'a')} AND r.run_id = a.run_id) GROUP BY run_id",
    # Triggers keep the counts, so that no statement can record a result or a revocation without them.
    f"""CREATE TRIGGER runs_count_results AFTER INSERT ON attempts
WHEN NOT EXISTS (SELECT 1 FROM revocations AS r WHERE {same_columns("r", "NEW")} AND r.run_id = NEW.run_id)
BEGIN
    INSERT INTO runs (run_id, results) VALUES (NEW.run_id, 1)
    ON CONFLICT (run_id) DO UPDATE SET results = results + 1;
END""",
    f"""CREATE TRIGGER runs_lose_revoked_results AFTER INSERT ON revocations
BEGIN
    UPDATE runs SET results = results - (
        SELECT count(*) FROM attempts AS a WHERE {same_columns("a", "NEW")} AND a.run_id = NEW.run_id
    ) WHERE run_id = NEW.run_id;
END""",
)
"""`runs.results` is the number of validation results of the run that are not revoked."""

RUN_TRIGGERS = frozenset({"runs_count_results", "runs_lose_revoked_results"})
"""The only writers of the table `runs`."""

_FOURTH: Migration = (
    f"""CREATE TABLE account_lists (
    source TEXT NOT NULL PRIMARY KEY,
    drawn_at TEXT NOT NULL CHECK (drawn_at {_MOMENT})
) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE listed_accounts (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    manager_path TEXT NOT NULL CHECK (json_valid(manager_path)),
    status TEXT NOT NULL,
    selected INTEGER NOT NULL CHECK (selected IN (0, 1)),
    skipped TEXT NOT NULL,
    first_listed_at TEXT NOT NULL CHECK (first_listed_at {_MOMENT}),
    last_listed_at TEXT NOT NULL CHECK (last_listed_at {_MOMENT}),
    PRIMARY KEY (source, customer_id)
) STRICT, WITHOUT ROWID""",
    # A report that is no longer expected, and later is again, has a second period.
    """CREATE TABLE expectations (
    source TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    report TEXT NOT NULL,
    period INTEGER NOT NULL CHECK (period >= 1),
    first_day TEXT NOT NULL CHECK (date(first_day, '+0 days') IS first_day),
    last_day TEXT CHECK (last_day IS NULL OR date(last_day, '+0 days') IS last_day),
    closed TEXT NOT NULL,
    PRIMARY KEY (source, customer_id, report, period),
    CHECK ((last_day IS NULL) = (closed = ''))
) STRICT, WITHOUT ROWID""",
)

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""From an empty file to the present version; entries are added at the end and never edited."""

OLDEST_READABLE = 2
"""The first version of the tables that a reader, which may not migrate them, can still read."""

RUNS_VERSION = 3
"""The first version with the table `runs`."""

EXPECTATIONS_VERSION = 4
"""The first version with the tables `account_lists`, `listed_accounts` and `expectations`."""


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the tables up to the last of `migrations`, in one transaction; safe to be run by several at once."""
    if version_of(connection) >= len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(version_of(connection), len(migrations)):
            for statement in migrations[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
