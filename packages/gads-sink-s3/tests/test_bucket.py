"""The private calls of the client that the sink stands on: what each puts on the wire, and in which form it is called.

A version of the library that fails here must not be used before `gads_sink_s3.bucket` is adapted to it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from minio import Minio

from gads_sink_s3.bucket import Bucket, OpenUpload
from gads_sink_s3.errors import S3RequestError
from gads_sink_s3.location import parse_location

PARAMETERS = {
    "_put_object": ["bucket_name", "object_name", "data", "headers", "query_params"],
    "_create_multipart_upload": ["bucket_name", "object_name", "headers"],
    "_upload_part": ["bucket_name", "object_name", "data", "headers", "upload_id", "part_number"],
    "_complete_multipart_upload": ["bucket_name", "object_name", "upload_id", "parts", "ssec"],
    "_abort_multipart_upload": ["bucket_name", "object_name", "upload_id"],
}
PART = b"p" * 5 * 1024 * 1024


@pytest.fixture
def bucket(moto_endpoint: str, bucket_name: str, tmp_path: Path) -> Bucket:
    return Bucket(parse_location(f"s3://{bucket_name}?endpoint={moto_endpoint}", tmp_path, os.environ))


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_the_private_calls_take_what_they_took(name: str, parameters: list[str]) -> None:
    call: Callable[..., Any] = getattr(Minio, name)
    assert list(inspect.signature(call).parameters)[1:] == parameters
    listing = inspect.signature(Minio._list_multipart_uploads).parameters
    assert {"bucket_name", "prefix", "key_marker"} <= set(listing)


def test_the_condition_reaches_the_server_and_is_no_metadata(bucket: Bucket, bucket_name: str, moto: Any) -> None:
    bucket.put_once("key", b"first", only_if_new=True)
    with pytest.raises(S3RequestError) as raised:
        bucket.put_once("key", b"second", only_if_new=True)
    assert raised.value.status == 412
    stored = moto.get_object(Bucket=bucket_name, Key="key")
    assert stored["Body"].read() == b"first"
    assert stored["Metadata"] == {}


@pytest.mark.parametrize("size", [0, 1, 6 * 1024 * 1024])
def test_a_put_is_one_put_whatever_its_size(bucket: Bucket, bucket_name: str, moto: Any, size: int) -> None:
    bucket.put("key", bytearray(size))
    found = moto.get_object(Bucket=bucket_name, Key="key")
    assert found["ContentLength"] == size
    assert "-" not in found["ETag"]


def test_an_upload_is_begun_listed_filled_and_completed(bucket: Bucket, bucket_name: str, moto: Any) -> None:
    key = "a/run=1/payload"
    upload_id = bucket.begin_upload(key)
    (found,) = bucket.open_uploads()
    assert found == OpenUpload(key, upload_id, found.begun_at)
    assert found.begun_at is not None
    assert found.begun_at.tzinfo is not None
    parts: list[bytes | bytearray] = [bytearray(PART), b"the rest"]
    etags = [bucket.put_part(key, upload_id, number, data) for number, data in enumerate(parts, start=1)]
    bucket.complete_upload(key, upload_id, etags, sum(map(len, parts)))
    assert moto.get_object(Bucket=bucket_name, Key=key)["Body"].read() == PART + b"the rest"
    assert list(bucket.open_uploads()) == []


def test_an_upload_that_is_given_up_leaves_nothing(bucket: Bucket, bucket_name: str, moto: Any) -> None:
    upload_id = bucket.begin_upload("a=b")
    bucket.put_part("a=b", upload_id, 1, PART)
    bucket.abort_upload("a=b", upload_id)
    assert list(bucket.open_uploads()) == []
    with pytest.raises(ClientError, match="404"):
        moto.head_object(Bucket=bucket_name, Key="a=b")
