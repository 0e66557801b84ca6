"""Which accounts there are."""

from collections.abc import Sequence
from typing import Protocol

from gads_domain.account import Account


class AccountDirectory(Protocol):
    """Lists the accounts that a login reaches.

    Laws:

    1. An account that is cancelled, suspended, closed, hidden or refused is listed like any other, with its status or
       its `refusal`: nothing is silently absent.
    2. Each account comes once, and after the manager that `parent_id` names.
    3. One account's refusal changes nothing for another.
    4. Nothing is asked but accounts and labels; never a metric.
    """

    def below(self, root: str, *, with_parents: bool = True) -> list[Account]:
        """The account `root` at level 0 and everything below it, to any depth.

        Without `with_parents`, which may cost a request a manager, parents may be unknown. An account below several
        managers has the first as its `parent_id` and the others as its `other_parent_ids`.

        A root that the API refuses comes alone, with its `refusal`. Raises `CredentialsError` for a login that the API
        refuses altogether, `TransientApiError` or `QuotaExhaustedError` if it could not be asked.
        """

    def named(self, customer_ids: Sequence[str]) -> list[Account]:
        """These accounts, in their order, each asked for itself: at level 0, without parent and labels.

        One that the API refuses comes with its `refusal`. Raises as `below` does.
        """
