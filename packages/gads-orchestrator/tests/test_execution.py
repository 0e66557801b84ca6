"""Executions against the real sink, ledger and validator; only the API's side is scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gads_conformance.sink.watched_sink import Fault, Step, watched
from gads_domain.account_days import DayRange
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.control import Mark, SchedulingState, scope_of
from gads_domain.errors import (
    AccountRefusedError,
    ClockSkewError,
    CredentialsError,
    FailureReason,
    StorageError,
    StorageFullError,
)
from gads_domain.metadata import ColumnSpec, KnownContent, PartitionFacts, TableSchema
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import (
    NOTHING_KNOWN,
    DayOutcome,
    OperationQuota,
    RowProgress,
    Sealed,
    SliceResult,
    Unchanged,
    Unsealed,
)
from gads_domain.ports.sink import RawSink
from gads_domain.ports.validation import PartitionValidator
from gads_domain.report import ReportDefinition, ReportSlice
from gads_domain.run import RunContext, RunId
from gads_domain.state import Confirmation, OperatorAct, PartitionState, PartitionStatus
from gads_orchestrator.budget import Budget, QuotaGate
from gads_orchestrator.execution import Control, execute_plan
from gads_orchestrator.outcome import RunOutcome, hints, partitions, skipped_partitions
from gads_orchestrator.plan import Account, WorkRequest, plan_work
from gads_orchestrator.restatement_policy import RestatementPolicy
from gads_orchestrator.selection import Days, Reason, Selection, SelectRequested
from gads_orchestrator.worker import WorkerContext
from gads_payload.content import content_sha256
from gads_payload.writer import PayloadWriter
from gads_testing.worker_in_process import InThisProcess
from gads_validator.validator import RawPartitionValidator

SCHEMA = TableSchema(
    (
        ColumnSpec("segments_date", "segments.date", "date32"),
        ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),
    )
)
REPORT = ReportDefinition("account", "SELECT segments.date, metrics.clicks FROM customer")
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 4)


def row_of(key: PartitionKey, clicks: int) -> pa.RecordBatch:
    columns: list[pa.Array[Any]] = [pa.array([key.logical_date], pa.date32()), pa.array([clicks], pa.int64())]
    return pa.RecordBatch.from_arrays(columns, names=["segments_date", "metrics_clicks"])


def seal(sink: RawSink, run: RunContext, key: PartitionKey, clicks: int, wrong_day: bool = False) -> Sealed:
    """Seal one row for `key`; with `wrong_day` a row that the validator must reject."""
    writer = sink.open_writer(key, run.run_id)
    payload = PayloadWriter(writer, SCHEMA)
    payload.write(row_of(replace(key, logical_date=date(1999, 1, 1)) if wrong_day else key, clicks))
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
    before_unchanged: Callable[[], None] = lambda: None

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
    ) -> SliceResult:
        self.asked.append(slice_)
        if self.refused_from is not None and len(self.asked) > self.refused_from:
            return SliceResult((), 1, FailureReason.of(CredentialsError("the refresh token was refused")))
        if slice_.customer_id in self.denied:
            refusal = FailureReason.of(AccountRefusedError("USER_PERMISSION_DENIED"))
            return SliceResult(tuple(Unsealed(key, refusal) for key in slice_.keys), 1, refusal)
        is_wrong = slice_.customer_id in self.wrong
        days: list[DayOutcome] = []
        try:
            days += (self.outcome(key, run, sink, known.get(key), is_wrong) for key in slice_.keys)
        except StorageError as error:
            return SliceResult(tuple(days), 1, FailureReason.of(error))
        if any(isinstance(day, Unchanged) for day in days):
            self.before_unchanged()
        return SliceResult(tuple(days), 1)

    def outcome(
        self, key: PartitionKey, run: RunContext, sink: RawSink, known: KnownContent | None, is_wrong: bool
    ) -> DayOutcome:
        content = content_sha256(pa.Table.from_batches([row_of(key, self.clicks)]))
        if known is not None and known.content_sha256 == content and not is_wrong:
            return Unchanged(key, known.run_id, content, 1, ("r",))
        return seal(sink, run, key, self.clicks, is_wrong)


def request_for(*customers: str, selection: SelectRequested | None = None, days: int = 31) -> WorkRequest:
    accounts = tuple(Account(number) for number in customers)
    chosen = {(number, REPORT.name): DayRange(FIRST, LAST) for number in customers}
    now = SystemClock().now()
    return WorkRequest(
        accounts, (REPORT,), now, selection or SelectRequested(), max_days_per_request=days, chosen=chosen
    )


@dataclass(frozen=True)
class Result:
    """An outcome, and how everything that was requested stands after it."""

    outcome: RunOutcome
    states: dict[PartitionKey, PartitionState]
    failures: dict[PartitionKey, str]
    hints: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        return self.outcome.is_whole and not self.failures

    @property
    def run_id(self) -> RunId:
        assert self.outcome.run is not None
        return self.outcome.run.run_id

    @property
    def statuses(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for key, state in self.states.items():
            found.setdefault(key.customer_id, set()).add(state.status.value)
        return found


class Deployment:
    """The ports of one test, and executions through them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = ScriptedSource()
        self.sink: RawSink = sink_adapter("file:raw").open_sink("file:raw", folder)
        adapter = ledger_adapter("sqlite:state.db")
        self.ledger = adapter.open_for_validator("sqlite:state.db", folder)
        self.control = adapter.open_for_control_plane("sqlite:state.db", folder)
        self.validator: PartitionValidator = RawPartitionValidator(self.sink, self.ledger, SystemClock())
        self.restatement = RestatementPolicy(verify_share=0)

    @property
    def context(self) -> WorkerContext:
        gate = QuotaGate(self.control, Budget(), SystemClock())
        return WorkerContext(self.source, self.sink, self.validator, gate, SystemClock())

    def run(self, *customers: str, reprocess: bool = False, retry_failed: bool = False, days: int = 31) -> Result:
        run_id = RandomRunIds(SystemClock()).new_run_id(self.control.newest_run())
        request = request_for(*customers, selection=SelectRequested(reprocess, retry_failed), days=days)
        plan = plan_work(request, self.control)
        control = Control(self.control, SystemClock(), awaits_leases=True, restatement=self.restatement)
        outcome = execute_plan(plan, RunContext(run_id, "tester", "run"), control, InThisProcess(self.context))
        found = [*partitions(outcome, self.control), *skipped_partitions(plan, self.control)]
        failures = {one.state.key: one.reason for one in found if one.reason is not None}
        keys = [key for number in customers for key in ReportSlice(number, REPORT, FIRST, LAST).keys]
        states = {state.key: state for state in self.control.get_many(keys)}
        return Result(outcome, states, failures, hints(outcome, failures, self.control))

    def close(self) -> None:
        self.control.close()
        self.ledger.close()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    made.close()


def test_a_run_brings_every_day_to_success_in_one_request_an_account(deployment: Deployment) -> None:
    result = deployment.run("1", "2")
    assert result.is_well
    assert result.statuses == {"1": {"success"}, "2": {"success"}}
    assert sorted((s.customer_id, len(s.days)) for s in deployment.source.asked) == [("1", 4), ("2", 4)]
    assert {state.current_run_id for state in result.states.values()} == {result.run_id}


def test_what_is_success_is_left_alone_unless_reprocessed(deployment: Deployment) -> None:
    first = deployment.run("1")
    second = deployment.run("1")
    assert (len(deployment.source.asked), second.is_well, len(second.states)) == (1, True, 4)
    deployment.source.clicks = 2
    third = deployment.run("1", reprocess=True)
    assert {state.current_run_id for state in third.states.values()} == {third.run_id} != {first.run_id}
    assert third.outcome.changed == 4


def test_r51_days_that_did_not_change_are_confirmed_and_touch_no_sink(deployment: Deployment) -> None:
    first = deployment.run("1")
    asked: list[object] = []
    deployment.sink = watched(deployment.sink, lambda *step: asked.append(step))

    def runs(key: PartitionKey) -> list[RunId]:
        asked.append(key)
        return []

    deployment.sink.runs = runs  # type: ignore[method-assign]  # so that each look is seen
    second = deployment.run("1", reprocess=True)
    assert second.is_well
    outcome = second.outcome
    assert (outcome.unchanged, outcome.attempted, outcome.changed, outcome.operations, asked) == (4, 4, 0, 1, [])
    for state in second.states.values():
        assert (state.current_run_id, state.confirmed_run_id) == (first.run_id, second.run_id)
        assert state.attempt_count == 1


@pytest.mark.parametrize(
    ("policy", "unchanged"),
    [
        (RestatementPolicy(seal_unchanged=True), 0),
        (RestatementPolicy(reseal_after=timedelta(0)), 0),
        (RestatementPolicy(reseal_after=timedelta(days=1)), 4),
    ],
)
def test_r51_days_that_did_not_change_are_sealed_as_the_policy_says(
    policy: RestatementPolicy, unchanged: int, deployment: Deployment
) -> None:
    deployment.run("1")
    deployment.restatement = policy
    result = deployment.run("1", reprocess=True)
    assert (result.outcome.unchanged, result.is_well) == (unchanged, True)
    assert len(list(deployment.sink.sealed())) == 8 - unchanged


def test_r52_one_sampled_day_that_is_damaged_has_all_days_read_back(deployment: Deployment) -> None:
    class FirstDayAlone(RestatementPolicy):
        def sample(self, keys: Iterable[PartitionKey], run_id: RunId) -> frozenset[PartitionKey]:
            return frozenset(key for key in keys if key.logical_date == FIRST)

    first = deployment.run("1")
    keys = list(first.states)
    metadata = {key: decode_metadata(deployment.sink.metadata_bytes(key, first.run_id)) for key in keys}

    def ruin(key: PartitionKey) -> None:
        (path,) = (deployment.folder / "raw").rglob(metadata[key].payload_name)
        path.chmod(0o600)
        path.unlink()

    deployment.restatement = FirstDayAlone()
    ruin(keys[2])
    unseen = deployment.run("1", reprocess=True)
    assert unseen.outcome.unchanged == 4, "that day was not among the sample"
    ruin(keys[0])
    found = deployment.run("1", reprocess=True)
    assert (found.outcome.unchanged, found.is_well) == (2, True)
    current = [state.current_run_id for state in found.states.values()]
    assert current == [found.run_id, first.run_id, found.run_id, first.run_id]


def test_r54_a_day_whose_run_is_overtaken_before_it_is_confirmed_is_sealed(deployment: Deployment) -> None:
    deployment.run("1")
    key = PartitionKey("google_ads", "1", REPORT.name, FIRST)

    def overtake() -> None:
        run_id = RandomRunIds(SystemClock()).new_run_id(deployment.control.newest_run())
        seal(deployment.sink, RunContext(run_id), key, 2)
        deployment.validator.validate([key])

    deployment.source.before_unchanged = overtake
    result = deployment.run("1", reprocess=True)
    assert [(slice_.first, slice_.last) for slice_ in deployment.source.asked[1:]] == [(FIRST, LAST), (FIRST, FIRST)]
    assert (result.outcome.unchanged, result.outcome.operations) == (3, 2)
    assert deployment.sink.runs(key)[-1] > result.run_id, "its id is later, though it was sealed before"
    assert result.failures[key].startswith("overtaken: ")
    deployment.source.before_unchanged = lambda: None
    again = deployment.run("1", reprocess=True)
    assert (again.is_well, again.states[key].current_run_id) == (True, again.run_id)


@pytest.mark.parametrize("left_behind", [True, False])
def test_r53_seals_are_looked_for_after_a_dead_holder(left_behind: bool, deployment: Deployment) -> None:
    deployment.run("1")
    keys, now = ReportSlice("1", REPORT, FIRST, LAST).keys, SystemClock().now()
    days = {(Account("1").customer_id, REPORT.name): DayRange(FIRST, LAST)}
    dead = RunContext(RandomRunIds(SystemClock()).new_run_id(deployment.control.newest_run()))
    past = now - timedelta(minutes=5)
    (lease,) = deployment.control.take_leases([scope_of("google_ads", "1", REPORT.name)], "dead", past, now)
    assert lease is not None
    if not left_behind:
        deployment.control.release_leases([lease])
    seal(deployment.sink, dead, keys[0], 2)
    work = WorkRequest((Account("1"),), (REPORT,), now + timedelta(days=1), Restate(), chosen=days)
    plan = plan_work(work, deployment.control)
    run_id = RandomRunIds(SystemClock()).new_run_id(deployment.control.newest_run())
    control = Control(deployment.control, SystemClock())
    outcome = execute_plan(plan, RunContext(run_id, "t", "serve"), control, InThisProcess(deployment.context))
    assert (outcome.recovered, outcome.unchanged) == ((1, 3) if left_behind else (0, 4))


class Restate(SelectRequested):
    """As the policy of what is due, whatever the day."""

    @property
    def recovers(self) -> bool:
        return True

    def of_state(self, scheduling: SchedulingState, days: Days, now: datetime) -> Selection:
        return Reason.RESTATEMENT


def test_one_accounts_failure_changes_nothing_for_the_others(deployment: Deployment) -> None:
    deployment.source.denied = {"2"}
    result = deployment.run("1", "2", "3")
    assert result.statuses == {"1": {"success"}, "2": {"failed"}, "3": {"success"}}
    assert not result.is_well
    assert {key.customer_id for key in result.failures} == {"2"}
    assert all("USER_PERMISSION_DENIED" in reason for reason in result.failures.values())


def test_failed_is_left_alone_unless_a_retry_is_ordered_and_the_order_is_on_record(deployment: Deployment) -> None:
    deployment.source.denied = {"1"}
    deployment.run("1")
    deployment.source.denied = set()
    left = deployment.run("1")
    assert (len(deployment.source.asked), left.is_well) == (1, False)
    retried = deployment.run("1", retry_failed=True)
    assert (retried.is_well, retried.statuses) == (True, {"1": {"success"}})
    (act,) = deployment.ledger.acts(PartitionKey("google_ads", "1", "account", FIRST))
    assert (act.kind, act.act.actor, act.status_before) == ("retry", "tester", PartitionStatus.FAILED)


def test_what_is_held_is_left_alone_whatever_is_asked_for(deployment: Deployment) -> None:
    keys = ReportSlice("1", REPORT, FIRST, LAST).keys
    act = OperatorAct(SystemClock().now(), "tester", "state hold", "odd")
    deployment.control.mark(keys[1:2], Mark.HELD, act)
    result = deployment.run("1", reprocess=True, retry_failed=True)
    assert not result.is_well
    assert result.failures == {keys[1]: "pending: held by an operator"}
    assert {key for slice_ in deployment.source.asked for key in slice_.keys} == {keys[0], *keys[2:]}
    deployment.control.unmark(keys[1:2], Mark.HELD, act)
    assert deployment.run("1").is_well


def test_a_failed_restatement_keeps_the_good_day_and_says_so(deployment: Deployment) -> None:
    first = deployment.run("1")
    deployment.source.wrong = {"1"}
    second = deployment.run("1", reprocess=True)
    assert {state.current_run_id for state in second.states.values()} == {first.run_id}
    assert second.statuses == {"1": {"success"}}
    assert not second.is_well
    assert all("logical_date" in reason for reason in second.failures.values())
    assert len(second.hints) == 1
    assert second.hints[0].startswith("reprocess the partition")


def test_what_a_dead_run_sealed_is_validated_and_not_asked_for_again(deployment: Deployment) -> None:
    run = RunContext(RandomRunIds(SystemClock()).new_run_id())
    keys = ReportSlice("1", REPORT, FIRST, LAST).keys
    for key in keys[:2]:
        seal(deployment.sink, run, key, 5)
    result = deployment.run("1")
    assert [(s.first, s.last) for s in deployment.source.asked] == [(keys[2].logical_date, LAST)]
    assert result.outcome.recovered == 2
    assert result.statuses == {"1": {"success"}}


def test_refused_credentials_end_the_run_and_nothing_untried_is_failed(deployment: Deployment) -> None:
    deployment.source.refused_from = 1
    result = deployment.run("1", "2", "3")
    assert result.outcome.ended == "source"
    assert result.outcome.stopped_by is not None
    assert result.outcome.stopped_by.code == "credentials"
    assert len(deployment.source.asked) == 2
    good = deployment.source.asked[0].customer_id
    assert result.statuses == {number: {"success" if number == good else "pending"} for number in "123"}
    assert all("not asked for; credentials: " in reason for reason in result.failures.values())
    assert {key.customer_id for key in result.failures} == set("123") - {good}


def test_a_full_sink_met_by_six_accounts_costs_one_operation_and_fails_nothing(deployment: Deployment) -> None:
    deployment.sink = watched(deployment.sink, Fault(Step.FINALIZE, StorageFullError("no space is left")))
    result = deployment.run(*"123456")
    assert (result.outcome.ended, result.outcome.operations, len(deployment.source.asked)) == ("storage", 1, 1)
    assert result.statuses == {number: {"pending"} for number in "123456"}
    assert all("storage_full: no space is left" in reason for reason in result.failures.values())
    assert any("free space" in hint for hint in result.hints)


def test_an_account_that_is_refused_is_asked_once_and_the_rest_of_it_stays_pending(deployment: Deployment) -> None:
    deployment.source.denied = {"2"}
    result = deployment.run("1", "2", "3", days=2)
    assert sorted(slice_.customer_id for slice_ in deployment.source.asked) == ["1", "1", "2", "3", "3"]
    assert result.statuses == {"1": {"success"}, "2": {"failed", "pending"}, "3": {"success"}}
    assert set(result.outcome.stopped_accounts) == {"2"}
    assert all("USER_PERMISSION_DENIED" in reason for reason in result.failures.values())
    assert len(result.failures) == 4


def test_a_ledger_that_is_minutes_ahead_is_refused(deployment: Deployment) -> None:
    deployment.run("1")
    ahead = RunContext(RunId.compose(SystemClock().now() + timedelta(days=365), b"aaaa"))
    key = PartitionKey("google_ads", "1", REPORT.name, FIRST)
    seal(deployment.sink, ahead, key, 1)
    deployment.validator.validate([key])
    with pytest.raises(ClockSkewError, match=str(ahead.run_id)):
        deployment.run("1", reprocess=True)
    assert len(deployment.source.asked) == 1
    act = OperatorAct(SystemClock().now(), "tester", "state revoke", "a clock was ahead")
    deployment.control.revoke([(key, ahead.run_id)], act)
    deployment.validator.validate([key])
    assert deployment.run("1", reprocess=True).is_well


def test_a_sink_that_is_minutes_ahead_is_refused(deployment: Deployment) -> None:
    ahead = RunContext(RunId.compose(SystemClock().now() + timedelta(days=365), b"aaaa"))
    seal(deployment.sink, ahead, PartitionKey("google_ads", "1", REPORT.name, FIRST), 1)
    with pytest.raises(ClockSkewError, match=str(ahead.run_id)):
        deployment.run("1", "2")
    assert deployment.source.asked == []


def test_a_run_is_later_than_every_run_of_a_clock_that_is_a_little_ahead(deployment: Deployment) -> None:
    key = PartitionKey("google_ads", "1", REPORT.name, FIRST)
    ahead = RunContext(RunId.compose(SystemClock().now() + timedelta(minutes=3), b"aaaa"))
    seal(deployment.sink, ahead, key, 1)
    deployment.validator.validate([key])
    deployment.source.clicks = 2
    result = deployment.run("1", reprocess=True)
    assert result.is_well
    assert ahead.run_id < result.run_id == result.states[key].current_run_id


def test_a_run_that_was_overtaken_says_so(deployment: Deployment) -> None:
    key = PartitionKey("google_ads", "1", REPORT.name, FIRST)
    ahead = RunContext(RunId.compose(SystemClock().now() + timedelta(minutes=3), b"aaaa"))
    seal(deployment.sink, ahead, key, 1)
    deployment.source.clicks = 2
    result = deployment.run("1", reprocess=True)
    assert not result.is_well
    assert result.failures == {
        key: f"overtaken: run {ahead.run_id} has a later id than this run and stays authoritative"
    }
    assert deployment.run("1", reprocess=True).is_well, "the next run is later than what is on the ledger now"


def test_storage_that_fails_while_it_is_read_stops_the_run_and_the_next_goes_on(deployment: Deployment) -> None:
    validator = deployment.validator

    class Interrupted:
        failing = True

        def validate(self, keys: Sequence[PartitionKey], **options: Any) -> Any:
            if keys and keys[0].customer_id == "1" and self.failing:
                raise StorageError("the disk does not answer")
            return validator.validate(keys, **options)

        def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
            return validator.confirm(confirmations)

    interrupted = Interrupted()
    deployment.validator = interrupted
    result = deployment.run("1", "2")
    assert result.outcome.ended == "storage"
    assert not result.is_well
    assert result.statuses["1"] == {"pending"}
    interrupted.failing = False
    again = deployment.run("1", "2")
    assert again.is_well
    assert len(deployment.source.asked) == 2, "what was sealed is not asked for again"


def test_what_another_process_works_on_is_left_to_it_and_named(deployment: Deployment) -> None:
    now = SystemClock().now()
    scope = scope_of("google_ads", "1", REPORT.name)
    (lease,) = deployment.control.take_leases([scope], "another", now, now + timedelta(seconds=50))
    assert lease is not None
    renewed = threading.Timer(0.5, lambda: deployment.control.renew_leases([lease], now, now + timedelta(seconds=55)))
    renewed.start()
    result = deployment.run("1", "2")
    renewed.join()
    assert not result.is_well
    assert [s.customer_id for s in deployment.source.asked] == ["2"]
    assert {slice_.customer_id for slice_ in result.outcome.leased} == {"1"}
    assert all("another process works on it" in reason for reason in result.failures.values())
    deployment.control.release_leases([lease])
    assert deployment.run("1", "2").is_well


def test_the_lease_of_a_dead_process_is_waited_for(deployment: Deployment) -> None:
    now = SystemClock().now()
    scope = scope_of("google_ads", "1", REPORT.name)
    deployment.control.take_leases([scope], "a process that was killed", now, now + timedelta(seconds=1))
    result = deployment.run("1", "2")
    assert (result.is_well, result.outcome.leased) == (True, [])
    assert [s.customer_id for s in deployment.source.asked] == ["2", "1"]


def test_each_account_and_report_has_days_of_its_own(deployment: Deployment) -> None:
    other = replace(REPORT, name="other")
    chosen = {
        ("1", REPORT.name): DayRange(FIRST, FIRST),
        ("1", "other"): DayRange(LAST, LAST),
        ("2", REPORT.name): DayRange(FIRST, LAST),
    }
    deployment.source.denied = {"1"}
    deployment.run("1")
    accounts = (Account("1"), Account("2"))
    now = SystemClock().now()
    request = WorkRequest(accounts, (REPORT, other), now, SelectRequested(retry_failed=True), chosen=chosen)
    plan = plan_work(request, deployment.control)
    assert {(p.slice_.customer_id, p.slice_.report.name, p.slice_.first, p.slice_.last) for p in plan} == {
        (customer_id, report, days.first, days.last) for (customer_id, report), days in chosen.items()
    }
    assert (plan.partitions, plan.skipped, plan.up_to_date) == (6, [], 0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=st.lists(
        st.tuples(st.sampled_from(["good", "restated", "denied", "wrong"]), st.booleans(), st.booleans()), max_size=5
    )
)
def test_whatever_happens_every_day_has_one_honest_state(
    script: list[tuple[str, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    try:
        for number, (what, reprocess, retry_failed) in enumerate(script):
            deployment.source.clicks = number if what == "restated" else 1
            deployment.source.denied = {"1"} if what == "denied" else set()
            deployment.source.wrong = {"1"} if what == "wrong" else set()
            result = deployment.run("1", "2", reprocess=reprocess, retry_failed=retry_failed, days=3)
            assert len(result.states) == 8
            assert "2" not in {key.customer_id for key in result.failures}
        deployment.source = ScriptedSource()
        last = deployment.run("1", "2", retry_failed=True)
        assert (last.is_well, last.statuses) == (True, {"1": {"success"}, "2": {"success"}})
        plan = plan_work(request_for("1", "2"), deployment.ledger)
        assert (plan.operations, plan.up_to_date) == (0, 8)
    finally:
        deployment.close()
