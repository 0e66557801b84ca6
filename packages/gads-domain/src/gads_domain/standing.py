"""How complete reports, days and groups of accounts are: counts, without a value for each partition."""

from dataclasses import dataclass
from datetime import date

from gads_domain.gaps import GapRange


@dataclass(frozen=True, slots=True)
class ReportStanding:
    """How complete a report is.

    - `complete_up_to`: the last day up to which no account has a gap; None if one lacks its first expected day.
    - `accounts` are those that it is expected of, `accounts_behind` those of them with a gap.
    - `expected` partitions are due; `authoritative`, `failed`, `held` and `pending` are of these and add up to them.
    - `not_due` is how many more are expected, not authoritative and not due yet.
    - `first_gap` is the earliest day with a gap.
    """

    report: str
    complete_up_to: date | None
    accounts: int
    accounts_behind: int
    expected: int
    authoritative: int
    failed: int
    held: int
    pending: int
    not_due: int
    first_gap: date | None


@dataclass(frozen=True, slots=True)
class DayStanding:
    """How complete one day of a report is, in a group of accounts; the counts are as in `ReportStanding`.

    Of the authoritative ones `restated` were restated lately and `unchanged` came as they were; None where that is not
    counted.
    """

    day: date
    expected: int
    authoritative: int
    failed: int
    held: int
    pending: int
    not_due: int
    restated: int | None = None
    unchanged: int | None = None


@dataclass(frozen=True, slots=True)
class GapGroup:
    """The gaps of a report with one status and one reason; `code` is that of the failure, if one is the reason.

    `examples` are a few of the `partitions`, of as many accounts as possible.
    """

    report: str
    status: str
    reason: str
    code: str
    accounts: int
    partitions: int
    first: date
    last: date
    examples: tuple[GapRange, ...] = ()
