"""Holds the code to contracts/retry/v1, attempts and plans: each line has a test with its number."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gads_domain.control import Mark
from gads_domain.errors import UsageError
from gads_domain.ports.report_source import OperationQuota
from gads_domain.report import History, ReportDefinition, ReportKind, ReportSlice
from gads_domain.run import RunContext
from gads_domain.state import StateFilter
from gads_orchestrator.events import SliceStarted
from gads_orchestrator.plan import Account
from gads_orchestrator.retry_policy import ErrorRule, RetryPolicy
from gads_orchestrator.selection import Reason, SelectDue
from gads_testing.simulated_deployment import (
    ACCOUNT,
    KEY,
    NOON,
    ONE_DAY,
    POLICY,
    SUCCESS,
    YESTERDAY,
    SimulatedDeployment,
    key_of,
)


def _deny(deployment: SimulatedDeployment) -> None:
    deployment.trouble.denied = {"1": (deployment.clock.now(), deployment.clock.now() + timedelta(days=400))}


def _started(deployment: SimulatedDeployment) -> list[tuple[str, str]]:
    return [(e.reason, e.customer_id) for e in deployment.events if isinstance(e, SliceStarted)]


def test_r16_the_wait_doubles_to_a_cap_and_jitter_shortens_it_alike_for_adjacent_days(
    deployment: SimulatedDeployment,
) -> None:
    policy = RetryPolicy(first_delay=timedelta(minutes=10), largest_delay=timedelta(hours=2), jitter=0.5)
    waits = [policy.delay("1", "campaign", n) for n in range(1, 200)]
    for n, wait in enumerate(waits, start=1):
        full = min(timedelta(minutes=10) * 2 ** min(n - 1, 20), timedelta(hours=2))
        assert full / 2 <= wait <= full
    assert len({policy.delay(str(account), "campaign", 1) for account in range(1, 50)}) > 40
    exact = RetryPolicy(first_delay=timedelta(minutes=10), largest_delay=timedelta(hours=2), jitter=0)
    assert [exact.delay("1", "r", n) / timedelta(minutes=10) for n in range(1, 7)] == [1, 2, 4, 8, 12, 12]
    deployment.start_outage()
    deployment.cycle()
    (left,) = deployment.plan().skipped
    assert (left.first, left.last, left.why.code) == (YESTERDAY - timedelta(days=2), YESTERDAY, "wait")


def test_r17_r28_every_instance_counts_the_wait_from_the_record(deployment: SimulatedDeployment) -> None:
    deployment.start_outage()
    deployment.cycle(ONE_DAY)
    tried_at = deployment.control.history(KEY).results[0].validated_at
    (left,) = deployment.plan(ONE_DAY).skipped
    assert left.why.until == tried_at + POLICY.delay("1", "campaign", 1)
    other = deployment.second_instance()
    assert left.why.until is not None
    deployment.clock.moment = left.why.until - timedelta(seconds=1)
    assert other.plan(ONE_DAY).operations == 0
    deployment.clock.moment = left.why.until
    assert other.plan(ONE_DAY).operations == 1
    other.close()


def test_r18_a_permanent_failure_waits_for_a_person(deployment: SimulatedDeployment) -> None:
    _deny(deployment)
    for _ in range(5):
        deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        deployment.pass_time(days=1)
    assert len(deployment.api.calls) == 1
    assert deployment.control.marks(KEY) == set()
    (left,) = deployment.plan(ONE_DAY, since=YESTERDAY, until=YESTERDAY).skipped
    assert (left.why.code, left.why.reason) == ("permanent", "not retried by policy: api_permanent")
    deployment.end_troubles()
    deployment.control.retry([KEY], deployment.act("they let us in again"))
    deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert deployment.control.get(KEY).status is SUCCESS


def test_r19_rules_by_code_overrule(deployment: SimulatedDeployment) -> None:
    _deny(deployment)
    stubborn = RetryPolicy(rules={"api_permanent": ErrorRule(retry=True, max_attempts=2)}, max_attempts=9)
    for _ in range(5):
        deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY, selection=SelectDue(stubborn))
        deployment.pass_time(days=1)
    assert len(deployment.api.calls) == 2
    assert deployment.control.marks(KEY) == {Mark.TERMINAL}
    patient = RetryPolicy(rules={"api_transient": ErrorRule(retry=False)})
    deployment.end_troubles()
    deployment.start_outage()
    before = len(deployment.api.calls)
    for _ in range(3):
        deployment.cycle(ONE_DAY, selection=SelectDue(patient), since=date(2024, 6, 14), until=date(2024, 6, 14))
        deployment.pass_time(days=1)
    assert len(deployment.api.calls) == before + 1


def test_r21_a_failed_day_that_is_too_old_is_terminal(deployment: SimulatedDeployment) -> None:
    deployment.start_outage(hours=24)
    deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    deployment.pass_time(days=POLICY.max_age_days + 1)
    result = deployment.cycle(ONE_DAY)
    assert result.given_up == 1
    (act,) = [act for act in deployment.control.acts(KEY) if act.kind == "mark_terminal"]
    assert act.act.reason == "failed with api_transient and is older than 60 days"


def test_r22_r27_a_snapshot_is_asked_for_today_and_given_up_tomorrow(deployment: SimulatedDeployment) -> None:
    report = ReportDefinition("budget", "SELECT", kind=ReportKind.SNAPSHOT)
    tokyo = Account("1", "Asia/Tokyo")
    deployment.clock.moment = datetime(2024, 6, 10, 16, tzinfo=UTC)
    deployment.start_outage(hours=10)
    deployment.cycle(report, accounts=(tokyo,))
    assert deployment.requested_days() == [date(2024, 6, 11)], "it is the 11th in Tokyo"
    deployment.pass_time(days=1)
    deployment.cycle(report, accounts=(tokyo,))
    assert deployment.control.marks(key_of(date(2024, 6, 11), report="budget")) == {Mark.TERMINAL}
    assert deployment.requested_days()[1:] == [date(2024, 6, 12)]
    kept = ReportDefinition("events", "SELECT", restatement_days=1, history=History("test", days=3))
    deployment.start_outage(hours=10)
    deployment.cycle(kept)
    deployment.pass_time(days=5)
    deployment.cycle(kept)
    assert deployment.control.marks(key_of(date(2024, 6, 10), report="events")) == {Mark.TERMINAL}


def test_r23_a_call_repeated_within_a_run_is_an_operation_and_no_try(deployment: SimulatedDeployment) -> None:
    whole = deployment.api._answer

    def twice(slice_: ReportSlice, run: RunContext, quota: OperationQuota) -> None:
        quota.take()
        whole(slice_, run, quota)

    deployment.api._answer = twice  # type: ignore[method-assign]  # a source that asks twice
    deployment.start_outage()
    result = deployment.cycle(ONE_DAY)
    assert (result.operations, deployment.control.spent("t", NOON).count) == (2, 2)
    assert deployment.scheduling(KEY).tries == 1


def test_r24_a_plan_is_in_the_order_of_reasons(deployment: SimulatedDeployment) -> None:
    since = date(2024, 5, 1)
    deployment.trouble.outages = [(NOON, NOON + timedelta(hours=1), frozenset({"1"}))]
    deployment.cycle(since=since, until=date(2024, 5, 2))
    deployment.clock.moment = NOON + timedelta(days=1)
    deployment.cycle(since=date(2024, 6, 10), until=date(2024, 6, 10))
    deployment.trouble.outages = [
        (deployment.clock.now(), deployment.clock.now() + timedelta(hours=1), frozenset({"1"}))
    ]
    deployment.cycle(since=date(2024, 6, 9), until=date(2024, 6, 9))
    deployment.clock.moment = NOON + timedelta(days=2)
    deployment.events.clear()
    plan = deployment.plan(since=since)
    assert [planned.reason for planned in plan] == sorted(planned.reason for planned in plan)
    deployment.execute(plan)
    expected = ["new", "recent_retry", "restatement", "old_retry", "backfill"]
    found = [reason for reason, _account in _started(deployment)]
    assert list(dict.fromkeys(found)) == expected
    assert found == sorted(found, key=lambda reason: Reason[reason.upper()])


def test_r25_accounts_take_turns(deployment: SimulatedDeployment) -> None:
    accounts = tuple(Account(str(n)) for n in (1, 2, 3))
    deployment.cycle(accounts=accounts, since=date(2024, 6, 1), days=1)
    backfills = [account for reason, account in _started(deployment) if reason == "backfill"]
    assert len(backfills) == 18
    assert sorted(backfills[:3]) == ["1", "2", "3"]
    assert backfills == backfills[:3] * 6


def test_r25_under_a_short_budget_no_account_is_forgotten(tmp_path: Path) -> None:
    deployment = SimulatedDeployment(tmp_path, NOON, limit=5)
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    for _ in range(12):
        deployment.cycle(ONE_DAY, accounts=accounts)
        deployment.pass_time(hours=25)
    asked = Counter(asked.customer_id for asked in deployment.api.calls)
    assert min(asked[account.customer_id] for account in accounts) >= 5
    deployment.close()


def test_r26_a_good_day_is_restated_once_a_day_until_its_last_day_in_the_window(
    deployment: SimulatedDeployment,
) -> None:
    since = date(2024, 6, 9)
    for _hour in range(24 * 8):
        deployment.cycle(since=since, until=since)
        deployment.pass_time(hours=1)
    asked_on = [asked.at.date() for asked in deployment.api.calls]
    assert asked_on == [date(2024, 6, 10), date(2024, 6, 11), date(2024, 6, 12)]


def test_r26_a_last_reading_that_was_missed_is_made_up_for_once(deployment: SimulatedDeployment) -> None:
    deployment.cycle()
    deployment.pass_time(days=9)
    for _ in range(3):
        deployment.cycle()
        deployment.pass_time(days=1)
    assert deployment.requested_days().count(YESTERDAY) == 2
    assert deployment.requested_days().count(date(2024, 6, 7)) == 1, "it was read on the last day of its window"


def test_r26_a_last_reading_that_failed_is_made_up_for_once_a_day_until_it_succeeds(
    deployment: SimulatedDeployment,
) -> None:
    since = date(2024, 6, 9)
    deployment.cycle(since=since, until=since)
    deployment.clock.moment = NOON + timedelta(days=2)
    deployment.start_outage(hours=36)
    for _hour in range(24 * 8):
        deployment.cycle(since=since, until=since)
        deployment.pass_time(hours=1)
    asked_on = [(asked.at.day, asked.answer) for asked in deployment.api.calls]
    assert asked_on == [(10, "ok"), (12, "api_transient"), (13, "api_transient"), (14, "ok")]


@pytest.mark.parametrize(("most", "last"), [(4, date(2024, 6, 14)), (99, date(2024, 7, 13))])
def test_r26_a_last_reading_that_keeps_failing_is_let_go(
    deployment: SimulatedDeployment, most: int, last: date
) -> None:
    since = date(2024, 6, 9)
    deployment.cycle(since=since, until=since)
    deployment.start_outage(hours=24 * 99)
    for _day in range(60):
        deployment.pass_time(days=1)
        deployment.cycle(since=since, until=since, selection=SelectDue(RetryPolicy(max_attempts=most)))
    assert max(asked.at.date() for asked in deployment.api.calls) == last
    assert deployment.control.get(key_of(since)).status is SUCCESS


def test_r27_a_day_is_asked_for_when_it_is_over_in_the_accounts_zone(deployment: SimulatedDeployment) -> None:
    deployment.clock.moment = datetime(2024, 6, 10, 3, tzinfo=UTC)
    accounts = (Account("1", "America/New_York"), Account("2", "Asia/Tokyo"), Account("3", "Pacific/Kiritimati"))
    deployment.cycle(ONE_DAY, accounts=accounts)
    assert {asked.customer_id: asked.last for asked in deployment.api.calls} == {
        "1": date(2024, 6, 8),
        "2": date(2024, 6, 9),
        "3": date(2024, 6, 9),
    }
    with pytest.raises(UsageError):
        Account("1", "Mars/Olympus").today(NOON)


def test_r29_planning_changes_nothing_and_is_repeatable(deployment: SimulatedDeployment) -> None:
    deployment.start_outage(accounts=("2",))
    accounts = (ACCOUNT, Account("2"))
    deployment.cycle(accounts=accounts)
    deployment.pass_time(days=1)
    before = (
        deployment.control.authority_changes(),
        list(deployment.control.scheduling_states(StateFilter())),
        deployment.control.leases(NOON),
    )
    plans = [deployment.plan(accounts=accounts, since=date(2024, 5, 1)) for _ in range(3)]
    assert list(plans[0]) == list(plans[1]) == list(plans[2])
    assert plans[0].skipped == plans[1].skipped
    assert (
        deployment.control.authority_changes(),
        list(deployment.control.scheduling_states(StateFilter())),
        deployment.control.leases(NOON),
    ) == before
    assert plans[0].operations == len(list(plans[0]))
    assert plans[0].partitions == sum(len(planned.slice_.days) for planned in plans[0])
    assert list(plans[0].keys()) == sorted(key for planned in plans[0] for key in planned.slice_.keys)
