"""The quota of a Cloud project: what counts against it at a moment, and which calls the API asks to leave off."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

WINDOW = timedelta(hours=24)
"""How long an operation counts: the API's day slides along.

Source: https://developers.google.com/google-ads/api/docs/api-policy/access-levels
"""

BUCKET = timedelta(minutes=5)
"""Operations are counted by spans of this length; each counts as long as the last one of its span could."""


def bucket_of(moment: datetime) -> datetime:
    """The start of the span in which `moment` lies, in UTC."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // BUCKET * BUCKET


@dataclass(frozen=True, slots=True)
class SpentOperations:
    """So many operations, which count until `free_at`."""

    count: int
    free_at: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent of a budget and still counts, in the order in which it becomes free again."""

    parts: tuple[SpentOperations, ...] = ()

    @property
    def count(self) -> int:
        """How many operations count now."""
        return sum(part.count for part in self.parts)

    def left(self, limit: int) -> int:
        """How many operations of `limit` may be spent now."""
        return max(limit - self.count, 0)

    def free_from(self, limit: int) -> tuple[datetime, int] | None:
        """When more may be spent than now, and how many are free then; None if nothing counts."""
        over, freed = self.count - limit, 0
        for part in self.parts:
            freed += part.count
            if freed > over:
                return part.free_at, freed - over
        return None


class Spending(StrEnum):
    """The answer to a request to spend operations."""

    GRANTED = "granted"
    EXHAUSTED = "exhausted"
    """More than the budget would be spent within 24 hours; nothing was counted."""
    RESTING = "resting"
    """The API asked not to be called so before a time that has not come; nothing was counted."""
    LEASE_LOST = "lease_lost"
    """Another process may hold the scope by now; nothing was counted."""


@dataclass(frozen=True, slots=True)
class CallScope:
    """The calls of one budget for one account and one report; an empty name stands for all of them.

    A call for no report, such as that for the list of accounts, has no name of one.
    """

    budget: str
    customer_id: str = ""
    report: str = ""

    def covers(self, call: "CallScope") -> bool:
        """Whether `call` is one of these calls."""
        return (
            self.budget == call.budget
            and self.customer_id in ("", call.customer_id)
            and self.report in ("", call.report)
        )


@dataclass(frozen=True, slots=True)
class Rest:
    """Calls that are not made before a time, since the API said so, and its reason."""

    scope: CallScope
    not_before: datetime
    reason: str


def last_rest(rests: Iterable[Rest], call: CallScope, now: datetime) -> Rest | None:
    """Of the rests that cover `call` and are not over at `now` the one that ends last; None if the call may be made."""
    covering = (rest for rest in rests if rest.scope.covers(call) and rest.not_before > now)
    return max(covering, key=lambda rest: rest.not_before, default=None)


class RestReach(StrEnum):
    """What the API asks to rest."""

    PROJECT = "project"
    """Every call of the Cloud project."""
    ACCOUNT = "account"
    """Every call for the account."""
    REPORT = "report"
    """The report's query, for every account: other queries are answered."""


@dataclass(frozen=True, slots=True)
class RestAsked:
    """What the API asks after a call: a pause of what, for how long, and why."""

    reach: RestReach
    length: timedelta
    reason: str

    def scope_of(self, call: CallScope) -> CallScope:
        """The calls that rest when the API asked this after `call`."""
        customer_id = call.customer_id if self.reach is RestReach.ACCOUNT else ""
        return CallScope(call.budget, customer_id, call.report if self.reach is RestReach.REPORT else "")
