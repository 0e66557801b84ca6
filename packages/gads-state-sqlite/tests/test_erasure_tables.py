"""No table of the file has anything of an account that was erased, whatever tables there are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gads_conformance.ledger.samples import REJECTED, act_of, key_of, moment, record_one, result_of, run_of
from gads_domain.control import Mark
from gads_domain.partition_key import GOOGLE_ADS
from gads_state_sqlite.control_ledger import SqliteControlPlaneLedger
from gads_state_sqlite.validator_ledger import SqliteValidatorLedger

KEPT = {"erasures", "account_reports", "authority_log"}
"""The tombstone, and the changes by which followers of the log learn of it, with the names that they have."""


def test_no_table_has_anything_of_an_erased_account(tmp_path: Path) -> None:
    file, number = tmp_path / "ledger.db", 7_777_777_777
    keys = [key_of(number, day) for day in range(3)]
    with SqliteValidatorLedger(file) as ledger, SqliteControlPlaneLedger(file) as control:
        for key in keys:
            record_one(ledger, result_of(key, 1))
        record_one(ledger, result_of(key_of(number, 5, "failed"), 1, REJECTED))
        control.mark(keys, Mark.HELD, act_of())
        control.revoke([(keys[0], run_of(1))], act_of())
        control.order_erasure(GOOGLE_ADS, str(number), act_of())
        while control.erase(GOOGLE_ADS, str(number), moment(900), 1).cleared_at is None:
            pass
    with sqlite3.connect(file) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}
        assert {name for name, rows in found.items() if str(number) in str(rows)} == KEPT
        assert {row[3] for row in found["account_reports"]} == {"campaign"}, "of the other there is no change"
        assert len(found["authority_log"]) == len(keys)
        assert found["results"] == found["partitions"] == found["success_days"] == []
    connection.close()
