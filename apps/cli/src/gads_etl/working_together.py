"""A plan carried out with as many workers as are wanted, stopped by the signals that stop a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from gads_etl.composition import ApiFiles, connected
from gads_etl.control_plane import WorkerSetup, control_of
from gads_orchestrator.execution import WorkResult, execute_plan
from gads_orchestrator.worker_pool import SpawnedWorkers

if TYPE_CHECKING:
    from gads_domain.ports.ledger import ControlPlaneLedger
    from gads_domain.run import RunContext
    from gads_etl.account_selection import SelectedAccounts
    from gads_etl.configuration import Configuration
    from gads_orchestrator.events import Observer
    from gads_orchestrator.plan import WorkPlan


def selected_by(
    configuration: Configuration, files: ApiFiles, chosen: Sequence[str], count: Callable[[], None] | None
) -> SelectedAccounts:
    """The accounts that are meant, as the API lists them; `count` is called before each call that this takes."""
    from gads_etl.account_selection import select_accounts

    with connected(configuration, files) as connection:
        return select_accounts(configuration, connection, chosen, count=count)


def rooms_of(configuration: Configuration, files: ApiFiles, selected: SelectedAccounts | None) -> WorkerSetup:
    """What a worker process opens for itself; what `selected` refuses it does not ask."""
    return WorkerSetup(configuration.path.absolute(), files, selected)


def spawned_workers(
    configuration: Configuration, files: ApiFiles, selected: SelectedAccounts | None, count: int | None
) -> SpawnedWorkers:
    """`count` worker processes, or as many as `run.workers` of the configuration says."""
    return SpawnedWorkers(rooms_of(configuration, files, selected), count or configuration.control_plane.run.workers)


def carried_out(
    plan: WorkPlan,
    run: RunContext,
    configuration: Configuration,
    files: ApiFiles,
    selected: SelectedAccounts | None,
    ledger: ControlPlaneLedger,
    observer: Observer,
    workers: int | None,
) -> WorkResult:
    """Carry out `plan`; SIGTERM and Ctrl-C end it within seconds, with nothing half-done."""
    pool = spawned_workers(configuration, files, selected, workers)
    try:
        with stopped_by_signals() as stop:
            control = control_of(configuration, ledger, observer, awaits_leases=True)
            return execute_plan(plan, run, control, pool, stop.is_set)
    finally:
        pool.close()


class Stopped(BaseException):
    """SIGTERM or Ctrl-C came while something was waited for that nobody could tell to end."""


class StopFlag(threading.Event):
    """Set by the signals that stop a command; whoever works looks at it now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._interrupts = False

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """For what cannot look, such as a call to the API that does not answer: within it a signal raises `Stopped`."""
        if self.is_set():
            raise Stopped
        self._interrupts = True
        try:
            yield
        finally:
            self._interrupts = False

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """A signal came."""
        self.set()
        if self._interrupts:
            self._interrupts = False
            raise Stopped


@contextmanager
def stopped_by_signals() -> Iterator[StopFlag]:
    """A flag that SIGTERM and SIGINT set; what they did before is put back afterwards."""
    stop = StopFlag()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
