"""What went wrong with a request: said as one kind of error inside, and in the errors of the domain outside.

The client speaks through many exceptions, and through wrong ones: an error body that is not `application/xml` comes
as `InvalidResponseError`, an unreadable answer as `ValueError` or `ParseError`, the network as urllib3's own.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from gads_domain.errors import (
    ConfigurationError,
    CredentialsError,
    GadsError,
    StorageError,
    StorageFullError,
)

_PASSING_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_PASSING_CODE = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "InternalError",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "XAmzContentSHA256Mismatch",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_ELSEWHERE = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "Redirect"}
)
_FULL = frozenset({"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage"})
_CODE_IN_BODY = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")


class S3RequestError(Exception):
    """One request that failed.

    `status` and `code` are the server's, 0 and empty if there was no answer. `passing` says that the same request may
    succeed later, `landed` that the server may have carried it out. The server's own prose is left behind: it may
    repeat what it was sent.
    """

    def __init__(self, status: int, code: str, *, passing: bool, landed: bool) -> None:
        super().__init__(f"{code or 'no answer'} ({status})" if status else code)
        self.status = status
        self.code = code
        self.passing = passing
        self.landed = landed

    @property
    def is_absence(self) -> bool:
        """Whether the object is not there, while its bucket is."""
        return self.status == 404 and self.code not in {"NoSuchBucket", "NoSuchUpload"}

    @property
    def is_refused_condition(self) -> bool:
        """Whether the object's state did not meet the request's condition; some servers say 304 where 412 is due."""
        return self.status in {304, 412}


@contextmanager
def diagnosed() -> Iterator[None]:
    """Raise whatever the client raises in the block as an `S3RequestError`; the domain's own errors pass."""
    try:
        yield
    except (GadsError, S3RequestError):
        raise
    except (MinioException, HTTPError, ParseError, ValueError, OSError) as error:
        raise diagnose(error) from error


def diagnose(error: Exception) -> S3RequestError:
    """What `error`, raised by the client, says about its request."""
    if isinstance(error, S3Error):
        return _answered(error.response.status, error.code or "")
    if isinstance(error, ServerError):
        return _answered(error.status_code, "")
    if isinstance(error, InvalidResponseError):
        status, _, body = error.__reduce__()[1]  # type: ignore[no-untyped-call]  # the only way to them without private names
        code = _CODE_IN_BODY.search(body or "")
        return _answered(status, code[1] if code else "")
    if isinstance(error, (NewConnectionError, ConnectTimeoutError)):
        return S3RequestError(0, "no connection", passing=True, landed=False)
    if _is_distrust(error):
        return S3RequestError(0, "certificate not trusted", passing=False, landed=False)
    if isinstance(error, (HTTPError, OSError)):
        return S3RequestError(0, f"connection broken: {type(error).__name__}", passing=True, landed=True)
    return S3RequestError(0, "unreadable answer", passing=True, landed=True)


@contextmanager
def reported(doing: str, place: str) -> Iterator[None]:
    """Raise any `S3RequestError` of the block as a `GadsError` that begins with `doing` and names `place`."""
    try:
        yield
    except S3RequestError as fault:
        raise as_gads_error(fault, doing, place) from fault


def as_gads_error(fault: S3RequestError, doing: str, place: str) -> GadsError:
    """The domain's error for `fault`."""
    message = f"{doing}: {place}: {fault}"
    if fault.code == "NoSuchBucket":
        return ConfigurationError(message, hint="create the bucket, or name another in storage.sink")
    if fault.code == "RequestTimeTooSkewed":
        return ConfigurationError(message, hint="set this machine's clock")
    if fault.code in _FULL or fault.status == 507:
        return StorageFullError(message)
    if fault.code in _DENIED or fault.status in {401, 403}:
        return CredentialsError(
            message, hint="check the access key, the secret key, the session token and the bucket's policy"
        )
    if fault.code in _ELSEWHERE or fault.status in {301, 307, 308}:
        return ConfigurationError(message, hint="the bucket is in another region or at another endpoint: set region=")
    if fault.code == "certificate not trusted":
        return ConfigurationError(message, hint="give the server's CA certificates as ca=/path/to/file.pem")
    if fault.status in {405, 501} or fault.code in {"InvalidBucketName", "NotImplemented"}:
        return ConfigurationError(message, hint="this server cannot do what a sink needs")
    if not fault.status:
        hint = "check the endpoint (http or https?) and the network; what was not sealed stays invisible"
        return StorageError(message, hint=hint)
    return StorageError(message)


def _answered(status: int, code: str) -> S3RequestError:
    passing = status in _PASSING_STATUS or code in _PASSING_CODE
    # A 200 that holds an error, as CompleteMultipartUpload may send, says nothing of what was done.
    return S3RequestError(status, code, passing=passing, landed=status >= 500 or status < 300)


def _is_distrust(error: Exception) -> bool:
    cause = error.args[0] if isinstance(error, SSLError) and error.args else error
    return isinstance(cause, ssl.SSLCertVerificationError)
