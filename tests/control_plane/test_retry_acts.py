"""Holds the code to contracts/retry/v1, acts and marks: each line has a test with its number (`r12` is line 12)."""

from __future__ import annotations

import ast
import re
import sqlite3
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from retry_story import FAILED, KEY, ONE_DAY, PENDING, SUCCESS, YESTERDAY, asked_days, fail, heal
from simulated_house import POLICY, House, key_of

from gads_conformance.ledger_samples import change_of, judged
from gads_domain.control import Mark
from gads_domain.errors import UsageError
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.run import RunContext
from gads_domain.state import PartitionStatus, StateChange, StateFilter, ValidationOutcome
from gads_domain.state_row import ROW_FIELDS
from gads_orchestrator.selection import SelectDue, SelectRequested

CONTRACT = Path(__file__).parents[2] / "contracts" / "retry" / "v1" / "README.md"


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
    fail(house)
    house.cycle(ONE_DAY)
    assert house.control.get(KEY).status is FAILED
    state = house.ledger.get(KEY)
    away = replace(state, status=PENDING, version=state.version + 1)
    with pytest.raises(UsageError):
        house.ledger.record([StateChange(state, away, None)])
    assert house.control.retry([KEY, key_of(date(2024, 1, 1))], house.act()) == [True, False]
    assert house.control.retry([KEY], house.act()) == [False]
    entry = house.control.authority_changes()[-1]
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
    late = change_of(house.ledger.history(KEY), judged(KEY, 9, ValidationOutcome.REJECTED))
    house.control.revoke([(KEY, run)], house.act())
    assert house.ledger.record([late]) == [False]


def test_r9_marks_are_no_statuses_and_make_no_rows(house: House) -> None:
    assert {status.value for status in PartitionStatus}.isdisjoint({mark.value for mark in Mark})
    assert {"held", "terminal", "marks"}.isdisjoint(ROW_FIELDS)
    house.control.mark([KEY], Mark.HELD, house.act())
    assert list(house.control.find(StateFilter())) == []
    assert house.control.get(KEY).version == 0


@pytest.mark.parametrize("mark", list(Mark))
@pytest.mark.parametrize("selection", [SelectDue(POLICY), SelectRequested(reprocess=True, retry_failed=True)])
def test_r10_r28_a_marked_day_is_skipped_by_name_whoever_asks(house: House, mark: Mark, selection: SelectDue) -> None:
    house.control.mark([KEY], mark, house.act())
    plan = house.plan(selection=selection, since=YESTERDAY - timedelta(days=1), until=YESTERDAY)
    assert [(left.first, left.last, left.why.code) for left in plan.skipped] == [(YESTERDAY, YESTERDAY, mark.value)]
    house.carry(plan)
    assert asked_days(house) == [YESTERDAY - timedelta(days=1)]


def test_r11_releasing_changes_nothing_else(house: House) -> None:
    before = [(p.slice_, p.reason) for p in house.plan()]
    house.control.mark([KEY], Mark.HELD, house.act())
    assert [(p.slice_, p.reason) for p in house.plan()] != before
    house.control.unmark([KEY], Mark.HELD, house.act())
    assert [(p.slice_, p.reason) for p in house.plan()] == before


def test_r12_r20_after_max_attempts_the_day_is_terminal_until_a_person_lifts_it(house: House) -> None:
    fail(house)
    for _ in range(POLICY.max_attempts + 3):
        house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        house.pass_time(hours=9)
    assert len(house.api.asked) == POLICY.max_attempts
    assert house.control.marks(KEY) == {Mark.TERMINAL}
    (act,) = [act for act in house.control.acts(KEY) if act.kind == "mark_terminal"]
    assert act.act.by_policy
    assert act.act.reason == "failed 4 times in a row, last with api_transient"
    heal(house)
    assert house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY).slices == 0
    house.control.unmark([KEY], Mark.TERMINAL, house.act())
    assert house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY).slices == 1
    assert house.control.get(KEY).status is SUCCESS


def test_r13_policy_leaves_marked_days_alone_and_a_held_day_stays_held(house: House) -> None:
    fail(house)
    house.cycle(ONE_DAY)
    house.control.mark([KEY], Mark.HELD, house.act())
    assert house.control.retry([KEY], house.act(by_policy=True)) == [False]
    assert house.control.retry([KEY], house.act()) == [True]
    assert house.scheduling(KEY).marks == {Mark.HELD}


def test_r14_a_hold_that_came_after_the_plan_counts(house: House) -> None:
    plan = house.plan()
    assert plan.partitions == 3
    middle = YESTERDAY - timedelta(days=1)
    house.control.mark([key_of(middle)], Mark.HELD, house.act())
    house.carry(plan)
    assert sorted(asked_days(house)) == [YESTERDAY - timedelta(days=2), YESTERDAY]
    assert house.control.get(key_of(middle)).version == 0


def test_r15_tries_begin_anew_by_a_person_or_a_good_run_and_not_by_policy(house: House) -> None:
    fail(house)
    for expected in (1, 2, 3):
        house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        assert house.scheduling(KEY).tries == expected
        house.pass_time(hours=9)
    house.control.retry([KEY], house.act())
    assert house.scheduling(KEY).tries == 0
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert house.scheduling(KEY).tries == 1
    heal(house)
    house.pass_time(hours=9)
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert house.scheduling(KEY).tries == 0
    passed = house.control.get(KEY).current_run_id
    assert passed is not None
    house.control.revoke([(KEY, passed)], house.act())
    house.validator.validate([KEY])
    fail(house)
    house.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert (house.control.get(KEY).status, house.scheduling(KEY).tries) == (FAILED, 1)
