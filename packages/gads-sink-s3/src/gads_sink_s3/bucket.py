"""The objects below a location, by their paths; every failure is an `S3RequestError`.

HEAD is never sent: its errors have no body, so a missing bucket looks like a missing object.

No other module uses a private name of the client. Its `put_object` cannot send a header, and turns `If-None-Match` into
user metadata. `tests/test_bucket.py` fails when the library changes any of these.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote_plus

from minio import Minio
from minio.datatypes import ListMultipartUploadsResult, Object, Part
from minio.deleteobjects import DeleteObject

from gads_domain.backoff import Backoff
from gads_domain.errors import GadsError
from gads_domain.metadata_codec import LARGEST_SEAL
from gads_sink_s3.client import connect
from gads_sink_s3.errors import S3RequestError, diagnosed, refused
from gads_sink_s3.location import S3Location

_T = TypeVar("_T")
_BACKOFF = Backoff(first=0.1, largest=5.0, jitter=0.5)
_PAGE = 1000  # what a server lists at once
_CONTENT_RANGE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+)")
_AGELESS = datetime.max.replace(tzinfo=UTC)  # without an age nothing is swept


class Stored(NamedTuple):
    """An object as a listing shows it. `size` is in bytes."""

    path: str
    size: int
    modified_at: datetime


class Version(NamedTuple):
    """One version of an object, or the marker that says it was deleted. Without versioning there is one, unnamed."""

    path: str
    version_id: str | None
    size: int
    is_latest: bool


class Piece(NamedTuple):
    """Bytes of an object, how long the whole of it is, and the tag of the version they are from."""

    data: bytes
    size: int
    etag: str


class OpenUpload(NamedTuple):
    """A multipart upload that was begun and neither completed nor aborted."""

    path: str
    upload_id: str
    begun_at: datetime | None


class Bucket:
    """What is stored below `location`; sends nothing until asked. Threads may share it.

    A request that fails in passing is sent again, `location.retries` times, unless the method is named `..._once`.
    """

    def __init__(self, location: S3Location) -> None:
        self.location = location
        self._client = connect(location)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.location)!r})"

    def delays(self, retries: int | None = None) -> Iterator[float | None]:
        """For each try, the seconds to wait after it if it fails; None after the last."""
        for failures in range(1, (self.location.retries if retries is None else retries) + 1):
            yield _BACKOFF.delay(failures, random.random())
        yield None

    def call_with_retry(self, request: Callable[[], _T], retries: int | None = None) -> _T:
        """Send `request`, which does no harm when it is sent twice, until it is answered; raises the last error."""
        for delay in self.delays(retries):
            try:
                with diagnosed():
                    return request()
            except S3RequestError as error:
                if delay is None or not error.retryable:
                    raise
                time.sleep(delay)
        raise AssertionError("unreachable")

    def read(self, path: str) -> bytes | None:
        """The object as far as a seal can be long and one byte more, or None if there is none."""
        return self.call_with_retry(lambda: self.read_once(path))

    def read_once(self, path: str) -> bytes | None:
        """The same, asked for once."""
        try:
            with diagnosed(), self._client.get_object(self.location.bucket, self.location.key(path)) as response:
                return response.read(LARGEST_SEAL + 1)
        except S3RequestError as error:
            if error.is_absence:
                return None
            raise

    def read_range(self, path: str, start: int, length: int, etag: str = "") -> Piece | None:
        """Up to `length` bytes from `start`, or None if there is no object; of the version `etag` if it is given."""
        return self.call_with_retry(lambda: self._read_range_once(path, start, length, etag))

    def _read_range_once(self, path: str, start: int, length: int, etag: str) -> Piece | None:
        try:
            with (
                diagnosed(),
                self._client.get_object(
                    self.location.bucket,
                    self.location.key(path),
                    offset=start,
                    length=length,
                    request_headers={"If-Match": etag} if etag else {},
                ) as response,
            ):
                found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
                size = int(found[1] if found else response.headers["content-length"])
                if not found and (start or size > length):
                    raise S3RequestError(response.status, "the server ignores ranges", retryable=False, landed=False)
                return Piece(response.read(), size, response.headers.get("etag", ""))
        except S3RequestError as error:
            if error.is_absence:
                return None
            if error.status == 416 and start == 0:
                return Piece(b"", 0, "")  # an empty object has no first byte
            raise

    def put(self, path: str, data: bytes | bytearray) -> None:
        """Store `data`, over whatever is there."""
        self.call_with_retry(lambda: self.put_once(path, data, only_if_new=False))

    def put_once(self, path: str, data: bytes | bytearray, *, only_if_new: bool) -> None:
        """Store `data` by one request that is sent once; `only_if_new` asks the server to refuse an existing object."""
        headers: dict[str, Any] = {"If-None-Match": "*"} if only_if_new else {}
        with diagnosed():
            self._client._put_object(self.location.bucket, self.location.key(path), data, headers)  # type: ignore[arg-type]  # any buffer goes

    def remove(self, path: str) -> None:
        """Remove the object, if there is one."""
        self._send(Minio.remove_object, path)

    def remove_if_possible(self, path: str) -> None:
        """The same; a failure is ignored, since a sweep finds what is left."""
        with suppress(S3RequestError, GadsError):
            self._send(Minio.remove_object, path, retries=self._few)

    def below(self, path: str) -> Iterator[Stored]:
        """All objects in the folder `path` and deeper, in the order of their keys, one page in memory."""
        prefix = self._folder(path)
        last = ""
        while True:
            page = self._page(prefix, last)
            for stored in page:
                if stored.path <= last:
                    raise S3RequestError(200, "the server lists out of order", retryable=False, landed=False)
                last = stored.path
                yield stored._replace(path=self.location.path(stored.path))
            if len(page) < _PAGE:
                return

    def versions_below(self, path: str) -> list[Version]:
        """All versions of the objects in the folder `path` and deeper; of a server that has none, the objects."""
        try:
            found = self._all_versions(self._folder(path))
        except S3RequestError as error:
            if error.status not in {405, 501}:
                raise
            return [Version(stored.path, None, stored.size, True) for stored in self.below(path)]
        return [
            Version(self.location.path(one.object_name or ""), one.version_id, one.size or 0, one.is_latest != "false")
            for one in found
        ]

    def remove_versions(self, versions: Sequence[Version]) -> None:
        """Remove these versions for good, a thousand by one request."""
        for start in range(0, len(versions), _PAGE):
            batch = [
                DeleteObject(self.location.key(one.path), one.version_id) for one in versions[start : start + _PAGE]
            ]
            self.call_with_retry(partial(self._remove_batch, batch))

    def begin_upload(self, path: str) -> str:
        """Begin a multipart upload; return its id."""
        return self._send(Minio._create_multipart_upload, path, {})

    def put_part(self, path: str, upload_id: str, number: int, data: bytes | bytearray) -> str:
        """Store a part, counted from 1; return its ETag."""
        return self._send(Minio._upload_part, path, data, None, upload_id, number)

    def complete_upload(self, path: str, upload_id: str, etags: list[str], size: int) -> None:
        """Make the parts, `size` bytes together, one object."""
        parts = [Part(number, etag) for number, etag in enumerate(etags, start=1)]

        def complete(client: Minio, bucket: str, key: str) -> None:
            # The answer may be a 200 and not say that it is done.
            if not client._complete_multipart_upload(bucket, key, upload_id, parts).etag:
                raise S3RequestError(200, "not completed", retryable=True, landed=True)

        try:
            self._send(complete, path)
        except S3RequestError as error:
            # A complete upload does not exist any more: then the answer to an earlier try was lost.
            if error.status != 404 or error.code == "NoSuchBucket":
                raise
            piece = self.read_range(path, 0, 1)
            if piece is None or piece.size != size:
                raise

    def abort_upload(self, path: str, upload_id: str) -> None:
        """Drop an upload and its parts, if they are there."""
        try:
            self._send(Minio._abort_multipart_upload, path, upload_id)
        except S3RequestError as error:
            if error.status != 404:
                raise

    def abort_upload_if_possible(self, path: str, upload_id: str) -> None:
        """The same; a failure is ignored, since a sweep finds what is left."""
        with suppress(S3RequestError, GadsError):
            self._send(Minio._abort_multipart_upload, path, upload_id, retries=self._few)

    def open_uploads(self) -> Iterator[OpenUpload]:
        """All multipart uploads that are open below the location."""
        after = ""
        while True:
            page = self._uploads(after)
            for upload in page.uploads:
                path = self.location.path(_decoded(upload.object_name))
                yield OpenUpload(path, upload.upload_id or "", upload.initiated_time)
            onward = _decoded(page.next_key_marker or "") if page.is_truncated else ""
            if onward <= after:
                return
            after = onward

    @property
    def _few(self) -> int:
        return min(1, self.location.retries)

    def _send(self, call: Callable[..., _T], path: str, *values: Any, retries: int | None = None) -> _T:
        """`call` with the client, the bucket, the key of `path` and `values`."""
        bucket, key = self.location.bucket, self.location.key(path)
        return self.call_with_retry(lambda: call(self._client, bucket, key, *values), retries)

    def _uploads(self, after: str) -> ListMultipartUploadsResult:
        list_page = partial(self._client._list_multipart_uploads, self.location.bucket, prefix=self._folder(""))
        return self.call_with_retry(lambda: list_page(key_marker=after or None))

    def _page(self, prefix: str, after: str) -> list[Stored]:
        def page() -> list[Stored]:
            found = self._client.list_objects(
                self.location.bucket, prefix=prefix, recursive=True, start_after=after or None
            )
            return [Stored(o.object_name or "", o.size or 0, o.last_modified or _AGELESS) for o in islice(found, _PAGE)]

        return self.call_with_retry(page)

    def _all_versions(self, prefix: str) -> list[Object]:
        def versions() -> list[Object]:
            found = self._client.list_objects(self.location.bucket, prefix=prefix, recursive=True, include_version=True)
            return list(found)

        return self.call_with_retry(versions)

    def _remove_batch(self, batch: list[DeleteObject]) -> None:
        for failure in self._client.remove_objects(self.location.bucket, batch):
            raise refused(failure.code)

    def _folder(self, path: str) -> str:
        key = self.location.key(path).rstrip("/")
        return f"{key}/" if key else ""


def _decoded(key: str) -> str:
    # Asked for encoded keys, radosgw encodes them and does not say so. Every partition's path has a "=", which no
    # encoding leaves as it is.
    return key if "=" in key else unquote_plus(key)
