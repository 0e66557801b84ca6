"""Which accounts a command is about, and which of them the API would surely refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gads_domain.account import Account
from gads_domain.errors import (
    ApiError,
    ConfigurationError,
    FailureReason,
    PermanentApiError,
    QuotaExhaustedError,
    TransientApiError,
    UsageError,
)
from gads_etl.account_patterns import AccountPattern
from gads_etl.control_plane import GatedStreams

if TYPE_CHECKING:
    from gads_domain.ports.accounts import AccountDirectory
    from gads_etl.configuration import Configuration
    from gads_extractor.connection import GoogleAdsConnection
    from gads_extractor.report_source import SearchStreams

_MANAGER = "a manager has no metrics of its own"
_UNLISTED = "the accounts below {} cannot be listed"
_LATER = "nothing was asked for yet: run it again later"


@dataclass(frozen=True, slots=True)
class SelectedAccounts:
    """The accounts that are meant, those that are not, and why.

    - `accounts`: the selected ones by id, in the order of the configuration or of the tree; the refused among them.
    - `refused`: why the API would surely refuse one of them, so that nobody need ask.
    - `skipped`: for each account that was listed and not selected, why.
    - `listed`: all that were listed, each after the manager above it.
    - `unmatched`: patterns of the configuration that fit no account.
    """

    accounts: Mapping[str, Account]
    skipped: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[Account, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def refused(self) -> Mapping[str, FailureReason]:
        """The reason for each selected account that the API would surely refuse."""
        reasons = {number: account.reason_not_to_ask for number, account in self.accounts.items()}
        return {number: reason for number, reason in reasons.items() if reason is not None}


def select_accounts(
    configuration: Configuration,
    connection: GoogleAdsConnection,
    chosen: Sequence[str] = (),
    *,
    whole_tree: bool = False,
    count: Callable[[], None] | None = None,
) -> SelectedAccounts:
    """Ask the API for the accounts that the configuration means; `chosen` narrows them down.

    With `google_ads.customer_ids` (or without an `accounts` section, those `chosen`) these and no others, managers
    too: what the API's list does not have is asked one by one, so that the API itself says why. Otherwise all clients
    below `accounts.root`, or below the login customer, that fit its patterns. `whole_tree` also lists what is not
    selected, and costs a request a manager below the root. `count` is called before each request.

    Raises `ConfigurationError` or `UsageError` if nobody could be meant, `PermanentApiError` if the root is refused,
    `CredentialsError`, `TransientApiError` or `QuotaExhaustedError` if the API could not be asked.
    """
    directory = directory_of(configuration, connection if count is None else GatedStreams(connection, count))
    section = configuration.accounts
    root = section.root or connection.login_customer_id
    if configuration.google_ads.customer_ids or (chosen and section.is_empty):
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
    except (TransientApiError, QuotaExhaustedError) as error:
        hint = _LATER if isinstance(error, TransientApiError) else error.hint
        raise type(error)(f"{_UNLISTED.format(root)}: {error.message}", hint=hint) from error
    if listed[0].refusal is not None and len(listed) == 1:
        refusal = listed[0].refusal
        raise PermanentApiError(f"{_UNLISTED.format(root)}: {refusal.message}", hint=refusal.hint)
    return _narrowed(select(listed, section.include, section.exclude), chosen)


def directory_of(configuration: Configuration, connection: SearchStreams) -> AccountDirectory:
    """The API's own list, asked as patiently as the configuration says."""
    from gads_extractor.accounts import GoogleAdsAccountDirectory
    from gads_extractor.call_retry import RetryPolicy

    section = configuration.extraction
    return GoogleAdsAccountDirectory(
        connection, retry=RetryPolicy(attempts=section.max_attempts), idle_timeout=section.silence_seconds
    )


def select(listed: Sequence[Account], include: Sequence[str], exclude: Sequence[str]) -> SelectedAccounts:
    """The clients among `listed` that some pattern of `include` fits, or all for none, and none of `exclude`.

    A pattern that fits a manager stands for everything below it.
    """
    known = {account.customer_id: account for account in listed}
    wanted = {text: AccountPattern.parse(text) for text in include}
    unwanted = {text: AccountPattern.parse(text) for text in exclude}
    accounts: dict[str, Account] = {}
    skipped: dict[str, str] = {}
    matched: set[str] = set()
    for account in listed:
        line = list(_line(account, known))
        fitting = [text for text, pattern in wanted.items() if any(map(pattern.matches, line))]
        against = [text for text, pattern in unwanted.items() if any(map(pattern.matches, line))]
        matched.update(fitting, against)
        if account.manager:
            skipped[account.customer_id] = _MANAGER
        elif against:
            skipped[account.customer_id] = f"accounts.exclude has {against[0]}"
        elif wanted and not fitting:
            skipped[account.customer_id] = "fits nothing in accounts.include"
        else:
            accounts[account.customer_id] = account
    unmatched = tuple(text for text in {**wanted, **unwanted} if text not in matched)
    return SelectedAccounts(accounts, skipped, tuple(listed), unmatched)


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
            raise UsageError(f"customer {number} is not selected: {why}", hint="gads-etl accounts shows the tree")
    if not selected.accounts:
        raise UsageError("no account is selected", hint="gads-etl accounts shows the tree, and why each is left out")
    if not chosen:
        return selected
    accounts = {number: selected.accounts[number] for number in dict.fromkeys(chosen)}
    return SelectedAccounts(accounts, selected.skipped, selected.listed, selected.unmatched)


def _line(account: Account, known: Mapping[str, Account]) -> Iterator[Account]:
    """The account and the managers above it."""
    above: Account | None = account
    while above is not None:
        yield above
        above = known.get(above.parent_id) if above.parent_id is not None else None
