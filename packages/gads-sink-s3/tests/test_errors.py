from __future__ import annotations

import ssl
from xml.etree.ElementTree import ParseError

import pytest
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import HTTPResponse
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError, SSLError

from gads_domain.errors import ConfigurationError, GadsError, StorageCredentialsError, StorageError, StorageFullError
from gads_sink_s3.errors import S3RequestError, as_gads_error, diagnose, diagnosed, reported


def s3_error(status: int, code: str) -> S3Error:
    return S3Error(HTTPResponse(status=status), code, "prose that repeats SECRET", "/", "id", "host")


def untrusted() -> SSLError:
    return SSLError(ssl.SSLCertVerificationError("self-signed"))


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable", "landed"),
    [
        (s3_error(412, "PreconditionFailed"), 412, "PreconditionFailed", False, False),
        (s3_error(409, "ConditionalRequestConflict"), 409, "ConditionalRequestConflict", True, False),
        (s3_error(500, "InternalError"), 500, "InternalError", True, True),
        (s3_error(503, "SlowDown"), 503, "SlowDown", True, True),
        (s3_error(400, "RequestTimeout"), 400, "RequestTimeout", True, False),
        (s3_error(501, "NotImplemented"), 501, "NotImplemented", False, True),
        (
            InvalidResponseError(404, "text/xml", "<Error><Code>NoSuchKey</Code></Error>"),
            404,
            "NoSuchKey",
            False,
            False,
        ),
        (InvalidResponseError(502, "text/html", "<html>"), 502, "", True, True),
        (InvalidResponseError(412, "text/plain", None), 412, "", False, False),
        (ServerError("failed", 503), 503, "", True, True),
        (ValueError("not enough values to unpack"), 0, "unreadable answer", True, True),
        (ParseError("no element found"), 0, "unreadable answer", True, True),
        (ProtocolError("reset"), 0, "connection broken: ProtocolError", True, True),
        (ReadTimeoutError(None, "/", "timed out"), 0, "connection broken: ReadTimeoutError", True, True),  # type: ignore[arg-type]  # no pool is needed
        (MaxRetryError(None, "/", None), 0, "connection broken: MaxRetryError", True, True),  # type: ignore[arg-type]  # likewise
        (NewConnectionError(None, "refused"), 0, "no connection", True, False),  # type: ignore[arg-type]  # likewise
        (ConnectionResetError(), 0, "connection broken: ConnectionResetError", True, True),
        (untrusted(), 0, "certificate not trusted", False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_the_client_raises_is_understood(
    error: Exception, status: int, code: str, retryable: bool, landed: bool
) -> None:
    found = diagnose(error)
    assert (found.status, found.code, found.retryable, found.landed) == (status, code, retryable, landed)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (s3_error(404, "NoSuchBucket"), ConfigurationError),
        (s3_error(403, "AccessDenied"), StorageCredentialsError),
        (s3_error(403, "InvalidAccessKeyId"), StorageCredentialsError),
        (s3_error(403, "SignatureDoesNotMatch"), StorageCredentialsError),
        (s3_error(400, "ExpiredToken"), StorageCredentialsError),
        (s3_error(403, "RequestTimeTooSkewed"), ConfigurationError),
        (s3_error(301, "PermanentRedirect"), ConfigurationError),
        (s3_error(400, "AuthorizationHeaderMalformed"), ConfigurationError),
        (s3_error(501, "NotImplemented"), ConfigurationError),
        (s3_error(403, "QuotaExceeded"), StorageFullError),
        (s3_error(507, "XMinioStorageFull"), StorageFullError),
        (s3_error(503, "SlowDown"), StorageError),
        (ReadTimeoutError(None, "/", "timed out"), StorageError),  # type: ignore[arg-type]  # no pool is needed
        (untrusted(), ConfigurationError),
    ],
    ids=lambda value: getattr(value, "code", None) or getattr(value, "__name__", type(value).__name__),
)
def test_what_went_wrong_becomes_the_domains_error(error: Exception, kind: type[GadsError]) -> None:
    found = as_gads_error(diagnose(error), "cannot read", "s3://bucket/p")
    assert type(found) is kind
    assert found.message.startswith("cannot read: s3://bucket/p: ")
    assert "SECRET" not in found.message


def test_the_domains_own_errors_pass() -> None:
    with pytest.raises(StorageCredentialsError), reported("x", "y"), diagnosed():
        raise StorageCredentialsError("none")
    with pytest.raises(KeyError), reported("x", "y"), diagnosed():
        raise KeyError("a fault of this software")


def test_absence_is_of_the_object_alone() -> None:
    assert diagnose(s3_error(404, "NoSuchKey")).is_absence
    assert diagnose(InvalidResponseError(404, "text/plain", "")).is_absence
    assert not diagnose(s3_error(404, "NoSuchBucket")).is_absence
    assert not diagnose(s3_error(404, "NoSuchUpload")).is_absence
    assert S3RequestError(412, "", retryable=False, landed=False).is_refused_condition
