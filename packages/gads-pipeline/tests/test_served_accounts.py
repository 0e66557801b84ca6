"""A daemon lists its accounts again when the list is old, and when a retry says that it may be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import record_one, result_of
from gads_domain.account import Account, AccountStatus
from gads_domain.adapters import ledger_adapter
from gads_domain.errors import TransientApiError
from gads_domain.partition_key import PartitionKey
from gads_domain.state import OperatorAct, ValidationOutcome
from gads_pipeline.account_selection import SelectedAccounts
from gads_pipeline.served_accounts import LIST_LASTS, ServedAccounts

START = datetime(2024, 6, 10, 12, tzinfo=UTC)
KEY = PartitionKey("google_ads", "2", "campaign", date(2024, 6, 9))


class Daemon:
    """What a daemon has of its accounts, and how often it asked for them."""

    def __init__(self, folder: Path) -> None:
        adapter, url = ledger_adapter("sqlite:x"), "sqlite:ledger.db"
        self.ledger = adapter.open_for_validator(url, folder)
        self.control = adapter.open_for_control_plane(url, folder)
        self.status, self.is_reached, self.listed = AccountStatus.CANCELED, True, 0
        self.told: list[SelectedAccounts] = []
        self.notes: list[str] = []
        self.zone = ""
        self.accounts = ServedAccounts(self._list, self.control, START, self.told.append, self.notes.append)

    def _list(self) -> SelectedAccounts:
        self.listed += 1
        if not self.is_reached:
            raise TransientApiError("UNAVAILABLE")
        accounts = (Account("1", status=AccountStatus.ENABLED, time_zone=self.zone), Account("2", status=self.status))
        return SelectedAccounts({account.customer_id: account for account in accounts})

    def retry(self, at: datetime) -> None:
        assert self.control.retry([KEY], OperatorAct(at, "operator", "state retry", "it is back")) == [True]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    record_one(made.ledger, result_of(KEY, 1, ValidationOutcome.UNSEALED))
    yield made
    made.control.close()
    made.ledger.close()


def test_a_list_lasts_for_hours_and_a_change_of_refusals_is_told_once(daemon: Daemon) -> None:
    daemon.accounts.at(START + LIST_LASTS / 2)
    assert daemon.listed == 1
    daemon.accounts.at(START + LIST_LASTS)
    assert (daemon.listed, daemon.told) == (2, [])
    daemon.status = AccountStatus.ENABLED
    found = daemon.accounts.at(START + 2 * LIST_LASTS)
    assert (daemon.listed, daemon.told, dict(found.refused)) == (3, [found], {})


def test_a_retry_of_a_refused_account_is_not_spent_on_an_old_list(daemon: Daemon) -> None:
    daemon.status = AccountStatus.ENABLED
    assert set(daemon.accounts.at(START + timedelta(minutes=1)).refused) == {"2"}
    daemon.retry(START + timedelta(minutes=2))
    assert daemon.accounts.at(START + timedelta(minutes=3)).refused == {}
    assert len(daemon.told) == 1
    daemon.accounts.at(START + timedelta(minutes=4))
    assert daemon.listed == 2, "once for what was ordered"


def test_while_the_api_does_not_list_them_the_accounts_known_before_are_used(daemon: Daemon) -> None:
    daemon.is_reached = False
    assert list(daemon.accounts.at(START + LIST_LASTS).accounts) == ["1", "2"]
    (note,) = daemon.notes
    assert "could not be listed" in note
    daemon.accounts.at(START + LIST_LASTS + timedelta(minutes=1))
    assert daemon.listed == 2


def test_an_unknown_time_zone_is_noted_once_for_each_change(daemon: Daemon) -> None:
    zones = ["Mars/Olympus", "Mars/Olympus", "Europe/Berlin", "Mars/Olympus"]
    for number, daemon.zone in enumerate(zones, start=1):
        for second in range(3):
            daemon.accounts.planned_at(START + number * LIST_LASTS + timedelta(seconds=30 * second))
    assert ["no time zone 'Mars/Olympus'" in note for note in daemon.notes] == [True, True]
