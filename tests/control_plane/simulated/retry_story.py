"""What the tests of the retry contract have in common."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from simulated_house import House, key_of

from gads_domain.report import ReportDefinition
from gads_domain.state import PartitionStatus

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
