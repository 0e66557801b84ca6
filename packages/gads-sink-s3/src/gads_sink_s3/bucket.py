"""The objects below a location, by their paths; every failure is an `S3RequestError`.

No HEAD is ever sent: its errors have no body, so a missing bucket looks like a missing object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from gads_domain.errors import GadsError
from gads_sink_s3 import client_internals
from gads_sink_s3.client import connect
from gads_sink_s3.faults import S3RequestError, diagnosed
from gads_sink_s3.location import S3Location
from gads_sink_s3.patience import Patience

_PAGE = 1000  # what a server lists at once
_CONTENT_RANGE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+)")
_AGELESS = datetime.max.replace(tzinfo=UTC)  # no age is no reason to sweep
_ONLY_IF_NEW = {"If-None-Match": "*"}
_PLAIN: dict[str, str] = {}


class Stored(NamedTuple):
    """An object as a listing shows it. `size` is in bytes."""

    path: str
    size: int
    modified_at: datetime


class Piece(NamedTuple):
    """Bytes of an object, how long the whole of it is, and the tag of the version they are from."""

    data: bytes
    size: int
    etag: str


class Bucket:
    """What is stored below `location`; sends nothing until asked. Threads may share it."""

    def __init__(self, location: S3Location) -> None:
        self.location = location
        self.patience = Patience(location.retries)
        self._brief = Patience(min(1, location.retries))
        self._client = connect(location)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.location)!r})"

    def read(self, path: str) -> bytes | None:
        """The whole object, or None if there is none."""
        return self.patience.persist(lambda: self.read_once(path))

    def read_once(self, path: str) -> bytes | None:
        """The same, asked for once."""
        try:
            with diagnosed(), self._client.get_object(self.location.bucket, self.location.key(path)) as response:
                return response.read()
        except S3RequestError as fault:
            if fault.is_absence:
                return None
            raise

    def read_range(self, path: str, start: int, length: int, etag: str = "") -> Piece | None:
        """Up to `length` bytes from `start`, or None if there is no object; of the version `etag` if it is given."""
        return self.patience.persist(lambda: self._read_range_once(path, start, length, etag))

    def _read_range_once(self, path: str, start: int, length: int, etag: str) -> Piece | None:
        condition = {"If-Match": etag} if etag else {}
        try:
            with (
                diagnosed(),
                self._client.get_object(
                    self.location.bucket,
                    self.location.key(path),
                    offset=start,
                    length=length,
                    request_headers=dict(condition),
                ) as response,
            ):
                found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
                size = int(found[1] if found else response.headers["content-length"])
                if not found and (start or size > length):
                    raise S3RequestError(response.status, "the server ignores ranges", passing=False, landed=False)
                return Piece(response.read(), size, response.headers.get("etag", ""))
        except S3RequestError as fault:
            if fault.is_absence:
                return None
            if fault.status == 416 and start == 0:
                return Piece(b"", 0, "")  # an empty object has no first byte
            raise

    def put(self, path: str, data: bytes | bytearray) -> None:
        """Store `data`, over whatever is there."""
        self.patience.persist(lambda: self.put_once(path, data, only_if_new=False))

    def put_once(self, path: str, data: bytes | bytearray, *, only_if_new: bool) -> None:
        """Store `data` by one request that is sent once; `only_if_new` asks the server to refuse an existing object."""
        headers = _ONLY_IF_NEW if only_if_new else _PLAIN
        with diagnosed():
            client_internals.put(self._client, self.location.bucket, self.location.key(path), data, headers)

    def remove(self, path: str) -> None:
        """Take the object away, if there is one."""
        bucket, key = self.location.bucket, self.location.key(path)
        self.patience.persist(lambda: self._client.remove_object(bucket, key))

    def remove_if_possible(self, path: str) -> None:
        """The same, without making much of a failure: a sweep finds what is left."""
        bucket, key = self.location.bucket, self.location.key(path)
        with suppress(S3RequestError, GadsError):
            self._brief.persist(lambda: self._client.remove_object(bucket, key))

    def below(self, path: str) -> Iterator[Stored]:
        """All objects in the folder `path` and deeper, in the order of their keys, one page in memory."""
        prefix = self._folder(path)
        last = ""
        while True:
            page = self._page(prefix, last)
            for stored in page:
                if stored.path <= last:
                    raise S3RequestError(200, "the server lists out of order", passing=False, landed=False)
                last = stored.path
                yield stored._replace(path=self.location.path(stored.path))
            if len(page) < _PAGE:
                return

    def begin_upload(self, path: str) -> str:
        """Begin a multipart upload; return its id."""
        bucket, key = self.location.bucket, self.location.key(path)
        return self.patience.persist(lambda: client_internals.begin_upload(self._client, bucket, key))

    def put_part(self, path: str, upload_id: str, number: int, data: bytes | bytearray) -> str:
        """Store a part, counted from 1; return its ETag."""
        bucket, key = self.location.bucket, self.location.key(path)
        return self.patience.persist(
            lambda: client_internals.put_part(self._client, bucket, key, upload_id, number, data)
        )

    def complete_upload(self, path: str, upload_id: str, etags: list[str], size: int) -> None:
        """Make the parts, `size` bytes together, one object."""
        bucket, key = self.location.bucket, self.location.key(path)

        def complete() -> None:
            if not client_internals.complete_upload(self._client, bucket, key, upload_id, etags):
                raise S3RequestError(200, "not completed", passing=True, landed=True)

        try:
            self.patience.persist(complete)
        except S3RequestError as fault:
            # The upload is gone once it is complete: then it was an earlier try's answer that was lost.
            if fault.status != 404 or fault.code == "NoSuchBucket":
                raise
            piece = self.read_range(path, 0, 1)
            if piece is None or piece.size != size:
                raise

    def give_up_upload(self, path: str, upload_id: str) -> None:
        """Drop an upload and its parts; it need not be there any more."""
        bucket, key = self.location.bucket, self.location.key(path)
        try:
            self.patience.persist(lambda: client_internals.give_up_upload(self._client, bucket, key, upload_id))
        except S3RequestError as fault:
            if fault.status != 404:
                raise

    def give_up_upload_if_possible(self, path: str, upload_id: str) -> None:
        """The same, without making much of a failure: a sweep finds what is left."""
        bucket, key = self.location.bucket, self.location.key(path)
        with suppress(S3RequestError, GadsError):
            self._brief.persist(lambda: client_internals.give_up_upload(self._client, bucket, key, upload_id))

    def open_uploads(self) -> Iterator[client_internals.OpenUpload]:
        """All multipart uploads that are open below the location; `key` is the path."""
        bucket, prefix = self.location.bucket, self._folder("")
        after = ""
        while True:
            page, onward = self._uploads(bucket, prefix, after)
            for upload in page:
                yield upload._replace(key=self.location.path(upload.key))
            if onward <= after:
                return
            after = onward

    def _uploads(self, bucket: str, prefix: str, after: str) -> tuple[list[client_internals.OpenUpload], str]:
        return self.patience.persist(lambda: client_internals.open_uploads(self._client, bucket, prefix, after))

    def _page(self, prefix: str, after: str) -> list[Stored]:
        def page() -> list[Stored]:
            found = self._client.list_objects(
                self.location.bucket, prefix=prefix, recursive=True, start_after=after or None
            )
            return [Stored(o.object_name or "", o.size or 0, o.last_modified or _AGELESS) for o in islice(found, _PAGE)]

        return self.patience.persist(page)

    def _folder(self, path: str) -> str:
        key = self.location.key(path).rstrip("/")
        return f"{key}/" if key else ""
