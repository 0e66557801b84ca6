"""The control plane composed: who is asked and when, by which workers, under which budget."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gads_domain.account_days import LAST_TO_END
from gads_domain.clock import SystemClock
from gads_etl.account_zones import zones_of
from gads_etl.composition import ApiFiles, connected
from gads_etl.printing import say
from gads_orchestrator.budget import QuotaGate
from gads_orchestrator.execution import Control
from gads_orchestrator.plan import Account, WorkRequest
from gads_orchestrator.worker import WorkerContext

if TYPE_CHECKING:
    from gads_domain.ports.ledger import ControlPlaneLedger
    from gads_etl.account_selection import SelectedAccounts
    from gads_etl.configuration import Configuration
    from gads_extractor.report_source import SearchStreams
    from gads_orchestrator.events import Observer
    from gads_orchestrator.selection import SelectionPolicy


class GatedStreams:
    """A connection whose every call, a repeated one too, has to pass the gate first."""

    def __init__(self, connection: SearchStreams, gate: Callable[[], None]) -> None:
        self._connection = connection
        self._gate = gate

    @property
    def api_version(self) -> str:
        """Such as `v26`."""
        return self._connection.api_version

    def search_stream(
        self, customer_id: str, query: str, *, idle_timeout: float = 300.0
    ) -> Generator[bytes, None, None]:
        """The pages of one call, if there is an operation left for it."""
        self._gate()
        return self._connection.search_stream(customer_id, query, idle_timeout=idle_timeout)


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Opens a worker's rooms from the configuration's file alone, so that it can be sent to a process."""

    configuration: Path
    files: ApiFiles
    selected: SelectedAccounts | None = None

    def __call__(self) -> AbstractContextManager[WorkerContext]:
        """The rooms, open as long as the context."""
        return self._open()

    @contextmanager
    def _open(self) -> Iterator[WorkerContext]:
        from functools import partial

        from gads_etl.composition import (
            open_ledger_for_control_plane,
            open_ledger_for_validator,
            open_sink,
            report_source,
            validator_of,
        )
        from gads_etl.configuration import load_configuration
        from gads_etl.run_wish import refusals
        from gads_extractor.preflight import RefusingSource

        configuration = load_configuration(self.configuration)
        with ExitStack() as opened:
            sink = open_sink(configuration)
            ledger = opened.enter_context(open_ledger_for_validator(configuration))
            control = opened.enter_context(open_ledger_for_control_plane(configuration))
            connection = opened.enter_context(connected(configuration, self.files))
            gate = QuotaGate(control, configuration.control_plane.quota.budget, SystemClock())
            source = report_source(configuration, GatedStreams(connection, gate))
            yield WorkerContext(
                source if self.selected is None else RefusingSource(source, partial(refusals, self.selected)),
                sink,
                validator_of(configuration, sink, ledger),
                gate,
                SystemClock(),
            )


def control_of(
    configuration: Configuration, ledger: ControlPlaneLedger, observer: Observer, *, awaits_leases: bool
) -> Control:
    """What carrying out a plan is done with."""
    sections = configuration.control_plane
    return Control(
        ledger,
        SystemClock(),
        sections.quota.budget,
        observer,
        lease_length=timedelta(seconds=sections.run.lease_seconds),
        awaits_leases=awaits_leases,
    )


def named_accounts(customer_ids: Sequence[str]) -> tuple[Account, ...]:
    """Accounts whose zones do not matter, since the days that are asked for are over everywhere on earth."""
    return tuple(Account(number, LAST_TO_END) for number in customer_ids)


def accounts_of(selected: SelectedAccounts) -> tuple[Account, ...]:
    """The selected accounts with the zones of their days; says on stderr whose zone is not known."""
    zones, notes = zones_of(selected)
    for note in notes:
        say(note)
    return tuple(Account(number, zone) for number, zone in zones.items())


def request_of(
    configuration: Configuration,
    accounts: Sequence[Account],
    reports: Sequence[str],
    now: datetime,
    selection: SelectionPolicy,
    since: date | None = None,
    until: date | None = None,
) -> WorkRequest:
    """What a plan is made for."""
    from gads_etl.schedule import opened_by

    return WorkRequest(
        tuple(accounts),
        tuple(configuration.reports(reports)),
        now,
        selection,
        since,
        until,
        configuration.extraction.max_days_per_request,
        opened_by(configuration.control_plane),
    )
