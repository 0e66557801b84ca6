"""In which time zone each account's days are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gads_domain.account_days import LAST_TO_END, zone_named
from gads_domain.errors import GadsError

if TYPE_CHECKING:
    from gads_domain.account import Account
    from gads_etl.account_selection import SelectedAccounts


def zones_of(selected: SelectedAccounts) -> tuple[dict[str, str], list[str]]:
    """The zone of each selected account by its id, and a warning for each whose zone this machine does not know.

    Such an account, and one whose zone the API did not tell, is taken to be where a day ends last: it waits some hours
    longer than it had to, and stops nobody.
    """
    notes: list[str] = []
    return {number: _zone_of(account, notes) for number, account in selected.accounts.items()}, notes


def _zone_of(account: Account, notes: list[str]) -> str:
    if not account.time_zone:
        return LAST_TO_END
    try:
        zone_named(account.time_zone)
    except GadsError as error:
        notes.append(
            f"warning: account {account.customer_id}: {error.message}; its days are taken to end last on earth"
        )
        return LAST_TO_END
    return account.time_zone
