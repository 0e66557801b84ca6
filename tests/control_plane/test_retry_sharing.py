"""Holds the code to contracts/retry/v1, budgets, leases and crashes: each line has a test with its number."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from retry_story import FAILED, KEY, NOON, SUCCESS, YESTERDAY, Mortal, asked_days
from simulated_house import ACCOUNT, REPORT, House, key_of

from gads_domain.control import Mark, Spending
from gads_domain.errors import FailureReason
from gads_domain.ports.validation import UnsealedRun
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_orchestrator.daemon import Daemon
from gads_orchestrator.events import PartitionRecovered, RunPlanned
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.plan import Account, plan_work
from gads_orchestrator.selection import SelectRequested
from gads_orchestrator.worker import Ending, Task, work_on
from gads_orchestrator.worker_pool import Done, InThisProcess, Message


def test_r30_r31_at_the_limit_a_run_ends_cleanly_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    house = House(tmp_path, NOON, limit=5)
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    result = house.cycle(accounts=accounts)
    assert (result.reason, result.operations, len(house.api.asked)) == ("quota", 5, 5)
    assert house.control.quota("t", NOON.date()).spent == 5
    reached = {asked.customer_id for asked in house.api.asked}
    untouched = [key_of(YESTERDAY, str(n)) for n in range(1, 9) if str(n) not in reached]
    assert [state.version for state in house.control.get_many(untouched)] == [0, 0, 0]
    assert house.cycle(accounts=accounts).operations == 0
    house.clock.moment = datetime(2024, 6, 11, 0, 0, 1, tzinfo=UTC)
    house.cycle(accounts=accounts)
    assert {state.status for state in house.control.get_many(untouched)} == {SUCCESS}
    house.close()


def test_r31_a_daemon_with_a_spent_budget_begins_nothing_and_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, NOON, limit=1)
    daemon = Daemon(
        lambda _now: house.request(accounts=(ACCOUNT, Account("2"))),
        lambda: RunContext(house.run_ids.new_run_id(), "house", "serve"),
        Control(house.control, house.clock, house.budget, house),
        InThisProcess(house.context),
        Event(),
    )
    first = daemon.look()
    house.events.clear()
    second = daemon.look()
    assert first is not None
    assert second is not None
    assert (first.reason, second.reason, len(house.api.asked)) == ("quota", "quota", 1)
    assert house.events == [], "nothing was begun"
    house.pass_time(days=1)
    assert daemon.look() is not None
    house.close()


def test_r30_two_who_share_a_budget_never_exceed_it(tmp_path: Path) -> None:
    house = House(tmp_path, NOON, limit=7)
    other = house.another()
    granted = 0
    for n in range(10):
        for one in (house, other):
            spending = one.control.spend("t", NOON.date(), 1 + n % 2, 5, None, NOON)
            granted += (1 + n % 2) * (spending is Spending.GRANTED)
    assert granted == house.control.quota("t", NOON.date()).spent == 5
    other.close()
    house.close()


def test_r32_the_apis_own_refusal_holds_for_the_day(house: House) -> None:
    house.trouble.quota_days = {NOON.date(): 2}
    accounts = tuple(Account(str(n)) for n in range(1, 6))
    assert house.cycle(accounts=accounts).reason == "quota"
    assert len(house.api.asked) == 3
    for selection in (None, None, SelectRequested(), None):
        house.pass_time(hours=2)
        assert house.cycle(accounts=accounts, selection=selection, since=YESTERDAY, until=YESTERDAY).operations == 0
    assert house.control.quota("t", NOON.date()).exhausted
    house.pass_time(days=1)
    house.cycle(accounts=accounts)
    states = house.control.get_many([key_of(YESTERDAY, str(n)) for n in range(1, 6)])
    assert {state.status for state in states} == {SUCCESS}


def test_r32_a_refusal_of_what_was_asked_by_name_holds_for_nobody_else(house: House) -> None:
    house.trouble.quota_days = {NOON.date(): 0}
    assert house.cycle(selection=SelectRequested(), since=YESTERDAY, until=YESTERDAY).reason == "quota"
    assert not house.control.quota("t", NOON.date()).exhausted
    house.trouble.quota_days = {}
    assert house.cycle(accounts=(Account("2"),)).reason == "done"


def test_r33_r35_two_instances_with_one_plan_ask_for_each_slice_once(house: House) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 6))
    other = house.another()
    mine, theirs = house.plan(accounts=accounts), other.plan(accounts=accounts)
    seen: list[str] = []

    def meanwhile(key: object) -> None:
        seen.append(str(key))
        if len(seen) == 4:
            result = other.carry(theirs)
            assert result.deferred["leased"] == 1, "the slice in hand is somebody's"

    house.before_seal = meanwhile
    result = house.carry(mine)
    assert result.deferred["done"] == 3
    assert sorted(asked.customer_id for asked in [*house.api.asked, *other.api.asked]) == ["1", "2", "3", "4", "5"]
    other.close()


def test_r34_who_has_lost_a_lease_spends_nothing(house: House) -> None:
    (lease,) = house.control.take_leases(["s"], "a", NOON, NOON + timedelta(seconds=60))
    (later,) = house.control.take_leases(["s"], "b", NOON + timedelta(seconds=60), NOON + timedelta(seconds=120))
    assert lease is not None
    assert later is not None
    assert later.number > lease.number
    house.gate.begin(lease)
    task = Task(ReportSlice("1", REPORT, YESTERDAY, YESTERDAY), RunContext(house.run_ids.new_run_id()), lease)
    assert work_on(task, house.context, house.events.extend).ending is Ending.LEASED
    assert house.api.asked == []
    assert house.control.get(KEY).version == 0
    end = NOON + timedelta(seconds=120)
    assert house.control.spend("t", NOON.date(), 1, None, later, end) is Spending.LEASE_LOST, "lost to time alone"
    assert house.control.spend("t", NOON.date(), 1, None, later, end - timedelta(seconds=1)) is Spending.GRANTED


def test_r36_what_is_sealed_and_not_judged_is_judged_and_not_asked_for_again(house: House) -> None:
    dead = RunContext(house.run_ids.new_run_id())
    for days in (0, 1):
        house.sink.seal(key_of(YESTERDAY - timedelta(days=days)), dead.run_id, "rows")
    house.cycle()
    assert asked_days(house) == [YESTERDAY - timedelta(days=2)]
    assert len([e for e in house.events if isinstance(e, PartitionRecovered)]) == 2
    assert house.control.get(KEY).current_run_id == dead.run_id


def test_r33_a_lease_is_held_as_long_as_the_work_takes_in_this_process_too(house: House) -> None:
    other = house.another()
    theirs, turn, length = other.plan(), Event(), timedelta(seconds=0.3)
    house.api._takes = timedelta(0)

    def expiry() -> datetime:
        return house.control.leases(house.clock.now())[0].expires_at

    def slow(key: object) -> None:
        for _ in range(4):
            before = expiry()
            house.clock.advance(length / 3)
            for _patience in range(100):
                if expiry() > before:
                    break
                turn.wait(0.01)
        assert other.carry(theirs).slices == 0

    house.before_seal = slow
    run = RunContext(house.run_ids.new_run_id(), "house", "serve")
    control = Control(house.control, house.clock, house.budget, house, lease_length=length)
    execute_plan(house.plan(), run, control, InThisProcess(house.context))
    assert (len(house.api.asked), other.api.asked) == (1, [])


def test_r37_leases_end_with_the_run_or_by_themselves(house: House) -> None:
    house.cycle()
    assert house.control.leases(house.clock.now()) == []

    def crash(key: object) -> None:
        raise KeyboardInterrupt

    house.before_seal = crash
    house.pass_time(days=1)
    with pytest.raises(KeyboardInterrupt):
        house.cycle()
    assert house.control.leases(house.clock.now()) == []
    now = house.clock.now()
    house.control.take_leases(["google_ads/1/campaign"], "dead", now, now + timedelta(seconds=60))
    house.before_seal = lambda key: None
    assert house.cycle().deferred["leased"] == 2
    house.pass_time(seconds=60)
    assert house.cycle().deferred["leased"] == 0
    assert house.control.get(key_of(date(2024, 6, 10))).status is SUCCESS


class OneHandAfterTheOther:
    """Two workers of which the first is through first; what is leased is noted whenever something is waited for."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.tasks: dict[int, Task] = {}
        self.leased: list[list[str]] = []

    def idle(self) -> list[int]:
        return [number for number in (0, 1) if number not in self.tasks]

    def give(self, worker: int, task: Task) -> None:
        self.tasks[worker] = task

    def wait(self, seconds: float) -> list[Message]:
        self.leased.append([lease.scope for lease in self.house.control.leases(self.house.clock.now())])
        worker = min(self.tasks)
        return [Done(worker, work_on(self.tasks.pop(worker), self.house.context, self.house.events.extend))]

    def close(self) -> None:
        return


def test_r37_a_lease_is_held_no_longer_than_there_is_work_under_it(house: House) -> None:
    workers = OneHandAfterTheOther(house)
    house.carry(house.plan(REPORT, accounts=(Account("1"), Account("2"))), workers=workers)
    assert workers.leased == [["google_ads/1/campaign", "google_ads/2/campaign"], ["google_ads/2/campaign"]]


def test_r38_a_slice_whose_worker_died_goes_on_in_the_same_run(house: House) -> None:
    result = house.carry(house.plan(), workers=Mortal(house, deaths=2, seals=1))
    assert result.reason == "done"
    assert sorted(asked_days(house)) == [YESTERDAY - timedelta(days=1), YESTERDAY]
    runs = {house.control.get(key_of(YESTERDAY - timedelta(days=n))).current_run_id for n in range(3)}
    assert runs == {result.run.run_id}


def test_r38_a_slice_that_kills_is_put_on_record(house: House) -> None:
    house.carry(house.plan(), workers=Mortal(house, deaths=99))
    states = house.control.get_many([key_of(YESTERDAY - timedelta(days=n)) for n in range(3)])
    assert {state.status for state in states} == {FAILED}
    assert house.scheduling(KEY).failure == FailureReason(
        "worker_lost", "3 workers died over this slice", retryable=True
    )
    assert house.api.asked == []


def test_r39_r40_acts_say_everything_and_nothing_happens_twice(house: House) -> None:
    act = house.act("odd figures", filter_="customer=1 since=2024-06-09")
    assert house.control.mark([KEY], Mark.HELD, act) == [True]
    assert house.control.mark([KEY], Mark.HELD, act) == [False]
    assert house.control.unmark([key_of(date(2024, 1, 1))], Mark.HELD, act) == [False]
    (recorded,) = house.control.acts(KEY)
    assert (recorded.kind, recorded.act, recorded.before, recorded.after) == ("hold", act, "pending", "pending held")
    raw = sqlite3.connect(house.folder / "ledger.db")
    for statement in ("DELETE FROM operator_acts", "UPDATE operator_acts SET actor = 'nobody'"):
        with pytest.raises(sqlite3.DatabaseError, match="only grows"):
            raw.execute(statement)
    raw.close()


def test_a_stopped_run_begins_nothing_more(house: House) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    result = house.carry(house.plan(accounts=accounts), stopping=lambda: len(house.api.asked) >= 3)
    assert (result.reason, len(house.api.asked)) == ("stopped", 3)
    assert isinstance(house.events[0], RunPlanned)
    assert house.control.leases(house.clock.now()) == []


def test_a_stop_ends_a_plan_in_the_making_and_one_that_somebody_else_has_done(house: House) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    looked: list[str] = []

    def stopping() -> bool:
        return len(looked) >= 2

    theirs, plan = house.another(), house.plan(accounts=accounts)
    theirs.carry(theirs.plan(accounts=accounts))
    take = house.control.take_leases

    def noted(scopes: Sequence[str], *more: Any) -> Any:
        looked.extend(scopes)
        return take(scopes, *more)

    house.control.take_leases = noted  # type: ignore[method-assign, assignment]  # notes what is looked at
    assert (house.carry(plan, stopping=stopping).reason, len(looked)) == ("stopped", 2)
    assert plan_work(house.request(accounts=accounts), house.control, stopping).operations == 0


def test_an_unsealed_run_is_a_try(house: House) -> None:
    run = house.run_ids.new_run_id()
    reason = FailureReason("api_transient", "m", retryable=True)
    house.validator.validate([KEY], unsealed={KEY: UnsealedRun(run, reason)})
    assert (house.scheduling(KEY).tries, house.scheduling(KEY).failure) == (1, reason)
