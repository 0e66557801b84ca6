from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import record_one, result_of, run_of
from gads_domain.adapters import ledger_adapter
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunContext
from gads_domain.state import ValidationOutcome
from gads_etl.once_report import NotPassed, once_document, once_exit_code, print_once
from gads_orchestrator.events import NullObserver, PartitionValidated
from gads_orchestrator.execution import WorkResult

KEY = PartitionKey("google_ads", "1", "campaign", date(2024, 6, 9))


def _result(reason: str = "done", **members: object) -> WorkResult:
    return WorkResult(RunContext(run_of(1)), reason, **members)  # type: ignore[arg-type]  # handed through


def test_what_was_attempted_in_vain_is_named_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = NotPassed(NullObserver())
    for outcome in ("unsealed", "passed", "rejected"):
        watch.on_events(
            PartitionValidated(datetime(2024, 6, 10, tzinfo=UTC), "", "1", "campaign", KEY.logical_date, "", outcome)
        )
        assert watch.keys == (set() if outcome == "passed" else {KEY})
    with ledger_adapter("sqlite:x").open_for_validator("sqlite:ledger.db", tmp_path) as ledger:
        record_one(ledger, result_of(KEY, 1, ValidationOutcome.REJECTED))
        document = once_document([_result(operations=2), _result(operations=3)], watch.keys, ledger)
        whole = once_document([_result("enough")], set(), ledger)
    assert (document["ended"], document["operations"], once_exit_code(document)) == ("done", 5, 1)
    (row,) = document["not_success"]
    assert (row["customer_id"], row["status"], row["reason"].split(":")[0]) == ("1", "failed", "rows_differ")
    print_once(document)
    assert "not success: 1 campaign 2024-06-09: rows_differ" in capsys.readouterr().err
    assert (whole["ended"], once_exit_code(whole)) == ("done", 0)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (_result("quota"), 1),
        (_result("stopped"), 1),
        (_result(deferred=Counter(leased=1)), 1),
        (_result(deferred=Counter(done=1)), 0),
    ],
)
def test_what_was_due_and_not_attempted_is_incomplete(result: WorkResult, code: int, tmp_path: Path) -> None:
    with ledger_adapter("sqlite:x").open_reader("sqlite:ledger.db", tmp_path) as ledger:
        assert once_exit_code(once_document([result], set(), ledger)) == code
