"""Which accounts are meant, and which of them the API would refuse for certain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import gads_extractor
from gads_domain.account import Account
from gads_domain.documents import members_of
from gads_domain.errors import (
    AccountRefusedError,
    AccountUnavailableError,
    ApiError,
    ConfigurationError,
    FailureReason,
    QuotaExhaustedError,
    TransientApiError,
    UsageError,
)
from gads_pipeline.account_patterns import AccountPattern

if TYPE_CHECKING:
    from gads_domain.ports.accounts import AccountDirectory
    from gads_domain.ports.report_source import OperationQuota
    from gads_extractor.connection import GoogleAdsConnection, SearchStreams
    from gads_pipeline.configuration import Configuration

_LISTED = (
    *("customer_id", "name", "manager", "parent_id", "other_parent_ids", "level", "status"),
    *("currency", "time_zone", "labels", "hidden", "test_account"),
)
"""The members of an account in the document of the list."""

_MANAGER = "a manager has no metrics of its own"
_UNLISTED = "the accounts below {} cannot be listed"
_HOW_TO_CHOOSE = "`Pipeline.accounts` shows the tree; `force` requests it all the same"
_LATER = "no report was requested yet; try again later"


@dataclass(frozen=True, slots=True)
class SelectedAccounts:
    """The accounts that are selected, those that are not, and why.

    - `accounts`: the selected accounts by id, in the order of the configuration or of the tree, refused ones included.
    - `refused`: why the API would refuse a selected account for certain, so that no operation is spent on it.
    - `skipped`: for each account that was listed and not selected, why.
    - `listed`: all accounts that were listed, each after the manager above it; `is_whole`: whether these are all below
      the root.
    - `unmatched`: patterns of the configuration that match no account.
    """

    accounts: Mapping[str, Account]
    skipped: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[Account, ...] = ()
    unmatched: tuple[str, ...] = ()
    is_whole: bool = False

    @property
    def refused(self) -> Mapping[str, FailureReason]:
        """The reason for each selected account that the API would refuse for certain."""
        reasons = {number: account.reason_not_to_ask for number, account in self.accounts.items()}
        return {number: reason for number, reason in reasons.items() if reason is not None}

    def refusal(self, account: Account) -> FailureReason | None:
        """Why the API refuses the account, selected or not; None if it is not known to."""
        selected = self.accounts.get(account.customer_id)
        return (selected.reason_not_to_ask if selected is not None else None) or account.refusal

    def without(self, erased: Mapping[str, object]) -> SelectedAccounts:
        """The same with each of the accounts `erased` skipped for what it is there."""
        accounts = {number: account for number, account in self.accounts.items() if number not in erased}
        skipped = {number: str(erased[number]) for number in self.accounts if number in erased}
        return replace(self, accounts=accounts, skipped={**self.skipped, **skipped}) if skipped else self

    def described(self, account: Account) -> str:
        """A listed account in a line: a sign for whether it is selected, what it is, and why it is skipped."""
        facts = [account.customer_id, account.name, account.currency, account.time_zone]
        facts += [f"label {label}" for label in account.labels]
        marks: Mapping[str, bool] = {
            "manager": account.manager,
            account.status.value.lower(): account.status.value not in ("ENABLED", "UNKNOWN"),
            "hidden": account.hidden,
            "test account": account.test_account,
        }
        facts += [mark for mark, applies in marks.items() if applies]
        if (refusal := self.refusal(account)) is not None:
            facts.append(f"refused: {refusal.message}")
        if account.customer_id in self.accounts:
            sign = "✗" if account.customer_id in self.refused else "✓"
        else:
            sign = "·" if account.manager else "-"
            if not account.manager:
                facts.append(f"skipped: {self.skipped.get(account.customer_id, '')}")
        return f"{sign} " + "  ".join(fact for fact in facts if fact)

    def to_document(self) -> list[dict[str, Any]]:
        """Each listed account as JSON."""
        return [
            {
                **members_of(account, _LISTED),
                "selected": account.customer_id in self.accounts,
                "skipped": self.skipped.get(account.customer_id),
                "refusal": None if (refusal := self.refusal(account)) is None else str(refusal),
            }
            for account in self.listed
        ]


def select_accounts(
    configuration: Configuration,
    connection: GoogleAdsConnection,
    chosen: Sequence[str] = (),
    *,
    force: bool = False,
    whole_tree: bool = False,
    placed: Collection[str] | None = None,
    quota: OperationQuota | None = None,
) -> SelectedAccounts:
    """Ask the API for the accounts that the configuration selects; `chosen` narrows them down.

    With `google_ads.customer_ids`, or with `chosen` and either `force` or no root to list, exactly these accounts,
    managers included; those that the API does not list are looked up one by one, so that the API itself says why.
    Otherwise all clients below `accounts.root`, or below the login customer, that match the patterns. `whole_tree` also
    lists what is not selected and the managers of each account, which costs one request for each manager below the
    root; so does an account whose managers are not known, if its number is not among `placed`. Each request is
    taken from `quota`.

    Raises `ConfigurationError` or `UsageError` if no account is selected, `AccountRefusedError` if the root is refused,
    `AccountUnavailableError` if it is not found, as a new account at first, and `CredentialsError`,
    `TransientApiError` or `QuotaExhaustedError` if the list cannot be had.
    """
    directory = directory_of(configuration, connection, quota)
    section = configuration.accounts
    root = section.root or connection.login_customer_id
    if configuration.google_ads.customer_ids or (chosen and (force or root is None)):
        return _explicit(configuration.customers(chosen), directory, root, whole_tree=whole_tree)
    if root is None:
        raise ConfigurationError(
            "no account is named",
            hint=f"list google_ads.customer_ids in {configuration.path}, or name a manager as accounts.root or as the "
            "client's login_customer_id",
        )
    patterns = bool(section.include or section.exclude)
    try:
        listed = directory.below(root, with_parents=patterns or whole_tree)
        unplaced = {account.customer_id for account in listed if account.level > 1 and account.parent_id is None}
        if placed is not None and unplaced.difference(placed):
            listed = directory.below(root)
    except (TransientApiError, QuotaExhaustedError) as error:
        hint = _LATER if isinstance(error, TransientApiError) else error.hint
        raise type(error)(f"{_UNLISTED.format(root)}: {error.message}", hint=hint) from error
    if listed[0].refusal is not None and len(listed) == 1:
        refusal = listed[0].refusal
        kind = AccountUnavailableError if refusal.retryable else AccountRefusedError
        raise kind(f"{_UNLISTED.format(root)}: {refusal.message}", hint=refusal.hint)
    return _narrowed(select(listed, section.include, section.exclude), chosen)


def directory_of(
    configuration: Configuration, connection: SearchStreams, quota: OperationQuota | None = None
) -> AccountDirectory:
    """The API's own list of accounts, with the retries and the timeout that the configuration says."""
    section = configuration.extraction
    retry = gads_extractor.RetryPolicy(attempts=section.max_attempts)
    return gads_extractor.GoogleAdsAccountDirectory(
        connection, retry=retry, idle_timeout=section.silence_seconds, quota=quota
    )


def select(listed: Sequence[Account], include: Sequence[str], exclude: Sequence[str]) -> SelectedAccounts:
    """The clients among `listed` that match a pattern of `include` (all for no patterns) and none of `exclude`.

    A pattern that matches a manager means everything below it, except that of a status, which is each account's own.
    An account below several managers is selected if it is by one of the paths to it.
    """
    known = {account.customer_id: account for account in listed}
    wanted = {text: AccountPattern.parse(text) for text in include}
    unwanted = {text: AccountPattern.parse(text) for text in exclude}
    paths: dict[str, frozenset[_Path]] = {}

    def paths_to(account: Account) -> frozenset[_Path]:
        """What the managers on each path from above say, the account itself included."""
        if account.customer_id not in paths:
            fits = any(pattern.matches(account) for pattern in wanted.values() if pattern.is_inherited)
            against = {text for text, pattern in unwanted.items() if pattern.is_inherited and pattern.matches(account)}
            managers = [known[number] for number in _managers_of(account) if number in known]
            above = [path for manager in managers for path in paths_to(manager)] or [_Path()]
            paths[account.customer_id] = frozenset(_Path(fits or it.fits, it.against | against) for it in above)
        return paths[account.customer_id]

    accounts: dict[str, Account] = {}
    skipped: dict[str, str] = {}
    matched: set[str] = set()
    for account in listed:
        own_fits = {text for text, pattern in wanted.items() if pattern.matches(account)}
        own_against = {text for text, pattern in unwanted.items() if pattern.matches(account)}
        matched |= own_fits | own_against
        found = [_Path(bool(it.fits or own_fits), it.against | own_against) for it in paths_to(account)]
        against = [text for text in unwanted if any(text in path.against for path in found)]
        if account.manager:
            skipped[account.customer_id] = _MANAGER
        elif any((path.fits or not wanted) and not path.against for path in found):
            accounts[account.customer_id] = account
        elif against:
            skipped[account.customer_id] = f"accounts.exclude has {against[0]}"
        else:
            skipped[account.customer_id] = "matches nothing in accounts.include"
    unmatched = tuple(text for text in {**wanted, **unwanted} if text not in matched)
    return SelectedAccounts(accounts, skipped, tuple(listed), unmatched, is_whole=True)


@dataclass(frozen=True, slots=True)
class _Path:
    """What the patterns say on one path from the root to an account: whether one fits, and which are against it."""

    fits: bool = False
    against: frozenset[str] = frozenset()


def _managers_of(account: Account) -> tuple[str, ...]:
    return () if account.parent_id is None else (account.parent_id, *account.other_parent_ids)


def _explicit(
    customer_ids: Sequence[str], directory: AccountDirectory, root: str | None, *, whole_tree: bool
) -> SelectedAccounts:
    listed: list[Account] = []
    if root is not None and (len(customer_ids) > 1 or whole_tree):
        try:
            listed = directory.below(root, with_parents=whole_tree)
        except ApiError as error:
            if not error.retryable:  # the accounts may still be reached one by one
                raise
    listed = [account for account in listed if account.refusal is None or len(listed) > 1]
    known = {account.customer_id: account for account in listed}
    more = directory.named([number for number in customer_ids if number not in known])
    known |= {account.customer_id: account for account in more}
    accounts = {number: known[number] for number in customer_ids}
    skipped = {
        account.customer_id: _MANAGER if account.manager else "not among google_ads.customer_ids"
        for account in listed
        if account.customer_id not in accounts
    }
    return SelectedAccounts(accounts, skipped, (*listed, *more))


def _narrowed(selected: SelectedAccounts, chosen: Sequence[str]) -> SelectedAccounts:
    for number in chosen:
        if number not in selected.accounts:
            why = selected.skipped.get(number, f"it is not below {selected.listed[0].customer_id}")
            raise UsageError(f"customer {number} is not selected: {why}", hint=_HOW_TO_CHOOSE)
    if not selected.accounts:
        raise UsageError(
            "no account is selected", hint="`Pipeline.accounts` shows the tree, and why each account is skipped"
        )
    if not chosen:
        return selected
    accounts = {number: selected.accounts[number] for number in dict.fromkeys(chosen)}
    return replace(selected, accounts=accounts)
