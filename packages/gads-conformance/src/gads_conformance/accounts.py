"""The laws of `AccountDirectory`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from gads_conformance.law import law, required
from gads_domain.account import AccountStatus
from gads_domain.ports.accounts import AccountDirectory


@dataclass(frozen=True)
class KnownTree:
    """The accounts below `root`, as the API has them.

    `parents` has every account of the tree with its manager, `root` with None; `statuses` has those that are not
    enabled; `hidden` those that are hidden; `refused` is an account, in the tree or not, that the API refuses.
    """

    root: str
    parents: Mapping[str, str | None]
    statuses: Mapping[str, AccountStatus]
    hidden: frozenset[str]
    refused: str

    def level(self, customer_id: str) -> int:
        """How many levels `customer_id` is below the root."""
        parent = self.parents[customer_id]
        return 0 if parent is None else 1 + self.level(parent)


class AccountDirectoryLaws:
    """Every law of `AccountDirectory`. A subclass gives `directory`, `tree` and `queries_asked`."""

    directory = required("The directory under test.")
    tree = required("The accounts of the API: at least three levels, one cancelled account, one hidden account.")
    queries_asked = required("Returns every query that the API has got in this test.")

    @law("AccountDirectory", 1)
    @pytest.mark.parametrize("with_parents", [True, False])
    def test_nothing_is_silently_absent(self, with_parents: bool, directory: AccountDirectory, tree: KnownTree) -> None:
        found = {account.customer_id: account for account in directory.below(tree.root, with_parents=with_parents)}
        assert set(found) == set(tree.parents)
        assert {number for number, account in found.items() if account.hidden} == tree.hidden
        statuses = {number: tree.statuses.get(number, AccountStatus.ENABLED) for number in tree.parents}
        assert {number: account.status for number, account in found.items()} == statuses

    @law("AccountDirectory", 1)
    def test_a_refused_root_is_listed_alone_with_the_reason(self, directory: AccountDirectory, tree: KnownTree) -> None:
        (account,) = directory.below(tree.refused)
        assert account.customer_id == tree.refused
        assert account.refusal
        assert account.refusal.message

    @law("AccountDirectory", 2)
    @pytest.mark.parametrize("with_parents", [True, False])
    def test_each_once_and_after_its_manager(
        self, with_parents: bool, directory: AccountDirectory, tree: KnownTree
    ) -> None:
        seen: set[str] = set()
        for account in directory.below(tree.root, with_parents=with_parents):
            assert account.customer_id not in seen
            assert account.parent_id is None or account.parent_id in seen
            if with_parents:
                assert account.parent_id == tree.parents[account.customer_id]
            assert account.level == tree.level(account.customer_id)
            seen.add(account.customer_id)

    @law("AccountDirectory", 3)
    def test_one_refusal_concerns_one_account(self, directory: AccountDirectory, tree: KnownTree) -> None:
        good = [number for number in tree.parents if number not in tree.statuses and number != tree.refused][:2]
        alone = directory.named(good)
        among = directory.named([good[0], tree.refused, good[1]])
        assert [account.customer_id for account in among] == [good[0], tree.refused, good[1]]
        assert among[1].refusal is not None
        assert [among[0], among[2]] == alone
        assert all(account.refusal is None for account in alone)

    @law("AccountDirectory", 4)
    def test_no_metrics_are_queried(
        self, directory: AccountDirectory, tree: KnownTree, queries_asked: Callable[[], list[str]]
    ) -> None:
        directory.below(tree.root)
        directory.named([tree.root])
        queries = queries_asked()
        assert queries
        assert not [query for query in queries if "metrics." in query or "segments." in query]
