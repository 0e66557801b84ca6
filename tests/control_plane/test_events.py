"""Every event that the orchestrator documents is emitted when it happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event as Flag
from typing import Any

from gads_domain.errors import CredentialsError, LedgerConflictError, StorageFullError
from gads_domain.ports.report_source import ApiCall, SliceResult
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext, RunId
from gads_orchestrator import events
from gads_orchestrator.daemon import Daemon
from gads_orchestrator.events import Event
from gads_orchestrator.execution import Control
from gads_orchestrator.operator_actions import Operation, operate
from gads_orchestrator.plan import Account, WorkRequest
from gads_orchestrator.selection import SelectRequested
from gads_orchestrator.worker import validation_events
from gads_testing.simulated_api import failed_slice
from gads_testing.simulated_deployment import KEY, NOON, ONE_DAY, YESTERDAY, DyingWorkers, SimulatedDeployment, key_of
from gads_testing.worker_in_process import InThisProcess


def _leaves(kind: type[Event]) -> Iterator[type[Event]]:
    for below in kind.__subclasses__():
        yield from _leaves(below)
    # What a dataclass with slots was made from stays behind under the same name.
    if not kind.__subclasses__() and getattr(events, kind.__name__, None) is kind:
        yield kind


def test_every_event_is_emitted_when_it_happens(deployment: SimulatedDeployment) -> None:
    _runs_of_every_kind(deployment)
    _acts_of_every_kind(deployment)
    told = {type(event) for event in deployment.events}
    assert {kind.__name__ for kind in set(_leaves(Event)) - told} == set()


def _runs_of_every_kind(deployment: SimulatedDeployment) -> None:
    extract = deployment.api.extract

    def tells_rows(
        slice_: ReportSlice, run: RunContext, sink: Any, quota: Any, progress: Any, known: Any
    ) -> SliceResult:
        progress(7)
        call = ApiCall(slice_.first, slice_.last, NOON, 0.5, 1, 7, "request", "")
        return replace(extract(slice_, run, sink, quota, progress, known), calls=(call,))

    deployment.api.extract = tells_rows  # type: ignore[method-assign, assignment]  # a source that counts
    deployment.sink.seal(KEY, deployment.run_ids.new_run_id(), "of a run that was killed")
    before = YESTERDAY - timedelta(days=1)
    deployment.cycle(ONE_DAY, since=before)
    deployment.cycle(ONE_DAY, selection=SelectRequested(reprocess=True), since=before, until=before)
    deployment.pass_time(days=1)
    deployment.start_outage(hours=3)
    deployment.cycle(ONE_DAY)
    deployment.pass_time(hours=5)
    deployment.end_troubles()
    deployment.cycle(ONE_DAY)
    deployment.pass_time(days=1)
    deployment.execute(deployment.plan(ONE_DAY), workers=DyingWorkers(deployment, deaths=1))
    _runs_that_end_early(deployment)


def _runs_that_end_early(deployment: SimulatedDeployment) -> None:
    deployment.pass_time(days=1)
    plan, extract = deployment.plan(ONE_DAY), deployment.api.extract
    deployment.control.take_leases(
        ["google_ads/1/campaign"], "other", deployment.clock.now(), deployment.clock.now() + timedelta(1)
    )
    deployment.execute(plan)

    deployment.trouble.quota_days = {deployment.clock.now().date(): 0}
    deployment.cycle(ONE_DAY, accounts=(Account("2"),), longest_rest=timedelta(days=1))
    deployment.trouble.quota_days = {}

    def refuse(slice_: ReportSlice, *_asked: object) -> SliceResult:
        return failed_slice(slice_, CredentialsError("who is this?"), 1)

    deployment.api.extract = refuse  # type: ignore[method-assign, assignment]  # an API that refuses every login
    deployment.pass_time(days=1)
    deployment.cycle(ONE_DAY, accounts=(Account("3"),))
    deployment.api.extract = extract  # type: ignore[method-assign]  # as before
    validate = deployment.validator.validate

    def broken(*_keys: object, **_more: object) -> Any:
        raise LedgerConflictError("the ledger changed again and again")

    deployment.validator.validate = broken  # type: ignore[method-assign]  # a row that other validators keep changing
    deployment.cycle(ONE_DAY, accounts=(Account("4"),))
    deployment.validator.validate = validate  # type: ignore[method-assign]  # as before
    now = deployment.clock.now()
    deployment.trouble.denied = {"5": (now, now + timedelta(hours=1))}
    deployment.cycle(ONE_DAY, accounts=(Account("5"),))
    ahead = RunId.compose(now + timedelta(minutes=2), b"\xff" * 4)
    day = now.date() - timedelta(days=1)
    deployment.sink.seal(key_of(day, "6"), ahead, "of a machine whose clock is ahead")
    again = SelectRequested(reprocess=True)
    deployment.cycle(ONE_DAY, accounts=(Account("6"),), selection=again, since=day, until=day)
    _a_daemon_that_waits(deployment)


def _a_daemon_that_waits(deployment: SimulatedDeployment) -> None:
    answers = iter([StorageFullError("no space is left"), None])

    def request_at(_now: datetime) -> WorkRequest:
        error = next(answers, None)
        if error is not None:
            raise error
        return deployment.request(accounts=())

    class Stop(Flag):
        looks = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.looks += 1
            if self.looks == 2:
                self.set()
            return self.is_set()

    control = Control(deployment.control, deployment.clock, deployment.budget, deployment)
    workers = InThisProcess(deployment.context)
    Daemon(request_at, lambda: RunContext(deployment.run_ids.new_run_id()), control, workers, Stop()).serve()


def _acts_of_every_kind(deployment: SimulatedDeployment) -> None:
    run = deployment.control.get(KEY).current_run_id
    failed = key_of(NOON.date() + timedelta(days=3), "3")
    assert run is not None

    def do(operation: Operation, keys: Sequence[Any]) -> None:
        outcomes = operate(operation, keys, deployment.control, deployment.act(), deployment, run)
        assert all(outcome.done for outcome in outcomes), (operation, outcomes)

    emptied = deployment.run_ids.new_run_id(deployment.control.newest_run())
    deployment.sink.seal(KEY, emptied, "")
    validations = deployment.validator.validate([KEY])
    deployment.on_events(*validation_events(deployment.clock.now(), "", validations))
    for operation in (Operation.ACCEPT, Operation.HOLD, Operation.RELEASE, Operation.REVOKE):
        do(operation, [KEY])
    do(Operation.MARK_TERMINAL, [failed])
    do(Operation.RETRY, [failed])
