"""Finds out whether a PUT with `If-None-Match: *` never overwrites: the promise of the server that a seal rests on.

Servers that ignore the header answer 200 and overwrite, and so may a proxy before a good one; only a probe shows it.
"""

import secrets
import threading
from enum import Enum

from gads_domain.errors import ConfigurationError, StorageError
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.errors import S3RequestError

PROBES = ".gads"
"""The folder below the sink's root for probes."""

_PROBE = b"gads-etl tests whether If-None-Match is honoured; this object may be removed.\n"
_NOT_UNDERSTOOD = frozenset({"InvalidArgument", "InvalidRequest", "MethodNotAllowed", "NotImplemented", ""})

_known: dict[tuple[str, str, str], "Condition"] = {}
_asking = threading.Lock()


class Condition(Enum):
    """What the server makes of `If-None-Match: *` on a PUT."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    REFUSED = "refused"


def condition_of(bucket: Bucket) -> Condition:
    """What is known of the server, which is asked once a process; raises `S3RequestError`."""
    location = bucket.location
    place = (location.endpoint, location.bucket, location.prefix)
    with _asking:
        if place not in _known:
            path = _probe_path()
            try:
                _known[place] = _ask(bucket, path)
            finally:
                bucket.remove_if_possible(path)
        return _known[place]


def probe(bucket: Bucket) -> Condition:
    """Ask anew, and see that what is written can be read, listed and removed; leaves nothing.

    Raises `S3RequestError`, or `StorageError` if what was written is not what is read.
    """
    path = _probe_path()
    try:
        found = _ask(bucket, path)
        written = found is not Condition.REFUSED
        if written and bucket.read(path) != _PROBE:
            raise StorageError(
                f"{bucket.location} does not return what was written there",
                hint="check that a server which keeps objects answers there, and no proxy in its place",
            )
        if written and path not in {stored.path for stored in bucket.below(PROBES)}:
            raise StorageError(f"{bucket.location} does not list what was written there")
        bucket.remove(path)
    except BaseException:
        bucket.remove_if_possible(path)
        raise
    return found


def require_safe(bucket: Bucket, condition: Condition) -> None:
    """Refuse a server on which two writers could seal one partition; raises `ConfigurationError`."""
    if condition is Condition.HONOURED or bucket.location.single_writer:
        return
    raise ConfigurationError(
        f"{bucket.location} at {bucket.location.endpoint}: the server has {condition.value} If-None-Match on a PUT, "
        "so two writers could seal one partition",
        hint="use a server that honours it, or add single_writer=true if no two processes ever write at a time",
    )


def _ask(bucket: Bucket, path: str) -> Condition:
    try:
        for _ in range(2):
            bucket.call_with_retry(lambda: bucket.put_once(path, _PROBE, only_if_new=True))
    except S3RequestError as error:
        # Even the first PUT may be refused, when its answer was lost and it was sent again.
        if error.is_refused_condition:
            return Condition.HONOURED
        if error.status in {400, 405, 501} and error.code in _NOT_UNDERSTOOD:
            return Condition.REFUSED
        raise
    return Condition.IGNORED


def _probe_path() -> str:
    return f"{PROBES}/probe-{secrets.token_hex(8)}"
