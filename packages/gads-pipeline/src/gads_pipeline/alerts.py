"""Alerts: evaluates the rules of each `[[alerts]]`, and has delivered what is due."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, TypeVar

from gads_alerts.delivery import Delivery, Watch, deliver_alerts, deliver_digest, preview_alerts
from gads_alerts.digest import digest_message
from gads_alerts.evaluation import evaluate
from gads_alerts.messages import Message, trial_message
from gads_alerts.notification import DIGEST, digest_day
from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError, LedgerError, UsageError
from gads_domain.ports.activity import ActivityReader
from gads_pipeline.alert_facts import FactReader
from gads_pipeline.composition import open_activity, open_activity_reader
from gads_pipeline.health import require_ledger

if TYPE_CHECKING:
    from gads_domain.activity import AlertState
    from gads_pipeline.configuration import Configuration

_Reader = TypeVar("_Reader", bound=ActivityReader)


class AlertDesk:
    """Evaluates and delivers, again and again, for one configuration; open it with `AlertDesk.open`."""

    def __init__(self, configuration: Configuration, watches: tuple[Watch, ...]) -> None:
        self._configuration = configuration
        self._watches = watches
        self._reader = FactReader(configuration, tuple(watch.rules for watch in watches))

    @classmethod
    def open(cls, configuration: Configuration) -> AlertDesk:
        """Raises `UsageError` without any `[[alerts]]`, and `ConfigurationError` for one that cannot be used."""
        if not configuration.alerts:
            raise UsageError(
                f"there is no [[alerts]] in {configuration.path}", hint="`template.real_account` has an example"
            )
        watches = tuple(Watch(section.open(), section.rules) for section in configuration.alerts)
        return cls(configuration, watches)

    @property
    def origin(self) -> str:
        """Where a message comes from, for those who have several deployments."""
        return f"{self._configuration.path.absolute()} on {socket.gethostname()}"

    def check(self, *, refused: str | None = None, dry_run: bool = False) -> list[Delivery]:
        """Evaluate once and deliver what is due; with `dry_run` nothing is delivered and nothing put on record.

        `refused` is why the credentials were refused last, empty if they were taken, None if that is not known.
        """
        now = SystemClock().now()
        facts = self._reader.read(now, refused)
        if facts.status.ledger_id is None:
            where = self._configuration.storage.state.partition(":")[0]
            raise LedgerError(f"there is no ledger where the {where}: URL of storage.state points; nothing is watched")
        evaluated = [(watch, evaluate(facts, watch.rules, now)) for watch in self._watches]
        digest = digest_message(facts.status, self.origin)
        found: list[Delivery | None] = []
        if dry_run:
            with _required(open_activity_reader(self._configuration), self._configuration) as reader:
                recorded = reader.alerts(open_only=False)
                for watch, evaluation in evaluated:
                    found.append(preview_alerts(watch, evaluation, reader, now, self.origin))
                    if digest_day(recorded, watch.name, watch.rules, now):
                        found.append(Delivery(watch.name, digest))
        else:
            with _required(open_activity(self._configuration), self._configuration) as ledger:
                for watch, evaluation in evaluated:
                    found.append(deliver_alerts(watch, evaluation, ledger, now, self.origin))
                    found.append(deliver_digest(watch, digest, ledger, now))
        return [one for one in found if one is not None]

    def test(self) -> list[Delivery]:
        """Send a test to each destination."""
        return self.send(trial_message(self.origin))

    def send(self, message: Message) -> list[Delivery]:
        """Send `message` to each destination, whatever is on record."""
        return [Delivery(one.name, message, one.destination.send(message)) for one in self._watches]


def alerts_on_record(configuration: Configuration, *, open_only: bool) -> list[AlertState]:
    """The alerts of each destination, newest first.

    Raises `ConfigurationError` for a ledger that keeps none, and `LedgerError` if there is no ledger.
    """
    require_ledger(configuration)
    with _required(open_activity_reader(configuration), configuration) as reader:
        return [one for one in reader.alerts(open_only=open_only) if one.rule != DIGEST]


def _required(opened: _Reader | None, configuration: Configuration) -> _Reader:
    if opened is None:
        scheme = configuration.storage.state.partition(":")[0]
        raise ConfigurationError(
            f"a ledger of {scheme}: keeps no alerts, so that none is sent",
            hint="its adapter has no open_activity; remove [[alerts]], or watch the metrics",
        )
    return opened
