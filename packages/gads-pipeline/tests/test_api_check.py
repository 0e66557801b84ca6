"""`check` asks the API for what a run will ask: each account as the run reaches it, and each query."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gads_domain.clock import SystemClock
from gads_emulator import (
    CA_NAME,
    Call,
    EmulatorServer,
    Selection,
    SyntheticAgency,
    SyntheticSettings,
    trust_process_authority,
)
from gads_pipeline import Pipeline
from gads_pipeline.composition import open_ledger_for_control_plane, open_ledger_reader
from gads_pipeline.configuration import Configuration
from gads_pipeline.findings import Finding

GOOD = "SELECT customer.id, segments.date, metrics.clicks FROM customer"
REFUSED = "SELECT click_view.gclid, segments.date FROM click_view WHERE click_view.gclid REGEXP_MATCH '('"
"""The catalogue of fields has no fault in it."""


class Watched:
    """The calls of the emulator."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def wrap(self, real: Selection) -> Selection:
        def answer(call: Call) -> Iterator[bytes]:
            self.calls.append(call)
            return real(call)

        return answer


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def server(watched: Watched) -> Iterator[EmulatorServer]:
    trust_process_authority()
    with EmulatorServer(SyntheticAgency(SyntheticSettings(accounts=3)), wrap=watched.wrap) as running:
        yield running


Check = Callable[..., list[Finding]]


def accounts_asked(watched: Watched) -> list[str]:
    asked = [call for call in watched.calls if call.method == "SearchStream"]
    return [call.customer_id for call in asked if call.request.query.endswith("FROM customer")]


@pytest.fixture
def check(server: EmulatorServer, watched: Watched, tmp_path: Path) -> Check:
    """Check with these accounts, queries and login; returns what was found of the API."""

    def checked(
        queries: tuple[str, ...] = (GOOD,),
        customers: tuple[str, ...] = (),
        login: str | None = None,
        most: int | None = None,
        ledger: bool = False,
    ) -> list[Finding]:
        client = server.write_client_configuration(tmp_path)
        if login is not None:
            client.write_text(re.sub(r"login_customer_id: .*", f"login_customer_id: '{login}'", client.read_text()))
        reports = "".join(f"[[reports]]\nname = 'own_{n}'\nquery = '''{text}'''\n" for n, text in enumerate(queries))
        path = tmp_path / "gads.toml"
        path.write_text(
            f"[google_ads]\nconfiguration = '{client.name}'\nca_certificate = '{CA_NAME}'\n"
            f"customer_ids = {json.dumps(customers)}\n"
            f"[storage]\nsink = 'file:raw'\nstate = 'sqlite:state.db'\n{reports}"
        )
        if ledger:
            open_ledger_for_control_plane(Configuration.load(path)).close()
        watched.calls.clear()
        found = list(Pipeline.open(path).check(most_accounts=most))
        start = next(n for n, one in enumerate(found) if one.subject == "state") + 1
        return found[start:]

    return checked


def test_each_account_and_each_query_is_asked_once(check: Check, server: EmulatorServer, watched: Watched) -> None:
    found = check((GOOD, GOOD.replace("clicks", "impressions")))
    assert all(one.ok for one in found), found
    clients = [account.customer_id for account in server.agency.accounts.values() if not account.manager]
    assert sorted(accounts_asked(watched)) == sorted(clients)
    validated = [call for call in watched.calls if call.method == "Search"]
    assert len(validated) == 2
    assert all(call.request.validate_only for call in validated)
    assert "asking 3 accounts and validating 2 queries: at most 5 operations" in [one.message for one in found]
    assert ("accounts", "3 answer") in [(one.subject, one.message) for one in found]


def test_a_stranger_as_the_login_is_a_fault_of_every_account(check: Check, server: EmulatorServer) -> None:
    clients = tuple(account.customer_id for account in server.agency.accounts.values() if not account.manager)
    found = check(customers=clients, login="9999999999")
    refused = [one.subject for one in found if not one.ok]
    assert refused == [f"account {number}" for number in clients]
    assert all("USER_PERMISSION_DENIED" in one.message and one.hint for one in found if not one.ok)
    assert not [one for one in found if one.subject.startswith("query")], "there is no account to validate it for"


def test_a_query_that_only_the_api_can_refuse_is_found(check: Check) -> None:
    found = {one.subject: one for one in check((GOOD, REFUSED))}
    assert found["query own_0"].ok
    assert not found["query own_1"].ok
    assert "QUERY_ERROR.BAD_VALUE" in found["query own_1"].message


def test_no_more_accounts_are_asked_than_are_allowed(check: Check, watched: Watched) -> None:
    found = check(most=1)
    assert all(one.ok for one in found)
    assert "asking 1 of 3 accounts and validating 1 queries: at most 2 operations" in [one.message for one in found]
    assert len(accounts_asked(watched)) == 1


def test_what_a_check_asks_is_counted(check: Check, watched: Watched, tmp_path: Path) -> None:
    check(ledger=True)
    configuration = Configuration.load(tmp_path / "gads.toml")
    with open_ledger_reader(configuration) as ledger:
        budget = configuration.quota.budget
        assert ledger.spent(budget.name, SystemClock().now()).count == len(watched.calls)
