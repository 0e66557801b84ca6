"""When a call is made again, and after how long."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from gads_domain.backoff import Backoff
from gads_domain.clock import Clock, SystemClock, iso_utc
from gads_domain.errors import GadsError, QuotaExhaustedError, TransientApiError
from gads_extractor.errors import CallFailedError, CallFailure

T = TypeVar("T")
_BACKOFF = Backoff(first=1.0, largest=60.0, jitter=1.0)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is made within one run, and how long to wait in between; times are seconds.

    A delay that the API names is waited for up to `longest_wait`; a longer one ends the retries. `sleep`, `chance` (a
    number from 0 to 1) and `clock` can be replaced by a simulation's.
    """

    attempts: int = 5
    backoff: Backoff = _BACKOFF
    longest_wait: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    clock: Clock = field(default_factory=SystemClock)

    def delay(self, failed_attempts: int, failure: CallFailure) -> float | None:
        """Seconds to wait after that many failed attempts; None if the call is not to be made again."""
        passes = isinstance(failure.error, TransientApiError) or failure.token_expired
        if not passes or failed_attempts >= self.attempts:
            return None
        named = failure.retry_after or 0.0
        if named > self.longest_wait:
            return None
        return named + self.backoff.delay(failed_attempts, self.chance())


def call_with_retry(policy: RetryPolicy, act: Callable[[], T]) -> T:
    """Call the API through `act`, again after a failure as `policy` decides.

    Raises the domain's error of the last try; `QuotaExhaustedError` where the API names a longer delay than is waited.
    """
    failed = 0
    while True:
        try:
            return act()
        except CallFailedError as error:
            failed += 1
            delay = policy.delay(failed, error.failure)
            if delay is None:
                raise _final(error.failure, failed, policy) from error
            policy.sleep(delay)


def _final(failure: CallFailure, attempts: int, policy: RetryPolicy) -> GadsError:
    last = failure.error
    rest = failure.retry_after
    if rest is not None and (rest > policy.longest_wait or isinstance(last, QuotaExhaustedError)):
        when = iso_utc((policy.clock.now() + timedelta(seconds=rest)).replace(microsecond=0))
        return QuotaExhaustedError(
            f"{last.message}: the API asks for a pause of {rest:.0f} s, until {when}",
            hint=f"go on after {when}; what was not asked for is still pending",
        )
    if attempts == 1:
        return last
    return type(last)(f"{last.message} (tried {attempts} times)", hint=last.hint)
