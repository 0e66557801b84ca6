"""What the API, the channel and the token server say when they fail, in the errors of the domain.

Sources: https://developers.google.com/google-ads/api/docs/best-practices/error-types and the `ErrorCode` message.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.ads.googleads.errors import GoogleAdsException
from google.auth import exceptions as auth_errors

from gads_domain.errors import (
    ApiError,
    CredentialsError,
    GadsError,
    PermanentApiError,
    QuotaExhaustedError,
    TransientApiError,
)
from gads_extractor import credential_hints

_TRANSIENT_CODES = {
    "INTERNAL_ERROR.INTERNAL_ERROR",
    "INTERNAL_ERROR.TRANSIENT_ERROR",
    "INTERNAL_ERROR.DEADLINE_EXCEEDED",
    "DATABASE_ERROR.CONCURRENT_MODIFICATION",
    "QUOTA_ERROR.RESOURCE_TEMPORARILY_EXHAUSTED",
    "QUOTA_ERROR.EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION",
}
_QUOTA_CODES = {
    "QUOTA_ERROR.RESOURCE_EXHAUSTED",
    "QUOTA_ERROR.EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION",
}
_ONE_ACCOUNT = {
    "AUTHENTICATION_ERROR.CUSTOMER_NOT_FOUND",
    "AUTHENTICATION_ERROR.CLIENT_CUSTOMER_ID_INVALID",
}
"""Authentication errors that speak of the account asked for, and not of who is asking."""
_TOKEN_CODES = {
    "AUTHORIZATION_ERROR.DEVELOPER_TOKEN_NOT_ON_ALLOWLIST",
    "AUTHORIZATION_ERROR.DEVELOPER_TOKEN_PROHIBITED",
    "AUTHORIZATION_ERROR.DEVELOPER_TOKEN_NOT_APPROVED",
    "AUTHORIZATION_ERROR.PROJECT_DISABLED",
    "AUTHORIZATION_ERROR.INCOMPLETE_SIGNUP",
    "AUTHORIZATION_ERROR.CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
    "AUTHORIZATION_ERROR.CLOUD_PROJECT_NOT_UNDER_ORGANIZATION",
    "HEADER_ERROR.INVALID_LOGIN_CUSTOMER_ID",
    "HEADER_ERROR.INVALID_LINKED_CUSTOMER_ID",
    "REQUEST_ERROR.DEVELOPER_TOKEN_PARAMETER_MISSING",
    "REQUEST_ERROR.LOGIN_CUSTOMER_ID_PARAMETER_MISSING",
    "REQUEST_ERROR.CLOUD_PROJECT_NOT_FOUND",
}
_HINTS = {
    "AUTHORIZATION_ERROR.USER_PERMISSION_DENIED": (
        "share the account with the login, or set login_customer_id to a manager above it"
    ),
    "AUTHORIZATION_ERROR.CUSTOMER_NOT_ENABLED": "the account is cancelled or not yet set up; leave it out",
    "AUTHORIZATION_ERROR.INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION": (
        "login_customer_id is no manager above this account"
    ),
    "AUTHENTICATION_ERROR.CUSTOMER_NOT_FOUND": "check the account's number",
    "QUERY_ERROR.REQUESTED_METRICS_FOR_MANAGER": "a manager has no metrics of its own; ask the accounts below it",
    "REQUEST_ERROR.UNSUPPORTED_VERSION": "the API version is gone: set google_ads.api_version to a newer one",
}
_QUOTA_HINT = (
    "the API does not say when; its operations are counted a day, and the days of Google's quotas begin at midnight in "
    "California: go on then, or 24 hours from now at the latest; what was not asked for is still pending"
)
_TOO_LARGE = "larger than max"
"""What gRPC says, with the status of a quota, of a message that this side does not take."""
_TRANSIENT_STATUS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}
_SHOWN_ERRORS = 3
_SHOWN_TEXT = 400


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Why a call failed: the domain's error, and after how many seconds the API wants to be asked again."""

    error: GadsError
    retry_after: float | None = None


class CallFailedError(Exception):
    """Carries a `CallFailure` from the channel to whoever decides about trying again."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(failure.error.message)
        self.failure = failure


def is_call_error(error: BaseException) -> bool:
    """Whether `error` comes from the API, the channel or the token server, so that `explain` knows it."""
    return isinstance(error, GoogleAdsException | grpc.RpcError | auth_errors.GoogleAuthError)


def explain(error: BaseException, api_version: str, secrets: Iterable[str] = ()) -> CallFailure:
    """Say in the domain's terms what a call to the API raised; `secrets` never come out."""
    if isinstance(error, auth_errors.GoogleAuthError):
        return CallFailure(explain_oauth(error, secrets))
    if isinstance(error, GoogleAdsException):
        return _of_failure(type(error.failure).pb(error.failure), error.request_id, secrets)
    if not isinstance(error, grpc.Call):
        return CallFailure(TransientApiError(_line(f"{type(error).__name__}: {error}", secrets)))
    trailing: Sequence[tuple[str, Any]] = tuple(error.trailing_metadata() or ())
    failure = _failure_in(trailing, api_version)
    request_id = next((str(value) for name, value in trailing if name == "request-id"), "")
    if failure is not None:
        return _of_failure(failure, request_id, secrets)
    return CallFailure(_of_status(error.code(), error.details() or "", request_id, secrets))


def explain_oauth(error: auth_errors.GoogleAuthError, secrets: Iterable[str] = ()) -> GadsError:
    """Say in the domain's terms why no access token could be had."""
    text = _line(str(error.args[0] if error.args else error), secrets)
    if isinstance(error, auth_errors.TransportError) or getattr(error, "retryable", False):
        return TransientApiError(f"the token server cannot be reached: {text}", hint="check the network and any proxy")
    return CredentialsError(f"OAuth refused: {text}", hint=credential_hints.of_oauth(text))


def _failure_in(trailing: Sequence[tuple[str, Any]], api_version: str) -> Any | None:
    """The client itself leaves the details of INTERNAL and RESOURCE_EXHAUSTED unread."""
    key = f"google.ads.googleads.{api_version}.errors.googleadsfailure-bin"
    for name, value in trailing:
        if name == key:
            types = importlib.import_module(f"google.ads.googleads.{api_version}.errors.types.errors")
            try:
                return types.GoogleAdsFailure.pb().FromString(value)
            except Exception:  # bytes that are no failure leave the status to speak for itself
                return None
    return None


def _of_failure(failure: Any, request_id: str, secrets: Iterable[str]) -> CallFailure:
    codes = [_code_of(error.error_code) for error in failure.errors]
    texts = [
        f"{code}: {error.message}" for code, error in zip(codes, failure.errors, strict=True) if code or error.message
    ]
    if len(texts) > _SHOWN_ERRORS:
        texts = [*texts[:_SHOWN_ERRORS], f"and {len(texts) - _SHOWN_ERRORS} more"]
    asked = request_id or failure.request_id
    message = _line("; ".join(texts) or "a failure without errors", secrets)
    if asked:
        message = f"{message} (request id {asked})"
    kind, default_hint = _kind_of(codes)
    hint = next((_HINTS[code] for code in codes if code in _HINTS), default_hint)
    return CallFailure(kind(message, hint=hint), _retry_delay(failure))


def _code_of(error_code: Any) -> str:
    which = error_code.WhichOneof("error_code")
    if which is None:
        return "UNKNOWN"
    number = getattr(error_code, which)
    value = error_code.DESCRIPTOR.fields_by_name[which].enum_type.values_by_number.get(number)
    return f"{which.upper()}.{value.name if value else number}"


def _kind_of(codes: Sequence[str]) -> tuple[type[ApiError] | type[CredentialsError], str | None]:
    """The gravest of the errors decides: what always fails, then credentials, then quota, then what passes."""
    refused = next((code for code in codes if code in _TOKEN_CODES or _is_authentication(code)), None)
    if refused is not None:
        return CredentialsError, credential_hints.of_code(refused)
    if codes and all(code in _TRANSIENT_CODES | _QUOTA_CODES for code in codes):
        if any(code in _QUOTA_CODES for code in codes):
            return QuotaExhaustedError, _QUOTA_HINT
        return TransientApiError, None
    return PermanentApiError, None


def _is_authentication(code: str) -> bool:
    return code.startswith("AUTHENTICATION_ERROR.") and code not in _ONE_ACCOUNT


def _retry_delay(failure: Any) -> float | None:
    delays = [
        error.details.quota_error_details.retry_delay.ToTimedelta().total_seconds()
        for error in failure.errors
        if error.HasField("details") and error.details.quota_error_details.HasField("retry_delay")
    ]
    return max(delays, default=None)


def _of_status(status: grpc.StatusCode, details: str, request_id: str, secrets: Iterable[str]) -> GadsError:
    message = f"{status.name}: {_line(details, secrets)}" + (f" (request id {request_id})" if request_id else "")
    if status is grpc.StatusCode.UNAUTHENTICATED or any(grant in details for grant in credential_hints.REFUSED_GRANTS):
        return CredentialsError(message, hint=credential_hints.of_oauth(details))
    if status is grpc.StatusCode.PERMISSION_DENIED:
        return CredentialsError(message, hint="enable the Google Ads API for the cloud project of these credentials")
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details:
        return PermanentApiError(message, hint="a page of the report is too large: select fewer or shorter fields")
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return QuotaExhaustedError(message, hint=_QUOTA_HINT)
    if status in _TRANSIENT_STATUS:
        return TransientApiError(message)
    return PermanentApiError(message)


def _line(text: str, secrets: Iterable[str]) -> str:
    line = " ".join(text.split())
    for secret in secrets:
        line = line.replace(secret, "***")
    return line if len(line) <= _SHOWN_TEXT else f"{line[:_SHOWN_TEXT]}…"
