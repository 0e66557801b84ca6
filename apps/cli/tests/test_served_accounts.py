"""A daemon's list of accounts is made anew when it is old, and when a retry says that it may be wrong."""

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
from gads_etl.account_selection import SelectedAccounts
from gads_etl.served_accounts import LIST_LASTS, ServedAccounts

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
        self.accounts = ServedAccounts(self._list, self.control, START, self.told.append)

    def _list(self) -> SelectedAccounts:
        self.listed += 1
        if not self.is_reached:
            raise TransientApiError("UNAVAILABLE")
        accounts = (Account("1", status=AccountStatus.ENABLED), Account("2", status=self.status))
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


def test_while_the_api_does_not_list_them_the_accounts_known_before_are_used(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.is_reached = False
    assert list(daemon.accounts.at(START + LIST_LASTS).accounts) == ["1", "2"]
    assert "could not be listed anew" in capsys.readouterr().err
    daemon.accounts.at(START + LIST_LASTS + timedelta(minutes=1))
    assert daemon.listed == 2
