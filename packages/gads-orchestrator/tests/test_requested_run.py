"""The main job against the real sink, ledger and validator; only the API's side is scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gads_domain.account_days import DayRange
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.control import Mark, scope_of
from gads_domain.errors import (
    CredentialsError,
    FailureReason,
    PermanentApiError,
    StorageError,
)
from gads_domain.metadata import ColumnSpec, PartitionFacts, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, RowProgress, Sealed, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.ports.validation import PartitionValidator
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.run import RunContext
from gads_domain.state import OperatorAct, PartitionStatus
from gads_orchestrator.budget import Budget, QuotaGate
from gads_orchestrator.execution import Control
from gads_orchestrator.plan import Account, WorkRequest
from gads_orchestrator.requested_run import RunResult, plan_run, run_requested
from gads_orchestrator.selection import SelectRequested
from gads_orchestrator.worker import WorkerContext
from gads_orchestrator.worker_pool import InThisProcess
from gads_payload.writer import PayloadWriter
from gads_validator.validator import RawPartitionValidator

SCHEMA = TableSchema(
    (
        ColumnSpec("segments_date", "segments.date", "date32"),
        ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),
    )
)
REPORT = ReportDefinition("account", "SELECT segments.date, metrics.clicks FROM customer")
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 4)


def seal(sink: RawSink, run: RunContext, key: PartitionKey, clicks: int, wrong_day: bool = False) -> Sealed:
    """Seal one row for `key`; with `wrong_day` a row that the validator must reject."""
    writer = sink.open_writer(key, run.run_id)
    payload = PayloadWriter(writer, SCHEMA)
    day = date(1999, 1, 1) if wrong_day else key.logical_date
    columns: list[pa.Array[Any]] = [pa.array([day], pa.date32()), pa.array([clicks], pa.int64())]
    payload.write(pa.RecordBatch.from_arrays(columns, names=["segments_date", "metrics_clicks"]))
    payload.close()
    facts = PartitionFacts(datetime(2024, 6, 1, tzinfo=UTC), "v26", REPORT.query, 1, SCHEMA, 1, ("r",), "scripted", "1")
    return Sealed(key, writer.finalize(facts))


@dataclass
class ScriptedSource:
    """Answers as told, by account; keeps what it was asked for."""

    clicks: int = 1
    denied: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    refused_from: int | None = None
    asked: list[ReportSlice] = field(default_factory=list)

    def extract(
        self, slice_: ReportSlice, run: RunContext, sink: RawSink, progress: RowProgress | None = None
    ) -> Iterator[DayOutcome]:
        self.asked.append(slice_)
        if self.refused_from is not None and len(self.asked) > self.refused_from:
            raise CredentialsError("the refresh token was refused")
        for key in slice_.keys:
            if key.customer_id in self.denied:
                yield Unsealed(key, FailureReason.of(PermanentApiError("USER_PERMISSION_DENIED")))
            else:
                yield seal(sink, run, key, self.clicks, key.customer_id in self.wrong)


def request_for(*customers: str, selection: SelectRequested | None = None, days: int = 31) -> WorkRequest:
    accounts = tuple(Account(number) for number in customers)
    chosen = {(number, REPORT.name): DayRange(FIRST, LAST) for number in customers}
    now = SystemClock().now()
    return WorkRequest(
        accounts, (REPORT,), now, selection or SelectRequested(), max_days_per_request=days, chosen=chosen
    )


class House:
    """The rooms of one test, and runs through them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = ScriptedSource()
        self.sink = sink_adapter("file:raw").open_sink("file:raw", folder)
        adapter = ledger_adapter("sqlite:state.db")
        self.ledger = adapter.open_for_validator("sqlite:state.db", folder)
        self.control = adapter.open_for_control_plane("sqlite:state.db", folder)
        self.validator: PartitionValidator = RawPartitionValidator(self.sink, self.ledger, SystemClock())

    def run(self, *customers: str, reprocess: bool = False, retry_failed: bool = False, days: int = 31) -> RunResult:
        run = RunContext(RandomRunIds(SystemClock()).new_run_id(), "tester", "run")
        gate = QuotaGate(self.control, Budget(), SystemClock())
        context = WorkerContext(self.source, self.sink, self.validator, gate, SystemClock())
        plan = plan_run(
            request_for(*customers, selection=SelectRequested(reprocess, retry_failed), days=days), self.control
        )
        return run_requested(
            plan, run, Control(self.control, SystemClock(), awaits_leases=True), InThisProcess(context)
        )

    def close(self) -> None:
        self.control.close()
        self.ledger.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def _statuses(result: RunResult) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, state in result.states.items():
        found.setdefault(key.customer_id, set()).add(state.status.value)
    return found


def test_a_run_brings_every_day_to_success_in_one_request_an_account(house: House) -> None:
    result = house.run("1", "2")
    assert result.exit_code == 0
    assert _statuses(result) == {"1": {"success"}, "2": {"success"}}
    assert sorted((s.customer_id, len(s.days)) for s in house.source.asked) == [("1", 4), ("2", 4)]
    assert {state.current_run_id for state in result.states.values()} == {result.run.run_id}


def test_what_is_success_is_left_alone_unless_reprocessed(house: House) -> None:
    first = house.run("1")
    second = house.run("1")
    assert (len(house.source.asked), second.exit_code, len(second.states)) == (1, 0, 4)
    house.source.clicks = 2
    third = house.run("1", reprocess=True)
    assert {state.current_run_id for state in third.states.values()} == {third.run.run_id} != {first.run.run_id}
    assert third.moved == set(third.states)


def test_one_accounts_failure_changes_nothing_for_the_others(house: House) -> None:
    house.source.denied = {"2"}
    result = house.run("1", "2", "3")
    assert _statuses(result) == {"1": {"success"}, "2": {"failed"}, "3": {"success"}}
    assert result.exit_code == 1
    assert {key.customer_id for key in result.failures} == {"2"}
    assert all("USER_PERMISSION_DENIED" in reason for reason in result.failures.values())


def test_failed_is_left_alone_unless_a_retry_is_ordered_and_the_order_is_on_record(house: House) -> None:
    house.source.denied = {"1"}
    house.run("1")
    house.source.denied = set()
    left = house.run("1")
    assert (len(house.source.asked), left.exit_code) == (1, 1)
    retried = house.run("1", retry_failed=True)
    assert (retried.exit_code, _statuses(retried)) == (0, {"1": {"success"}})
    (act,) = house.ledger.acts(PartitionKey("google_ads", "1", "account", FIRST))
    assert (act.kind, act.act.actor, act.status_before) == ("retry", "tester", PartitionStatus.FAILED)


def test_what_is_held_is_left_alone_whatever_is_asked_for(house: House) -> None:
    keys = ReportSlice("1", REPORT, FIRST, LAST).keys
    act = OperatorAct(SystemClock().now(), "tester", "state hold", "odd")
    house.control.mark(keys[1:2], Mark.HELD, act)
    result = house.run("1", reprocess=True, retry_failed=True)
    assert result.exit_code == 1
    assert result.failures == {keys[1]: "pending: held by an operator"}
    assert {key for slice_ in house.source.asked for key in slice_.keys} == {keys[0], *keys[2:]}
    house.control.unmark(keys[1:2], Mark.HELD, act)
    assert house.run("1").exit_code == 0


def test_a_failed_restatement_keeps_the_good_day_and_says_so(house: House) -> None:
    first = house.run("1")
    house.source.wrong = {"1"}
    second = house.run("1", reprocess=True)
    assert {state.current_run_id for state in second.states.values()} == {first.run.run_id}
    assert _statuses(second) == {"1": {"success"}}
    assert second.exit_code == 1
    assert all("logical_date" in reason for reason in second.failures.values())
    assert len(second.hints) == 1
    assert second.hints[0].startswith("reprocess the partition")


def test_what_a_dead_run_sealed_is_judged_and_not_asked_for_again(house: House) -> None:
    run = RunContext(RandomRunIds(SystemClock()).new_run_id())
    keys = ReportSlice("1", REPORT, FIRST, LAST).keys
    for key in keys[:2]:
        seal(house.sink, run, key, 5)
    result = house.run("1")
    assert [(s.first, s.last) for s in house.source.asked] == [(keys[2].logical_date, LAST)]
    assert result.recovered == set(keys[:2])
    assert _statuses(result) == {"1": {"success"}}


def test_refused_credentials_end_the_run_and_name_what_was_not_done(house: House) -> None:
    house.source.refused_from = 1
    result = house.run("1", "2", "3")
    assert result.exit_code == 4
    assert len(house.source.asked) == 2
    good, refused = house.source.asked[0].customer_id, house.source.asked[1].customer_id
    unasked = next(number for number in "123" if number not in (good, refused))
    assert _statuses(result) == {good: {"success"}, refused: {"failed"}, unasked: {"pending"}}
    assert all("credentials: " in reason for reason in result.failures.values())
    assert {key.customer_id for key in result.failures} == {refused, unasked}
    assert result.hints == (), "the hint of refused credentials goes with their own error"


def test_a_sink_that_cannot_be_read_leaves_the_day_pending_and_the_others_go_on(house: House) -> None:
    judge = house.validator

    class Interrupted:
        validate: Callable[..., object]

        def __init__(self) -> None:
            self.failing = True

    interrupted = Interrupted()

    def validate(keys: list[PartitionKey], **options: object) -> object:
        if keys and keys[0].customer_id == "1" and interrupted.failing:
            raise StorageError("the disk does not answer")
        return judge.validate(keys, **options)  # type: ignore[arg-type]  # handed through as it came

    interrupted.validate = validate
    house.validator = interrupted  # type: ignore[assignment]  # one method is all that is asked of it
    result = house.run("1", "2")
    assert result.exit_code == 1
    assert _statuses(result) == {"1": {"pending"}, "2": {"success"}}
    interrupted.failing = False
    again = house.run("1", "2")
    assert (again.exit_code, len(house.source.asked)) == (0, 2)


def test_what_somebody_else_is_at_is_left_to_them_and_said(house: House) -> None:
    now = SystemClock().now()
    scope = scope_of("google_ads", "1", REPORT.name)
    (lease,) = house.control.take_leases([scope], "somebody", now, now + timedelta(minutes=5))
    assert lease is not None
    result = house.run("1", "2")
    assert result.exit_code == 1
    assert [s.customer_id for s in house.source.asked] == ["2"]
    assert {key.customer_id for key in result.elsewhere} == {"1"}
    assert all("somebody else is at it" in reason for reason in result.failures.values())
    house.control.release_leases([lease])
    assert house.run("1", "2").exit_code == 0


def test_the_lease_of_a_dead_process_is_waited_for(house: House) -> None:
    now = SystemClock().now()
    scope = scope_of("google_ads", "1", REPORT.name)
    house.control.take_leases([scope], "somebody who was killed", now, now + timedelta(seconds=1))
    result = house.run("1", "2")
    assert (result.exit_code, result.elsewhere) == (0, set())
    assert [s.customer_id for s in house.source.asked] == ["2", "1"]


def test_a_lease_that_is_renewed_is_not_waited_for(house: House) -> None:
    now = SystemClock().now()
    scope = scope_of("google_ads", "1", REPORT.name)
    (lease,) = house.control.take_leases([scope], "somebody", now, now + timedelta(seconds=50))
    assert lease is not None
    renewed = threading.Timer(0.5, lambda: house.control.renew_leases([lease], now, now + timedelta(seconds=55)))
    renewed.start()
    result = house.run("1")
    renewed.join()
    assert {key.customer_id for key in result.elsewhere} == {"1"}
    assert house.source.asked == []


def test_each_account_and_report_has_days_of_its_own(house: House) -> None:
    other = replace(REPORT, name="other")
    chosen = {
        ("1", REPORT.name): DayRange(FIRST, FIRST),
        ("1", "other"): DayRange(LAST, LAST),
        ("2", REPORT.name): DayRange(FIRST, LAST),
    }
    house.source.denied = {"1"}
    house.run("1")
    accounts = (Account("1"), Account("2"))
    now = SystemClock().now()
    request = WorkRequest(accounts, (REPORT, other), now, SelectRequested(retry_failed=True), chosen=chosen)
    plan = plan_run(request, house.control)
    assert {(s.customer_id, s.report.name, s.first, s.last) for s in plan.slices} == {
        (customer_id, report, days.first, days.last) for (customer_id, report), days in chosen.items()
    }
    assert (len(plan.keys), plan.left_alone) == (6, ())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=st.lists(
        st.tuples(st.sampled_from(["good", "restated", "denied", "wrong"]), st.booleans(), st.booleans()), max_size=5
    )
)
def test_whatever_happens_every_day_has_one_honest_state(
    script: list[tuple[str, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    try:
        for number, (what, reprocess, retry_failed) in enumerate(script):
            house.source.clicks = number if what == "restated" else 1
            house.source.denied = {"1"} if what == "denied" else set()
            house.source.wrong = {"1"} if what == "wrong" else set()
            result = house.run("1", "2", reprocess=reprocess, retry_failed=retry_failed, days=3)
            assert len(result.states) == 8
            assert "2" not in {key.customer_id for key in result.failures}
        house.source = ScriptedSource()
        last = house.run("1", "2", retry_failed=True)
        assert (last.exit_code, _statuses(last)) == (0, {"1": {"success"}, "2": {"success"}})
        assert plan_run(request_for("1", "2"), house.ledger).slices == ()
    finally:
        house.close()
