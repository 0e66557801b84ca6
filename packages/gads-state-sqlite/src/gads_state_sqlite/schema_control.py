"""The second migration: what the control plane keeps beside the rows."""

from __future__ import annotations

from collections.abc import Callable

_LEASES = """CREATE TABLE leases (
    scope TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    number INTEGER NOT NULL UNIQUE CHECK (number >= 1),
    expires_at TEXT NOT NULL CHECK (expires_at {moment})
) STRICT"""

_QUOTA = """CREATE TABLE quota_days (
    budget TEXT NOT NULL,
    day TEXT NOT NULL CHECK (date(day, '+0 days') IS day),
    spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    exhausted INTEGER NOT NULL DEFAULT 0 CHECK (exhausted IN (0, 1)),
    PRIMARY KEY (budget, day)
) STRICT, WITHOUT ROWID"""


def control_plane_tables(key: str, moment: str, only_grows: Callable[[str], tuple[str, str]]) -> tuple[str, ...]:
    """The statements of the migration. `key` declares the key's columns, `moment` is the check of a time."""
    return (
        "ALTER TABLE operator_acts ADD COLUMN filter TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE operator_acts ADD COLUMN by_policy INTEGER NOT NULL DEFAULT 0 CHECK (by_policy IN (0, 1))",
        "ALTER TABLE operator_acts ADD COLUMN before TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE operator_acts ADD COLUMN after TEXT NOT NULL DEFAULT ''",
        # The version of the row that the act left: attempts above it came later, whatever the clocks say.
        "ALTER TABLE operator_acts ADD COLUMN row_version INTEGER NOT NULL DEFAULT 0 CHECK (row_version >= 0)",
        f"""CREATE TABLE marks ({key},
    held INTEGER NOT NULL CHECK (held IN (0, 1)),
    terminal INTEGER NOT NULL CHECK (terminal IN (0, 1)),
    PRIMARY KEY (source, customer_id, report, logical_date)
) STRICT, WITHOUT ROWID""",
        f"""CREATE TABLE revocations ({key},
    run_id TEXT NOT NULL,
    ordered_at TEXT NOT NULL CHECK (ordered_at {moment}),
    PRIMARY KEY (source, customer_id, report, logical_date, run_id)
) STRICT, WITHOUT ROWID""",
        *only_grows("revocations"),
        _LEASES.format(moment=moment),
        _QUOTA,
        "CREATE TRIGGER leases_are_fenced BEFORE UPDATE ON leases WHEN NEW.number < OLD.number "
        "BEGIN SELECT RAISE(ABORT, 'the number of a lease never falls'); END",
        "CREATE TRIGGER quota_is_spent BEFORE UPDATE ON quota_days WHEN NEW.spent < OLD.spent "
        "BEGIN SELECT RAISE(ABORT, 'what was spent stays spent'); END",
    )
