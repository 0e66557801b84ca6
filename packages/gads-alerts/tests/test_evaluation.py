"""What is said of a status: each rule at its limit, by its default limits, and worst first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from gads_alerts.condition import Condition
from gads_alerts.deadlines import overdue
from gads_alerts.evaluation import Facts, evaluate
from gads_alerts.restatements import Movement, largest_movement
from gads_alerts.rules import AlertRules, Deadline, Rule
from gads_domain.account_days import DayRange
from gads_domain.activity import Heartbeat, Liveness, Round, Severity
from gads_domain.completeness import Answer
from gads_domain.expectations import Expectation, Expectations, ListedAccount
from gads_domain.gaps import Gap, GapRange
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.quota import CallScope, Rest
from gads_domain.run import RunId
from gads_domain.standing import GapGroup, ReportStanding
from gads_domain.state import PartitionStatus, ValidationOutcome, ValidationResult
from gads_status.status import (
    AccountsStanding,
    ApiStanding,
    BudgetStanding,
    DiskStanding,
    ProcessStanding,
    Status,
    WarehouseStanding,
)

NOW = datetime(2024, 6, 10, 9, 30, tzinfo=UTC)
DAY = date(2024, 6, 8)
HOUR = timedelta(hours=1)
RULES = AlertRules()


def status(**parts: Any) -> Status:
    well: dict[str, Any] = {
        "at": NOW,
        "source": GOOGLE_ADS,
        "ledger_id": "ledger",
        "version": "0.1.0",
        "answer": Answer.COMPLETE,
        "unknown": "",
        "attention": (),
        "accounts": AccountsStanding(10, 10, 0, NOW),
        "reports": (ReportStanding("campaign", DAY, 10, 0, 900, 900, 0, 0, 0, 0, None),),
        "gaps": (),
        "next_due": (),
        "budget": BudgetStanding("default", 15_000, 100, 14_900),
        "api": ApiStanding("v26", date(2025, 6, 1), 356),
        "disk": DiskStanding(1_000, 80_000_000_000, "", 80_000_000_000),
    }
    return Status(**{**well, **parts})


def said(facts: Facts, rules: AlertRules = RULES, now: datetime = NOW) -> list[Condition]:
    return list(evaluate(facts, rules, now).conditions)


def group(
    state: PartitionStatus, code: str = "", accounts: int = 1, first: date = DAY, reason: str = "why"
) -> GapGroup:
    gap = Gap(PartitionKey(GOOGLE_ADS, "1234567890", "campaign", first), state, reason)
    return GapGroup("campaign", state, reason, code, accounts, accounts, first, first, (GapRange(gap, first),))


def test_of_what_is_well_nothing_is_said() -> None:
    assert said(Facts(status(), refused="")) == []
    assert evaluate(Facts(status(), refused=""), RULES, NOW).unknown == frozenset()


@pytest.mark.parametrize(
    ("gap", "now", "expected"),
    [
        # The day ends in the last zone on the 9th at 12:00 UTC; by default its absence is said twelve hours later.
        (group(PartitionStatus.PENDING), datetime(2024, 6, 9, 23, 59, tzinfo=UTC), None),
        (group(PartitionStatus.PENDING), datetime(2024, 6, 10, tzinfo=UTC), (Rule.GAPS, Severity.WARNING)),
        (group(PartitionStatus.PENDING, accounts=5), NOW, (Rule.GAPS, Severity.CRITICAL)),
        (group(PartitionStatus.FAILED, "check_failed", first=date(2024, 6, 9)), NOW, (Rule.FAILURES, Severity.WARNING)),
        (group(PartitionStatus.FAILED, "api_transient", first=date(2024, 6, 9)), NOW, None),
        (group(PartitionStatus.FAILED, "api_transient"), NOW, (Rule.FAILURES, Severity.WARNING)),
        (group(PartitionStatus.SUCCESS, accounts=9), NOW, (Rule.FAILURES, Severity.WARNING)),
    ],
)
def test_gaps_are_said_when_they_are_old_and_failures_at_once(
    gap: GapGroup, now: datetime, expected: tuple[Rule, Severity] | None
) -> None:
    found = said(Facts(status(gaps=(gap,), names={"1234567890": "Acme"})), now=now)
    assert [(one.rule, one.severity) for one in found] == ([] if expected is None else [expected])
    for one in found:
        assert one.command.startswith("gads-etl state gaps --report campaign --since 2024-06-0")
        assert one.examples.startswith("1234567890 (Acme)")


def test_one_cause_is_said_once_for_all_reports() -> None:
    denied = group(PartitionStatus.FAILED, "api_permanent", reason="1234567890 is denied")
    gaps = [replace(denied, report=f"report_{number}") for number in range(40)]
    gaps += [replace(denied, reason="not found"), group(PartitionStatus.FAILED, "check_failed")]
    first, second = said(Facts(status(gaps=tuple(gaps))))
    assert first.subject == "failed: api_permanent"
    assert first.text == "41 reports: 41 days are failed, 2024-06-08: … is denied, and others"
    assert first.command == "gads-etl state gaps --since 2024-06-08 --until 2024-06-08"
    assert (second.subject, second.text) == ("failed: check_failed", "campaign: 1 day is failed, 2024-06-08: why")


@pytest.mark.parametrize(
    ("facts", "rule", "severity", "words"),
    [
        (Facts(status(unknown="the list is old")), Rule.GAPS, "warning", "unknown what is expected: the list is old"),
        (Facts(status(budget=BudgetStanding("b", 1_000, 900, 100))), Rule.BUDGET, "warning", "900 of 1,000"),
        (Facts(status(budget=BudgetStanding("b", 1_000, 1_000, 0))), Rule.BUDGET, "critical", "nothing more"),
        (
            Facts(status(budget=BudgetStanding(rests=(Rest(CallScope("b"), NOW + 2 * HOUR, "quota"),)))),
            Rule.BUDGET,
            "warning",
            "a rest until 2024-06-10 11:30 UTC: quota",
        ),
        (Facts(status(), refused="invalid_grant"), Rule.CREDENTIALS, "critical", "refused: invalid_grant"),
        (
            Facts(status(api=ApiStanding("v26", date(2024, 8, 9), 60))),
            Rule.SUNSET,
            "warning",
            "v26 of the API ends about 2024-08-09, in 60 days",
        ),
        (Facts(status(api=ApiStanding("v26", date(2024, 6, 24), 14))), Rule.SUNSET, "critical", "in 14 days"),
        (Facts(status(), changed={"campaign": "other columns"}), Rule.SUNSET, "warning", "campaign: other columns"),
        (
            Facts(status(warehouse=WarehouseStanding("duckdb:w", 1, 70, NOW - 7 * HOUR))),
            Rule.WAREHOUSE,
            "warning",
            "70 changes behind",
        ),
        (Facts(status(disk=DiskStanding(1, 4_000_000_000))), Rule.DISK, "warning", "4.0 GB are free where the ledger"),
        (Facts(status(disk=DiskStanding(1, None, "", 100_000_000))), Rule.DISK, "critical", "where the sink is"),
    ],
)
def test_each_rule_says_what_is_wrong(facts: Facts, rule: Rule, severity: str, words: str) -> None:
    (found,) = said(facts)
    assert (found.rule, found.severity) == (rule, severity)
    assert words in found.text
    assert found.command.startswith("gads-etl ")
    others = replace(RULES, watch=frozenset(Rule) - {rule})
    assert said(facts, others) == []


@pytest.mark.parametrize(
    "facts",
    [
        Facts(status(budget=BudgetStanding("b", 1_000, 899, 101))),
        Facts(status(budget=BudgetStanding("b", None, 1_000_000))),
        Facts(status(budget=BudgetStanding(rests=(Rest(CallScope("b", "1"), NOW + 9 * HOUR, "its own"),)))),
        Facts(status(api=ApiStanding("v26", date(2024, 8, 10), 61))),
        Facts(status(warehouse=WarehouseStanding("duckdb:w", 1, 70, NOW - 6 * HOUR))),
        Facts(status(warehouse=WarehouseStanding("duckdb:w", unknown="locked"))),
    ],
)
def test_below_its_limit_nothing_is_said(facts: Facts) -> None:
    assert said(facts) == []


def test_a_silent_daemon_is_critical_and_one_that_was_replaced_is_not() -> None:
    beat = Heartbeat("a:1:x", "etl-01", 17, "gads-etl serve", "0.1.0", NOW, NOW - 4 * HOUR, HOUR, "idle")
    lost = ProcessStanding(beat, Liveness.SILENT, lost=True)
    (found,) = said(Facts(status(processes=(lost, replace(lost, lost=False)))))
    assert (found.rule, found.severity) == (Rule.DAEMON, Severity.CRITICAL)
    assert found.text == "serve on etl-01 (pid 17) sends no heartbeat since 2024-06-10 05:30 UTC; it was at: idle"


def test_a_round_that_was_broken_off_is_said_unless_a_later_one_did_better() -> None:
    broken = Round("a:1:x", "gads-etl serve", "run", NOW - 2 * HOUR, 9, NOW - HOUR, "storage", message="disk gone")
    (found,) = said(Facts(status(rounds=(replace(broken, ended_at=None, ended=""), broken))))
    assert (found.rule, found.severity) == (Rule.FAILURES, Severity.CRITICAL)
    assert found.text == "the last round ended early, 2024-06-10 08:30 UTC: disk gone"
    assert said(Facts(status(rounds=(replace(broken, ended="done"), broken)))) == []
    assert said(Facts(status(rounds=(replace(broken, ended_at=NOW - timedelta(minutes=29)),)))) == []


def test_what_cannot_be_told_is_unknown() -> None:
    deadline = Deadline(time(9))
    where = status(
        activity_unknown="not on record",
        warehouse=WarehouseStanding("duckdb:w", unknown="locked"),
        disk=DiskStanding(ledger_unknown="no file", sink_unknown="no file"),
    )
    found = evaluate(Facts(where), replace(RULES, deadlines=(deadline,)), NOW)
    assert found.unknown == {Rule.DEADLINE, Rule.CREDENTIALS, Rule.DAEMON, Rule.WAREHOUSE, Rule.DISK}


def test_the_worst_comes_first_and_warnings_may_be_left_out() -> None:
    facts = Facts(
        status(gaps=(group(PartitionStatus.PENDING),), budget=BudgetStanding("b", 10, 10, 0)), refused="invalid_grant"
    )
    assert [one.rule for one in said(facts)] == [Rule.BUDGET, Rule.CREDENTIALS, Rule.GAPS]
    critical = replace(RULES, least=Severity.CRITICAL)
    assert [one.rule for one in said(facts, critical)] == [Rule.BUDGET, Rule.CREDENTIALS]


ACCOUNTS = (
    ListedAccount("1", "Acme", time_zone="America/New_York"),
    ListedAccount("2", "Beta", time_zone="Europe/Zurich"),
    ListedAccount("3", "Gamma", time_zone="Europe/Zurich"),
)
EXPECTED = Expectations(
    GOOGLE_ADS, NOW, ACCOUNTS, tuple(Expectation(one.customer_id, "campaign", date(2024, 6, 1)) for one in ACCOUNTS)
)


@pytest.mark.parametrize(
    ("at", "lacking"),
    [
        # 06:59 UTC is 08:59 in Zurich: the day before yesterday is promised, and there.
        ("06:59", []),
        # 09:00 in Zurich and 03:00 in New York: yesterday is promised to Zurich alone.
        ("07:00", ["2 (Beta)"]),
        ("12:59", ["2 (Beta)"]),
        ("13:00", ["1 (Acme)", "2 (Beta)"]),
    ],
)
def test_a_deadline_is_in_each_accounts_own_zone(at: str, lacking: list[str]) -> None:
    now = datetime.combine(date(2024, 6, 10), time.fromisoformat(at), UTC)
    until = {"1": 8, "2": 8, "3": 9}
    days = {(one, "campaign"): (DayRange(date(2024, 6, 1), date(2024, 6, last)),) for one, last in until.items()}
    deadline = Deadline(time(9), ("campaign",))
    found = overdue(deadline, EXPECTED, {"campaign"}, None, days, now)
    assert [name for one in found for name in one.accounts] == lacking
    facts = Facts(status(), {deadline: found})
    conditions = said(facts, replace(RULES, deadlines=(deadline,)), now)
    zones = {"1": "America/New_York", "2": "Europe/Zurich"}
    assert [one.subject for one in conditions] == [f"campaign by 09:00 in {zones[name[0]]}" for name in lacking]
    for one in conditions:
        assert one.text.startswith("campaign of 2024-06-09 is not complete by 09:00 in ")
    if lacking:
        assert conditions[-1].text.endswith("Europe/Zurich: 1 of 2 accounts lack it")
    only = overdue(deadline, EXPECTED, {"campaign"}, {"3"}, days, now)
    assert only == ()


def test_an_account_that_is_not_expected_that_day_misses_no_deadline() -> None:
    before, after = date(2024, 6, 10), date(2024, 6, 8)
    left = Expectation("2", "campaign", date(2024, 6, 1), after, "not listed")
    expected = replace(EXPECTED, expected=(Expectation("1", "campaign", before), left))
    assert overdue(Deadline(time(9)), expected, {"campaign"}, None, {}, NOW + 9 * HOUR) == ()


def test_a_restatement_is_said_by_the_metric_that_moved_most() -> None:
    key = PartitionKey(GOOGLE_ADS, "1234567890", "campaign", date(2024, 6, 1))
    metrics = {
        "metrics_clicks": {"before": 200, "after": 210},
        "metrics_cost_micros": {"before": 400_000_000, "after": 100_000_000},
        "metrics_conversions": {"before": 2.0, "after": 9.0},  # below what counts
        "metrics_ctr": {"before": None, "after": 0.4},
    }
    run = RunId.compose(NOW, b"1234")
    result = ValidationResult(key, run, ValidationOutcome.PASSED, NOW, changes={"metrics": metrics})
    moved = largest_movement(result)
    assert moved == Movement(
        NOW, "campaign", "1234567890", key.logical_date, "metrics_cost_micros", 400_000_000.0, 100_000_000.0
    )
    assert moved.share == 0.75
    (found,) = said(Facts(status(), movements=(moved, replace(moved, before=100.0, after=101.0))))
    assert found.text.startswith("campaign: 1 day of 1 account moved by 25% or more within 24 hours; most metrics_cost")
    young = replace(result, key=replace(key, logical_date=date(2024, 6, 9)))
    assert largest_movement(young) is None
    assert largest_movement(replace(result, changes={"equal": True})) is None
    assert Movement(NOW, "campaign", "1", DAY, "m", 0.0, 500.0).share == float("inf")
