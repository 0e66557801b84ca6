"""What cannot be played by a server: failures that arise in the channel, and several errors at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure
from google.auth import exceptions as auth_errors

from gads_domain.errors import (
    AccountQuotaError,
    AccountRefusedError,
    AccountUnavailableError,
    ApiUnreachableError,
    ConfigurationError,
    CredentialsError,
    FailureScope,
    GadsError,
    PermanentApiError,
    QuotaExhaustedError,
    ReportQuotaError,
    TransientApiError,
    failure_codes,
)
from gads_domain.quota import RestReach
from gads_extractor.errors import ApiVersionGoneError, BrokenStreamError, RangeRefusedError, explain

VERSION = "v26"
FAILURE = f"google.ads.googleads.{VERSION}.errors.googleadsfailure-bin"


class Refused(grpc.RpcError, grpc.Call):
    """A call that ended with a status, as the channel raises it."""

    def __init__(self, status: grpc.StatusCode, details: str, trailing: tuple[tuple[str, Any], ...] = ()) -> None:
        self._status = status
        self._details = details
        self._trailing = trailing

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailing

    def initial_metadata(self) -> Any:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: object) -> bool:
        return False


def refusal(
    *codes: tuple[str, int], delay: int = 0, scope: str = "", status: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT
) -> Refused:
    failure = GoogleAdsFailure.pb()(request_id="asked")
    for group, number in codes:
        error = failure.errors.add(message=f"because of {group}")
        setattr(error.error_code, group, number)
        if delay:
            quota = error.details.quota_error_details
            quota.retry_delay.seconds, quota.rate_name = delay, "Requests per account"
            scopes = quota.DESCRIPTOR.fields_by_name["rate_scope"].enum_type
            quota.rate_scope = scopes.values_by_name[scope or "UNSPECIFIED"].number
    return Refused(status, "see details", ((FAILURE, failure.SerializeToString()),))


@pytest.mark.parametrize(
    ("status", "details", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "connection reset", TransientApiError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "too late", BrokenStreamError),
        (grpc.StatusCode.INTERNAL, "RST_STREAM", TransientApiError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota", QuotaExhaustedError),
        (grpc.StatusCode.UNAUTHENTICATED, "no token", CredentialsError),
        (
            grpc.StatusCode.UNAVAILABLE,
            "Getting metadata from plugin failed with error: ('invalid_grant: Token has been expired or revoked.',)",
            CredentialsError,
        ),
        (grpc.StatusCode.INVALID_ARGUMENT, "no", PermanentApiError),
        (grpc.StatusCode.UNIMPLEMENTED, "GRPC target method can't be resolved", ApiVersionGoneError),
        (
            grpc.StatusCode.UNAVAILABLE,
            "Getting metadata from plugin failed with error: HTTPSConnectionPool(...): Max retries exceeded",
            ApiUnreachableError,
        ),
    ],
)
def test_a_status_without_details(status: grpc.StatusCode, details: str, kind: type[GadsError]) -> None:
    error = explain(Refused(status, details), VERSION).error
    assert type(error) is kind
    assert error.message.startswith(f"{status.name}: {details[:20]}")


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ([("internal_error", 4)], TransientApiError),
        ([("internal_error", 4), ("quota_error", 4)], QuotaExhaustedError),
        ([("internal_error", 4), ("quota_error", 2)], QuotaExhaustedError),
        ([("internal_error", 4), ("query_error", 2)], PermanentApiError),
        ([("query_error", 2), ("authentication_error", 2)], CredentialsError),
        ([("authentication_error", 8)], AccountUnavailableError),
        ([("authentication_error", 8), ("authorization_error", 2)], AccountRefusedError),
        ([("query_error", 2), ("authorization_error", 2)], AccountRefusedError),
        ([("authorization_error", 2), ("request_error", 38)], ApiVersionGoneError),
        ([("quota_error", 987)], PermanentApiError),
        ([("internal_error", 4), ("quota_error", 987)], PermanentApiError),
    ],
)
def test_the_error_that_reaches_furthest_decides(codes: list[tuple[str, int]], kind: type[GadsError]) -> None:
    failure = explain(refusal(*codes), VERSION)
    assert type(failure.error) is kind
    assert failure.error.message.endswith("(request id asked)")
    assert failure.error.message.count("because of") == len(codes)


@pytest.mark.parametrize("code", [("quota_error", 987), ("query_error", 1), ("authentication_error", 987), None])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.INTERNAL, TransientApiError),
        (grpc.StatusCode.UNAVAILABLE, TransientApiError),
        (grpc.StatusCode.DATA_LOSS, TransientApiError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, QuotaExhaustedError),
        (grpc.StatusCode.UNAUTHENTICATED, CredentialsError),
        (grpc.StatusCode.PERMISSION_DENIED, AccountUnavailableError),
        (grpc.StatusCode.INVALID_ARGUMENT, PermanentApiError),
    ],
)
def test_a_code_that_the_client_does_not_know_follows_the_status(
    code: tuple[str, int] | None, status: grpc.StatusCode, kind: type[GadsError]
) -> None:
    error = explain(refusal(*([] if code is None else [code]), status=status), VERSION).error
    assert type(error) is kind
    assert error.retryable == (kind not in (CredentialsError, PermanentApiError))


def test_a_known_code_decides_beside_an_unknown_one() -> None:
    unavailable = grpc.StatusCode.UNAVAILABLE
    both = refusal(("query_error", 2), ("query_error", 987), status=unavailable)
    assert type(explain(both, VERSION).error) is PermanentApiError
    quota = refusal(("quota_error", 2), ("query_error", 987), status=unavailable)
    assert type(explain(quota, VERSION).error) is QuotaExhaustedError


def test_a_new_account_is_asked_again() -> None:
    error = explain(refusal(code_of("authentication_error", "CUSTOMER_NOT_FOUND")), VERSION).error
    assert (error.retryable, error.scope) == (True, FailureScope.ACCOUNT)
    assert "after some minutes" in error.hint


def test_a_code_that_the_client_does_not_know_shows_its_number() -> None:
    assert "QUOTA_ERROR.987" in explain(refusal(("quota_error", 987)), VERSION).error.message


def test_details_that_are_no_failure_leave_the_status() -> None:
    error = explain(Refused(grpc.StatusCode.INTERNAL, "odd", ((FAILURE, b"\xff\xff"),)), VERSION).error
    assert error.message == "INTERNAL: odd"


def test_messages_are_one_line_without_secrets() -> None:
    refused = Refused(grpc.StatusCode.INVALID_ARGUMENT, "token 1//hush\nis\tbad " + "x" * 1000)
    message = explain(refused, VERSION, ["1//hush"]).error.message
    assert message.startswith("INVALID_ARGUMENT: token *** is bad xxx")
    assert len(message) < 500


@pytest.mark.parametrize(
    ("name", "retryable", "kind"),
    [
        ("RefreshError", False, CredentialsError),
        ("RefreshError", True, ApiUnreachableError),
        ("TransportError", False, ApiUnreachableError),
        ("DefaultCredentialsError", False, CredentialsError),
    ],
)
def test_the_token_server_s_failures(name: str, retryable: bool, kind: type[GadsError]) -> None:
    error = getattr(auth_errors, name)("Bad Request", retryable=retryable)
    assert type(explain(error, VERSION).error) is kind


def code_of(group: str, name: str) -> tuple[str, int]:
    field = GoogleAdsFailure.pb().DESCRIPTOR.fields_by_name["errors"].message_type.fields_by_name["error_code"]
    codes = field.message_type.fields_by_name[group].enum_type.values_by_name
    return group, codes[name].number


@pytest.mark.parametrize(
    ("group", "name", "blamed"),
    [
        ("authentication_error", "DEVELOPER_TOKEN_INVALID", "developer_token"),
        ("authorization_error", "DEVELOPER_TOKEN_NOT_APPROVED", "delete developer_token"),
        ("authorization_error", "DEVELOPER_TOKEN_PROHIBITED", "delete developer_token"),
        ("request_error", "DEVELOPER_TOKEN_PARAMETER_MISSING", "delete developer_token"),
        ("authentication_error", "OAUTH_TOKEN_EXPIRED", "refresh_token"),
        ("authentication_error", "OAUTH_TOKEN_REVOKED", "refresh_token"),
        ("authentication_error", "GOOGLE_ACCOUNT_DELETED", "the Google account behind refresh_token was deleted"),
        ("authentication_error", "NOT_ADS_USER", "has no Google Ads account"),
        ("header_error", "INVALID_LOGIN_CUSTOMER_ID", "login_customer_id"),
        ("request_error", "LOGIN_CUSTOMER_ID_PARAMETER_MISSING", "login_customer_id is missing"),
        ("authorization_error", "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION", "apply for Explorer, Basic or Standard"),
        ("authorization_error", "PROJECT_DISABLED", "cloud project of client_id"),
        ("authentication_error", "AUTHENTICATION_ERROR", "does not name it"),
    ],
)
def test_the_credential_that_is_wrong_is_named(group: str, name: str, blamed: str) -> None:
    error = explain(refusal(code_of(group, name)), VERSION).error
    assert isinstance(error, CredentialsError)
    assert blamed in error.hint
    assert name in error.message


@pytest.mark.parametrize(
    ("answer", "blamed"),
    [
        ("invalid_grant: Token has been expired or revoked.", "refresh_token is expired"),
        ("invalid_grant: Bad Request", "consent screen is in testing, a refresh_token ends after seven days"),
        ("invalid_client: Unauthorized", "client_id and client_secret"),
        ("unauthorized_client: Client is unauthorized to retrieve access tokens", "client_id may not use"),
        ("deleted_client: The OAuth client was deleted.", "client_id is of an OAuth client that was deleted"),
        ("invalid_scope: Bad Request", "adwords"),
        ("something new", "refresh_token"),
    ],
)
def test_the_token_server_s_refusal_names_what_is_wrong(answer: str, blamed: str) -> None:
    refused: Any = auth_errors.RefreshError
    error = explain(refused(answer, {"error": answer.split(":")[0]}), VERSION).error
    assert isinstance(error, CredentialsError)
    assert error.message == f"OAuth refused: {answer}"
    assert blamed in error.hint


def test_every_authentication_code_but_an_account_s_is_about_who_asks() -> None:
    field = GoogleAdsFailure.pb().DESCRIPTOR.fields_by_name["errors"].message_type.fields_by_name["error_code"]
    for name in field.message_type.fields_by_name["authentication_error"].enum_type.values_by_name:
        refused = refusal(code_of("authentication_error", name), status=grpc.StatusCode.UNAUTHENTICATED)
        kind = type(explain(refused, VERSION).error)
        of_account = {"CUSTOMER_NOT_FOUND": AccountUnavailableError, "CLIENT_CUSTOMER_ID_INVALID": AccountRefusedError}
        assert kind is of_account.get(name, CredentialsError)


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("authorization_error", "USER_PERMISSION_DENIED"),
        ("authorization_error", "CUSTOMER_NOT_ENABLED"),
        ("authorization_error", "INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION"),
        ("authorization_error", "ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT"),
        ("request_error", "INVALID_CUSTOMER_ID"),
    ],
)
def test_what_is_about_one_account_stops_that_account(group: str, name: str) -> None:
    error = explain(refusal(code_of(group, name)), VERSION).error
    assert type(error) is AccountRefusedError
    assert error.scope is FailureScope.ACCOUNT
    assert not error.retryable


def test_a_version_that_is_gone_stops_everything_and_names_the_setting() -> None:
    error = explain(refusal(code_of("request_error", "UNSUPPORTED_VERSION")), VERSION).error
    assert (error.code, error.scope, error.retryable) == ("api_version_gone", FailureScope.SOURCE, False)
    assert "google_ads.api_version" in error.hint
    assert error.code in failure_codes()


@pytest.mark.parametrize(
    "details",
    [
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:443: Ssl handshake failed "
        "(TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED",
        "Getting metadata from plugin failed with error: HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): "
        "Max retries exceeded with url: /token (Caused by SSLError(SSLCertVerificationError(1, '[SSL: "
        "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain')))",
    ],
)
def test_a_certificate_that_is_not_trusted_is_a_fault_of_the_configuration(details: str) -> None:
    error = explain(Refused(grpc.StatusCode.UNAVAILABLE, details), VERSION).error
    assert type(error) is ConfigurationError
    assert not error.retryable
    assert "google_ads.ca_certificate" in error.hint


SHORT, LONG = (f"EXCESSIVE_{term}_TERM_QUERY_RESOURCE_CONSUMPTION" for term in ("SHORT", "LONG"))


@pytest.mark.parametrize(
    ("name", "scope", "delay", "kind", "reach", "seconds"),
    [
        ("RESOURCE_EXHAUSTED", "DEVELOPER", 40_591, QuotaExhaustedError, RestReach.PROJECT, 40_591),
        ("RESOURCE_EXHAUSTED", "ACCOUNT", 310, AccountQuotaError, RestReach.ACCOUNT, 310),
        ("RESOURCE_TEMPORARILY_EXHAUSTED", "ACCOUNT", 7, AccountQuotaError, RestReach.ACCOUNT, 7),
        ("RESOURCE_TEMPORARILY_EXHAUSTED", "UNSPECIFIED", 7, QuotaExhaustedError, RestReach.PROJECT, 7),
        (SHORT, "ACCOUNT", 300, ReportQuotaError, RestReach.REPORT, 300),
        (LONG, "DEVELOPER", 86_400, ReportQuotaError, RestReach.REPORT, 86_400),
        ("RESOURCE_EXHAUSTED", "", 0, QuotaExhaustedError, RestReach.PROJECT, 3600),
        ("RESOURCE_TEMPORARILY_EXHAUSTED", "", 0, QuotaExhaustedError, RestReach.PROJECT, 30),
        (SHORT, "", 0, ReportQuotaError, RestReach.REPORT, 300),
        (LONG, "", 0, ReportQuotaError, RestReach.REPORT, 21_600),
    ],
)
def test_a_quota_says_what_rests_and_for_how_long(
    name: str, scope: str, delay: int, kind: type[GadsError], reach: RestReach, seconds: int
) -> None:
    found = explain(refusal(code_of("quota_error", name), delay=delay, scope=scope), VERSION)
    assert type(found.error) is kind
    assert (found.error.code, found.error.retryable) == ("api_quota", True)
    assert found.rest is not None
    assert (found.rest.reach, found.rest.length) == (reach, timedelta(seconds=seconds))
    told = f"(Requests per account); the API asks to wait {delay} s" if delay else "the API does not say for how long"
    assert name in found.rest.reason
    assert found.rest.reason.endswith(told)


def test_a_delay_that_is_in_the_message_alone_is_taken_from_there() -> None:
    refused = Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many requests. Retry in 40591 seconds.")
    found = explain(refused, VERSION)
    assert type(found.error) is QuotaExhaustedError
    assert found.rest is not None
    assert (found.rest.reach, found.rest.length) == (RestReach.PROJECT, timedelta(seconds=40_591))
    assert explain(refusal(code_of("quota_error", "ACCESS_PROHIBITED")), VERSION).rest is None


def test_a_message_that_is_too_large_is_no_quota() -> None:
    details = "CLIENT: Received message larger than max (71303168 vs. 67108864)"
    error = explain(Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, details), VERSION).error
    assert type(error) is RangeRefusedError
    assert "too large" in error.hint
