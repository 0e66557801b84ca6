"""Many keys read at once: how many statements it takes, and what a damaged row does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import key_of, record_one, result_of
from gads_domain.errors import LedgerError
from gads_state_sqlite.queries import ranges_of
from gads_state_sqlite.validator_ledger import SqliteValidatorLedger


def test_adjacent_days_are_one_range_and_no_range_holds_a_day_that_was_not_asked_for() -> None:
    assert ranges_of([]) == []
    asked = [key_of(2, 3), key_of(1, 31), key_of(1, 30), key_of(1, 30), key_of(1, 33), key_of(1, 32, "ad_group")]
    assert ranges_of(asked) == [
        ("google_ads", "1", "ad_group", "2024-02-02", "2024-02-02"),
        ("google_ads", "1", "campaign", "2024-01-31", "2024-02-01"),
        ("google_ads", "1", "campaign", "2024-02-03", "2024-02-03"),
        ("google_ads", "2", "campaign", "2024-01-04", "2024-01-04"),
    ]


def test_a_slice_takes_a_statement_a_table_and_one_moment(tmp_path: Path) -> None:
    with SqliteValidatorLedger(tmp_path / "ledger.db") as ledger:
        keys = [key_of(1, day) for day in range(30)]
        for key in keys[:5]:
            record_one(ledger, result_of(key, 1))
        statements: list[str] = []
        ledger._file.read(lambda connection: connection.set_trace_callback(statements.append))
        statements.clear()
        ledger.histories(keys)
        assert [statement.split()[0] for statement in statements if not statement.startswith("PRAGMA")] == [
            "BEGIN",
            *["SELECT"] * 5,
            "COMMIT",
        ]


def test_a_row_that_cannot_be_read_harms_only_those_who_ask_for_it(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    keys = [key_of(1, day) for day in range(3)]
    with SqliteValidatorLedger(file) as ledger:
        for key in keys:
            record_one(ledger, result_of(key, 1))
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO runs (id, run_id) VALUES (99, 'unknown')")
        connection.execute(
            "UPDATE partitions SET current_run = 99 WHERE logical_date = ?",
            (keys[1].logical_date.isoformat(),),
        )
    connection.close()
    with SqliteValidatorLedger(file) as ledger:
        for ask in (ledger.histories, ledger.get_many):
            with pytest.raises(LedgerError, match="damaged"):
                ask(keys)
            assert len(ask([keys[0], keys[2]])) == 2
