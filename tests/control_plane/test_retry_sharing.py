"""Holds the code to contracts/retry/v1, budgets, leases and crashes: each line has a test with its number."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from gads_domain.control import Mark
from gads_domain.errors import FailureReason, GadsError, QuotaExhaustedError, StorageFullError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import OperationQuota
from gads_domain.ports.validation import UnsealedRun
from gads_domain.quota import CallScope, RestAsked, RestReach, Spending
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.run import RunContext
from gads_orchestrator.daemon import Daemon
from gads_orchestrator.events import CallsRest, PartitionRecovered, RunPlanned, ServePaused, ServeResumed
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.plan import Account, plan_work
from gads_orchestrator.selection import SelectRequested
from gads_orchestrator.worker import Task, work_on
from gads_orchestrator.worker_pool import Done, Message
from gads_testing.simulated_deployment import (
    ACCOUNT,
    FAILED,
    KEY,
    NOON,
    ONE_DAY,
    PENDING,
    REPORT,
    SUCCESS,
    YESTERDAY,
    DyingWorkers,
    SimulatedDeployment,
    key_of,
)
from gads_testing.worker_in_process import InThisProcess


def test_r30_r31_at_the_limit_a_run_ends_cleanly_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    deployment = SimulatedDeployment(tmp_path, NOON, limit=5)
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    result = deployment.cycle(accounts=accounts)
    assert (result.ended, result.operations, len(deployment.api.calls)) == ("source", 5, 5)
    assert deployment.control.spent("t", NOON).count == 5
    assert result.stopped_by is not None
    assert result.stopped_by.hint.startswith("5 more may be spent from 2024-06-11T12:05:00Z on")
    reached = {asked.customer_id for asked in deployment.api.calls}
    untouched = [key_of(YESTERDAY, str(n)) for n in range(1, 9) if str(n) not in reached]
    assert [state.version for state in deployment.control.get_many(untouched)] == [0, 0, 0]
    for moment in (datetime(2024, 6, 10, 23, 59, tzinfo=UTC), datetime(2024, 6, 11, 12, 4, tzinfo=UTC)):
        deployment.clock.moment = moment
        assert deployment.cycle(accounts=accounts).operations == 0, "no midnight and no clock gives it back sooner"
    deployment.clock.moment = datetime(2024, 6, 11, 12, 5, tzinfo=UTC)
    deployment.cycle(accounts=accounts)
    assert {state.status for state in deployment.control.get_many(untouched)} == {SUCCESS}
    deployment.close()


def test_r31_a_daemon_with_a_spent_budget_begins_nothing_and_says_so(tmp_path: Path) -> None:
    deployment = SimulatedDeployment(tmp_path, NOON, limit=1)
    daemon = Daemon(
        lambda _now: deployment.request(accounts=(ACCOUNT, Account("2"))),
        lambda: RunContext(deployment.run_ids.new_run_id(), "deployment", "serve"),
        Control(deployment.control, deployment.clock, deployment.budget, deployment),
        InThisProcess(deployment.context),
        Event(),
    )
    first = daemon.look()
    deployment.events.clear()
    second = daemon.look()
    assert first is not None
    assert second is not None
    assert (first.ended, second.ended, len(deployment.api.calls)) == ("source", "source", 1)
    assert deployment.events == [], "nothing was begun"
    deployment.pass_time(days=1)
    assert daemon.look() is not None
    deployment.close()


ACCOUNTS = tuple(Account(str(n)) for n in range(1, 6))
ONE, OTHER = (ReportDefinition(name, "SELECT", restatement_days=1) for name in ("one", "other"))


def refusing(deployment: SimulatedDeployment, reach: RestReach, seconds: float, times: int = 1) -> None:
    """Let the API ask for a rest at the next calls for account 1 and report `one`."""
    answer = deployment.api._error
    left = [times]

    def error(slice_: ReportSlice) -> GadsError | None:
        if (slice_.customer_id, slice_.report.name) != ("1", "one") or not left[0]:
            return answer(slice_)
        left[0] -= 1
        return QuotaExhaustedError("RESOURCE_EXHAUSTED")

    def asked(error: GadsError, quota: OperationQuota) -> None:
        quota.rest(RestAsked(reach, timedelta(seconds=seconds), error.message))

    deployment.api._error = error  # type: ignore[method-assign]  # an API that asks for a rest
    deployment.api.ask_for_rest = asked  # type: ignore[method-assign]  # of another reach and length


@pytest.mark.parametrize(
    ("reach", "done", "ended"),
    [
        (RestReach.PROJECT, set(), "source"),
        (RestReach.ACCOUNT, {("2", "one"), ("2", "other")}, "done"),
        (RestReach.REPORT, {("1", "other"), ("2", "other")}, "done"),
    ],
)
def test_r32_r47_r48_r50_what_the_api_asks_to_rest_rests_in_every_process_until_its_time(
    deployment: SimulatedDeployment, reach: RestReach, done: set[tuple[str, str]], ended: str
) -> None:
    refusing(deployment, reach, 3600)
    accounts = (Account("1"), Account("2"))
    keys = {(n, r.name): key_of(YESTERDAY, n, r.name) for n in ("1", "2") for r in (ONE, OTHER)}
    result = deployment.cycle(ONE, OTHER, accounts=accounts, days=1)
    assert (result.ended, result.is_whole) == (ended, False)
    assert [call.answer for call in deployment.api.calls].count("api_quota") == 1
    statuses = {name: deployment.control.get(key).status for name, key in keys.items()}
    if reach is not RestReach.PROJECT:
        assert {name for name, status in statuses.items() if status is SUCCESS} == done
        reason = result.resting[0][1]
        name = "account 1" if reach is RestReach.ACCOUNT else "report one"
        assert f"RESOURCE_EXHAUSTED: no request for {name} is sent until 2024-06-10T13:00:0" in reason.message
    assert FAILED not in statuses.values(), "nothing that the API put off is failed"
    other = deployment.second_instance()
    asked = len(deployment.api.calls)
    deployment.pass_time(minutes=59)
    for selection in (None, SelectRequested()):
        again = other.cycle(ONE, OTHER, accounts=accounts, selection=selection, since=YESTERDAY, until=YESTERDAY)
        assert (again.operations, other.api.calls, again.is_whole) == (0, [], False)
    assert (len(deployment.api.calls), deployment.control.spent("t", deployment.clock.now()).count) == (asked, asked)
    deployment.pass_time(minutes=2)
    assert other.cycle(ONE, OTHER, accounts=accounts).is_whole
    assert {state.status for state in deployment.control.get_many(list(keys.values()))} == {SUCCESS}
    other.close()


def test_r49_a_short_rest_is_waited_for_and_other_slices_go_on_meanwhile(deployment: SimulatedDeployment) -> None:
    refusing(deployment, RestReach.REPORT, 90)
    result = deployment.cycle(ONE, OTHER, accounts=(Account("1"), Account("2")), longest_rest=timedelta(minutes=5))
    assert (result.ended, result.is_whole, result.operations) == ("done", True, 5)
    waits = [event for event in deployment.events if isinstance(event, CallsRest)]
    assert [(event.customer_id, event.report) for event in waits] == [("", "one")]
    answered = [call.report for call in deployment.api.calls if call.at < waits[0].not_before]
    assert answered.count("other") == 2
    assert all(call.at >= waits[0].not_before for call in deployment.api.calls[len(answered) :])


def test_r49_an_api_that_asks_for_one_short_rest_after_another_ends_the_run(deployment: SimulatedDeployment) -> None:
    refusing(deployment, RestReach.PROJECT, 60, times=1000)
    result = deployment.cycle(ONE, accounts=(Account("1"),), longest_rest=timedelta(minutes=5))
    assert (result.ended, len(deployment.api.calls)) == ("source", 6)
    assert result.stopped_by is not None
    assert result.stopped_by.code == "api_quota"
    assert deployment.control.get(key_of(YESTERDAY, "1", "one")).version == 0


def test_r48_a_daemon_begins_nothing_while_all_rests_and_goes_on_when_it_is_over(
    deployment: SimulatedDeployment,
) -> None:
    refusing(deployment, RestReach.REPORT, 3600)
    daemon = Daemon(
        lambda _now: deployment.request(ONE),
        lambda: RunContext(deployment.run_ids.new_run_id(), "deployment", "serve"),
        Control(deployment.control, deployment.clock, deployment.budget, deployment),
        InThisProcess(deployment.context),
        Event(),
    )
    assert daemon.look() is not None
    deployment.events.clear()
    second = daemon.look()
    assert second is not None
    assert (second.run, len(second.resting), deployment.events) == (None, 1, [])
    deployment.pass_time(hours=1)
    third = daemon.look()
    assert third is not None
    assert third.is_whole


def test_r33_r35_two_instances_with_one_plan_ask_for_each_slice_once(deployment: SimulatedDeployment) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 6))
    other = deployment.second_instance()
    mine, theirs = deployment.plan(accounts=accounts), other.plan(accounts=accounts)
    seen: list[str] = []

    def meanwhile(key: object) -> None:
        seen.append(str(key))
        if len(seen) == 4:
            result = other.execute(theirs)
            assert result.deferred["leased"] == 1, "the other instance holds its slice"

    deployment.before_seal = meanwhile
    result = deployment.execute(mine)
    assert result.deferred["done"] == 3
    assert sorted(asked.customer_id for asked in [*deployment.api.calls, *other.api.calls]) == ["1", "2", "3", "4", "5"]
    other.close()


def test_r34_who_has_lost_a_lease_spends_nothing(deployment: SimulatedDeployment) -> None:
    (lease,) = deployment.control.take_leases(["s"], "a", NOON, NOON + timedelta(seconds=60))
    (later,) = deployment.control.take_leases(["s"], "b", NOON + timedelta(seconds=60), NOON + timedelta(seconds=120))
    assert lease is not None
    assert later is not None
    assert later.number > lease.number
    task = Task(ReportSlice("1", REPORT, YESTERDAY, YESTERDAY), RunContext(deployment.run_ids.new_run_id()), lease)
    stopped_by = work_on(task, deployment.context, deployment.events.extend).stopped_by
    assert stopped_by is not None
    assert stopped_by.code == "lease_lost"
    assert deployment.api.calls == []
    assert deployment.control.get(KEY).version == 0
    end = NOON + timedelta(seconds=120)
    assert deployment.control.spend(CallScope("t"), 1, None, later, end) is Spending.LEASE_LOST, "lost to time alone"
    assert deployment.control.spend(CallScope("t"), 1, None, later, end - timedelta(seconds=1)) is Spending.GRANTED


def test_r36_a_sealed_day_is_validated_and_not_requested_again(deployment: SimulatedDeployment) -> None:
    dead = RunContext(deployment.run_ids.new_run_id())
    for days in (0, 1):
        deployment.sink.seal(key_of(YESTERDAY - timedelta(days=days)), dead.run_id, "rows")
    deployment.cycle()
    assert deployment.requested_days() == [YESTERDAY - timedelta(days=2)]
    assert len([e for e in deployment.events if isinstance(e, PartitionRecovered)]) == 2
    assert deployment.control.get(KEY).current_run_id == dead.run_id


def test_r33_a_lease_is_held_as_long_as_the_work_takes_in_this_process_too(deployment: SimulatedDeployment) -> None:
    other = deployment.second_instance()
    theirs, turn, length = other.plan(), Event(), timedelta(seconds=0.3)
    deployment.api._takes = timedelta(0)

    def expiry() -> datetime:
        return deployment.control.leases(deployment.clock.now())[0].expires_at

    def slow(key: object) -> None:
        for _ in range(4):
            before = expiry()
            deployment.clock.advance(length / 3)
            for _patience in range(100):
                if expiry() > before:
                    break
                turn.wait(0.01)
        assert other.execute(theirs).slices == 0

    deployment.before_seal = slow
    run = RunContext(deployment.run_ids.new_run_id(), "deployment", "serve")
    control = Control(deployment.control, deployment.clock, deployment.budget, deployment, lease_length=length)
    execute_plan(deployment.plan(), run, control, InThisProcess(deployment.context))
    assert (len(deployment.api.calls), other.api.calls) == (1, [])


def test_r37_leases_end_with_the_run_or_by_themselves(deployment: SimulatedDeployment) -> None:
    deployment.cycle()
    assert deployment.control.leases(deployment.clock.now()) == []

    def crash(key: object) -> None:
        raise KeyboardInterrupt

    deployment.before_seal = crash
    deployment.pass_time(days=1)
    with pytest.raises(KeyboardInterrupt):
        deployment.cycle()
    assert deployment.control.leases(deployment.clock.now()) == []
    now = deployment.clock.now()
    deployment.control.take_leases(["google_ads/1/campaign"], "dead", now, now + timedelta(seconds=60))
    deployment.before_seal = lambda key: None
    assert deployment.cycle().deferred["leased"] == 2
    deployment.pass_time(seconds=60)
    assert deployment.cycle().deferred["leased"] == 0
    assert deployment.control.get(key_of(date(2024, 6, 10))).status is SUCCESS


def test_r55_a_lease_of_a_clock_that_was_ahead_is_broken(deployment: SimulatedDeployment) -> None:
    scope, now = "google_ads/1/campaign", deployment.clock.now()
    deployment.control.take_leases([scope], "dead", now, now + timedelta(hours=5))
    control = Control(deployment.control, deployment.clock, deployment.budget, deployment)

    def outcome() -> Any:
        run = RunContext(deployment.run_ids.new_run_id(), "deployment", "serve")
        return execute_plan(deployment.plan(), run, control, InThisProcess(deployment.context))

    assert outcome().deferred["leased"] == 1
    deployment.pass_time(seconds=59)
    assert outcome().deferred["leased"] == 1
    deployment.pass_time(seconds=2)
    assert outcome().deferred["leased"] == 0
    assert deployment.control.get(KEY).status is SUCCESS
    (act,) = deployment.control.acts(replace(KEY, logical_date=deployment.clock.now().date()))
    assert (act.kind, act.act.by_policy) == ("break_lease", True)


class OneHandAfterTheOther:
    """Two workers of which the first is through first; what is leased is noted whenever something is waited for."""

    def __init__(self, deployment: SimulatedDeployment) -> None:
        self.deployment = deployment
        self.tasks: dict[int, Task] = {}
        self.leased: list[list[str]] = []

    def idle(self) -> list[int]:
        return [number for number in (0, 1) if number not in self.tasks]

    def give(self, worker: int, task: Task) -> None:
        self.tasks[worker] = task

    def wait(self, seconds: float) -> list[Message]:
        self.leased.append([lease.scope for lease in self.deployment.control.leases(self.deployment.clock.now())])
        worker = min(self.tasks)
        return [Done(worker, work_on(self.tasks.pop(worker), self.deployment.context, self.deployment.events.extend))]

    def close(self) -> None:
        return


def test_r37_a_lease_is_held_no_longer_than_there_is_work_under_it(deployment: SimulatedDeployment) -> None:
    workers = OneHandAfterTheOther(deployment)
    deployment.execute(deployment.plan(REPORT, accounts=(Account("1"), Account("2"))), workers=workers)
    assert workers.leased == [["google_ads/1/campaign", "google_ads/2/campaign"], ["google_ads/2/campaign"]]


def test_r38_a_slice_whose_worker_died_goes_on_in_the_same_run(deployment: SimulatedDeployment) -> None:
    result = deployment.execute(deployment.plan(), workers=DyingWorkers(deployment, deaths=2, seals=1))
    assert result.ended == "done"
    assert sorted(deployment.requested_days()) == [YESTERDAY - timedelta(days=1), YESTERDAY]
    runs = {deployment.control.get(key_of(YESTERDAY - timedelta(days=n))).current_run_id for n in range(3)}
    assert result.run is not None
    assert runs == {result.run.run_id}


def test_r38_a_slice_that_kills_is_put_on_record(deployment: SimulatedDeployment) -> None:
    deployment.execute(deployment.plan(), workers=DyingWorkers(deployment, deaths=99))
    states = deployment.control.get_many([key_of(YESTERDAY - timedelta(days=n)) for n in range(3)])
    assert {state.status for state in states} == {FAILED}
    assert deployment.scheduling(KEY).failure == FailureReason(
        "worker_lost", "3 workers died while they worked on this slice", retryable=True
    )
    assert deployment.api.calls == []


def test_a_storage_that_keeps_nothing_ends_the_run(deployment: SimulatedDeployment) -> None:
    deployment.sink.seal = lambda *_sealed: None  # type: ignore[method-assign]
    result = deployment.execute(deployment.plan())
    assert result.stopped_by is not None
    assert (result.stopped_by.code, result.stopped_by.scope.value) == ("storage", "storage")
    assert re.fullmatch(r"the storage took \S+ of run \S+, and does not have it", result.stopped_by.message)
    assert deployment.control.get(KEY).status is PENDING


def test_r39_r40_acts_say_everything_and_nothing_happens_twice(deployment: SimulatedDeployment) -> None:
    act = deployment.act("odd figures", filter_="customer=1 since=2024-06-09")
    assert deployment.control.mark([KEY], Mark.HELD, act) == [True]
    assert deployment.control.mark([KEY], Mark.HELD, act) == [False]
    assert deployment.control.unmark([key_of(date(2024, 1, 1))], Mark.HELD, act) == [False]
    (recorded,) = deployment.control.acts(KEY)
    assert (recorded.kind, recorded.act, recorded.before, recorded.after) == ("hold", act, "pending", "pending held")
    raw = sqlite3.connect(deployment.folder / "ledger.db")
    for statement in ("DELETE FROM operator_acts", "UPDATE operator_acts SET actor = 'nobody'"):
        with pytest.raises(sqlite3.DatabaseError, match="only grows"):
            raw.execute(statement)
    raw.close()


def test_a_stopped_run_begins_nothing_more(deployment: SimulatedDeployment) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    result = deployment.execute(deployment.plan(accounts=accounts), stopping=lambda: len(deployment.api.calls) >= 3)
    assert (result.ended, len(deployment.api.calls)) == ("stopped", 3)
    assert isinstance(deployment.events[0], RunPlanned)
    assert deployment.control.leases(deployment.clock.now()) == []


def test_a_stop_ends_planning_and_a_plan_that_another_instance_has_executed(deployment: SimulatedDeployment) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    looked: list[str] = []

    def stopping() -> bool:
        return len(looked) >= 2

    theirs, plan = deployment.second_instance(), deployment.plan(accounts=accounts)
    theirs.execute(theirs.plan(accounts=accounts))
    take = deployment.control.take_leases

    def noted(scopes: Sequence[str], *more: Any) -> Any:
        looked.extend(scopes)
        return take(scopes, *more)

    deployment.control.take_leases = noted  # type: ignore[method-assign, assignment]  # notes what is looked at
    assert (deployment.execute(plan, stopping=stopping).ended, len(looked)) == ("stopped", 2)
    assert plan_work(deployment.request(accounts=accounts), deployment.control, stopping).operations == 0


def test_an_unsealed_run_is_a_try(deployment: SimulatedDeployment) -> None:
    run = deployment.run_ids.new_run_id()
    reason = FailureReason("api_transient", "m", retryable=True)
    deployment.validator.validate([KEY], unsealed={KEY: UnsealedRun(run, reason)})
    assert (deployment.scheduling(KEY).tries, deployment.scheduling(KEY).failure) == (1, reason)


def test_r41_a_failure_wider_than_a_partition_ends_the_run_and_fails_nothing_untried(
    deployment: SimulatedDeployment,
) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 5))
    deployment.trouble.quota_days = {NOON.date(): 1}
    result = deployment.cycle(ONE_DAY, accounts=accounts)
    assert (result.ended, result.operations, len(deployment.api.calls)) == ("source", 2, 2)
    reached = deployment.api.calls[0].customer_id
    keys = [key_of(YESTERDAY, account.customer_id) for account in accounts]
    statuses = {state.key.customer_id: state.status for state in deployment.control.get_many(keys)}
    assert statuses == {account.customer_id: PENDING for account in accounts} | {reached: SUCCESS}


def test_r42_a_refused_account_is_requested_once_in_a_run(deployment: SimulatedDeployment) -> None:
    deployment.trouble.denied = {"1": (NOON - timedelta(days=1), NOON + timedelta(days=1))}
    other = ReportDefinition("account", "SELECT", restatement_days=1)
    result = deployment.cycle(ONE_DAY, other, accounts=(Account("1"), Account("2")))
    assert sorted(call.customer_id for call in deployment.api.calls) == ["1", "2", "2"]
    assert (result.ended, set(result.stopped_accounts), result.deferred["account"]) == ("done", {"1"}, 1)
    keys = [key_of(YESTERDAY, "1", report) for report in ("campaign", "account")]
    assert sorted(state.status for state in deployment.control.get_many(keys)) == [FAILED, PENDING]


def test_r43_a_daemon_outlives_what_passes_and_says_so_once(deployment: SimulatedDeployment) -> None:
    tries: list[PartitionKey] = []

    def full_twice(key: PartitionKey) -> None:
        tries.append(key)
        if len(tries) <= 2:
            raise StorageFullError("no space is left")

    deployment.before_seal = full_twice
    stop = Event()
    daemon = Daemon(
        lambda _now: deployment.request(ONE_DAY),
        lambda: RunContext(deployment.run_ids.new_run_id(deployment.control.newest_run()), "simulated", "serve"),
        Control(deployment.control, deployment.clock, deployment.budget, deployment),
        InThisProcess(deployment.context),
        stop,
        look_seconds=0.01,
        ended=lambda outcome: stop.set() if outcome.stopped_by is None else None,
    )
    daemon.serve()
    assert deployment.control.get(KEY).status is SUCCESS
    paused = [event for event in deployment.events if isinstance(event, ServePaused)]
    assert [(event.scope, event.code) for event in paused] == [("storage", "storage_full")]
    assert sum(isinstance(event, ServeResumed) for event in deployment.events) == 1
