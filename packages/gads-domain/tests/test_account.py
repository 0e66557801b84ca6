from __future__ import annotations

import pytest

from gads_domain.account import Account, AccountStatus
from gads_domain.errors import FailureReason, InvalidValueError

DENIED = FailureReason("api_permanent", "USER_PERMISSION_DENIED", retryable=False)


@pytest.mark.parametrize("name", ["ENABLED", "CANCELED", "SUSPENDED", "CLOSED"])
def test_the_api_s_names_are_the_statuses(name: str) -> None:
    assert AccountStatus.of(name).value == name


@pytest.mark.parametrize("name", [None, "", "UNSPECIFIED", "UNKNOWN", "9"])
def test_any_other_status_is_unknown(name: str | None) -> None:
    assert AccountStatus.of(name) is AccountStatus.UNKNOWN


@pytest.mark.parametrize(
    ("account", "asked"),
    [
        (Account("1", status=AccountStatus.ENABLED), True),
        (Account("1", status=AccountStatus.SUSPENDED), True),
        (Account("1"), True),
        (Account("1", status=AccountStatus.CANCELED), False),
        (Account("1", status=AccountStatus.CLOSED), False),
        (Account("1", status=AccountStatus.CLOSED, test_account=True), True),
        (Account("1", status=AccountStatus.ENABLED, refusal=DENIED), False),
        (Account("1", refusal=FailureReason("api_transient", "UNAVAILABLE", retryable=True)), True),
    ],
)
def test_what_surely_would_be_refused_is_not_asked(account: Account, asked: bool) -> None:
    assert (account.reason_not_to_ask is None) is asked


def test_the_reason_is_the_refusal_or_names_the_status() -> None:
    assert Account("1", refusal=DENIED).reason_not_to_ask == DENIED
    cancelled = Account("1", status=AccountStatus.CANCELED).reason_not_to_ask
    assert cancelled is not None
    assert "CUSTOMER_NOT_ENABLED" in cancelled.message
    assert "CANCELED" in cancelled.message
    assert not cancelled.retryable


def test_what_is_no_account_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        Account("12-34")
    with pytest.raises(InvalidValueError, match="levels below"):
        Account("1", level=-1)
