"""The laws of `AccountDirectory`, each test named by its number in the port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from gads_domain.account import AccountStatus
from gads_domain.ports.accounts import AccountDirectory


@dataclass(frozen=True)
class KnownTree:
    """What lies below `root`, as whoever built the API's side knows it.

    `parents` has every account of the tree with its manager, `root` with None; `statuses` those that are not enabled;
    `hidden` those that are hidden; `refused` is an account, in the tree or not, that the API refuses to this login.
    """

    root: str
    parents: Mapping[str, str | None]
    statuses: Mapping[str, AccountStatus]
    hidden: frozenset[str]
    refused: str


class AccountDirectoryLaws:
    """Every law of a directory; a subclass gives `directory`, `tree` and `queries_asked`."""

    @pytest.fixture
    def directory(self) -> AccountDirectory:
        """The directory to be held to them."""
        raise NotImplementedError("the suite of a directory gives the fixture directory")

    @pytest.fixture
    def tree(self) -> KnownTree:
        """What the API has: at least three levels, one account that is cancelled, one that is hidden."""
        raise NotImplementedError("the suite of a directory gives the fixture tree")

    @pytest.fixture
    def queries_asked(self) -> Callable[[], list[str]]:
        """Tells every query that the API has been asked in this test."""
        raise NotImplementedError("the suite of a directory gives the fixture queries_asked")

    @pytest.mark.parametrize("with_parents", [True, False])
    def test_law_1_nothing_is_silently_absent(
        self, with_parents: bool, directory: AccountDirectory, tree: KnownTree
    ) -> None:
        """Every account of the tree is listed with its status, hidden and cancelled ones too."""
        found = {account.customer_id: account for account in directory.below(tree.root, with_parents=with_parents)}
        assert set(found) == set(tree.parents)
        assert {number for number, account in found.items() if account.hidden} == tree.hidden
        assert {number: found[number].status for number in tree.statuses} == tree.statuses
        others = found.keys() - tree.statuses.keys()
        assert {found[number].status for number in others} == {AccountStatus.ENABLED}

    def test_law_1_a_root_that_is_refused_comes_alone_with_the_reason(
        self, directory: AccountDirectory, tree: KnownTree
    ) -> None:
        """It is an account whose answer is a refusal, and no error."""
        (account,) = directory.below(tree.refused)
        assert account.customer_id == tree.refused
        assert account.refusal is not None
        assert account.refusal.message

    @pytest.mark.parametrize("with_parents", [True, False])
    def test_law_2_each_once_and_after_its_manager(
        self, with_parents: bool, directory: AccountDirectory, tree: KnownTree
    ) -> None:
        """At the depth where it lies; the root first."""
        seen: set[str] = set()
        for account in directory.below(tree.root, with_parents=with_parents):
            assert account.customer_id not in seen
            assert account.parent_id is None or account.parent_id in seen
            if with_parents:
                assert account.parent_id == tree.parents[account.customer_id]
            assert account.level == depth(tree, account.customer_id)
            seen.add(account.customer_id)

    def test_law_3_one_refusal_is_one_account_s(self, directory: AccountDirectory, tree: KnownTree) -> None:
        """The others come in their order, as if it had not been asked for."""
        good = [number for number in tree.parents if number not in tree.statuses and number != tree.refused][:2]
        alone = directory.named(good)
        among = directory.named([good[0], tree.refused, good[1]])
        assert [account.customer_id for account in among] == [good[0], tree.refused, good[1]]
        assert among[1].refusal is not None
        assert [among[0], among[2]] == alone
        assert all(account.refusal is None for account in alone)

    def test_law_4_nobody_s_metrics_are_asked_for(
        self, directory: AccountDirectory, tree: KnownTree, queries_asked: Callable[[], list[str]]
    ) -> None:
        """Listing costs nothing that an account could refuse for being a manager."""
        directory.below(tree.root)
        directory.named([tree.root])
        queries = queries_asked()
        assert queries
        assert not [query for query in queries if "metrics." in query or "segments." in query]


def depth(tree: KnownTree, customer_id: str) -> int:
    """How far `customer_id` lies below the root."""
    parent = tree.parents[customer_id]
    return 0 if parent is None else 1 + depth(tree, parent)
