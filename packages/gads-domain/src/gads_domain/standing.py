"""How things stand: counts by report, by day and group of accounts, and by the reason of what is missing.

They are the counts of `gads_domain.completeness`, for a status, a page or metrics that cannot show each gap.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gads_domain.account import AccountStatus
from gads_domain.completeness import Answer, Freshness
from gads_domain.expectations import ListedAccount
from gads_domain.gaps import GapRange
from gads_domain.state import PartitionStatus

LATELY = timedelta(days=2)
"""How long ago a day was restated or came unchanged that a heat map shows so."""

MOST_GROUPS = 200
"""Into how many groups at most a heat map puts its accounts."""

MOST_COUNTED = 500
"""Of how many accounts at most a heat map counts what was restated or unchanged lately: that reads each partition."""

MOST_EXAMPLES = 3
"""Of how many accounts a group of gaps names one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which reports it is asked how they stand, and at which moment.

    `customers` are the accounts that are meant; none means all that are expected. `first_kept` gives, for a report and
    a time zone, the first day that the API still has: earlier ones that were never attempted cannot be had any more.
    """

    source: str
    reports: tuple[str, ...]
    now: datetime
    freshness: Freshness = field(default_factory=Freshness)
    customers: tuple[str, ...] = ()
    first_kept: Callable[[str, str], date] = lambda _report, _zone: date.min


@dataclass(frozen=True, slots=True)
class ReportStanding:
    """How one report stands.

    - `complete_up_to`: the last day up to which nothing is missing; None where the first day is missing or where it is
      not known what is expected.
    - `accounts`: those of which a day is expected and due; `accounts_behind`: those of them that miss one.
    - `expected`: partitions that are expected and due; `authoritative` of them are there, the others are `failed`,
      `held` for a decision or `pending`.
    - `not_due`: partitions that are expected up to a last day, neither due nor authoritative.
    - `first_gap`: the earliest day that is due and missing.
    - `lacking`: selected accounts of which nothing is on record as expected of the report, so that it is not known what
      is missing.
    """

    report: str
    complete_up_to: date | None = None
    accounts: int = 0
    accounts_behind: int = 0
    expected: int = 0
    authoritative: int = 0
    failed: int = 0
    held: int = 0
    pending: int = 0
    not_due: int = 0
    first_gap: date | None = None
    lacking: int = 0

    @property
    def missing(self) -> int:
        """How many of the expected partitions are not authoritative."""
        return self.expected - self.authoritative


@dataclass(frozen=True, slots=True)
class Standings:
    """How each report stands at a moment; `unknown` says why it is not known what is expected, empty if it is."""

    reports: tuple[ReportStanding, ...]
    unknown: str = ""

    @property
    def answer(self) -> Answer:
        """Incomplete where anything is missing, or else unknown where it is not known what is expected."""
        if any(one.missing for one in self.reports):
            return Answer.INCOMPLETE
        return Answer.UNKNOWN if self.unknown else Answer.COMPLETE

    @property
    def total(self) -> ReportStanding:
        """The sums of all reports; `accounts` and `accounts_behind` of the one that has most."""
        some = self.reports
        gaps = [one.first_gap for one in some if one.first_gap is not None]
        return ReportStanding(
            "",
            accounts=max((one.accounts for one in some), default=0),
            accounts_behind=max((one.accounts_behind for one in some), default=0),
            expected=sum(one.expected for one in some),
            authoritative=sum(one.authoritative for one in some),
            failed=sum(one.failed for one in some),
            held=sum(one.held for one in some),
            pending=sum(one.pending for one in some),
            not_due=sum(one.not_due for one in some),
            first_gap=min(gaps, default=None),
            lacking=max((one.lacking for one in some), default=0),
        )


@dataclass(frozen=True, slots=True)
class GapGroup:
    """Gaps of one report with one status and one reason.

    `code` is the failure's, empty for what did not fail. `examples` are the earliest gaps of a few accounts.
    """

    report: str
    status: PartitionStatus
    reason: str
    code: str
    accounts: int
    partitions: int
    first: date
    last: date
    examples: tuple[GapRange, ...] = ()


def worst_first(groups: Iterable[GapGroup]) -> tuple[GapGroup, ...]:
    """`groups` by their status (failed, held, pending), then those of most accounts and partitions first."""
    order = {PartitionStatus.FAILED: 0, PartitionStatus.SUCCESS: 1, PartitionStatus.PENDING: 2}
    return tuple(
        sorted(
            groups,
            key=lambda one: (order[one.status], -one.accounts, -one.partitions, one.first, one.report, one.reason),
        )
    )


@dataclass(frozen=True, slots=True)
class DayStanding:
    """How one day of one report stands, of one account or of a group of them.

    - `expected` partitions are due: `authoritative` of them are there, the others `failed`, `held` or `pending`.
    - `not_due` are expected, neither due nor authoritative; `early` are authoritative before they are due.
    - `restated`, `unchanged`: of all that are authoritative, those whose rows changed and those whose rows came again
      lately. None: not counted.
    """

    day: date
    expected: int = 0
    authoritative: int = 0
    failed: int = 0
    held: int = 0
    pending: int = 0
    not_due: int = 0
    early: int = 0
    restated: int | None = None
    unchanged: int | None = None


@dataclass(frozen=True, slots=True)
class AccountGroup:
    """Accounts `first` to `last`, adjacent by customer id, on each day of a heat map.

    `name` is that of the account where the group is one. Of `lacking` accounts nothing is on record as expected: it is
    not known what is missing of them.
    """

    first: str
    last: str
    accounts: int
    days: tuple[DayStanding, ...]
    name: str = ""
    lacking: int = 0


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts a heat map shows.

    - `search`: a part of the name or the id, in any case.
    - `manager`: the id of a manager anywhere above the account.
    - `status`: as the API last listed it.
    - `first`, `last`: customer ids, both included, as a group of a heat map has them.
    - `behind`: those alone that miss a due day among the days shown.
    """

    search: str = ""
    manager: str = ""
    status: AccountStatus | None = None
    first: str = ""
    last: str = ""
    behind: bool = False

    def selects(self, account: ListedAccount) -> bool:
        """Whether the account is meant, but for `behind`."""
        text = self.search.casefold()
        number = text.replace("-", "")
        return (
            (not text or text in account.name.casefold() or (bool(number) and number in account.customer_id))
            and (not self.manager or self.manager in account.manager_path)
            and self.status in (None, account.status)
            and self.first <= account.customer_id
            and (not self.last or account.customer_id <= self.last)
        )


EVERY_ACCOUNT = AccountFilter()


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One report: groups of accounts by day, by customer id, and the sums of all of them as `total`.

    `accounts` is how many are shown. `unknown` says why it is not known what is expected, empty if it is.
    """

    report: str
    since: date
    until: date
    accounts: int
    groups: tuple[AccountGroup, ...]
    total: tuple[DayStanding, ...]
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """One account: as last listed (None if it never was), how each report of it stands, and its gaps."""

    customer_id: str
    account: ListedAccount | None
    reports: tuple[ReportStanding, ...]
    gaps: tuple[GapRange, ...]
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the sums of one metric moved when days of `age` were restated.

    `age` is in days: when the restatement was validated, less the day itself. `partitions` were restated at that age;
    `before` and `after` are the sums of their sums, and `moved` that of the differences, each taken as positive.
    """

    metric: str
    age: int
    partitions: int
    before: float
    after: float
    moved: float


def in_groups(customer_ids: Sequence[str], most: int = MOST_GROUPS) -> list[Sequence[str]]:
    """The accounts, in order, as at most `most` groups of adjacent ones of one size; the last one may be smaller."""
    size = max(1, -(-len(customer_ids) // max(1, most)))
    return [customer_ids[first : first + size] for first in range(0, len(customer_ids), size)]


def evenly(customer_ids: Sequence[str], most: int) -> tuple[str, ...]:
    """At most `most` of the accounts, spread evenly over all of them."""
    return tuple(customer_ids[:: max(1, -(-len(customer_ids) // max(1, most)))])
