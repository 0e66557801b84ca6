from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gads_domain.backoff import Backoff
from gads_domain.errors import GadsError, PermanentApiError, QuotaExhaustedError, TransientApiError
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


def test_the_api_s_delay_comes_on_top() -> None:
    assert RetryPolicy(chance=lambda: 0.5).delay(1, CallFailure(BUSY, 30.0)) == 30.5


def test_a_delay_beyond_the_longest_wait_ends_it() -> None:
    assert RetryPolicy(longest_wait=300.0).delay(1, CallFailure(BUSY, 300.1)) is None


@pytest.mark.parametrize("error", [PermanentApiError("no"), QuotaExhaustedError("none left")])
def test_what_does_not_pass_is_not_asked_again(error: GadsError) -> None:
    assert RetryPolicy().delay(1, CallFailure(error)) is None


class Noon:
    def now(self) -> datetime:
        return datetime(2024, 6, 2, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("error", [BUSY, QuotaExhaustedError("none left")])
def test_a_quota_says_when_to_go_on(error: GadsError) -> None:
    def act() -> None:
        raise CallFailedError(CallFailure(error, 40591.0))

    with pytest.raises(QuotaExhaustedError) as caught:
        call_with_retry(RetryPolicy(clock=Noon()), act)
    assert caught.value.message == (
        f"{error.message}: the API asks for a pause of 40591 s, until 2024-06-02T23:16:31.000000Z"
    )
    assert caught.value.hint.startswith("go on after 2024-06-02T23:16:31.000000Z")


def test_a_used_up_quota_is_not_waited_for_however_short_the_rest() -> None:
    def act() -> None:
        raise CallFailedError(CallFailure(QuotaExhaustedError("none left"), 60.0))

    with pytest.raises(QuotaExhaustedError, match=r"a pause of 60 s, until 2024-06-02T12:01:00"):
        call_with_retry(RetryPolicy(clock=Noon(), longest_wait=300.0), act)


def test_a_quota_without_a_time_says_what_is_known() -> None:
    def act() -> None:
        raise CallFailedError(CallFailure(QuotaExhaustedError("none left")))

    with pytest.raises(QuotaExhaustedError) as caught:
        call_with_retry(RetryPolicy(clock=Noon()), act)
    assert caught.value.message == "none left"
    assert caught.value.hint


def test_persisting_gives_the_first_good_answer() -> None:
    naps: list[float] = []
    left = [CallFailure(BUSY), CallFailure(BUSY, 7.0)]

    def act() -> str:
        if left:
            raise CallFailedError(left.pop(0))
        return "answer"

    assert call_with_retry(RetryPolicy(sleep=naps.append, chance=lambda: 0.0), act) == "answer"
    assert naps == [1.0, 9.0]
