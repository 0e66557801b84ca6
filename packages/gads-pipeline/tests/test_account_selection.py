from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gads_domain.account import Account, AccountStatus
from gads_domain.errors import (
    AccountUnavailableError,
    ConfigurationError,
    FailureReason,
    GadsError,
    InvalidValueError,
    PermanentApiError,
    QuotaExhaustedError,
    TransientApiError,
    UsageError,
)
from gads_pipeline import account_selection
from gads_pipeline.account_patterns import AccountPattern
from gads_pipeline.account_selection import select, select_accounts
from gads_pipeline.configuration import Configuration

DENIED = FailureReason("api_permanent", "USER_PERMISSION_DENIED", retryable=False, hint="share it")
TREE = [
    Account("1", "Root", manager=True),
    Account("11", "Brands (old)", manager=True, level=1, parent_id="1"),
    Account("111", "Acme Shoes", level=2, parent_id="11", labels=("Priority",)),
    Account("112", "Acme Hats", level=2, parent_id="11", status=AccountStatus.CANCELED),
    Account("12", "Blue Kettle", level=1, parent_id="1", labels=("priority", "uk")),
    Account("13", "1800 Flowers", level=1, parent_id="1", status=AccountStatus.SUSPENDED),
]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("111", ["111"]),
        ("1-1-1", ["111"]),
        ("11*", ["11", "111", "112"]),
        ("id:1?", ["11", "12", "13"]),
        ("acme*", ["111", "112"]),
        ("Acme Shoes", ["111"]),
        ("Acme", []),
        ("1800 flowers", ["13"]),
        ("name:1*", ["13"]),
        ("label:priority", ["111", "12"]),
        ("label:U?", ["12"]),
        ("brands (old)", ["11"]),
        ("status:canceled", ["112"]),
        ("status:closed", []),
        ("status:S*", ["13"]),
    ],
)
def test_patterns(pattern: str, fits: list[str]) -> None:
    assert [account.customer_id for account in TREE if AccountPattern.parse(pattern).matches(account)] == fits


@pytest.mark.parametrize("text", ["", "  ", "label:", "name: ", "id:"])
def test_a_pattern_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a pattern"):
        AccountPattern.parse(text)


def test_a_status_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="no account has this status") as caught:
        AccountPattern.parse("status:ENABELD")
    assert "ENABLED, CANCELED" in caught.value.hint


TWICE = [
    Account("1", "Root", manager=True),
    Account("2", "North", manager=True, level=1, parent_id="1"),
    Account("3", "South", manager=True, level=1, parent_id="1", status=AccountStatus.ENABLED),
    Account("31", "Coast", manager=True, level=2, parent_id="3"),
    Account("9", "Both", level=2, parent_id="2", other_parent_ids=("31",), status=AccountStatus.ENABLED),
    Account("8", "One", level=2, parent_id="2", status=AccountStatus.CANCELED),
]


@pytest.mark.parametrize(
    ("include", "exclude", "selected"),
    [
        (("North",), (), ["9", "8"]),
        (("South",), (), ["9"]),
        (("Coast",), (), ["9"]),
        ((), ("North",), ["9"]),
        ((), ("South",), ["9", "8"]),
        ((), ("North", "South"), []),
        (("North",), ("South",), ["9", "8"]),
        (("North", "Coast"), ("North",), ["9"]),
        (("South",), ("Coast",), []),
        ((), ("Both",), ["8"]),
        (("Root",), ("North", "Coast"), []),
        (("status:ENABLED",), (), ["9"]),
        ((), ("status:ENABLED",), ["8"]),
        (("status:ENABLED",), ("North",), ["9"]),
    ],
)
def test_an_account_below_several_managers_is_selected_by_any_path(
    include: tuple[str, ...], exclude: tuple[str, ...], selected: list[str]
) -> None:
    found = select(TWICE, include, exclude)
    assert list(found.accounts) == selected
    assert {*found.accounts, *found.skipped} == {account.customer_id for account in TWICE}
    assert not found.unmatched


def test_what_the_managers_exclude_is_named() -> None:
    found = select(TWICE, [], ["South", "North"])
    assert found.skipped["9"] == "accounts.exclude has South"
    assert found.skipped["8"] == "accounts.exclude has North"


@pytest.mark.parametrize(
    ("include", "exclude", "selected"),
    [
        ((), (), ["111", "112", "12", "13"]),
        (("label:priority",), (), ["111", "12"]),
        (("Brands*",), (), ["111", "112"]),
        ((), ("Brands*",), ["12", "13"]),
        (("Acme*", "13"), ("112",), ["111", "13"]),
        (("nobody",), (), []),
    ],
)
def test_patterns_choose_clients_and_a_manager_s_stand_for_all_below(
    include: tuple[str, ...], exclude: tuple[str, ...], selected: list[str]
) -> None:
    found = select(TREE, include, exclude)
    assert list(found.accounts) == selected
    assert {*found.accounts, *found.skipped} == {account.customer_id for account in TREE}, "nobody silently absent"
    assert found.skipped["11"] == "a manager has no metrics of its own"
    assert found.unmatched == (("nobody",) if "nobody" in include else ())


def test_what_is_skipped_says_by_what_and_what_is_refused_says_why() -> None:
    found = select(TREE, ["Acme*"], ["label:priority"])
    assert found.skipped["12"] == "accounts.exclude has label:priority"
    assert found.skipped["13"] == "matches nothing in accounts.include"
    assert list(found.refused) == ["112"]
    assert "CANCELED" in found.refused["112"].message
    assert not select(TREE, ["13"], []).refused, "a suspended account is asked"


class Directory:
    def __init__(self, tree: Sequence[Account] | GadsError) -> None:
        self.tree = tree
        self.asked: list[object] = []

    def below(self, root: str, *, with_parents: bool = True) -> list[Account]:
        self.asked.append((root, with_parents))
        if isinstance(self.tree, GadsError):
            raise self.tree
        return list(self.tree)

    def named(self, customer_ids: Sequence[str]) -> list[Account]:
        self.asked += customer_ids
        return [
            Account(number, refusal=DENIED if number == "99" else None, time_zone="Asia/Tokyo")
            for number in customer_ids
        ]


class Connection:
    def __init__(self, login: str | None = "1") -> None:
        self.login_customer_id = login


Configured = Callable[..., Configuration]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    def write(ids: str = "[]", accounts: str = "") -> Configuration:
        path = tmp_path / "gads.toml"
        path.write_text(
            f"[google_ads]\ncustomer_ids = {ids}\n{accounts}\n"
            '[storage]\nsink = "file:raw"\nstate = "sqlite:s"\n[[reports]]\nname = "account"\n'
        )
        return Configuration.load(path)

    return write


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Directory:
    made = Directory(TREE)
    monkeypatch.setattr(account_selection, "directory_of", lambda *_given: made)
    return made


def chosen(configuration: Configuration, *customers: str, login: str | None = "1", **more: Any) -> Any:
    connection: Any = Connection(login)
    return select_accounts(configuration, connection, customers, **more)


def test_without_ids_all_clients_below_the_login_customer_are_meant(
    configured: Configured, directory: Directory
) -> None:
    assert list(chosen(configured()).accounts) == ["111", "112", "12", "13"]
    assert directory.asked == [("1", False)], "nothing is spent on parents that no pattern needs"


def test_managers_that_are_not_on_record_are_asked_for_once(configured: Configured, directory: Directory) -> None:
    assert not isinstance(directory.tree, GadsError)
    deep = [account.customer_id for account in directory.tree if account.level > 1]
    directory.tree = [replace(account, parent_id=None) for account in directory.tree]
    chosen(configured(), placed=deep[1:])
    chosen(configured(), placed=deep)
    assert directory.asked == [("1", False), ("1", True), ("1", False)]


def test_a_root_and_patterns_are_the_configuration_s(configured: Configured, directory: Directory) -> None:
    found = chosen(configured(accounts='[accounts]\nroot = "1-1"\nexclude = ["Brands*"]'))
    assert list(found.accounts) == ["12", "13"]
    assert directory.asked == [("11", True)]


def test_named_ids_are_meant_and_no_others_and_the_api_says_what_is_wrong_with_one(
    configured: Configured, directory: Directory
) -> None:
    found = chosen(configured(ids='["13", "99", "11"]'))
    assert list(found.accounts) == ["13", "99", "11"], "a manager too, if it is named"
    assert found.refused == {"99": DENIED}
    assert directory.asked == [("1", False), "99"]
    assert list(chosen(configured(ids='["13"]')).accounts) == ["13"]
    assert directory.asked[2:] == ["13"]


@pytest.mark.parametrize("failure", [TransientApiError("away"), None])
def test_named_ids_do_not_hang_on_the_root(
    failure: GadsError | None, configured: Configured, directory: Directory
) -> None:
    directory.tree = failure or [Account("1", refusal=DENIED)]
    assert list(chosen(configured(ids='["13", "12"]')).accounts) == ["13", "12"]
    assert directory.asked[1:] == ["13", "12"]


def test_customers_on_the_command_line_narrow_down(configured: Configured, directory: Directory) -> None:
    assert list(chosen(configured(accounts='[accounts]\nroot = "1"'), "12").accounts) == ["12"]
    assert list(chosen(configured(), "99", login=None).accounts) == ["99"], "there is no list to compare it with"
    assert list(chosen(configured(), "99", force=True).accounts) == ["99"]
    with pytest.raises(UsageError, match=r"customer 11 is not selected: a manager"):
        chosen(configured(accounts='[accounts]\nroot = "1"'), "11")
    with pytest.raises(UsageError, match=r"customer 77 is not selected: it is not below 1"):
        chosen(configured(), "77")


def test_nobody_is_an_error(configured: Configured, directory: Directory) -> None:
    with pytest.raises(ConfigurationError, match="no account is named") as caught:
        chosen(configured(), login=None)
    assert "accounts.root" in caught.value.hint
    with pytest.raises(UsageError, match="no account is selected"):
        chosen(configured(accounts='[accounts]\ninclude = ["nobody"]'))
    directory.tree = [Account("1", manager=True, refusal=DENIED)]
    with pytest.raises(PermanentApiError, match="cannot be listed: USER_PERMISSION_DENIED"):
        chosen(configured())
    new = FailureReason("api_account_unavailable", "CUSTOMER_NOT_FOUND", retryable=True)
    directory.tree = [Account("1", manager=True, refusal=new)]
    with pytest.raises(AccountUnavailableError, match="cannot be listed: CUSTOMER_NOT_FOUND"):
        chosen(configured())


def test_the_section_is_checked(configured: Configured) -> None:
    with pytest.raises(ConfigurationError, match=r"accounts\.include: 'label:' is not a pattern"):
        configured(accounts='[accounts]\ninclude = ["label:"]')
    with pytest.raises(ConfigurationError, match="not both"):
        configured(ids='["12"]', accounts='[accounts]\nexclude = ["12"]')


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (TransientApiError("UNAVAILABLE: gone"), "try again later"),
        (QuotaExhaustedError("RESOURCE_EXHAUSTED: spent", hint="go on after 8"), "go on after 8"),
    ],
    ids=["passes", "quota"],
)
def test_that_the_list_of_accounts_failed_is_said(
    error: GadsError, hint: str, configured: Configured, directory: Directory
) -> None:
    directory.tree = error
    with pytest.raises(type(error), match=f"the accounts below 1 cannot be listed: {error.message}") as caught:
        chosen(configured())
    assert hint in caught.value.hint
