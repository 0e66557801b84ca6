"""The accounts that a daemon serves: listed at its start, and again when the list is old or doubted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gads_domain.errors import GadsError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import PartitionStatus, StateFilter
from gads_orchestrator.plan import Account
from gads_pipeline.work_request import planned_accounts

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_pipeline.account_selection import SelectedAccounts

LIST_LASTS = timedelta(hours=6)
"""How long a list of accounts is used; an account that was added is extracted within that time."""


class ServedAccounts:
    """`selected` at any moment.

    `list_accounts` asks the API; `refusals_changed` is called when a list refuses other accounts than the one before;
    `note` gets each warning once, and again only after it had ceased.

    Accounts that the list refuses are not requested. A retry ordered after the list was made means that an operator
    expects another answer, for example because an account was reactivated: the accounts are then listed again first.
    """

    def __init__(
        self,
        list_accounts: Callable[[], SelectedAccounts],
        ledger: StateReader,
        now: datetime,
        refusals_changed: Callable[[SelectedAccounts], None],
        note: Callable[[str], None],
    ) -> None:
        self._list_accounts = list_accounts
        self._ledger = ledger
        self._refusals_changed = refusals_changed
        self._note = note
        self._warnings: tuple[str, ...] = ()
        self.selected = list_accounts()
        self._listed_at = now

    def planned_at(self, now: datetime) -> tuple[Account, ...]:
        """The accounts as of `now`, with the time zones of their days."""
        accounts, warnings = planned_accounts(self.at(now))
        for warning in warnings:
            if warning not in self._warnings:
                self._note(warning)
        self._warnings = warnings
        return accounts

    def at(self, now: datetime) -> SelectedAccounts:
        """The accounts as of `now`; those known before, with a note, while the API does not list them."""
        if now - self._listed_at >= LIST_LASTS or self._is_doubted():
            self._listed_at = now
            try:
                found = self._list_accounts()
            except GadsError as error:
                self._note(f"warning: the accounts could not be listed, the list before is used: {error.message}")
                return self.selected
            changed = found.refused != self.selected.refused
            self.selected = found
            if changed:
                self._refusals_changed(found)
        return self.selected

    def _is_doubted(self) -> bool:
        refused = tuple(self.selected.refused)
        if not refused:
            return False
        retried = StateFilter(GOOGLE_ADS, refused, statuses=(PartitionStatus.PENDING,))
        return any(state.updated_at and state.updated_at > self._listed_at for state in self._ledger.find(retried))
