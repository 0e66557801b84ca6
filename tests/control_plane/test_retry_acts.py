"""Holds the code to contracts/retry/v1, acts and marks: each line has a test with its number (`r12` is line 12)."""

from __future__ import annotations

import ast
import re
import sqlite3
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import change_of, result_of
from gads_domain.control import Mark
from gads_domain.errors import UsageError
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_domain.run import RunContext
from gads_domain.state import PartitionStatus, StateChange, StateFilter, ValidationOutcome
from gads_domain.state_row import ROW_FIELDS
from gads_orchestrator.events import Event, RunAccepted
from gads_orchestrator.operator_actions import Operation, operate
from gads_orchestrator.selection import SelectDue, SelectRequested
from gads_testing.simulated_deployment import (
    FAILED,
    KEY,
    ONE_DAY,
    PENDING,
    POLICY,
    SUCCESS,
    YESTERDAY,
    SimulatedDeployment,
    key_of,
)

CONTRACT = Path(__file__).parents[2] / "contracts" / "retry" / "v1" / "README.md"


def test_every_line_has_a_test() -> None:
    lines = {int(number) for number in re.findall(r"^(\d+)\. ", CONTRACT.read_text(encoding="utf-8"), re.MULTILINE)}
    assert sorted(lines) == list(range(1, len(lines) + 1))
    tested: set[int] = set()
    of_the_executor = Path(__file__).parents[2] / "packages" / "gads-orchestrator" / "tests" / "test_execution.py"
    for path in (*Path(__file__).parent.glob("test_*.py"), of_the_executor):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_r"):
                tested |= {int(number) for number in re.findall(r"r(\d+)(?=_)", node.name)}
    assert tested == lines


def test_r2_the_control_plane_has_no_way_to_success_failed_or_attempts(deployment: SimulatedDeployment) -> None:
    deployment.cycle(ONE_DAY)
    assert not hasattr(ControlPlaneLedger, "record")
    connection: sqlite3.Connection = deployment.control._file._connection  # type: ignore[attr-defined]  # the very connection
    for statement in (
        "UPDATE partitions SET current_run = 1",
        "UPDATE partitions SET attempt_count = 0",
        "INSERT INTO results (run) VALUES (1)",
        "DELETE FROM operator_acts",
    ):
        with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
            connection.execute(statement)


def test_r3_r4_failed_becomes_pending_by_a_retry_on_record_once(deployment: SimulatedDeployment) -> None:
    deployment.start_outage()
    deployment.cycle(ONE_DAY)
    assert deployment.control.get(KEY).status is FAILED
    state = deployment.ledger.get(KEY)
    away = replace(state, status=PENDING, version=state.version + 1)
    with pytest.raises(UsageError):
        deployment.ledger.record([StateChange(state, away, None)])
    assert deployment.control.retry([KEY, key_of(date(2024, 1, 1))], deployment.act()) == [True, False]
    assert deployment.control.retry([KEY], deployment.act()) == [False]
    entry = deployment.control.authority_changes()[-1]
    assert (entry.cause, entry.status_after, len(deployment.control.acts(KEY))) == ("retry", PENDING, 1)


def test_r5_r6_r8_a_revoked_run_gives_way_to_the_one_before_and_never_wins_again(
    deployment: SimulatedDeployment,
) -> None:
    deployment.cycle(ONE_DAY)
    first = deployment.control.get(KEY).current_run_id
    run = RunContext(deployment.run_ids.new_run_id())
    deployment.sink.seal(KEY, run.run_id, "other rows")
    assert deployment.control.revoke([(KEY, run.run_id)], deployment.act()) == [False], "not validated yet"
    deployment.validator.validate([KEY])
    assert deployment.control.get(KEY).current_run_id == run.run_id
    assert deployment.control.revoke([(KEY, run.run_id)], deployment.act()) == [True]
    assert deployment.control.revoke([(KEY, run.run_id)], deployment.act()) == [False]
    assert deployment.control.get(KEY).current_run_id == run.run_id, "the order itself moves nothing"
    deployment.validator.validate([KEY])
    assert deployment.control.get(KEY).current_run_id == first
    assert first is not None
    deployment.control.revoke([(KEY, first)], deployment.act())
    deployment.validator.validate([KEY], recheck=True)
    state = deployment.control.get(KEY)
    assert (state.status, state.current_run_id) == (FAILED, None)
    deployment.cycle(ONE_DAY)
    assert deployment.control.get(KEY).current_run_id not in (None, first, run.run_id)


def test_r44_a_run_that_lost_the_rows_is_held_until_it_is_accepted(deployment: SimulatedDeployment) -> None:
    deployment.cycle(ONE_DAY)
    first = deployment.control.get(KEY).current_run_id
    run = RunContext(deployment.run_ids.new_run_id())
    deployment.sink.seal(KEY, run.run_id, "")
    deployment.validator.validate([KEY])
    state = deployment.control.get(KEY)
    assert (state.status, state.current_run_id, state.held_run_id) == (SUCCESS, first, run.run_id)
    other = key_of(date(2024, 1, 1))
    observed: list[Event] = []

    class Observer:
        def on_events(self, *events: Event) -> None:
            observed.extend(events)

    for done in ([True, False], [False, False]):
        outcomes = operate(Operation.ACCEPT, [KEY, other], deployment.control, deployment.act(), Observer())
        assert [outcome.done for outcome in outcomes] == done
    assert [type(event) for event in observed] == [RunAccepted]
    assert deployment.control.get(KEY).current_run_id == first, "the act itself moves nothing"
    deployment.validator.validate([KEY])
    state = deployment.control.get(KEY)
    assert (state.current_run_id, state.held_run_id, state.record_count) == (run.run_id, None, 0)
    assert [act.kind for act in deployment.control.acts(KEY)] == ["accept"]


def test_r45_policy_restates_what_is_held_and_retries_no_failed_day_that_is(deployment: SimulatedDeployment) -> None:
    deployment.cycle(ONE_DAY)
    first = deployment.control.get(KEY).current_run_id
    assert first is not None
    deployment.sink.seal(KEY, RunContext(deployment.run_ids.new_run_id()).run_id, "")
    deployment.validator.validate([KEY])
    requested = deployment.plan(ONE_DAY, selection=SelectRequested(), since=YESTERDAY, until=YESTERDAY)
    assert [left.why.code for left in requested.skipped] == ["vanished_rows"]
    deployment.control.revoke([(KEY, first)], deployment.act())
    deployment.validator.validate([KEY])
    state = deployment.control.get(KEY)
    assert state.status is FAILED
    assert state.last_error is not None
    assert state.last_error.startswith("vanished_rows: ")
    plan = deployment.plan(ONE_DAY)
    assert (plan.partitions, [left.why.code for left in plan.skipped]) == (0, ["vanished_rows"])
    deployment.control.retry([KEY], deployment.act())
    deployment.cycle(ONE_DAY)
    state = deployment.control.get(KEY)
    assert (state.status, state.held_run_id) == (SUCCESS, None)


def test_r7_a_change_from_before_a_revocation_is_refused(deployment: SimulatedDeployment) -> None:
    deployment.cycle(ONE_DAY)
    run = deployment.control.get(KEY).current_run_id
    assert run is not None
    late = change_of(deployment.ledger.history(KEY), result_of(KEY, 9, ValidationOutcome.REJECTED))
    deployment.control.revoke([(KEY, run)], deployment.act())
    assert deployment.ledger.record([late]) == [False]


def test_r9_marks_are_not_statuses_and_create_no_rows(deployment: SimulatedDeployment) -> None:
    assert {status.value for status in PartitionStatus}.isdisjoint({mark.value for mark in Mark})
    assert {"held", "terminal", "marks"}.isdisjoint(ROW_FIELDS)
    deployment.control.mark([KEY], Mark.HELD, deployment.act())
    assert list(deployment.control.find(StateFilter())) == []
    assert deployment.control.get(KEY).version == 0


@pytest.mark.parametrize("mark", list(Mark))
@pytest.mark.parametrize("selection", [SelectDue(POLICY), SelectRequested(reprocess=True, retry_failed=True)])
def test_r10_r28_a_marked_day_is_skipped_even_if_it_is_requested(
    deployment: SimulatedDeployment, mark: Mark, selection: SelectDue
) -> None:
    deployment.control.mark([KEY], mark, deployment.act())
    plan = deployment.plan(selection=selection, since=YESTERDAY - timedelta(days=1), until=YESTERDAY)
    assert [(left.first, left.last, left.why.code) for left in plan.skipped] == [(YESTERDAY, YESTERDAY, mark.value)]
    deployment.execute(plan)
    assert deployment.requested_days() == [YESTERDAY - timedelta(days=1)]


def test_r11_releasing_changes_nothing_else(deployment: SimulatedDeployment) -> None:
    before = [(p.slice_, p.reason) for p in deployment.plan()]
    deployment.control.mark([KEY], Mark.HELD, deployment.act())
    assert [(p.slice_, p.reason) for p in deployment.plan()] != before
    deployment.control.unmark([KEY], Mark.HELD, deployment.act())
    assert [(p.slice_, p.reason) for p in deployment.plan()] == before


def test_r12_r20_after_max_attempts_the_day_is_terminal_until_a_person_lifts_it(
    deployment: SimulatedDeployment,
) -> None:
    deployment.start_outage()
    for _ in range(POLICY.max_attempts + 3):
        deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        deployment.pass_time(hours=9)
    assert len(deployment.api.calls) == POLICY.max_attempts
    assert deployment.control.marks(KEY) == {Mark.TERMINAL}
    (act,) = [act for act in deployment.control.acts(KEY) if act.kind == "mark_terminal"]
    assert act.act.by_policy
    assert act.act.reason == "failed 4 times in a row, last with api_transient"
    deployment.end_troubles()
    assert deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY).slices == 0
    deployment.control.unmark([KEY], Mark.TERMINAL, deployment.act())
    assert deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY).slices == 1
    assert deployment.control.get(KEY).status is SUCCESS


def test_r13_policy_leaves_marked_days_alone_and_a_held_day_stays_held(deployment: SimulatedDeployment) -> None:
    deployment.start_outage()
    deployment.cycle(ONE_DAY)
    deployment.control.mark([KEY], Mark.HELD, deployment.act())
    assert deployment.control.retry([KEY], deployment.act(by_policy=True)) == [False]
    assert deployment.control.retry([KEY], deployment.act()) == [True]
    assert deployment.scheduling(KEY).marks == {Mark.HELD}


def test_r14_a_hold_that_came_after_the_plan_counts(deployment: SimulatedDeployment) -> None:
    plan = deployment.plan()
    assert plan.partitions == 3
    middle = YESTERDAY - timedelta(days=1)
    deployment.control.mark([key_of(middle)], Mark.HELD, deployment.act())
    deployment.execute(plan)
    assert sorted(deployment.requested_days()) == [YESTERDAY - timedelta(days=2), YESTERDAY]
    assert deployment.control.get(key_of(middle)).version == 0


def test_r15_tries_begin_anew_by_a_person_or_a_good_run_and_not_by_policy(deployment: SimulatedDeployment) -> None:
    deployment.start_outage()
    for expected in (1, 2, 3):
        deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
        assert deployment.scheduling(KEY).tries == expected
        deployment.pass_time(hours=9)
    deployment.control.retry([KEY], deployment.act())
    assert deployment.scheduling(KEY).tries == 0
    deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert deployment.scheduling(KEY).tries == 1
    deployment.end_troubles()
    deployment.pass_time(hours=9)
    deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert deployment.scheduling(KEY).tries == 0
    passed = deployment.control.get(KEY).current_run_id
    assert passed is not None
    deployment.control.revoke([(KEY, passed)], deployment.act())
    deployment.validator.validate([KEY])
    deployment.start_outage()
    deployment.cycle(ONE_DAY, since=YESTERDAY, until=YESTERDAY)
    assert (deployment.control.get(KEY).status, deployment.scheduling(KEY).tries) == (FAILED, 1)
