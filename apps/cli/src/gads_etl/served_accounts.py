"""The accounts that a daemon serves: listed at its start, and anew when the list is old or somebody knows better."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gads_domain.errors import GadsError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import PartitionStatus, StateFilter
from gads_etl.printing import say

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_etl.account_selection import SelectedAccounts

LIST_LASTS = timedelta(hours=6)
"""How long a list of accounts is good for; an account that was added is extracted within that time."""


class ServedAccounts:
    """`selected` at any moment; `list_anew` asks the API, and `refusals_changed` hears when others are refused.

    What the list refuses is not asked of the API. A retry that was ordered after the list was made says that somebody
    expects another answer, such as of an account that was brought back: then the list is made anew first, lest the
    retry be spent on what the API said long ago.
    """

    def __init__(
        self,
        list_anew: Callable[[], SelectedAccounts],
        ledger: StateReader,
        now: datetime,
        refusals_changed: Callable[[SelectedAccounts], None],
    ) -> None:
        self._list_anew = list_anew
        self._ledger = ledger
        self._refusals_changed = refusals_changed
        self.selected = list_anew()
        self._listed_at = now

    def at(self, now: datetime) -> SelectedAccounts:
        """The accounts as of `now`; those known before, with a word on stderr, while the API does not list them."""
        if now - self._listed_at >= LIST_LASTS or self._is_doubted():
            self._listed_at = now
            try:
                found = self._list_anew()
            except GadsError as error:
                say(f"the accounts could not be listed anew, those known before are used: {error.message}")
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
