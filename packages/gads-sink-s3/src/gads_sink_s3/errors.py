"""Failed requests: one kind of error inside the package, the domain's errors outside.

The client raises many exceptions, and wrong ones: an error body that is not `application/xml` comes
as `InvalidResponseError`, an unreadable answer as `ValueError` or `ParseError`, the network as urllib3's own.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from gads_domain.errors import ConfigurationError, GadsError, StorageCredentialsError, StorageError, StorageFullError

_RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_RETRYABLE_CODE = frozenset(
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

    `status` and `code` are the server's, 0 and empty if there was no answer. `retryable` says that the same
    request may succeed later, `landed` that the server may have done it. The server's own message is dropped: it may
    repeat what it was sent.
    """

    def __init__(self, status: int, code: str, *, retryable: bool, landed: bool) -> None:
        super().__init__(f"{code or 'no answer'} ({status})" if status else code)
        self.status = status
        self.code = code
        self.retryable = retryable
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
    """What an error of the client says about its request."""
    if isinstance(error, S3Error):
        return _answered(error.response.status, error.code or "")
    if isinstance(error, ServerError):
        return _answered(error.status_code, "")
    if isinstance(error, InvalidResponseError):
        status, _, body = error.__reduce__()[1]  # type: ignore[no-untyped-call]  # the only way to them without private names
        code = _CODE_IN_BODY.search(body or "")
        return _answered(status, code[1] if code else "")
    if isinstance(error, (NewConnectionError, ConnectTimeoutError)):
        return S3RequestError(0, "no connection", retryable=True, landed=False)
    if _is_distrust(error):
        return S3RequestError(0, "certificate not trusted", retryable=False, landed=False)
    if isinstance(error, (HTTPError, OSError)):
        return S3RequestError(0, f"connection broken: {type(error).__name__}", retryable=True, landed=True)
    return S3RequestError(0, "unreadable answer", retryable=True, landed=True)


def refused(code: str) -> S3RequestError:
    """What the server says of one object of a request that was answered as a whole."""
    return _answered(403 if code in _DENIED else 200, code)


@contextmanager
def reported(doing: str, place: str) -> Iterator[None]:
    """Raise any `S3RequestError` of the block as a `GadsError` that begins with `doing` and names `place`."""
    try:
        yield
    except S3RequestError as error:
        raise as_gads_error(error, doing, place) from error


def as_gads_error(error: S3RequestError, doing: str, place: str) -> GadsError:
    """The domain's error for `error`."""
    message = f"{doing}: {place}: {error}"
    if error.code == "NoSuchBucket":
        return ConfigurationError(message, hint="create the bucket, or name another in storage.sink")
    if error.code == "RequestTimeTooSkewed":
        return ConfigurationError(message, hint="set this machine's clock")
    if error.code in _FULL or error.status == 507:
        return StorageFullError(message)
    if error.code in _DENIED or error.status in {401, 403}:
        return StorageCredentialsError(
            message, hint="check the access key, the secret key, the session token and the bucket's policy"
        )
    if error.code in _ELSEWHERE or error.status in {301, 307, 308}:
        return ConfigurationError(message, hint="the bucket is in another region or at another endpoint: set region=")
    if error.code == "certificate not trusted":
        return ConfigurationError(message, hint="give the server's CA certificates as ca=/path/to/file.pem")
    if error.status in {405, 501} or error.code in {"InvalidBucketName", "NotImplemented"}:
        return ConfigurationError(message, hint="this server lacks a call that a sink needs; use another")
    if not error.status:
        hint = "check the endpoint (http or https?) and the network; what was not sealed stays invisible"
        return StorageError(message, hint=hint)
    return StorageError(message)


def _answered(status: int, code: str) -> S3RequestError:
    retryable = status in _RETRYABLE_STATUS or code in _RETRYABLE_CODE
    # A 200 that holds an error, as CompleteMultipartUpload may send, leaves open what was done.
    return S3RequestError(status, code, retryable=retryable, landed=status >= 500 or status < 300)


def _is_distrust(error: Exception) -> bool:
    cause = error.args[0] if isinstance(error, SSLError) and error.args else error
    return isinstance(cause, ssl.SSLCertVerificationError)
