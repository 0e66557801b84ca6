"""The port `Agency`: accounts, and the rows of their resources."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from gads_emulator.schema import Row, Schema


@dataclass(frozen=True, slots=True)
class Account:
    """One customer. `parent` is its manager; None for an account that its user reaches directly."""

    customer_id: str
    name: str = ""
    currency: str = "USD"
    time_zone: str = "America/Los_Angeles"
    manager: bool = False
    status: str = "ENABLED"
    """A name of `CustomerStatusEnum`; all but `ENABLED` are refused with `CUSTOMER_NOT_ENABLED`."""
    parent: str | None = None
    test_account: bool = False
    reached_from: frozenset[str] = frozenset()
    """Further managers that reach it, besides those above `parent`."""

    @property
    def is_at_the_top(self) -> bool:
        """Whether no manager reaches it, so that its user reaches it directly."""
        return self.parent is None and not self.reached_from

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
    """The rows that a query needs of a resource."""

    resource: str
    fields: frozenset[str]
    """Every path that is selected, filtered on, ordered by, or part of a ratio."""
    first: date | None = None
    """The first day that the query selects, by `segments.date` or the time of a change; None without a bound."""
    last: date | None = None
    """The last day; None without a bound."""
    today: date | None = None
    """The current day of the account; None without a clock."""

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

    `distinct` promises that no two rows have the same resource name and requested segments, so that nothing needs to
    be summed and rows can be streamed. Segments that were not requested may be missing.
    """

    rows: Iterator[Row]
    distinct: bool = False


class Agency(Protocol):
    """Accounts and their rows.

    1. The same request gives the same rows in the same order.
    2. A counted metric has the same sum for any requested segments, unless the API's own parts are not the whole.
    3. Several threads may call an agency at the same time.
    """

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Every customer by id, managers before their clients."""

    @property
    def login_customer_id(self) -> str | None:
        """The manager to log in with; None when every account is reached directly."""

    @property
    def changes_with_time(self) -> bool:
        """Whether rows depend on `RowRequest.today`."""

    @property
    def drops_rows_without_activity(self) -> bool:
        """Whether segmented rows whose selected metrics are all zero are dropped, as the API does."""

    @property
    def keeps_everything(self) -> bool:
        """Whether days of any age are answered, where the API refuses what is older than its history."""

    def rows(self, schema: Schema, customer_id: str, request: RowRequest) -> Rows:
        """Return the rows of a customer's resource; empty for a resource that the agency does not have."""


def ancestors(accounts: Mapping[str, Account], customer_id: str) -> Iterator[str]:
    """Yield the managers above a customer, nearest first."""
    above = accounts[customer_id].parent
    while above is not None:
        yield above
        above = accounts[above].parent


def client_rows(accounts: Mapping[str, Account], manager_id: str) -> Iterator[Row]:
    """Yield the `customer_client` rows of a manager: itself at level 0, then its tree in the order of `accounts`.

    An account that is not a manager has only its own row.
    """
    for account in accounts.values():
        chain = [account.customer_id, *ancestors(accounts, account.customer_id)]
        if manager_id not in chain:
            continue
        yield {
            **accounts[manager_id].attributes(),
            **{path.replace("customer", "customer_client"): value for path, value in account.attributes().items()},
            "customer_client.resource_name": f"customers/{manager_id}/customerClients/{account.customer_id}",
            "customer_client.client_customer": f"customers/{account.customer_id}",
            "customer_client.level": chain.index(manager_id),
            "customer_client.hidden": False,
        }
