"""An agency of recorded rows: a folder of `<resource>.jsonl`, a `GoogleAdsRow` as JSON on each line."""

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from gads_domain.errors import ConfigurationError
from gads_domain.local_path import read_file
from gads_emulator.agency import Account, RowRequest, Rows, client_rows
from gads_emulator.schema import Row, Schema, snake_case
from gads_emulator.synthetic.descriptions import has_pattern, parameters_of

_log = logging.getLogger(__name__)
_OWNER = re.compile(r'"customers\\?/(\d+)(?:\\?/|")')
_EVERY_ACCOUNT = ""
"""The owner of rows of constants, such as languages, which are no account's."""
_LARGEST = 1 << 30
_HINT = "each line is a GoogleAdsRow as JSON, with a customer id or a resource name of its customer"


class RecordedAgency:
    """Serves the rows of a folder as they were recorded.

    Rows whose metrics are zero are kept: the API had dropped its own before they were recorded. A resource without a
    file has no rows, except that `customer` and `customer_client` then follow from the accounts in the other files.
    With recorded rows of `customer_client`, a manager reaches the accounts that its own rows list, and no others; the
    only manager at the top, if there is just one, is the login customer.
    A constant, such as a language, belongs to no account and is every account's.
    A field that a version does not have is dropped from its rows, with one warning.
    """

    changes_with_time = False
    drops_rows_without_activity = False

    def __init__(self, folder: Path, *, keeps_everything: bool = True) -> None:
        """Read every file of `folder`. Raises `ConfigurationError` for a file that cannot be read.

        Rows may have been recorded long ago, so days of any age are answered unless `keeps_everything` is False.
        """
        self.keeps_everything = keeps_everything
        try:
            files = sorted(folder.glob("*.jsonl"))
        except OSError as error:
            raise ConfigurationError(f"{folder}: {error.strerror}") from None
        if not files:
            raise ConfigurationError(
                f"{folder}: no .jsonl files", hint="name each file after its resource: campaign.jsonl"
            )
        self._lines: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
        for file in files:
            self._lines.setdefault(snake_case(file.stem), []).extend(_read(file))
        self._typed: dict[tuple[str, str], dict[str, list[Row]]] = {}
        self._warned: set[tuple[str, str]] = set()
        self._typing = threading.Lock()
        self.accounts: Mapping[str, Account] = self._find_accounts()
        if not self.accounts:
            raise ConfigurationError(f"{folder}: its rows belong to no account", hint="add a row to customer.jsonl")
        reaching = {manager for account in self.accounts.values() for manager in account.reached_from}
        top = [manager for manager in sorted(reaching) if self.accounts[manager].is_at_the_top]
        self.login_customer_id = top[0] if len(top) == 1 else None

    def rows(self, schema: Schema, customer_id: str, request: RowRequest) -> Rows:
        """Return the customer's rows in the order of the file. Raises `ConfigurationError` for invalid values."""
        resource = request.resource
        if resource not in self._lines:
            if resource == "customer":
                return Rows(iter([self.accounts[customer_id].attributes()]))
            return Rows(client_rows(self.accounts, customer_id) if resource == "customer_client" else iter(()))
        key = schema.version.name, resource
        with self._typing:
            if key not in self._typed:
                self._typed[key] = self._type_rows(schema, resource)
            return Rows(chain(self._typed[key].get(_EVERY_ACCOUNT, ()), self._typed[key].get(customer_id, ())))

    def _type_rows(self, schema: Schema, resource: str) -> dict[str, list[Row]]:
        def unknown(path: str) -> None:
            if (schema.version.name, path) not in self._warned:
                self._warned.add((schema.version.name, path))
                _log.warning("%s.jsonl: %s has no field %s; dropped", resource, schema.version.name, path)

        rows: dict[str, list[Row]] = {}
        for where, owner, nested in self._lines[resource]:
            try:
                row = schema.flatten(nested, unknown)
            except (ValueError, TypeError, AttributeError) as error:
                raise ConfigurationError(f"{where}: {error}", hint=_HINT) from None
            rows.setdefault(owner, []).append(_with_names(schema, row, resource, owner))
        for owned in rows.values():
            _fill_gaps(schema, owned, resource)
        return rows

    def _find_accounts(self) -> dict[str, Account]:
        customers: dict[str, dict[str, Any]] = {}
        for _, owner, nested in chain.from_iterable(self._lines.values()):
            if owner != _EVERY_ACCOUNT:
                customers.setdefault(owner, {}).update(_part(nested, "customer"))
        reached_from: dict[str, set[str]] = {}
        for where, owner, nested in self._lines.get("customer_client", ()):
            client = _part(nested, "customer_client")
            client_id = str(client.get("id", ""))
            if not _is_id(client_id):
                raise ConfigurationError(f"{where}: no customer_client.id in this row", hint=_HINT)
            customers[client_id] = {**client, **customers.get(client_id, {})}
            if client_id != owner:
                reached_from.setdefault(client_id, set()).add(owner)
        return {
            number: _account(number, customers[number], frozenset(reached_from.get(number, ())))
            for number in sorted(customers)
        }


def _part(nested: dict[str, Any], name: str) -> dict[str, Any]:
    """One message of a row, its fields in snake_case; empty if the row does not have it."""
    found = next((value for key, value in nested.items() if snake_case(key) == name), None)
    return {snake_case(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def _account(customer_id: str, customer: dict[str, Any], reached_from: frozenset[str]) -> Account:
    return Account(
        customer_id,
        name=str(customer.get("descriptive_name", "")),
        currency=str(customer.get("currency_code", "USD")),
        time_zone=str(customer.get("time_zone", "America/Los_Angeles")),
        manager=bool(customer.get("manager", False)),
        status=str(customer.get("status", "ENABLED")),
        test_account=bool(customer.get("test_account", False)),
        reached_from=reached_from,
    )


def _read(file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield where each row stands, the account that it belongs to, and the row."""
    try:
        text = read_file(file, _LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}", hint=_HINT) from None
    resource = snake_case(file.stem)
    constant = has_pattern(resource) and "customer_id" not in parameters_of(resource)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            nested = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{where}: {error}", hint=_HINT) from None
        if not isinstance(nested, dict):
            raise ConfigurationError(f"{where}: not a JSON object", hint=_HINT)
        found = _OWNER.search(line)
        owner = str(_part(nested, "customer").get("id", found[1] if found else ""))
        if not constant and not _is_id(owner):
            raise ConfigurationError(f"{where}: no customer in this row", hint=_HINT)
        yield where, _EVERY_ACCOUNT if constant else owner, nested


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _fill_gaps(schema: Schema, rows: list[Row], resource: str) -> None:
    """Give each row the plain attributes that other rows have of the same resource; of different values the last.

    A resource has one state, whatever the day of its metrics; rows recorded with fewer fields would otherwise be a
    second state and not be summed. Values that a row has, and members of a oneof, stay as they are.
    """
    own_name = f"{resource}.resource_name"
    known: dict[str, Row] = {}
    for row in rows:
        name = row.get(own_name)
        if name is not None:
            plain = {path: value for path, value in row.items() if _is_plain_attribute(schema, path, resource)}
            known.setdefault(name, {}).update(plain)
    for row in rows:
        for path, value in known.get(row.get(own_name, ""), {}).items():
            row.setdefault(path, value)


def _is_plain_attribute(schema: Schema, path: str, resource: str) -> bool:
    if not path.startswith(f"{resource}.") or path.count(".") != 1:
        return False
    found = schema.field(path)
    if found is None or found.kind == "message":
        return False
    oneof = found.steps[-1].containing_oneof
    return oneof is None or len(oneof.fields) == 1


def _with_names(schema: Schema, row: Row, resource: str, owner: str) -> Row:
    """Add the resource names that follow from the row: of its customer, and of what its resource refers to."""
    if owner != _EVERY_ACCOUNT:
        row.setdefault("customer.resource_name", f"customers/{owner}")
        row.setdefault("customer.id", int(owner))
    for path, value in list(row.items()):
        root, _, name = path.partition(".")
        if root == resource and isinstance(value, str) and schema.field(f"{name}.resource_name") is not None:
            row.setdefault(f"{name}.resource_name", value)
    return row
