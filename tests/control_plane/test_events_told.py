"""Every fact that the orchestrator documents is told when it happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from retry_story import KEY, NOON, ONE_DAY, YESTERDAY, Mortal, fail, heal
from simulated_house import House, key_of

from gads_domain.errors import CredentialsError, StorageError
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_orchestrator import events
from gads_orchestrator.events import Event
from gads_orchestrator.operator_actions import Operation, operate
from gads_orchestrator.plan import Account


def _leaves(kind: type[Event]) -> Iterator[type[Event]]:
    for below in kind.__subclasses__():
        yield from _leaves(below)
    # What a dataclass with slots was made from stays behind under the same name.
    if not kind.__subclasses__() and getattr(events, kind.__name__, None) is kind:
        yield kind


def test_every_fact_is_told_when_it_happens(house: House) -> None:
    _runs_of_every_kind(house)
    _acts_of_every_kind(house)
    told = {type(event) for event in house.events}
    assert {kind.__name__ for kind in set(_leaves(Event)) - told} == set()


def _runs_of_every_kind(house: House) -> None:
    extract = house.api.extract

    def tells_rows(slice_: ReportSlice, run: RunContext, sink: Any, progress: Any = None) -> Iterator[Any]:
        progress(7)
        return extract(slice_, run, sink, progress)

    house.api.extract = tells_rows  # type: ignore[method-assign]  # a source that counts
    house.sink.seal(KEY, house.run_ids.new_run_id(), "of a run that was killed")
    house.cycle(ONE_DAY, since=YESTERDAY - timedelta(days=1))
    house.pass_time(days=1)
    fail(house, hours=3)
    house.cycle(ONE_DAY)
    house.pass_time(hours=5)
    heal(house)
    house.cycle(ONE_DAY)
    house.pass_time(days=1)
    house.carry(house.plan(ONE_DAY), workers=Mortal(house, deaths=1))
    _runs_that_end_early(house)


def _runs_that_end_early(house: House) -> None:
    house.pass_time(days=1)
    plan, extract = house.plan(ONE_DAY), house.api.extract
    house.control.take_leases(["google_ads/1/campaign"], "other", house.clock.now(), house.clock.now() + timedelta(1))
    house.carry(plan)

    house.trouble.quota_days = {house.clock.now().date(): 0}
    house.cycle(ONE_DAY, accounts=(Account("2"),))
    house.trouble.quota_days = {}

    def refuse(*_asked: object) -> Any:
        raise CredentialsError("who is this?")

    house.api.extract = refuse  # type: ignore[method-assign, assignment]  # an API that knows nobody
    house.pass_time(days=1)
    house.cycle(ONE_DAY, accounts=(Account("3"),))
    house.api.extract = extract  # type: ignore[method-assign]  # as before
    validate = house.validator.validate

    def broken(*_keys: object, **_more: object) -> Any:
        raise StorageError("the disk does not answer")

    house.validator.validate = broken  # type: ignore[method-assign]  # a disk that does not answer
    house.cycle(ONE_DAY, accounts=(Account("4"),))
    house.validator.validate = validate  # type: ignore[method-assign]  # as before


def _acts_of_every_kind(house: House) -> None:
    run = house.control.get(KEY).current_run_id
    failed = key_of(NOON.date() + timedelta(days=3), "3")
    assert run is not None

    def do(operation: Operation, keys: Sequence[Any]) -> None:
        outcomes = operate(operation, keys, house.control, house.act(), house, run)
        assert all(outcome.done for outcome in outcomes), (operation, outcomes)

    for operation in (Operation.HOLD, Operation.RELEASE, Operation.REVOKE):
        do(operation, [KEY])
    do(Operation.MARK_TERMINAL, [failed])
    do(Operation.RETRY, [failed])
