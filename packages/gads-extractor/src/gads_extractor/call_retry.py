"""When a call is made again, and after how long."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gads_domain.backoff import Backoff
from gads_domain.clock import Clock, SystemClock, iso_utc
from gads_domain.errors import GadsError, TransientApiError
from gads_domain.ports.report_source import OperationQuota
from gads_extractor.errors import CallFailedError, CallFailure

T = TypeVar("T")
_BACKOFF = Backoff(first=1.0, largest=60.0, jitter=1.0)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is made within one run, and how long to wait in between; times are seconds.

    A rest that the API asks for is kept by the call's quota. Without a quota its end is waited for up to
    `longest_wait`, and a longer one ends the retries. `sleep`, `chance` (a number from 0 to 1) and `clock` can be
    replaced by a simulation's.
    """

    attempts: int = 5
    backoff: Backoff = _BACKOFF
    longest_wait: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    clock: Clock = field(default_factory=SystemClock)

    def delay(self, failed_attempts: int, failure: CallFailure) -> float | None:
        """Seconds to wait after that many failed attempts; None if the call is not to be made again."""
        passes = isinstance(failure.error, TransientApiError) or failure.token_expired or failure.rest is not None
        if not passes or failed_attempts >= self.attempts:
            return None
        named = 0.0 if failure.rest is None else failure.rest.length.total_seconds()
        if named > self.longest_wait:
            return None
        return named + self.backoff.delay(failed_attempts, self.chance())


def call_with_retry(policy: RetryPolicy, act: Callable[[], T], quota: OperationQuota | None = None) -> T:
    """Call the API through `act`, which takes from `quota` first, again after a failure as `policy` decides.

    Raises the domain's error of the last try, or what `quota` raises before the next one.
    """
    failed = 0
    while True:
        try:
            return act()
        except CallFailedError as error:
            failed += 1
            failure = error.failure
            if failure.rest is not None and quota is not None:
                quota.rest(failure.rest)
                if failed < policy.attempts:
                    continue  # the quota waits for the end of the rest, or refuses the next call
            delay = policy.delay(failed, failure)
            if delay is None:
                raise _final(failure, failed, policy) from error
            policy.sleep(delay)


def _final(failure: CallFailure, attempts: int, policy: RetryPolicy) -> GadsError:
    last, rest = failure.error, failure.rest
    if rest is not None:
        when = iso_utc((policy.clock.now() + rest.length).replace(microsecond=0))
        return type(last)(f"{rest.reason}, until {when}", hint=f"go on after {when}")
    if attempts == 1:
        return last
    return type(last)(f"{last.message} (tried {attempts} times)", hint=last.hint)
