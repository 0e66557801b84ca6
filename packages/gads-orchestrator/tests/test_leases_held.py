"""The leases of a run, and how many steps they take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.adapters import ledger_adapter
from gads_domain.ports.ledger import ControlPlaneLedger
from gads_orchestrator.leases import LeaseManager

NOON = datetime(2024, 6, 10, 12, tzinfo=UTC)
LENGTH = timedelta(seconds=60)


class StoppedClock:
    """Tells what it was told."""

    moment = NOON

    def now(self) -> datetime:
        return self.moment


class Counted:
    """Passes everything on and notes what was asked."""

    def __init__(self, ledger: ControlPlaneLedger) -> None:
        self._ledger = ledger
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._ledger, name)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlaneLedger]:
    with ledger_adapter("sqlite:x").open_for_control_plane("sqlite:state.db", tmp_path) as ledger:
        yield ledger


def _held_by_anybody(control: ControlPlaneLedger, clock: StoppedClock) -> list[str]:
    return [lease.scope for lease in control.leases(clock.now())]


def test_going_from_one_scope_to_the_next_is_one_step(control: ControlPlaneLedger) -> None:
    clock, counted = StoppedClock(), Counted(control)
    leases = LeaseManager(counted, "me", clock, LENGTH)
    for scope in ("a", "b", "c"):
        assert leases.take(scope)
        assert _held_by_anybody(control, clock) == [scope]
        leases.done(scope)
    assert counted.asked == ["take_leases"] * 3
    leases.give_back()
    leases.give_back()
    assert counted.asked[3:] == ["release_leases"]
    assert _held_by_anybody(control, clock) == []


def test_a_scope_that_goes_on_keeps_its_lease(control: ControlPlaneLedger) -> None:
    clock, counted = StoppedClock(), Counted(control)
    leases = LeaseManager(counted, "me", clock, LENGTH)
    first = leases.take("a")
    leases.done("a")
    assert leases.take("a") == first
    leases.give_back()
    assert counted.asked == ["take_leases"]
    assert _held_by_anybody(control, clock) == ["a"]


def test_a_lease_that_is_about_to_expire_is_taken_anew(control: ControlPlaneLedger) -> None:
    clock = StoppedClock()
    leases = LeaseManager(control, "me", clock, LENGTH)
    first = leases.take("a")
    leases.done("a")
    clock.moment = NOON + timedelta(seconds=31)
    second = leases.take("a")
    assert first is not None
    assert second is not None
    assert (second.number > first.number, second.expires_at) == (True, clock.moment + LENGTH)
    leases.give_back()
    assert control.leases(clock.now()) == [second]


def test_what_somebody_else_has_is_not_had_and_what_is_done_with_is_given_back(control: ControlPlaneLedger) -> None:
    clock = StoppedClock()
    mine, theirs = LeaseManager(control, "me", clock, LENGTH), LeaseManager(control, "they", clock, LENGTH)
    assert theirs.take("b")
    assert mine.take("a")
    mine.done("a")
    assert mine.take("b") is None
    assert _held_by_anybody(control, clock) == ["b"]


def test_a_lease_in_use_by_another_slice_stays(control: ControlPlaneLedger) -> None:
    clock = StoppedClock()
    leases = LeaseManager(control, "me", clock, LENGTH)
    assert leases.take("a") == leases.take("a")
    leases.done("a")
    leases.give_back()
    assert _held_by_anybody(control, clock) == ["a"]
    assert leases.take("b")
    leases.done("b")
    leases.release_all()
    assert _held_by_anybody(control, clock) == []
