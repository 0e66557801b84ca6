"""Holds the code to contracts/retry/v1: each line has a test whose name says its number (`r12` is line 12)."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from simulated_house import ACCOUNT, POLICY, REPORT, House, key_of

from gads_conformance.ledger_samples import change_of, judged
from gads_domain.control import Mark, Spending
from gads_domain.errors import FailureReason, UsageError
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.ports.validation import UnsealedRun
from gads_domain.report import ReportDefinition, ReportKind, Stretch
from gads_domain.run import RunContext
from gads_domain.state import AttemptOutcome, PartitionStatus, StateChange, StateFilter
from gads_domain.state_row import ROW_FIELDS
from gads_orchestrator.carrying_out import Control
from gads_orchestrator.events import PartitionRecovered, RunPlanned, StretchStarted
from gads_orchestrator.purposes import ByName, ByPolicy, Purpose
from gads_orchestrator.retry_policy import ErrorRule, RetryPolicy
from gads_orchestrator.serving import Daemon
from gads_orchestrator.work_plan import Account
from gads_orchestrator.workers import Done, InThisProcess, Lost, Message
from gads_orchestrator.working import Ending, Task, work_on

CONTRACT = Path(__file__).parents[2] / "contracts" / "retry" / "v1" / "README.md"
NOON = datetime(2024, 6, 10, 12, tzinfo=UTC)
YESTERDAY = date(2024, 6, 9)
KEY = key_of(YESTERDAY)
PENDING, SUCCESS, FAILED = PartitionStatus.PENDING, PartitionStatus.SUCCESS, PartitionStatus.FAILED
ONE_DAY = ReportDefinition("campaign", "SELECT", restatement_days=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, NOON)
    yield made
    made.close()


def _fail(house: House, hours: float = 100, accounts: tuple[str, ...] = ("1",)) -> None:
    """From now on the API is out for so long."""
    house.trouble.outages = [(house.clock.now(), house.clock.now() + timedelta(hours=hours), frozenset(accounts))]


def _deny(house: House) -> None:
    house.trouble.denied = {"1": (house.clock.now(), house.clock.now() + timedelta(days=400))}


def _heal(house: House) -> None:
    house.trouble.outages, house.trouble.denied, house.trouble.quota_days = [], {}, {}


def _started(house: House) -> list[tuple[str, str]]:
    return [(e.purpose, e.customer_id) for e in house.events if isinstance(e, StretchStarted)]


def _asked_days(house: House) -> list[date]:
    return [
        asked.first + timedelta(days=n) for asked in house.api.asked for n in range((asked.last - asked.first).days + 1)
    ]


def test_every_line_has_a_test() -> None:
    lines = {int(number) for number in re.findall(r"^(\d+)\. ", CONTRACT.read_text(encoding="utf-8"), re.MULTILINE)}
    assert sorted(lines) == list(range(1, len(lines) + 1))
    tested: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_r"):
                tested |= {int(number) for number in re.findall(r"r(\d+)(?=_)", node.name)}
    assert tested == lines


def test_r2_the_control_plane_has_no_way_to_success_failed_or_attempts(house: House) -> None:
    house.cycle(ONE_DAY)
    assert not hasattr(ControlPlaneLedger, "record")
    connection: sqlite3.Connection = house.control._file._connection  # type: ignore[attr-defined]  # the very connection
    for statement in (
        "UPDATE partition_state SET current_run_id = 'x'",
        "UPDATE partition_state SET attempt_count = 0",
        "INSERT INTO attempts (run_id) VALUES ('x')",
        "DELETE FROM operator_acts",
    ):
        with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
            connection.execute(statement)


def test_r3_r4_failed_becomes_pending_by_a_retry_on_record_once(house: House) -> None:
    _fail(house)
    house.cycle(ONE_DAY)
    assert house.control.get(KEY).status is FAILED
    state = house.ledger.get(KEY)
    away = replace(state, status=PENDING, version=state.version + 1)
    with pytest.raises(UsageError):
        house.ledger.record([StateChange(state, away, None)])
    assert house.control.retry([KEY, key_of(date(2024, 1, 1))], house.act()) == [True, False]
    assert house.control.retry([KEY], house.act()) == [False]
    entry = house.control.log()[-1]
    assert (entry.cause, entry.status_after, len(house.control.acts(KEY))) == ("retry", PENDING, 1)


def test_r5_r6_r8_a_revoked_run_gives_way_to_the_one_before_and_never_wins_again(house: House) -> None:
    house.cycle(ONE_DAY)
    first = house.control.get(KEY).current_run_id
    run = RunContext(house.run_ids.new_run_id())
    house.sink.seal(KEY, run.run_id, "other rows")
    assert house.control.revoke([(KEY, run.run_id)], house.act()) == [False], "not judged yet"
    house.validator.validate([KEY])
    assert house.control.get(KEY).current_run_id == run.run_id
    assert house.control.revoke([(KEY, run.run_id)], house.act()) == [True]
    assert house.control.revoke([(KEY, run.run_id)], house.act()) == [False]
    assert house.control.get(KEY).current_run_id == run.run_id, "the order itself moves nothing"
    house.validator.validate([KEY])
    assert house.control.get(KEY).current_run_id == first
    assert first is not None
    house.control.revoke([(KEY, first)], house.act())
    house.validator.validate([KEY], recheck=True)
    state = house.control.get(KEY)
    assert (state.status, state.current_run_id) == (FAILED, None)
    house.cycle(ONE_DAY)
    assert house.control.get(KEY).current_run_id not in (None, first, run.run_id)


def test_r7_a_decision_from_before_an_order_is_refused(house: House) -> None:
    house.cycle(ONE_DAY)
    run = house.control.get(KEY).current_run_id
    assert run is not None
    late = change_of(house.ledger.history(KEY), judged(KEY, 9, AttemptOutcome.REJECTED))
    house.control.revoke([(KEY, run)], house.act())
    assert house.ledger.record([late]) == [False]


def test_r9_marks_are_no_statuses_and_make_no_rows(house: House) -> None:
    assert {status.value for status in PartitionStatus}.isdisjoint({mark.value for mark in Mark})
    assert {"held", "terminal", "marks"}.isdisjoint(ROW_FIELDS)
    house.control.mark([KEY], Mark.HELD, house.act())
    assert list(house.control.find(StateFilter())) == []
    assert house.control.get(KEY).version == 0


@pytest.mark.parametrize("mark", list(Mark))
@pytest.mark.parametrize("wanting", [ByPolicy(POLICY), ByName(reprocess=True, retry_failed=True)])
def test_r10_r28_a_marked_day_is_left_out_by_name_whoever_asks(house: House, mark: Mark, wanting: ByPolicy) -> None:
    house.control.mark([KEY], mark, house.act())
    plan = house.plan(wanting=wanting, since=YESTERDAY - timedelta(days=1), until=YESTERDAY)
    assert [(left.first, left.last, left.why.code) for left in plan.left_out] == [(YESTERDAY, YESTERDAY, mark.value)]
    house.carry(plan)
    assert _asked_days(house) == [YESTERDAY - timedelta(days=1)]


def test_r11_releasing_changes_nothing_else(house: House) -> None:
    before = [(p.stretch, p.purpose) for p in house.plan()]
    house.control.mark([KEY], Mark.HELD, house.act())
    assert [(p.stretch, p.purpose) for p in house.plan()] != before
    house.control.unmark([KEY], Mark.HELD, house.act())
    assert [(p.stretch, p.purpose) for p in house.plan()] == before


def test_r12_r20_after_max_attempts_the_day_is_terminal_until_a_person_lifts_it(house: House) -> None:
    _fail(house)
    for _ in range(POLICY.max_attempts + 3):
        house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        house.pass_time(hours=9)
    assert len(house.api.asked) == POLICY.max_attempts
    assert house.control.marks(KEY) == {Mark.TERMINAL}
    (act,) = [act for act in house.control.acts(KEY) if act.kind == "mark_terminal"]
    assert act.act.by_policy
    assert act.act.reason == "failed 4 times in a row, last with api_transient"
    _heal(house)
    assert house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY).stretches == 0
    house.control.unmark([KEY], Mark.TERMINAL, house.act())
    assert house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY).stretches == 1
    assert house.control.get(KEY).status is SUCCESS


def test_r13_policy_leaves_marked_days_alone_and_a_held_day_stays_held(house: House) -> None:
    _fail(house)
    house.cycle(ONE_DAY)
    house.control.mark([KEY], Mark.HELD, house.act())
    assert house.control.retry([KEY], house.act(by_policy=True)) == [False]
    assert house.control.retry([KEY], house.act()) == [True]
    assert house.standing(KEY).marks == {Mark.HELD}


def test_r14_a_hold_that_came_after_the_plan_counts(house: House) -> None:
    plan = house.plan()
    assert plan.partitions == 3
    middle = YESTERDAY - timedelta(days=1)
    house.control.mark([key_of(middle)], Mark.HELD, house.act())
    house.carry(plan)
    assert sorted(_asked_days(house)) == [YESTERDAY - timedelta(days=2), YESTERDAY]
    assert house.control.get(key_of(middle)).version == 0


def test_r15_tries_begin_anew_by_a_person_or_a_good_run_and_not_by_policy(house: House) -> None:
    _fail(house)
    for expected in (1, 2, 3):
        house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        assert house.standing(KEY).tries == expected
        house.pass_time(hours=9)
    house.control.retry([KEY], house.act())
    assert house.standing(KEY).tries == 0
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert house.standing(KEY).tries == 1
    _heal(house)
    house.pass_time(hours=9)
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert house.standing(KEY).tries == 0


def test_r16_the_wait_doubles_to_a_cap_and_jitter_shortens_it_alike_for_adjacent_days(house: House) -> None:
    policy = RetryPolicy(first_delay=timedelta(minutes=10), largest_delay=timedelta(hours=2), jitter=0.5)
    waits = [policy.delay("1", "campaign", n) for n in range(1, 200)]
    for n, wait in enumerate(waits, start=1):
        full = min(timedelta(minutes=10) * 2 ** min(n - 1, 20), timedelta(hours=2))
        assert full / 2 <= wait <= full
    assert len({policy.delay(str(account), "campaign", 1) for account in range(1, 50)}) > 40
    exact = RetryPolicy(first_delay=timedelta(minutes=10), largest_delay=timedelta(hours=2), jitter=0)
    assert [exact.delay("1", "r", n) / timedelta(minutes=10) for n in range(1, 7)] == [1, 2, 4, 8, 12, 12]
    _fail(house)
    house.cycle()
    (left,) = house.plan().left_out
    assert (left.first, left.last, left.why.code) == (YESTERDAY - timedelta(days=2), YESTERDAY, "wait")


def test_r17_r28_waiting_is_counted_from_the_record_by_whoever_comes(house: House) -> None:
    _fail(house)
    house.cycle(ONE_DAY)
    tried_at = house.control.history(KEY).attempts[0].judged_at
    (left,) = house.plan(ONE_DAY).left_out
    assert left.why.until == tried_at + POLICY.delay("1", "campaign", 1)
    other = house.another()
    assert left.why.until is not None
    house.clock.moment = left.why.until - timedelta(seconds=1)
    assert other.plan(ONE_DAY).operations == 0
    house.clock.moment = left.why.until
    assert other.plan(ONE_DAY).operations == 1
    other.close()


def test_r18_a_permanent_failure_waits_for_a_person(house: House) -> None:
    _deny(house)
    for _ in range(5):
        house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        house.pass_time(days=1)
    assert len(house.api.asked) == 1
    assert house.control.marks(KEY) == set()
    (left,) = house.plan(ONE_DAY, since=YESTERDAY, until=YESTERDAY).left_out
    assert (left.why.code, left.why.reason) == ("permanent", "not retried by policy: api_permanent")
    _heal(house)
    house.control.retry([KEY], house.act("they let us in again"))
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert house.control.get(KEY).status is SUCCESS


def test_r19_rules_by_code_overrule(house: House) -> None:
    _deny(house)
    stubborn = RetryPolicy(rules={"api_permanent": ErrorRule(retry=True, max_attempts=2)}, max_attempts=9)
    for _ in range(5):
        house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY, wanting=ByPolicy(stubborn))
        house.pass_time(days=1)
    assert len(house.api.asked) == 2
    assert house.control.marks(KEY) == {Mark.TERMINAL}
    patient = RetryPolicy(rules={"api_transient": ErrorRule(retry=False)})
    _heal(house)
    _fail(house)
    before = len(house.api.asked)
    for _ in range(3):
        house.cycle(ONE_DAY, wanting=ByPolicy(patient), since=date(2024, 6, 14), until=date(2024, 6, 14))
        house.pass_time(days=1)
    assert len(house.api.asked) == before + 1


def test_r21_a_failed_day_that_is_too_old_is_terminal(house: House) -> None:
    _fail(house, hours=24)
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    house.pass_time(days=POLICY.max_age_days + 1)
    result = house.cycle(ONE_DAY)
    assert result.given_up == 1
    (act,) = [act for act in house.control.acts(KEY) if act.kind == "mark_terminal"]
    assert act.act.reason == "failed with api_transient and is older than 60 days"


def test_r22_r27_a_snapshot_is_asked_for_today_and_given_up_tomorrow(house: House) -> None:
    report = ReportDefinition("budget", "SELECT", kind=ReportKind.SNAPSHOT)
    tokyo = Account("1", "Asia/Tokyo")
    house.clock.moment = datetime(2024, 6, 10, 16, tzinfo=UTC)
    _fail(house, hours=10)
    house.cycle(report, accounts=(tokyo,))
    assert _asked_days(house) == [date(2024, 6, 11)], "it is the 11th in Tokyo"
    house.pass_time(days=1)
    house.cycle(report, accounts=(tokyo,))
    assert house.control.marks(key_of(date(2024, 6, 11), report="budget")) == {Mark.TERMINAL}
    assert _asked_days(house)[1:] == [date(2024, 6, 12)]
    kept = ReportDefinition("events", "SELECT", restatement_days=1, history_days=3)
    _fail(house, hours=10)
    house.cycle(kept)
    house.pass_time(days=5)
    house.cycle(kept)
    assert house.control.marks(key_of(date(2024, 6, 10), report="events")) == {Mark.TERMINAL}


def test_r23_a_call_repeated_within_a_run_is_an_operation_and_no_try(house: House) -> None:
    whole = house.api._answer

    def twice(stretch: Stretch, run: RunContext) -> None:
        house.gate()
        whole(stretch, run)

    house.api._answer = twice  # type: ignore[method-assign]  # a source that asks twice
    _fail(house)
    result = house.cycle(ONE_DAY)
    assert (result.operations, house.control.quota("t", NOON.date()).spent) == (2, 2)
    assert house.standing(KEY).tries == 1


def test_r24_a_plan_is_in_the_order_of_purposes(house: House) -> None:
    since = date(2024, 5, 1)
    house.trouble.outages = [(NOON, NOON + timedelta(hours=1), frozenset({"1"}))]
    house.cycle(since=since, until=date(2024, 5, 2))
    house.clock.moment = NOON + timedelta(days=1)
    house.cycle(since=date(2024, 6, 10), until=date(2024, 6, 10))
    house.trouble.outages = [(house.clock.now(), house.clock.now() + timedelta(hours=1), frozenset({"1"}))]
    house.cycle(since=date(2024, 6, 9), until=date(2024, 6, 9))
    house.clock.moment = NOON + timedelta(days=2)
    house.events.clear()
    house.cycle(since=since)
    expected = ["new", "recent_retry", "restatement", "old_retry", "backfill"]
    found = [purpose for purpose, _account in _started(house)]
    assert list(dict.fromkeys(found)) == expected
    assert found == sorted(found, key=lambda purpose: Purpose[purpose.upper()])


def test_r25_accounts_take_turns(house: House) -> None:
    accounts = tuple(Account(str(n)) for n in (1, 2, 3))
    house.cycle(accounts=accounts, since=date(2024, 6, 1), days=1)
    backfills = [account for purpose, account in _started(house) if purpose == "backfill"]
    assert len(backfills) == 18
    assert sorted(backfills[:3]) == ["1", "2", "3"]
    assert backfills == backfills[:3] * 6


def test_r25_under_a_short_budget_no_account_is_forgotten(tmp_path: Path) -> None:
    house = House(tmp_path, NOON, limit=5)
    accounts = tuple(Account(str(n)) for n in range(1, 9))
    for _ in range(12):
        house.cycle(ONE_DAY, accounts=accounts)
        house.pass_time(days=1)
    asked = Counter(asked.customer_id for asked in house.api.asked)
    assert min(asked.values()) >= 5
    house.close()


def test_r26_a_good_day_is_restated_once_a_day_until_its_last_day_in_the_window(house: House) -> None:
    since = date(2024, 6, 9)
    for _hour in range(24 * 8):
        house.cycle(since=since, until=since)
        house.pass_time(hours=1)
    asked_on = [asked.at.date() for asked in house.api.asked]
    assert asked_on == [date(2024, 6, 10), date(2024, 6, 11), date(2024, 6, 12)]


def test_r26_a_last_reading_that_was_missed_is_made_up_for_once(house: House) -> None:
    house.cycle()
    house.pass_time(days=9)
    for _ in range(3):
        house.cycle()
        house.pass_time(days=1)
    assert _asked_days(house).count(YESTERDAY) == 2
    assert _asked_days(house).count(date(2024, 6, 7)) == 1, "it was read on the last day of its window"


def test_r27_a_day_is_asked_for_when_it_is_over_in_the_accounts_zone(house: House) -> None:
    house.clock.moment = datetime(2024, 6, 10, 3, tzinfo=UTC)
    accounts = (Account("1", "America/New_York"), Account("2", "Asia/Tokyo"), Account("3", "Pacific/Kiritimati"))
    house.cycle(ONE_DAY, accounts=accounts)
    assert {asked.customer_id: asked.last for asked in house.api.asked} == {
        "1": date(2024, 6, 8),
        "2": date(2024, 6, 9),
        "3": date(2024, 6, 9),
    }
    with pytest.raises(UsageError):
        Account("1", "Mars/Olympus").today(NOON)


def test_r29_planning_changes_nothing_and_is_repeatable(house: House) -> None:
    _fail(house, accounts=("2",))
    accounts = (ACCOUNT, Account("2"))
    house.cycle(accounts=accounts)
    house.pass_time(days=1)
    before = (house.control.log(), list(house.control.standings(StateFilter())), house.control.leases(NOON))
    plans = [house.plan(accounts=accounts, since=date(2024, 5, 1)) for _ in range(3)]
    assert list(plans[0]) == list(plans[1]) == list(plans[2])
    assert plans[0].left_out == plans[1].left_out
    assert (house.control.log(), list(house.control.standings(StateFilter())), house.control.leases(NOON)) == before
    assert plans[0].operations == len(list(plans[0]))
    assert plans[0].partitions == sum(len(planned.stretch.days) for planned in plans[0])


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
        InThisProcess(house.rooms),
        Event(),
    )
    reasons = [result and result.reason for result in (daemon.look(), daemon.look())]
    assert (reasons, len(house.api.asked)) == (["quota", "quota"], 1)
    house.pass_time(days=1)
    assert daemon.look() is not None
    house.close()


def test_r30_two_who_share_a_budget_never_exceed_it(tmp_path: Path) -> None:
    house = House(tmp_path, NOON, limit=7)
    other = house.another()
    granted = 0
    for n in range(10):
        for one in (house, other):
            spending = one.control.spend("t", NOON.date(), 1 + n % 2, 7, None, NOON)
            granted += (1 + n % 2) * (spending is Spending.GRANTED)
    assert granted == house.control.quota("t", NOON.date()).spent == 7
    other.close()
    house.close()


def test_r32_the_apis_own_refusal_holds_for_the_day(house: House) -> None:
    house.trouble.quota_days = {NOON.date(): 2}
    accounts = tuple(Account(str(n)) for n in range(1, 6))
    assert house.cycle(accounts=accounts).reason == "quota"
    assert len(house.api.asked) == 3
    for _ in range(4):
        house.pass_time(hours=2)
        assert house.cycle(accounts=accounts).operations == 0
    assert house.control.quota("t", NOON.date()).exhausted
    house.pass_time(days=1)
    house.cycle(accounts=accounts)
    states = house.control.get_many([key_of(YESTERDAY, str(n)) for n in range(1, 6)])
    assert {state.status for state in states} == {SUCCESS}


def test_r33_r35_two_instances_with_one_plan_ask_for_each_stretch_once(house: House) -> None:
    accounts = tuple(Account(str(n)) for n in range(1, 6))
    other = house.another()
    mine, theirs = house.plan(accounts=accounts), other.plan(accounts=accounts)
    seen: list[str] = []

    def meanwhile(key: object) -> None:
        seen.append(str(key))
        if len(seen) == 4:
            result = other.carry(theirs)
            assert result.deferred["leased"] == 1, "the stretch in hand is somebody's"

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
    task = Task(Stretch("1", REPORT, YESTERDAY, YESTERDAY), RunContext(house.run_ids.new_run_id()), lease)
    assert work_on(task, house.rooms, house.events.extend).ending is Ending.LEASED
    assert house.api.asked == []
    assert house.control.get(KEY).version == 0


def test_r36_what_is_sealed_and_not_judged_is_judged_and_not_asked_for_again(house: House) -> None:
    dead = RunContext(house.run_ids.new_run_id())
    for days in (0, 1):
        house.sink.seal(key_of(YESTERDAY - timedelta(days=days)), dead.run_id, "rows")
    house.cycle()
    assert _asked_days(house) == [YESTERDAY - timedelta(days=2)]
    assert len([e for e in house.events if isinstance(e, PartitionRecovered)]) == 2
    assert house.control.get(KEY).current_run_id == dead.run_id


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


class _Mortal:
    """A worker in this process that dies as often as it is told."""

    def __init__(self, house: House, deaths: int, seals: int = 0) -> None:
        self.house, self.deaths, self.seals = house, deaths, seals
        self.task: Task | None = None

    def idle(self) -> list[int]:
        return [] if self.task else [0]

    def give(self, worker: int, task: Task) -> None:
        self.task = task

    def wait(self, seconds: float) -> list[Message]:
        task, self.task = self.task, None
        assert task is not None
        if self.deaths and task.give_up is None:
            self.deaths -= 1
            if self.seals:
                self.seals -= 1
                self.house.sink.seal(task.stretch.keys[self.seals], task.run.run_id, "rows")
            return [Lost(0)]
        return [Done(0, work_on(task, self.house.rooms, self.house.events.extend))]

    def close(self) -> None:
        return


def test_r38_a_stretch_whose_worker_died_goes_on_in_the_same_run(house: House) -> None:
    result = house.carry(house.plan(), workers=_Mortal(house, deaths=2, seals=1))
    assert result.reason == "done"
    assert sorted(_asked_days(house)) == [YESTERDAY - timedelta(days=1), YESTERDAY]
    runs = {house.control.get(key_of(YESTERDAY - timedelta(days=n))).current_run_id for n in range(3)}
    assert runs == {result.run.run_id}


def test_r38_a_stretch_that_kills_is_put_on_record(house: House) -> None:
    house.carry(house.plan(), workers=_Mortal(house, deaths=99))
    states = house.control.get_many([key_of(YESTERDAY - timedelta(days=n)) for n in range(3)])
    assert {state.status for state in states} == {FAILED}
    assert house.standing(KEY).failure == FailureReason(
        "worker_lost", "3 workers died over this stretch", retryable=True
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


def test_an_unsealed_run_is_a_try(house: House) -> None:
    run = house.run_ids.new_run_id()
    reason = FailureReason("api_transient", "m", retryable=True)
    house.validator.validate([KEY], unsealed={KEY: UnsealedRun(run, reason)})
    assert (house.standing(KEY).tries, house.standing(KEY).failure) == (1, reason)
