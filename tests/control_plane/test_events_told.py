"""Every fact that the orchestrator documents is told when it happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from gads_domain.errors import CredentialsError, StorageError
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_orchestrator import events
from gads_orchestrator.events import Event
from gads_orchestrator.operator_actions import Operation, operate
from gads_orchestrator.plan import Account
from gads_testing.simulated_deployment import KEY, NOON, ONE_DAY, YESTERDAY, DyingWorkers, SimulatedDeployment, key_of


def _leaves(kind: type[Event]) -> Iterator[type[Event]]:
    for below in kind.__subclasses__():
        yield from _leaves(below)
    # What a dataclass with slots was made from stays behind under the same name.
    if not kind.__subclasses__() and getattr(events, kind.__name__, None) is kind:
        yield kind


def test_every_fact_is_told_when_it_happens(deployment: SimulatedDeployment) -> None:
    _runs_of_every_kind(deployment)
    _acts_of_every_kind(deployment)
    told = {type(event) for event in deployment.events}
    assert {kind.__name__ for kind in set(_leaves(Event)) - told} == set()


def _runs_of_every_kind(deployment: SimulatedDeployment) -> None:
    extract = deployment.api.extract

    def tells_rows(slice_: ReportSlice, run: RunContext, sink: Any, progress: Any = None) -> Iterator[Any]:
        progress(7)
        return extract(slice_, run, sink, progress)

    deployment.api.extract = tells_rows  # type: ignore[method-assign]  # a source that counts
    deployment.sink.seal(KEY, deployment.run_ids.new_run_id(), "of a run that was killed")
    deployment.cycle(ONE_DAY, since=YESTERDAY - timedelta(days=1))
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
    deployment.cycle(ONE_DAY, accounts=(Account("2"),))
    deployment.trouble.quota_days = {}

    def refuse(*_asked: object) -> Any:
        raise CredentialsError("who is this?")

    deployment.api.extract = refuse  # type: ignore[method-assign, assignment]  # an API that knows nobody
    deployment.pass_time(days=1)
    deployment.cycle(ONE_DAY, accounts=(Account("3"),))
    deployment.api.extract = extract  # type: ignore[method-assign]  # as before
    validate = deployment.validator.validate

    def broken(*_keys: object, **_more: object) -> Any:
        raise StorageError("the disk does not answer")

    deployment.validator.validate = broken  # type: ignore[method-assign]  # a disk that does not answer
    deployment.cycle(ONE_DAY, accounts=(Account("4"),))
    deployment.validator.validate = validate  # type: ignore[method-assign]  # as before


def _acts_of_every_kind(deployment: SimulatedDeployment) -> None:
    run = deployment.control.get(KEY).current_run_id
    failed = key_of(NOON.date() + timedelta(days=3), "3")
    assert run is not None

    def do(operation: Operation, keys: Sequence[Any]) -> None:
        outcomes = operate(operation, keys, deployment.control, deployment.act(), deployment, run)
        assert all(outcome.done for outcome in outcomes), (operation, outcomes)

    for operation in (Operation.HOLD, Operation.RELEASE, Operation.REVOKE):
        do(operation, [KEY])
    do(Operation.MARK_TERMINAL, [failed])
    do(Operation.RETRY, [failed])
