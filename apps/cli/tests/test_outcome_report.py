"""How an outcome is printed, and which exit code says what it came to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import record_one, result_of, run_of
from gads_domain.account_days import DayRange
from gads_domain.adapters import ledger_adapter
from gads_domain.clock import iso_utc
from gads_domain.control import Mark
from gads_domain.errors import (
    ClockSkewError,
    CredentialsError,
    FailureReason,
    PermanentApiError,
    QuotaExhaustedError,
    StorageCredentialsError,
    StorageFullError,
)
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, ValidatorLedger
from gads_domain.quota import CallScope, RestAsked, RestReach, Spent
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, ValidationOutcome
from gads_etl.outcome_report import print_forecast, print_outcome
from gads_orchestrator.outcome import Ending, RunOutcome
from gads_orchestrator.plan import Account, WorkPlan, WorkRequest, plan_work
from gads_orchestrator.selection import SelectRequested
from gads_pipeline.command_completeness import completeness_of
from gads_pipeline.configuration import Configuration
from gads_pipeline.forecast import Forecast
from gads_pipeline.outcome import Outcome
from gads_pipeline.work_request import days_meant
from gads_terminal.output import Format
from gads_terminal.table_options import TableOptions

TABLE, JSON = TableOptions(), TableOptions(format_=Format.JSON)
DAY = date(2024, 6, 1)
DAYS = DayRange(DAY, date(2024, 6, 5))
NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)
REPORT = ReportDefinition("campaign", "SELECT", max_days_per_request=2)


def key(day: int) -> PartitionKey:
    return PartitionKey("google_ads", "1", "campaign", DAY + timedelta(days=day))


class Deployment:
    """A ledger, a plan of five days and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.configuration = Configuration.of(
            {"storage": {"sink": "file:raw", "state": "sqlite:state.db"}, "reports": [{"name": "campaign"}]},
            folder / "gads.toml",
        )
        adapter, url = ledger_adapter("sqlite:x"), "sqlite:state.db"
        self.ledger: ValidatorLedger = adapter.open_for_validator(url, folder)
        self.control: ControlPlaneLedger = adapter.open_for_control_plane(url, folder)

    def plan(self) -> WorkPlan:
        request = WorkRequest((Account("1", "UTC"),), (REPORT,), NOW, SelectRequested(), DAYS.first, DAYS.last)
        return plan_work(request, self.control)

    def record(self, day: int, outcome: ValidationOutcome) -> None:
        record_one(self.ledger, result_of(key(day), 1, outcome))

    def outcome(self, *executions: RunOutcome) -> Outcome:
        request = self.plan().request
        completeness = completeness_of(self.configuration, self.control, request, days_meant(request, DAYS), ["1"])
        return Outcome(self.configuration, executions, completeness)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    made.control.close()
    made.ledger.close()


def test_what_is_not_success_is_printed_by_range_with_its_reason_and_the_exit_code_says_so(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunOutcome(deployment.plan(), RunContext(run_of(1)), operations=3)
    for day in range(3):
        deployment.record(day, ValidationOutcome.PASSED)
    for day in (3, 4):
        deployment.record(day, ValidationOutcome.REJECTED)
    run.unsuccessful = {key(3), key(4)}
    assert print_outcome(deployment.outcome(run), TABLE) == 1
    printed = capsys.readouterr()
    assert "3 of 5 partitions are success (3 requests)" in printed.out
    (line,) = [line for line in printed.err.splitlines() if line.startswith("not success")]
    assert line.startswith("not success: 1 campaign 2024-06-04..2024-06-05: rows_differ")


def test_an_outcome_without_a_failure_is_0(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunOutcome(deployment.plan(), RunContext(run_of(1)))
    for day in range(5):
        deployment.record(day, ValidationOutcome.PASSED)
    assert print_outcome(deployment.outcome(run), JSON) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"pending": 0, "success": 5, "failed": 0}
    assert document == {**deployment.outcome(run).to_document()}
    assert print_outcome(deployment.outcome(), JSON) == 0, "nothing was due"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CredentialsError("refused"), 4),
        (StorageCredentialsError("refused"), 4),
        (ClockSkewError("ahead"), 2),
        (QuotaExhaustedError("spent"), 75),
        (StorageFullError("full"), 75),
        (PermanentApiError("version gone"), 1),
    ],
)
def test_what_stopped_it_is_the_last_word_and_decides_the_exit_code(
    error: CredentialsError, code: int, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunOutcome(deployment.plan(), RunContext(run_of(1)), stopped_by=FailureReason.of(error))
    assert print_outcome(deployment.outcome(run), TABLE) == code
    lines = capsys.readouterr().err.splitlines()
    assert f"error: {error.message}" in lines
    assert "not success: 1 campaign 2024-06-01..2024-06-05: pending: not asked for; " in "\n".join(lines)
    assert sum(line.startswith("hint: ") for line in lines) == bool(error.hint)


@pytest.mark.parametrize("ending", [Ending.STOPPED])
def test_what_was_planned_and_not_attempted_is_75(
    ending: Ending, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_outcome(deployment.outcome(RunOutcome(deployment.plan(), ending=ending)), TABLE) == 75
    assert "ended early: stopped on request" in capsys.readouterr().err
    leased = RunOutcome(deployment.plan(), leased=[ReportSlice("1", REPORT, DAY, DAY)])
    assert print_outcome(deployment.outcome(leased), TABLE) == 75


def test_of_several_executions_each_partition_is_told_once_by_the_last(deployment: Deployment) -> None:
    first = RunOutcome(deployment.plan(), RunContext(run_of(1)), Ending.REPLAN, operations=1)
    for day in range(4):
        deployment.record(day, ValidationOutcome.PASSED)
    second = RunOutcome(deployment.plan(), RunContext(run_of(2)), operations=2)
    deployment.record(4, ValidationOutcome.PASSED)
    outcome = deployment.outcome(first, second)
    assert [found.state.key for found in outcome.partitions()] == [key(day) for day in range(5)]
    assert (outcome.operations, outcome.ended, outcome.is_whole) == (3, "done", True)
    assert deployment.outcome(first).ended == "done", "there was nothing left to plan"


def test_what_is_skipped_is_named_and_an_option_is_offered_where_it_helps(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    for day in (0, 1):
        deployment.record(day, ValidationOutcome.REJECTED)
    deployment.control.mark([key(2)], Mark.HELD, OperatorAct(NOW, "operator", "hold", "odd"))
    run = RunOutcome(deployment.plan(), RunContext(run_of(1)))
    print_outcome(deployment.outcome(run), JSON)
    rows = json.loads(capsys.readouterr().out)["partitions"]
    skipped = {row["logical_date"]: row["skipped"]["code"] for row in rows if row["skipped"]}
    assert skipped == {"2024-06-01": "failed", "2024-06-02": "failed", "2024-06-03": "held"}
    scope, from_, until = CallScope("default", "1"), NOW - timedelta(hours=20), NOW + timedelta(minutes=5)
    deployment.control.spend(scope, 3, None, None, from_)
    rest = deployment.control.rest(scope, RestAsked(RestReach.ACCOUNT, until - NOW, "RESOURCE_EXHAUSTED"), NOW)
    spent = deployment.control.spent("default", NOW)
    forecast = Forecast(deployment.plan(), spent, (rest,), 10)
    print_forecast(forecast, TABLE, {})
    printed = capsys.readouterr()
    assert "2 partitions in 1 request\n" in printed.out
    assert "2 partitions failed earlier and were skipped; run --retry-failed attempts them again" in printed.err
    assert "skipped: 1 campaign 2024-06-03: held by an operator" in printed.err
    free = f"{spent.parts[0].free_at:%Y-%m-%dT%H:%M:%SZ}"
    assert f"quota: 3 of 10 operations spent in 24 hours, 7 left; 10 from {free} on" in printed.err
    assert f"RESOURCE_EXHAUSTED: no request for account 1 is sent until {until:%Y-%m-%dT%H:%M:%SZ}" in printed.err
    assert "unknown" in printed.out, "no partition was seen"
    print_forecast(forecast, JSON, {})
    assert json.loads(capsys.readouterr().out)["quota"] == {
        "operations_per_day": 10,
        "daily_operations": 0,
        "spent": 3,
        "left": 7,
        "more_from": iso_utc(spent.parts[0].free_at),
        "days": 1,
        "last_day": "2024-06-10",
        "rests": [
            {"customer_id": "1", "report": None, "not_before": iso_utc(until), "reason": "RESOURCE_EXHAUSTED"},
        ],
    }


def test_a_plan_without_requests_is_said_in_words(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    for day in range(5):
        deployment.record(day, ValidationOutcome.PASSED)
    print_forecast(Forecast(deployment.plan(), Spent(), (), None), TABLE, {})
    assert capsys.readouterr().out == "nothing to do; 5 up to date\n"
