"""What the API is asked about: accounts, and rows of a resource. Data folders and synthetic agencies are both one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from gads_emulator.schema import Row, Schema


@dataclass(frozen=True, slots=True)
class Account:
    """One customer. `parent` is the manager right above it, None for one that its user reaches directly."""

    customer_id: str
    name: str = ""
    currency: str = "USD"
    time_zone: str = "America/Los_Angeles"
    manager: bool = False
    status: str = "ENABLED"
    """A name of `CustomerStatusEnum`; anything but `ENABLED` is refused with `CUSTOMER_NOT_ENABLED`."""
    parent: str | None = None
    test_account: bool = False

    def attributes(self) -> Row:
        """Return the account as fields of `customer`."""
        return {
            "customer.resource_name": f"customers/{self.customer_id}",
            "customer.id": int(self.customer_id),
            "customer.descriptive_name": self.name,
            "customer.currency_code": self.currency,
            "customer.time_zone": self.time_zone,
            "customer.manager": self.manager,
            "customer.status": self.status,
            "customer.test_account": self.test_account,
        }


@dataclass(frozen=True, slots=True)
class RowRequest:
    """What a query needs of a resource: enough to make no more than that."""

    resource: str
    fields: frozenset[str]
    """Every path that is looked at: selected, filtered on, ordered by, or part of a ratio."""
    first: date | None = None
    """The first day that the query lets through; None when it sets no bound.

    Days are those of `segments.date`, and of a change for the resources that are changes.
    """
    last: date | None = None
    today: date | None = None
    """The account's own day; None when there is no clock."""

    @property
    def segments(self) -> frozenset[str]:
        """The paths under `segments.`."""
        return frozenset(path for path in self.fields if path.startswith("segments."))

    @property
    def metrics(self) -> frozenset[str]:
        """The paths under `metrics.`."""
        return frozenset(path for path in self.fields if path.startswith("metrics."))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a resource, each at most once.

    `distinct` promises that no two rows agree in the resource's name and in all segments that were asked for, so that
    nothing needs summing and rows may be passed on as they come. Segments that were not asked for may be missing.
    """

    rows: Iterator[Row]
    distinct: bool = False


class Agency(Protocol):
    """Accounts and their rows.

    Laws: the same request gives the same rows in the same order, for the life of the agency and (for a seed or a
    folder) beyond it; a counted metric adds up to the same whatever segments were asked for; threads may ask at once.
    """

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Every customer by id, managers before their clients."""
        ...

    @property
    def login_customer_id(self) -> str | None:
        """The manager to log in through; None when every account is reached directly."""
        ...

    @property
    def changes_with_time(self) -> bool:
        """Whether the rows also follow from `RowRequest.today`."""
        ...

    @property
    def drops_rows_without_activity(self) -> bool:
        """Whether a segmented row whose selected metrics are all zero is left out, as the API does."""
        ...

    def rows(self, schema: Schema, customer_id: str, request: RowRequest) -> Rows:
        """Return the rows of a resource of a customer; none for a resource that the agency does not have."""
        ...


def ancestors(accounts: Mapping[str, Account], customer_id: str) -> Iterator[str]:
    """Yield the managers above a customer, nearest first."""
    above = accounts[customer_id].parent
    while above is not None:
        yield above
        above = accounts[above].parent


def client_rows(accounts: Mapping[str, Account], manager_id: str) -> Iterator[Row]:
    """Yield the `customer_client` rows of a manager: itself at level 0, then its tree in the accounts' order.

    Any other account has just itself, as the API has it.
    """
    for account in accounts.values():
        chain = [account.customer_id, *ancestors(accounts, account.customer_id)]
        if manager_id not in chain:
            continue
        level = chain.index(manager_id)
        path = f"customers/{account.customer_id}"
        yield {
            **accounts[manager_id].attributes(),
            "customer_client.resource_name": f"customers/{manager_id}/customerClients/{account.customer_id}",
            "customer_client.client_customer": path,
            "customer_client.id": int(account.customer_id),
            "customer_client.level": level,
            "customer_client.manager": account.manager,
            "customer_client.hidden": False,
            "customer_client.test_account": account.test_account,
            "customer_client.descriptive_name": account.name,
            "customer_client.currency_code": account.currency,
            "customer_client.time_zone": account.time_zone,
            "customer_client.status": account.status,
        }
