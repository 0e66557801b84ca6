"""What the tests of the retry contract have in common."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from simulated_house import House, key_of

from gads_domain.report import ReportDefinition
from gads_domain.state import PartitionStatus
from gads_orchestrator.worker import Task, work_on
from gads_orchestrator.worker_pool import Done, Lost, Message

NOON = datetime(2024, 6, 10, 12, tzinfo=UTC)


YESTERDAY = date(2024, 6, 9)


KEY = key_of(YESTERDAY)


PENDING, SUCCESS, FAILED = PartitionStatus.PENDING, PartitionStatus.SUCCESS, PartitionStatus.FAILED


ONE_DAY = ReportDefinition("campaign", "SELECT", restatement_days=1)


def fail(house: House, hours: float = 100, accounts: tuple[str, ...] = ("1",)) -> None:
    """From now on the API is out for so long."""
    house.trouble.outages = [(house.clock.now(), house.clock.now() + timedelta(hours=hours), frozenset(accounts))]


def heal(house: House) -> None:
    house.trouble.outages, house.trouble.denied, house.trouble.quota_days = [], {}, {}


def asked_days(house: House) -> list[date]:
    return [
        asked.first + timedelta(days=n) for asked in house.api.asked for n in range((asked.last - asked.first).days + 1)
    ]


class Mortal:
    """A worker in this process that dies as often as it is told."""

    def __init__(self, house: House, deaths: int, seals: int = 0) -> None:
        self.house, self.deaths, self.seals = house, deaths, seals
        self.task: Task | None = None

    def idle(self) -> list[int]:
        return [] if self.task else [0]

    def give(self, worker: int, task: Task) -> None:
        self.task = task

    def wait(self, seconds: float) -> list[Message]:
        task, self.task = self.task, None
        assert task is not None
        if self.deaths and task.give_up is None:
            self.deaths -= 1
            if self.seals:
                self.seals -= 1
                self.house.sink.seal(task.slice_.keys[self.seals], task.run.run_id, "rows")
            return [Lost(0)]
        return [Done(0, work_on(task, self.house.context, self.house.events.extend))]

    def close(self) -> None:
        return
