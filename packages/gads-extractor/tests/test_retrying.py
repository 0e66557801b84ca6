from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gads_domain.backoff import Backoff
from gads_domain.errors import (
    AccountQuotaError,
    GadsError,
    PermanentApiError,
    QuotaExhaustedError,
    ReportQuotaError,
    TransientApiError,
)
from gads_domain.quota import RestAsked, RestReach
from gads_extractor.call_retry import RetryPolicy, call_with_retry
from gads_extractor.errors import CallFailedError, CallFailure

BUSY = TransientApiError("busy")


def delays(policy: RetryPolicy, failure: CallFailure) -> list[float | None]:
    return [policy.delay(failed, failure) for failed in range(1, 7)]


def test_delays_double_up_to_the_largest() -> None:
    policy = RetryPolicy(attempts=6, backoff=Backoff(1.0, 5.0, jitter=1.0), chance=lambda: 0.0)
    assert delays(policy, CallFailure(BUSY)) == [1.0, 2.0, 4.0, 5.0, 5.0, None]


def test_jitter_is_over_the_whole_delay() -> None:
    assert RetryPolicy(chance=lambda: 1.0).delay(3, CallFailure(BUSY)) == 0.0
    assert RetryPolicy(chance=lambda: 0.75).delay(3, CallFailure(BUSY)) == 1.0


def resting(seconds: float, error: GadsError | None = None) -> CallFailure:
    reason = "RESOURCE_EXHAUSTED: none left; the API asks to wait"
    asked = RestAsked(RestReach.PROJECT, timedelta(seconds=seconds), reason)
    return CallFailure(error or QuotaExhaustedError("none left"), asked)


def test_the_api_s_delay_comes_on_top() -> None:
    assert RetryPolicy(chance=lambda: 0.5).delay(1, resting(30.0)) == 30.5


def test_a_delay_beyond_the_longest_wait_ends_it() -> None:
    assert RetryPolicy(longest_wait=300.0).delay(1, resting(300.1)) is None


def test_what_does_not_pass_is_not_asked_again() -> None:
    assert RetryPolicy().delay(1, CallFailure(PermanentApiError("no"))) is None


class Noon:
    def now(self) -> datetime:
        return datetime(2024, 6, 2, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("kind", [QuotaExhaustedError, AccountQuotaError, ReportQuotaError])
def test_a_quota_says_when_to_go_on(kind: type[GadsError]) -> None:
    def act() -> None:
        raise CallFailedError(resting(40591.0, kind("none left")))

    with pytest.raises(kind) as caught:
        call_with_retry(RetryPolicy(clock=Noon()), act)
    assert caught.value.message == (
        "RESOURCE_EXHAUSTED: none left; the API asks to wait, until 2024-06-02T23:16:31.000000Z"
    )
    assert caught.value.hint == "go on after 2024-06-02T23:16:31.000000Z"


def test_a_rest_is_kept_by_the_quota_which_grants_the_next_call_or_does_not() -> None:
    kept: list[RestAsked] = []

    class Quota:
        def take(self) -> None:
            if len(kept) == 2:
                raise QuotaExhaustedError("no request is sent until noon")

        def rest(self, asked: RestAsked) -> None:
            kept.append(asked)

    def act() -> None:
        quota.take()
        raise CallFailedError(resting(40591.0))

    quota, naps = Quota(), list[float]()
    with pytest.raises(QuotaExhaustedError, match="until noon"):
        call_with_retry(RetryPolicy(sleep=naps.append), act, quota)
    assert (len(kept), naps) == (2, [])


def test_persisting_gives_the_first_good_answer() -> None:
    naps: list[float] = []
    left = [CallFailure(BUSY), resting(7.0)]

    def act() -> str:
        if left:
            raise CallFailedError(left.pop(0))
        return "answer"

    assert call_with_retry(RetryPolicy(sleep=naps.append, chance=lambda: 0.0), act) == "answer"
    assert naps == [1.0, 9.0]
