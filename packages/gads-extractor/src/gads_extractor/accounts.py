"""The accounts that a login reaches, as the API's `customer_client` lists them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from google.protobuf.message import DecodeError

from gads_domain.account import Account, AccountStatus
from gads_domain.errors import (
    AccountUnavailableError,
    ApiError,
    FailureReason,
    PermanentApiError,
    QuotaExhaustedError,
)
from gads_domain.ports.report_source import OperationQuota
from gads_extractor.call_retry import RetryPolicy, call_with_retry
from gads_extractor.connection import IDLE_TIMEOUT, SearchStreams
from gads_gaql import load, parse, render, table_schema
from gads_gaql.descriptors import message_class

_TREE = """
SELECT customer_client.id, customer_client.descriptive_name, customer_client.manager, customer_client.currency_code,
  customer_client.time_zone, customer_client.status, customer_client.level, customer_client.hidden,
  customer_client.test_account, customer_client.applied_labels
FROM customer_client
"""
_RIGHT_BELOW = "SELECT customer_client.id FROM customer_client WHERE customer_client.level = 1"
_ITSELF = """
SELECT customer.id, customer.descriptive_name, customer.manager, customer.currency_code, customer.time_zone,
  customer.status, customer.test_account
FROM customer
"""
_LABELS = "SELECT label.resource_name, label.name FROM label"


class GoogleAdsAccountDirectory:
    """An `AccountDirectory`, each request one operation of `quota`.

    `customer_client` of a manager lists itself and everything below it, to any depth, with the level and not the
    parent; cancelled accounts are in it
    (https://developers.google.com/google-ads/api/fields/v26/customer_client). Safe for several threads.
    """

    def __init__(
        self,
        connection: SearchStreams,
        *,
        retry: RetryPolicy | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
        quota: OperationQuota | None = None,
    ) -> None:
        self._connection = connection
        self._quota = quota
        self._retry = retry or RetryPolicy()
        self._idle_timeout = idle_timeout

    def below(self, root: str, *, with_parents: bool = True) -> list[Account]:
        """The account `root` and everything below it, as the port demands.

        One request, one more if the root has put labels on accounts, and one for each manager whose accounts could
        also be another's, which `with_parents` False spares: `parent_id` is then known at level 1 alone.
        """
        try:
            rows = self._rows(root, _TREE)
        except (PermanentApiError, AccountUnavailableError) as error:
            return [Account(root, refusal=FailureReason.of(error))]
        if not rows:  # not a manager
            return self.named([root])
        labels = self._label_names(root) if any(row["customer_client_applied_labels"] for row in rows) else {}
        listed: dict[str, Account] = {}
        levels: dict[int, dict[str, None]] = {}  # an account below several managers may come once for each path
        for row in sorted(rows, key=lambda row: row["customer_client_level"] or 0):
            account = _account(row, "customer_client", labels)
            listed.setdefault(account.customer_id, account)
            levels.setdefault(account.level, {})[account.customer_id] = None
        self._find_parents(listed, levels, root, with_parents=with_parents)
        return list(_depth_first(listed))

    def named(self, customer_ids: Sequence[str]) -> list[Account]:
        """These accounts, by one request each."""
        return [self._named(customer_id) for customer_id in customer_ids]

    def _named(self, customer_id: str) -> Account:
        try:
            rows = self._rows(customer_id, _ITSELF)
        except ApiError as error:
            if error.scope.stops_the_run or isinstance(error, QuotaExhaustedError):
                raise
            return Account(customer_id, refusal=FailureReason.of(error))
        if not rows:
            nothing = FailureReason("api_permanent", "the API has no row of the account itself", retryable=False)
            return Account(customer_id, refusal=nothing)
        return _account(rows[0], "customer", {})

    def _find_parents(
        self, listed: dict[str, Account], levels: Mapping[int, Iterable[str]], root: str, *, with_parents: bool
    ) -> None:
        """Fill in the parents: a manager alone on its level has all of the next; several are asked one by one."""
        parents: dict[str, dict[str, None]] = {}
        asked: dict[str, list[str]] = {}
        for level, numbers in sorted(levels.items()):
            above = [each for each in levels.get(level - 1, ()) if listed[each].manager or each == root]
            for manager in above:
                if len(above) == 1:
                    below: Iterable[str] = numbers
                elif with_parents:
                    if manager not in asked:
                        asked[manager] = self._right_below(listed[manager], listed)
                    below = set(asked[manager]).intersection(numbers)
                else:
                    continue
                for number in below:
                    parents.setdefault(number, {})[manager] = None
        for number, managers in parents.items():
            first, *others = managers
            listed[number] = replace(listed[number], parent_id=first, other_parent_ids=tuple(others))

    def _right_below(self, manager: Account, listed: dict[str, Account]) -> list[str]:
        try:
            return [str(row["customer_client_id"]) for row in self._rows(manager.customer_id, _RIGHT_BELOW)]
        except (PermanentApiError, AccountUnavailableError) as error:
            listed[manager.customer_id] = replace(listed[manager.customer_id], refusal=FailureReason.of(error))
            return []

    def _label_names(self, root: str) -> dict[str, str]:
        return {row["label_resource_name"]: row["label_name"] for row in self._rows(root, _LABELS)}

    def _rows(self, customer_id: str, text: str) -> list[dict[str, Any]]:
        query, version = parse(text), self._connection.api_version
        page_type = message_class(version, "services.SearchGoogleAdsStreamResponse")
        columns = table_schema(query, load(version)).columns

        def read() -> list[dict[str, Any]]:
            if self._quota is not None:
                self._quota.take()
            stream = self._connection.search_stream(customer_id, render(query), idle_timeout=self._idle_timeout)
            with closing(stream) as pages:
                return [
                    {column.name: _value(row, column.field.split(".")) for column in columns}
                    for data in pages
                    for row in _page(page_type, data).results
                ]

        return call_with_retry(self._retry, read, self._quota)


def _page(page_type: Any, data: bytes) -> Any:
    try:
        return page_type.FromString(data)
    except DecodeError as error:
        raise PermanentApiError(f"the API sent a list of accounts that cannot be decoded: {error}") from error


def _value(message: Any, path: Sequence[str]) -> Any:
    """What a row has at `path`, an enum by its name; None where it is absent."""
    for name in path[:-1]:
        message = getattr(message, name)
    field = message.DESCRIPTOR.fields_by_name[path[-1]]
    value = getattr(message, field.name)
    if field.is_repeated:
        return list(value)
    if not (message.HasField(field.name) if field.has_presence else value):
        return None
    known = field.enum_type.values_by_number if field.enum_type is not None else {}
    return known[value].name if value in known else value


def _account(row: Mapping[str, Any], resource: str, labels: Mapping[str, str]) -> Account:
    found = {column.removeprefix(f"{resource}_"): value for column, value in row.items()}
    return Account(
        str(found["id"]),
        name=found["descriptive_name"] or "",
        manager=bool(found["manager"]),
        currency=found["currency_code"] or "",
        time_zone=found["time_zone"] or "",
        status=AccountStatus.of(found["status"]),
        level=found.get("level") or 0,
        labels=tuple(sorted(labels.get(name, name) for name in found.get("applied_labels") or ())),
        hidden=bool(found.get("hidden")),
        test_account=bool(found["test_account"]),
    )


def _depth_first(listed: Mapping[str, Account]) -> Iterator[Account]:
    """Each account after its parent; those whose parent is not known come last."""
    children: dict[str | None, list[Account]] = {}
    for account in listed.values():
        children.setdefault(account.parent_id, []).append(account)
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        account = waiting.pop()
        yield account
        waiting += reversed(children.get(account.customer_id, []))
