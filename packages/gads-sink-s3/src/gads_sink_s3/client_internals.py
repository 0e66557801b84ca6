"""The private calls of the client; nothing else in this package uses a name of its with an underscore.

`put_object` of the client cannot send a header, and turns `If-None-Match` into user metadata.
`tests/test_client_internals.py` fails when the library changes any of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from minio import Minio
from minio.datatypes import Part


class OpenUpload(NamedTuple):
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    begun_at: datetime | None


def put(client: Minio, bucket: str, key: str, data: bytes | bytearray, headers: dict[str, str]) -> None:
    """Store `data` in one PUT, whatever its size, with `headers` as they are."""
    client._put_object(bucket, key, data, dict(headers))  # type: ignore[arg-type]  # the headers' values may be lists


def begin_upload(client: Minio, bucket: str, key: str) -> str:
    """Begin a multipart upload; return its id."""
    return client._create_multipart_upload(bucket, key, {})


def put_part(client: Minio, bucket: str, key: str, upload_id: str, number: int, data: bytes | bytearray) -> str:
    """Store a part, counted from 1; return its ETag."""
    return client._upload_part(bucket, key, data, None, upload_id, number)  # type: ignore[arg-type]  # any buffer goes


def complete_upload(client: Minio, bucket: str, key: str, upload_id: str, etags: Sequence[str]) -> bool:
    """Make the parts an object. False if the answer, though a 200, does not say that it is done."""
    parts = [Part(number, etag) for number, etag in enumerate(etags, start=1)]
    return bool(client._complete_multipart_upload(bucket, key, upload_id, parts).etag)


def abort_upload(client: Minio, bucket: str, key: str, upload_id: str) -> None:
    """Drop an upload and its parts."""
    client._abort_multipart_upload(bucket, key, upload_id)


def open_uploads(client: Minio, bucket: str, prefix: str, after: str) -> tuple[list[OpenUpload], str]:
    """One page of the open uploads below `prefix` and the key to go on after; empty at the end."""
    page = client._list_multipart_uploads(bucket, prefix=prefix, key_marker=after or None)
    found = [OpenUpload(_decoded(u.object_name), u.upload_id or "", u.initiated_time) for u in page.uploads]
    return found, _decoded(page.next_key_marker or "") if page.is_truncated else ""


def _decoded(key: str) -> str:
    # Asked for encoded keys, radosgw encodes them and does not say so. Every partition's path has a "=", which no
    # encoding leaves as it is.
    return key if "=" in key else unquote_plus(key)
