"""Failures of the API, the channel and the token server, as errors of the domain.

Sources: https://developers.google.com/google-ads/api/docs/best-practices/error-types and the `ErrorCode` message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.ads.googleads.errors import GoogleAdsException
from google.auth import exceptions as auth_errors

from gads_domain.errors import (
    AccountRefusedError,
    AccountUnavailableError,
    ApiError,
    ApiUnreachableError,
    ConfigurationError,
    CredentialsError,
    FailureScope,
    GadsError,
    PermanentApiError,
    QuotaExhaustedError,
    TransientApiError,
)
from gads_domain.quota import RestAsked
from gads_extractor import credential_hints
from gads_extractor.channel import failure_in
from gads_extractor.quota_failures import QUOTA_ERRORS, RESTS, rest_asked

_TRANSIENT_CODES = {
    "INTERNAL_ERROR.INTERNAL_ERROR",
    "INTERNAL_ERROR.TRANSIENT_ERROR",
    "INTERNAL_ERROR.DEADLINE_EXCEEDED",
    "DATABASE_ERROR.CONCURRENT_MODIFICATION",
}
_RANGE_CODES = {
    "CHANGE_EVENT_ERROR.START_DATE_TOO_OLD",
    "CHANGE_STATUS_ERROR.START_DATE_TOO_OLD",
    "CLICK_VIEW_ERROR.DATE_TOO_OLD",
    "CLICK_VIEW_ERROR.EXPECTED_FILTER_ON_A_SINGLE_DAY",
    "DATE_ERROR.EARLIER_THAN_MINIMUM_DATE",
    "DATE_ERROR.LATER_THAN_MAXIMUM_DATE",
    "DATE_RANGE_ERROR.AFTER_MAXIMUM_ALLOWABLE_DATE",
    "DATE_RANGE_ERROR.REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED",
    "DATE_RANGE_ERROR.UNKNOWN",  # in v23, which lacks the code above
    "QUERY_ERROR.DATE_RANGE_TOO_WIDE",
}
"""Errors about the days of a request; fewer of them may be answered."""
_ACCOUNT_NOT_FOUND = "AUTHENTICATION_ERROR.CUSTOMER_NOT_FOUND"
_TOKEN_EXPIRED = "AUTHENTICATION_ERROR.OAUTH_TOKEN_EXPIRED"
_ACCOUNT_CODES = {
    _ACCOUNT_NOT_FOUND,
    "AUTHENTICATION_ERROR.CLIENT_CUSTOMER_ID_INVALID",
    "AUTHORIZATION_ERROR.USER_PERMISSION_DENIED",
    "AUTHORIZATION_ERROR.CUSTOMER_NOT_ENABLED",
    "AUTHORIZATION_ERROR.INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION",
    "AUTHORIZATION_ERROR.ACCESS_DENIED_FOR_ACCOUNT_TYPE",
    "AUTHORIZATION_ERROR.ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT",
    "AUTHORIZATION_ERROR.MISSING_TOS",
    "CUSTOMER_ERROR.ACCOUNT_NOT_SET_UP",
    "REQUEST_ERROR.INVALID_CUSTOMER_ID",
}
"""Errors about the account that a call is for, whatever it asks, and not about the login."""
_VERSION_GONE = "REQUEST_ERROR.UNSUPPORTED_VERSION"
_HINTS = {
    "AUTHORIZATION_ERROR.USER_PERMISSION_DENIED": (
        "share the account with the login, or set login_customer_id to a manager above it"
    ),
    "AUTHORIZATION_ERROR.CUSTOMER_NOT_ENABLED": "the account is cancelled or not yet set up; exclude it",
    "AUTHORIZATION_ERROR.INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION": (
        "login_customer_id is not a manager above this account"
    ),
    _ACCOUNT_NOT_FOUND: "check the account's number; an account that was just made is found after some minutes",
    "AUTHORIZATION_ERROR.MISSING_TOS": "sign in to the account and accept the terms of service",
    **dict.fromkeys(_RANGE_CODES, "the API keeps figures by day for 37 months, clicks for 90 days, changes for 30"),
    "QUERY_ERROR.REQUESTED_METRICS_FOR_MANAGER": "a manager has no metrics of its own; ask the accounts below it",
}
_TOO_LARGE = "larger than max"
"""In what gRPC says, with the status of a quota, about a message that this side does not take."""
NO_CONNECTION = "failed to connect to all addresses"
"""In what gRPC says about a channel that never came to be; it adds the error of the last address alone."""
_UNREACHABLE = (NO_CONNECTION, "errors resolving", "DNS resolution failed", "metadata from plugin failed")
"""In what gRPC says before anything is sent: no connection, no address, no token from the token server."""
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "is not in peer certificate")
"""In what gRPC and Python say about a certificate that cannot be verified."""
_TRANSIENT_STATUS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
}
_KINDS_OF_UNKNOWN: dict[grpc.StatusCode, type[GadsError]] = {
    **dict.fromkeys(_TRANSIENT_STATUS, TransientApiError),
    grpc.StatusCode.RESOURCE_EXHAUSTED: QuotaExhaustedError,
    grpc.StatusCode.UNAUTHENTICATED: CredentialsError,
    grpc.StatusCode.PERMISSION_DENIED: AccountUnavailableError,
}
"""What the status says of a failure whose codes this client does not know; all else is a fault of the request."""
_HINTS_OF_UNKNOWN = {grpc.StatusCode.UNAUTHENTICATED: credential_hints.ANY_OF_THEM}
_SHOWN_ERRORS = 3
_SHOWN_TEXT = 400


class ApiVersionGoneError(ApiError, code="api_version_gone", scope=FailureScope.SOURCE):
    """The API no longer has the version that is configured."""

    default_hint = "set google_ads.api_version to a newer version; what was not requested is as it was"


class RangeRefusedError(PermanentApiError):
    """The API refuses the days of a request, or its answer is too large; fewer days may be answered."""


class BrokenStreamError(TransientApiError):
    """A stream that broke off midway, or that took too long; fewer days may come through."""


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Why a call failed: the domain's error, and the rest that the API asks for with a quota.

    `token_expired` says that the access token was too old, so that the same call with a new one may succeed.
    `request_id` is the API's, empty if it named none.
    """

    error: GadsError
    rest: RestAsked | None = None
    token_expired: bool = False
    request_id: str = ""


class CallFailedError(Exception):
    """Carries a `CallFailure` from the channel to the retry loop."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(failure.error.message)
        self.failure = failure


CALL_ERRORS = (GoogleAdsException, grpc.RpcError, grpc.FutureCancelledError, auth_errors.GoogleAuthError)
"""What a call raises that comes from the API, the channel or the token server."""


def explain(error: BaseException, api_version: str, secrets: Iterable[str] = ()) -> CallFailure:
    """What a call to the API raised, one of `CALL_ERRORS`, as the domain's error; `secrets` never come out."""
    if isinstance(error, auth_errors.GoogleAuthError):
        return CallFailure(explain_oauth(error, secrets))
    if isinstance(error, GoogleAdsException):
        return _of_failure(error.failure, error.error.code(), error.request_id, secrets)
    if not isinstance(error, grpc.Call):
        return CallFailure(TransientApiError(_line(f"{type(error).__name__}: {error}", secrets)))
    trailing: Sequence[tuple[str, Any]] = tuple(error.trailing_metadata() or ())
    failure = failure_in(trailing, api_version)  # the client does not read it for INTERNAL and RESOURCE_EXHAUSTED
    request_id = next((str(value) for name, value in trailing if name == "request-id"), "")
    if failure is not None:
        return _of_failure(failure, error.code(), request_id, secrets)
    details = error.details() or ""
    of_status = _of_status(error.code(), details, request_id, secrets)
    is_quota = isinstance(of_status, QuotaExhaustedError)
    rest = rest_asked(of_status.message, details=details) if is_quota else None
    return CallFailure(of_status, rest, request_id=request_id)


def explain_oauth(error: auth_errors.GoogleAuthError, secrets: Iterable[str] = ()) -> GadsError:
    """Why no access token could be had, as the domain's error."""
    text = _line(str(error.args[0] if error.args else error), secrets)
    if any(mark in text for mark in _UNTRUSTED):
        return untrusted_certificate("the token server", text)
    if isinstance(error, auth_errors.TransportError) or getattr(error, "retryable", False):
        return ApiUnreachableError(f"the token server cannot be reached: {text}")
    return CredentialsError(f"OAuth refused: {text}", hint=credential_hints.of_oauth(text))


def untrusted_certificate(peer: str, reason: str) -> ConfigurationError:
    """The error about a certificate of `peer` that cannot be verified: this does not pass by itself."""
    return ConfigurationError(
        f"the certificate of {peer} cannot be verified: {reason}",
        hint="if a proxy inspects TLS, its authority must be trusted: google_ads.ca_certificate names the file of the "
        "authority for the API, the variable REQUESTS_CA_BUNDLE that for the token server",
    )


def _of_failure(failure: Any, status: grpc.StatusCode, request_id: str, secrets: Iterable[str]) -> CallFailure:
    codes = [_code_of(error.error_code) for error in failure.errors]
    texts = [f"{code}: {error.message}" for code, error in zip(codes, failure.errors, strict=True)]
    if len(texts) > _SHOWN_ERRORS:
        texts = [*texts[:_SHOWN_ERRORS], f"and {len(texts) - _SHOWN_ERRORS} more"]
    asked = request_id or failure.request_id
    message = _line("; ".join(texts) or "a failure without errors", secrets)
    if asked:
        message = f"{message} (request id {asked})"
    kind, default_hint = _kind_of(codes, status)
    hint = next((_HINTS[code] for code in codes if code in _HINTS), default_hint)
    rest = None
    if issubclass(kind, QuotaExhaustedError):
        quotas = [one.details.quota_error_details for one in failure.errors if one.HasField("details")]
        rest = rest_asked(message, codes, quotas, " ".join(one.message for one in failure.errors))
        kind = QUOTA_ERRORS[rest.reach]
    return CallFailure(kind(message, hint=hint), rest, _TOKEN_EXPIRED in codes, asked)


def _code_of(error_code: Any) -> str:
    which = error_code.WhichOneof("error_code")
    if which is None:
        return "UNKNOWN"
    number = getattr(error_code, which)
    value = error_code.DESCRIPTOR.fields_by_name[which].enum_type.values_by_number.get(number)
    return f"{which.upper()}.{value.name if value else number}"


def _kind_of(codes: Sequence[str], status: grpc.StatusCode) -> tuple[type[GadsError], str | None]:
    """The error that reaches furthest decides: credentials, version, account, then what fails always, then quota.

    Codes that the installed client has no name for decide nothing; where no other does, the status of the call does.
    """
    known = {code for code in codes if code in _RANGE_CODES or not _is_unknown(code)}
    for code in codes:
        if code in known - _ACCOUNT_CODES and (hint := credential_hints.of_code(code)) is not None:
            return CredentialsError, hint
    if _VERSION_GONE in codes:
        return ApiVersionGoneError, None
    if known & _ACCOUNT_CODES == {_ACCOUNT_NOT_FOUND}:
        return AccountUnavailableError, None
    if known & _ACCOUNT_CODES:
        return AccountRefusedError, None
    if refused := known - _TRANSIENT_CODES - set(RESTS):
        return (RangeRefusedError if refused <= _RANGE_CODES else PermanentApiError), None
    if known & set(RESTS):
        return QuotaExhaustedError, None
    if known and len(known) == len(set(codes)):
        return TransientApiError, None
    return _KINDS_OF_UNKNOWN.get(status, PermanentApiError), _HINTS_OF_UNKNOWN.get(status)


def _is_unknown(code: str) -> bool:
    """Whether the installed client has no name for the code, or one that says nothing."""
    name = code.rpartition(".")[2]
    return name.isdigit() or name in ("UNKNOWN", "UNSPECIFIED")


def _of_status(status: grpc.StatusCode, details: str, request_id: str, secrets: Iterable[str]) -> GadsError:
    message = f"{status.name}: {_line(details, secrets)}" + (f" (request id {request_id})" if request_id else "")
    if status is grpc.StatusCode.UNAUTHENTICATED or any(grant in details for grant in credential_hints.REFUSED_GRANTS):
        return CredentialsError(message, hint=credential_hints.of_oauth(details))
    if any(mark in details for mark in _UNTRUSTED):
        return untrusted_certificate("the API or its token server", message)
    if status is grpc.StatusCode.UNAVAILABLE and any(mark in details for mark in _UNREACHABLE):
        return ApiUnreachableError(message)
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return ApiVersionGoneError(message)
    if status is grpc.StatusCode.PERMISSION_DENIED:
        return CredentialsError(message, hint="enable the Google Ads API for the cloud project of these credentials")
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details:
        return RangeRefusedError(message, hint="a page of the report is too large: select fewer or shorter fields")
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return QuotaExhaustedError(message)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return BrokenStreamError(message)
    if status in _TRANSIENT_STATUS:
        return TransientApiError(message)
    return PermanentApiError(message)


def _line(text: str, secrets: Iterable[str]) -> str:
    line = " ".join(text.split())
    for secret in secrets:
        line = line.replace(secret, "***")
    return line if len(line) <= _SHOWN_TEXT else f"{line[:_SHOWN_TEXT]}…"
