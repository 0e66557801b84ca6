"""The tree below a manager: to any depth, no account silently absent, no metrics asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from google.ads.googleads.v26.enums.types.customer_status import CustomerStatusEnum
from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsStreamResponse

from gads_conformance.accounts import AccountDirectoryLaws, KnownTree
from gads_domain.account import Account, AccountStatus
from gads_domain.errors import CredentialsError, QuotaExhaustedError, TransientApiError
from gads_domain.ports.accounts import AccountDirectory
from gads_emulator import ApiFailureError, Call, EmulatorServer, Selection, SyntheticAgency, SyntheticSettings
from gads_extractor.accounts import GoogleAdsAccountDirectory
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.connection import GoogleAdsConnection

Tree = dict[str, tuple[str | None, bool, str]]
"""Accounts by id: parent, whether it is a manager, status."""

DEEP: Tree = {
    "10": (None, True, "ENABLED"),
    "21": ("10", True, "ENABLED"),
    "22": ("10", True, "CANCELED"),
    "23": ("10", False, "ENABLED"),
    "31": ("21", True, "ENABLED"),
    "32": ("21", False, "SUSPENDED"),
    "33": ("22", False, "CLOSED"),
    "41": ("31", False, "ENABLED"),
    "42": ("31", True, "ENABLED"),
    "51": ("42", False, "CANCELED"),
}
LABELS = {"customers/10/labels/1": "priority", "customers/10/labels/2": "étrange"}


class Played:
    """Answers account and label queries of a tree as the API does; rows in an order of its own."""

    def __init__(self, tree: Tree, failing: dict[tuple[str, str], ApiFailureError] | None = None) -> None:
        self.tree = tree
        self.failing = failing or {}
        self.asked: list[tuple[str, str]] = []

    def __call__(self, call: Call, real: Selection) -> Iterator[bytes]:
        resource = call.request.query.split(" FROM ")[1].split()[0]
        self.asked.append((call.customer_id, resource))
        if failure := self.failing.get((call.customer_id, resource)):
            raise failure
        page = SearchGoogleAdsStreamResponse.pb()()
        if resource == "label":
            for resource_name, name in LABELS.items():
                row = page.results.add()
                row.label.resource_name, row.label.name = resource_name, name
        for customer_id in reversed(self.tree):
            level = self.level(customer_id, call.customer_id)
            if resource != "customer_client" or level is None or ("level = 1" in call.request.query and level != 1):
                continue
            _, manager, status = self.tree[customer_id]
            client = page.results.add().customer_client
            client.id, client.level, client.manager = int(customer_id), level, manager
            client.descriptive_name, client.currency_code = f"Account {customer_id}", "EUR"
            client.time_zone, client.hidden = "Europe/Berlin", customer_id == "32"
            client.status = int(getattr(CustomerStatusEnum.CustomerStatus, status))
            if customer_id == "41":
                client.applied_labels.extend(LABELS)
        yield bytes(page.SerializeToString())

    def level(self, customer_id: str | None, above: str) -> int | None:
        found = 0
        while customer_id is not None:
            if customer_id == above:
                return found
            customer_id, found = self.tree[customer_id][0], found + 1
        return None


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def directory(connection: GoogleAdsConnection, naps: list[float]) -> AccountDirectory:
    return GoogleAdsAccountDirectory(connection, retry=RetryPolicy(attempts=3, sleep=naps.append))


def by_id(accounts: list[Account]) -> dict[str, Account]:
    found = {account.customer_id: account for account in accounts}
    assert len(found) == len(accounts), "each once"
    seen: set[str] = set()
    for account in accounts:
        assert account.parent_id is None or account.parent_id in seen, "after its manager"
        seen.add(account.customer_id)
    return found


def test_the_tree_is_listed_to_any_depth_with_all_that_is_known(directory: AccountDirectory, stage: Any) -> None:
    stage.script = played = Played(DEEP)
    found = by_id(directory.below("10"))
    assert {number: (a.parent_id, a.manager, a.status.value) for number, a in found.items()} == DEEP
    assert found["41"] == Account(
        "41",
        name="Account 41",
        currency="EUR",
        time_zone="Europe/Berlin",
        status=AccountStatus.ENABLED,
        level=3,
        parent_id="31",
        labels=("priority", "étrange"),
    )
    assert found["32"].hidden
    # The tree and the labels, then the managers of which a next level could be; never those that stand alone.
    assert played.asked == [
        ("10", "customer_client"),
        ("10", "label"),
        *[(manager, "customer_client") for manager in ("22", "21")],
    ]


class BelowSeveral:
    """Answers `customer_client` from the edges between managers and accounts: a row for each path to an account."""

    def __init__(self, below: dict[str, list[str]]) -> None:
        self.below = below

    def __call__(self, call: Call, real: Selection) -> Iterator[bytes]:
        page = SearchGoogleAdsStreamResponse.pb()()
        paths = [(call.customer_id, 0)]
        while paths:
            number, level = paths.pop()
            paths += [(child, level + 1) for child in self.below.get(number, ())]
            if "level = 1" not in call.request.query or level == 1:
                client = page.results.add().customer_client
                client.id, client.level, client.manager = int(number), level, number in self.below
        yield bytes(page.SerializeToString())


def test_an_account_below_several_managers_comes_once_and_knows_them_all(
    directory: AccountDirectory, stage: Any
) -> None:
    stage.script = BelowSeveral({"10": ["21", "22", "51"], "21": ["41", "51"], "22": ["31", "41"], "31": ["51"]})
    found = by_id(directory.below("10"))
    parents = {number: (account.parent_id, account.other_parent_ids) for number, account in found.items()}
    assert parents == {
        "10": (None, ()),
        "21": ("10", ()),
        "22": ("10", ()),
        "31": ("22", ()),
        "41": ("22", ("21",)),
        "51": ("10", ("21", "31")),
    }


def test_parents_can_be_spared(directory: AccountDirectory, stage: Any) -> None:
    stage.script = played = Played(DEEP)
    found = by_id(directory.below("10", with_parents=False))
    assert set(found) == set(DEEP)
    assert [number for number, account in found.items() if account.parent_id is None] == ["10", "33", "32", "31"]
    assert len(played.asked) == 2


def test_a_manager_that_is_refused_hides_nobody(directory: AccountDirectory, stage: Any) -> None:
    denied = ApiFailureError("authorization_error", "CUSTOMER_NOT_ENABLED", "not enabled")
    stage.script = Played(DEEP, {("22", "customer_client"): denied})
    found = by_id(directory.below("10"))
    assert set(found) == set(DEEP)
    assert found["33"].parent_id is None
    assert found["22"].refusal is not None
    assert "CUSTOMER_NOT_ENABLED" in found["22"].refusal.message
    assert found["51"].parent_id == "42"


def test_an_account_below_two_managers_comes_once(directory: AccountDirectory, stage: Any) -> None:
    played = Played(DEEP)

    def twice(call: Call, real: Selection) -> Iterator[bytes]:
        yield from played(call, real)
        if "level = 1" not in call.request.query and "customer_client" in call.request.query:
            page = SearchGoogleAdsStreamResponse.pb()()
            client = page.results.add().customer_client
            client.id, client.level, client.descriptive_name = 41, 2, "Account 41"
            yield bytes(page.SerializeToString())

    stage.script = twice
    assert by_id(directory.below("10"))["41"].level == 2


def test_a_root_that_is_refused_comes_alone_with_the_api_s_reason(directory: AccountDirectory) -> None:
    (root,) = directory.below("1234567890")
    assert root.refusal is not None
    assert "USER_PERMISSION_DENIED" in root.refusal.message
    assert root.reason_not_to_ask == root.refusal


def test_an_account_that_is_no_manager_is_its_own_tree(directory: AccountDirectory, account: str, stage: Any) -> None:
    (itself,) = directory.below(account)
    assert (itself.customer_id, itself.manager, itself.level) == (account, False, 0)
    stage.script = lambda call, real: iter([]) if "customer_client" in call.request.query else real(call)
    (again,) = directory.below(account)
    assert again == replace(itself, labels=())


def test_named_accounts_come_in_their_order_and_one_refusal_is_one_account_s(
    directory: AccountDirectory, account: str, manager: str, stage: Any, naps: list[float]
) -> None:
    real_script = {"9": ApiFailureError("", "", "away", status="UNAVAILABLE")}

    def script(call: Call, real: Selection) -> Iterator[bytes]:
        if failure := real_script.get(call.customer_id):
            raise failure
        return real(call)

    stage.script = script
    found = directory.named([account, "1234567890", "9", manager])
    assert [a.customer_id for a in found] == [account, "1234567890", "9", manager]
    assert found[0].refusal is None
    assert found[0].time_zone
    assert found[0].status is AccountStatus.ENABLED
    assert found[1].reason_not_to_ask is not None
    assert found[2].refusal is not None
    assert found[2].refusal.retryable
    assert found[2].reason_not_to_ask is None, "a failure that passes says nothing of the reports"
    assert len(naps) == 2
    assert found[3].manager
    assert not any("metrics" in call.request.query for call in stage.calls)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ApiFailureError("", "", "away", status="UNAVAILABLE"), TransientApiError),
        (ApiFailureError("quota_error", "RESOURCE_EXHAUSTED", "none left"), QuotaExhaustedError),
        (ApiFailureError("authentication_error", "OAUTH_TOKEN_REVOKED", "revoked"), CredentialsError),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_what_is_no_refusal_is_raised(
    failure: ApiFailureError, kind: type[Exception], directory: AccountDirectory, stage: Any
) -> None:
    def script(call: Call, real: Selection) -> Iterator[bytes]:
        raise failure

    stage.script = script
    with pytest.raises(kind):
        directory.below("10")


def test_a_failure_that_passes_is_asked_again(directory: AccountDirectory, stage: Any, naps: list[float]) -> None:
    played = Played(DEEP)
    failures = [
        ApiFailureError("quota_error", "RESOURCE_TEMPORARILY_EXHAUSTED", "wait", retry_delay=timedelta(seconds=9))
    ]

    def script(call: Call, real: Selection) -> Iterator[bytes]:
        if failures:
            raise failures.pop()
        return played(call, real)

    stage.script = script
    assert len(directory.below("10")) == len(DEEP)
    assert len(naps) == 1
    assert 9 <= naps[0] <= 10


def test_the_emulator_s_agency_is_the_agency_s_accounts(tmp_path_factory: pytest.TempPathFactory) -> None:
    agency = SyntheticAgency(SyntheticSettings(accounts=7, disabled_accounts=2, first=date(2024, 1, 1)))
    with (
        EmulatorServer(agency) as server,
        GoogleAdsConnection.open(
            server.write_client_configuration(tmp_path_factory.mktemp("agency")), "v26"
        ) as connection,
    ):
        assert connection.login_customer_id == agency.login_customer_id
        found = by_id(GoogleAdsAccountDirectory(connection).below(agency.login_customer_id))
    assert {
        (a.customer_id, a.name, a.currency, a.time_zone, a.manager, a.status.value, a.parent_id) for a in found.values()
    } == {
        (a.customer_id, a.name, a.currency, a.time_zone, a.manager, a.status, a.parent)
        for a in agency.accounts.values()
    }


class TestGoogleAdsAccountDirectory(AccountDirectoryLaws):
    """The laws of the port, as any directory is held to them."""

    @pytest.fixture(autouse=True)
    def _the_tree_is_played(self, stage: Any) -> None:
        played = Played(DEEP)

        def script(call: Call, real: Selection) -> Iterator[bytes]:
            if call.customer_id not in DEEP:
                yield from real(call)
            elif " FROM customer " in f"{call.request.query} ":
                page = SearchGoogleAdsStreamResponse.pb()()
                page.results.add().customer.id = int(call.customer_id)
                yield bytes(page.SerializeToString())
            else:
                yield from played(call, real)

        stage.script = script

    @pytest.fixture
    def directory(self, connection: GoogleAdsConnection) -> AccountDirectory:
        return GoogleAdsAccountDirectory(connection, retry=RetryPolicy(attempts=1))

    @pytest.fixture
    def tree(self) -> KnownTree:
        return KnownTree(
            root="10",
            parents={number: parent for number, (parent, _, _) in DEEP.items()},
            statuses={n: AccountStatus(status) for n, (_, _, status) in DEEP.items() if status != "ENABLED"},
            hidden=frozenset({"32"}),
            refused="1234567890",
        )

    @pytest.fixture
    def queries_asked(self, stage: Any) -> Callable[[], list[str]]:
        return lambda: [call.request.query for call in stage.calls]
