"""When a partition that failed is attempted again, decided from what the ledger has on record and nothing else."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from gads_domain.backoff import Backoff
from gads_domain.control import SchedulingState
from gads_domain.errors import InvalidValueError

KEPT_DAYS = 1130
"""About 37 months: as far back as the API keeps figures by day. A younger day can still be had."""


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What is done about one code of failure; None leaves it to the failure itself or to the policy."""

    retry: bool | None = None
    max_attempts: int | None = None


class RetryAction(StrEnum):
    """What to do with a failed partition."""

    DUE = "due"
    WAIT = "wait"
    """Later, at a time that is known."""
    PERMANENT = "permanent"
    """Not until an operator says so."""
    GIVE_UP = "give_up"
    """Never again by policy: to be marked terminal."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, the reason in a line, and from when on it is due where that is known."""

    action: RetryAction
    reason: str
    due_at: datetime | None = None


_DEFAULT_RULES: Mapping[str, ErrorRule] = {
    # Mended outside of the ledger for all partitions at once. Only ledgers of earlier versions have it on record.
    "credentials": ErrorRule(retry=True),
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff between runs, with jitter and cap.

    The n-th failure in a row is followed by a wait of `first_delay` · 2^(n-1), at most `largest_delay`, shortened by up
    to the share `jitter` of it; the share hangs on account, report and n alone, so that every machine computes the same
    time and adjacent days stay one request. After `max_attempts` failures in a row, or once the day is more than
    `max_age_days` old, it is given up. `rules` overrule this by the failure's code.
    """

    first_delay: timedelta = timedelta(minutes=5)
    largest_delay: timedelta = timedelta(hours=6)
    jitter: float = 0.2
    max_attempts: int = 8
    max_age_days: int = KEPT_DAYS
    rules: Mapping[str, ErrorRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ = self._backoff  # raises for delays or a jitter that cannot be
        if self.max_attempts < 1 or self.max_age_days < 1:
            raise InvalidValueError("max_attempts and max_age_days of a retry policy are at least 1")

    def decide(self, scheduling: SchedulingState, now: datetime, today: date) -> Decision:
        """What to do about a `failed` partition at `now`, which is `today` in the account's zone."""
        failure = scheduling.failure
        if failure is None or scheduling.last_tried_at is None:
            return Decision(RetryAction.DUE, "its run was revoked")
        rule = self.rules.get(failure.code) or _DEFAULT_RULES.get(failure.code) or ErrorRule()
        retry = failure.retryable if rule.retry is None else rule.retry
        if not retry:
            return Decision(RetryAction.PERMANENT, f"not retried by policy: {failure.code}")
        most = self.max_attempts if rule.max_attempts is None else rule.max_attempts
        if scheduling.tries >= most:
            return Decision(RetryAction.GIVE_UP, f"failed {scheduling.tries} times in a row, last with {failure.code}")
        if (today - scheduling.key.logical_date).days > self.max_age_days:
            return Decision(
                RetryAction.GIVE_UP, f"failed with {failure.code} and is older than {self.max_age_days} days"
            )
        due_at = scheduling.last_tried_at + self.delay(
            scheduling.key.customer_id, scheduling.key.report, scheduling.tries
        )
        if now < due_at:
            return Decision(RetryAction.WAIT, f"waits after {failure.code}", due_at)
        return Decision(RetryAction.DUE, f"retry after {failure.code}", due_at)

    def delay(self, customer_id: str, report: str, tries: int) -> timedelta:
        """How long to wait after `tries` failures in a row."""
        digest = hashlib.sha256(f"{customer_id}/{report}/{tries}".encode()).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        return timedelta(seconds=self._backoff.delay(tries, share))

    @property
    def _backoff(self) -> Backoff:
        return Backoff(self.first_delay.total_seconds(), self.largest_delay.total_seconds(), self.jitter)
