"""The tables, as an ordered list of migrations; the file's `user_version` says how many of them it has."""

import sqlite3
from collections.abc import Sequence

from gads_domain.package_data import statements_of

APPLICATION_ID = 0x47414453
"""Marks the file as a ledger (`GADS`), in SQLite's own header field for it."""

Migration = Sequence[str]
"""Statements that lead from one version of the tables to the next, run in one transaction."""

TRIGGERS = frozenset(
    {
        ("results", "results_keep_confirmations"),
        *(("runs", f"runs_{name}") for name in ("count_results", "lose_revoked_results", "lose_erased_results")),
        *(("success_days", f"success_days_{name}") for name in ("start_with_a_row", "grow", "shrink", "go")),
        ("partitions", "partition_state_deleted"),
        ("results", "attempts_deleted"),
        ("authority_changes", "authority_log_deleted"),
    }
)
"""Tables, and the triggers that alone write them."""


def _statements(text: str) -> Migration:
    """The statements of a migration; a trigger holds statements of its own, so that a semicolon alone ends none."""
    found, lines = [], ""
    for line in text.splitlines():
        lines += "" if line.startswith("--") else f"{line}\n"
        if sqlite3.complete_statement(lines):
            found.append(lines)
            lines = ""
    return tuple(found)


_SQL = statements_of("gads_state_sqlite", "migrations.sql")
MIGRATIONS: tuple[Migration, ...] = tuple(map(_statements, _SQL.values()))
"""From an empty file to the present version; entries are added at the end and never edited."""

OLDEST_READABLE = 2
"""The first version of the tables that a reader, which may not migrate them, can still read."""

RUNS_VERSION = 3
"""The first version with the table `runs`."""

EXPECTATIONS_VERSION = 4
"""The first version with the tables `account_lists`, `listed_accounts` and `expectations`."""

HELD_VERSION = 5
"""The first version with the table `acceptances` and the columns `held_run_id` and `vanished_rows`."""

RANGES_VERSION = 6
"""The first version with the table `success_ranges`."""

QUOTA_VERSION = 7
"""The first version with the tables `spent_operations` and `rests`."""

CONFIRMED_VERSION = 8
"""The first version with the columns `confirmed_run_id`, `confirmed_by` and `confirmed_at`."""

ERASURES_VERSION = 9
"""The first version with the tables `erasures` and `erased_changes`."""

COMPACT_VERSION = 11
"""The first version whose rows of partitions, results and authority changes are in the compact tables."""

PRUNED_VERSION = 12
"""The first version with the tables `prune_acts`, `pruned_runs` and `pins`."""

ACTIVITY_VERSION = 13
"""The first version with the tables `heartbeats`, `rounds` and `alerts`."""


FORMER = {
    "former_partition_state": "source, customer_id, report, logical_date",
    "former_attempts": "source, customer_id, report, logical_date, version",
    "former_authority_log": "sequence",
}
"""The tables from before the compact ones, with their keys: nothing reads them."""


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the file has a table of this name."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None
