"""What is expected of the ledger: the account list as last drawn, and from which day on each report is expected."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gads_domain.account import AccountStatus
from gads_domain.account_days import usable_zone, zone_named
from gads_domain.documents import members_of, plain
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import require_customer_id

NOT_LISTED = "the account is not listed any more"
NOT_CONFIGURED = "the report is not configured any more"
FORGOTTEN = "forgotten by "
"""How the reason of an account that an operator took out of what is expected begins; who it was and why follows."""

_A_DAY = timedelta(days=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account as a list had it.

    - `manager_path`: the ids of the managers above it, the topmost first; empty where that is not known.
    - `selected`: whether the last list selects it; `skipped`: why not, empty if it does.
    - `first_listed_at`, `last_listed_at`: when the first and the last list that had it were drawn.

    Raises `InvalidValueError` for an id that is none, and for a selected account with a reason why it is not.
    """

    customer_id: str
    name: str = ""
    currency: str = ""
    time_zone: str = ""
    manager_path: tuple[str, ...] = ()
    status: AccountStatus = AccountStatus.UNKNOWN
    selected: bool = True
    skipped: str = ""
    first_listed_at: datetime = _NEVER
    last_listed_at: datetime = _NEVER

    def __post_init__(self) -> None:
        require_customer_id(self.customer_id)
        if self.selected and self.skipped:
            raise InvalidValueError(f"account {self.customer_id} is selected, and skipped: {self.skipped}")

    def __str__(self) -> str:
        return f"{self.customer_id} ({self.name})" if self.name else self.customer_id


@dataclass(frozen=True, slots=True, order=True)
class Expectation:
    """A report of an account is expected for every day from `first_day` on.

    `last_day` is the last of these days, with `closed` saying why there are no later ones; None while it is open. An
    `inferred` expectation is of the days between the first row and the last one, since no list was ever drawn.
    """

    customer_id: str
    report: str
    first_day: date
    last_day: date | None = None
    closed: str = ""
    inferred: bool = False

    def __post_init__(self) -> None:
        if (self.last_day is None) != (not self.closed and not self.inferred):
            raise InvalidValueError(f"{self.customer_id}/{self.report}: a last day and a reason belong together")


@dataclass(frozen=True, slots=True)
class DrawnList:
    """An account list as it was drawn at `drawn_at`, and what is expected of it.

    `accounts` are all that were listed, selected or not. `first_days` has, for each selected account and configured
    report, the first day that is expected.
    """

    source: str
    drawn_at: datetime
    accounts: tuple[ListedAccount, ...]
    first_days: Mapping[tuple[str, str], date]

    def __post_init__(self) -> None:
        if self.drawn_at.tzinfo is None:
            raise InvalidValueError(f"{self.drawn_at.isoformat()} is a time without a zone")
        selected = {account.customer_id for account in self.accounts if account.selected}
        for customer_id, _ in self.first_days:
            if customer_id not in selected:
                raise InvalidValueError(f"account {customer_id} is not selected, and nothing is expected of it")


@dataclass(frozen=True, slots=True)
class Expectations:
    """All that is on record as expected of `source`.

    `drawn_at` is when the last list was drawn; None if none ever was: then there are no accounts, and `expected` is
    inferred from the rows. `expected` is by account, report and first day; `accounts` by id.
    """

    source: str
    drawn_at: datetime | None = None
    accounts: tuple[ListedAccount, ...] = ()
    expected: tuple[Expectation, ...] = ()
    _by_id: dict[str, ListedAccount] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_id.update((account.customer_id, account) for account in self.accounts)

    def account(self, customer_id: str) -> ListedAccount | None:
        """The account as last listed; None if no list ever had it."""
        return self._by_id.get(customer_id)

    def zone_of(self, customer_id: str) -> str:
        """The time zone by which the account's days end; where it is not known, the one in which a day ends last."""
        account = self.account(customer_id)
        return usable_zone("" if account is None else account.time_zone)

    def described(self, customer_id: str) -> str:
        """The account by its number, and its name if a list had one."""
        return str(self._by_id.get(customer_id, customer_id))

    @property
    def selected(self) -> tuple[ListedAccount, ...]:
        """The accounts that the last list selects."""
        return tuple(one for one in self.accounts if one.selected)


def without(drawn: DrawnList, erased: Collection[str]) -> DrawnList:
    """The list without the accounts `erased`, which nothing is put on record of."""
    if not erased:
        return drawn
    accounts = tuple(account for account in drawn.accounts if account.customer_id not in erased)
    first_days = {pair: day for pair, day in drawn.first_days.items() if pair[0] not in erased}
    return replace(drawn, accounts=accounts, first_days=first_days)


def after_drawing(before: Expectations, drawn: DrawnList) -> Expectations:
    """What is expected once `drawn` is on record on top of `before`.

    - A list that is older than the one on record changes nothing.
    - What a list does not say of an account (its name, currency, zone, managers, status) stays as it was known.
    - A first day only ever becomes earlier.
    - What is no longer selected or configured stays expected up to the last day on which a list had it; from then on it
      is closed with the reason. What comes back is expected again, from its first day of then on.
    """
    if before.drawn_at is not None and drawn.drawn_at < before.drawn_at:
        return before
    accounts = {
        account.customer_id: account
        if account.skipped.startswith(FORGOTTEN)
        else replace(account, selected=False, skipped=NOT_LISTED)
        for account in before.accounts
    }
    for account in drawn.accounts:
        accounts[account.customer_id] = _listed(accounts.get(account.customer_id), account, drawn.drawn_at)
    now = {account.customer_id: account for account in drawn.accounts}
    kept: dict[tuple[str, str], list[Expectation]] = {}
    for one in before.expected:
        kept.setdefault((one.customer_id, one.report), []).append(one)
    for pair in {**kept, **drawn.first_days}:
        periods = kept.get(pair, [])
        first = drawn.first_days.get(pair)
        if first is not None:
            kept[pair] = _expected(pair, periods, first)
        elif periods and not periods[-1].closed:
            kept[pair][-1] = _closed(before, periods[-1], now.get(pair[0]))
    return Expectations(
        drawn.source,
        drawn.drawn_at,
        tuple(accounts[number] for number in sorted(accounts)),
        tuple(one for pair in sorted(kept) for one in kept[pair]),
    )


def after_forgetting(before: Expectations, customer_id: str, actor: str, reason: str) -> Expectations:
    """What is expected once an operator has taken an account out of it.

    The account stays on record with the reason, and nothing is expected of it until a list selects it again. What the
    last list selects, and what nothing is expected of, stays as it is; so does everything while no list was drawn.
    """
    account = before.account(customer_id) or ListedAccount(customer_id)
    kept = tuple(one for one in before.expected if one.customer_id != customer_id)
    if before.drawn_at is None or len(kept) == len(before.expected):
        return before
    if account in before.selected:
        return before
    accounts = {one.customer_id: one for one in before.accounts}
    accounts[customer_id] = replace(account, selected=False, skipped=f"{FORGOTTEN}{actor}: {reason}")
    in_order = tuple(accounts[number] for number in sorted(accounts))
    return Expectations(before.source, before.drawn_at, in_order, kept)


def _listed(known: ListedAccount | None, account: ListedAccount, at: datetime) -> ListedAccount:
    if known is None:
        return replace(account, first_listed_at=at, last_listed_at=at)
    unknown = account.status is AccountStatus.UNKNOWN
    return replace(
        account,
        name=account.name or known.name,
        currency=account.currency or known.currency,
        time_zone=account.time_zone or known.time_zone,
        manager_path=account.manager_path or known.manager_path,
        status=known.status if unknown else account.status,
        first_listed_at=known.first_listed_at,
        last_listed_at=at,
    )


def _expected(pair: tuple[str, str], periods: list[Expectation], first: date) -> list[Expectation]:
    """The periods with the last one open: the last one on record, or a new one if there was a time between."""
    if not periods:
        return [Expectation(*pair, first)]
    last = periods[-1]
    if last.closed and last.last_day is not None and first > last.last_day + _A_DAY:
        return [*periods, Expectation(*pair, first)]
    return _lowered([*periods[:-1], Expectation(*pair, last.first_day)], first)


def _lowered(periods: list[Expectation], first: date) -> list[Expectation]:
    """The periods with every day from `first` on, each beginning behind the one before it, so that none overlap."""
    found: list[Expectation] = []
    floor = first
    for one in periods:
        found.append(replace(one, first_day=min(one.first_day, floor)))
        if one.last_day is not None:
            floor = max(floor, one.last_day + _A_DAY)
    return found


def _closed(before: Expectations, open_: Expectation, account: ListedAccount | None) -> Expectation:
    if account is None:
        reason = NOT_LISTED
    else:
        reason = NOT_CONFIGURED if account.selected else account.skipped or "the account is not selected any more"
    last = open_.last_day
    if last is None:
        known = before.account(open_.customer_id)
        seen = known.last_listed_at if known is not None else before.drawn_at
        assert seen is not None
        last = day_in(known.time_zone if known is not None else "", seen)
    # Of an account that left before its first day nothing is expected: the last day is the one before the first.
    return replace(open_, last_day=max(last, open_.first_day - _A_DAY), closed=reason, inferred=False)


def day_in(zone: str, moment: datetime) -> date:
    """The date at `moment` in `zone`; in UTC where the zone is empty or unknown."""
    try:
        return moment.astimezone(zone_named(zone) if zone else UTC).date()
    except InvalidValueError:
        return moment.astimezone(UTC).date()


def inferred(source: str, days: Iterable[tuple[str, str, date]]) -> Expectations:
    """What is expected while no list was drawn, by the accounts, reports and days that have a row."""
    found: dict[tuple[str, str], list[date]] = {}
    for customer_id, report, day in days:
        found.setdefault((customer_id, report), []).append(day)
    return Expectations(
        source,
        expected=tuple(Expectation(*pair, min(found[pair]), max(found[pair]), inferred=True) for pair in sorted(found)),
    )


def expectations_document(expectations: Expectations) -> dict[str, Any]:
    """The document that contracts/expectations/v1/expectations.schema.json describes."""
    return {
        "version": 1,
        **members_of(expectations, ("source", "drawn_at")),
        "accounts": [{**plain(account), "skipped": account.skipped or None} for account in expectations.accounts],
        "expected": [{**plain(one), "closed": one.closed or None} for one in expectations.expected],
    }
