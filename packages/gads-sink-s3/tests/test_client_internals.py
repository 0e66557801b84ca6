"""The private calls of the client that the sink stands on: what each puts on the wire, and in which form it is called.

A version of the library that fails here must not be used before `client_internals` is adapted to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from minio import Minio
from minio.error import S3Error

from gads_sink_s3 import client_internals

PARAMETERS = {
    "_put_object": ["bucket_name", "object_name", "data", "headers", "query_params"],
    "_create_multipart_upload": ["bucket_name", "object_name", "headers"],
    "_upload_part": ["bucket_name", "object_name", "data", "headers", "upload_id", "part_number"],
    "_complete_multipart_upload": ["bucket_name", "object_name", "upload_id", "parts", "ssec"],
    "_abort_multipart_upload": ["bucket_name", "object_name", "upload_id"],
}
PART = b"p" * 5 * 1024 * 1024


@pytest.fixture
def client(moto_endpoint: str, s3_environment: None) -> Minio:
    host = moto_endpoint.removeprefix("http://")
    return Minio(host, "test-access-key", "test-secret-key", secure=False, region="us-east-1")


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_the_private_calls_take_what_they_took(name: str, parameters: list[str]) -> None:
    call: Callable[..., Any] = getattr(Minio, name)
    assert list(inspect.signature(call).parameters)[1:] == parameters
    listing = inspect.signature(Minio._list_multipart_uploads).parameters
    assert {"bucket_name", "prefix", "key_marker"} <= set(listing)


def test_the_condition_reaches_the_server_and_is_no_metadata(client: Minio, bucket_name: str, moto: Any) -> None:
    client_internals.put(client, bucket_name, "key", b"first", {"If-None-Match": "*"})
    with pytest.raises(S3Error) as raised:
        client_internals.put(client, bucket_name, "key", b"second", {"If-None-Match": "*"})
    assert raised.value.response.status == 412
    stored = moto.get_object(Bucket=bucket_name, Key="key")
    assert stored["Body"].read() == b"first"
    assert stored["Metadata"] == {}


@pytest.mark.parametrize("size", [0, 1, 6 * 1024 * 1024])
def test_a_put_is_one_put_whatever_its_size(client: Minio, bucket_name: str, moto: Any, size: int) -> None:
    client_internals.put(client, bucket_name, "key", bytearray(size), {})
    found = moto.get_object(Bucket=bucket_name, Key="key")
    assert found["ContentLength"] == size
    assert "-" not in found["ETag"]


def test_an_upload_is_begun_listed_filled_and_completed(client: Minio, bucket_name: str, moto: Any) -> None:
    key = "a/run=1/payload"
    upload_id = client_internals.begin_upload(client, bucket_name, key)
    (found,), onward = client_internals.open_uploads(client, bucket_name, "a/", "")
    assert (found.key, found.upload_id, onward) == (key, upload_id, "")
    assert found.begun_at is not None
    assert found.begun_at.tzinfo is not None
    etags = [
        client_internals.put_part(client, bucket_name, key, upload_id, number, data)
        for number, data in ((1, bytearray(PART)), (2, b"the rest"))
    ]
    assert client_internals.complete_upload(client, bucket_name, key, upload_id, etags)
    assert moto.get_object(Bucket=bucket_name, Key=key)["Body"].read() == PART + b"the rest"
    assert client_internals.open_uploads(client, bucket_name, "a/", "") == ([], "")


def test_an_upload_that_is_given_up_leaves_nothing(client: Minio, bucket_name: str, moto: Any) -> None:
    upload_id = client_internals.begin_upload(client, bucket_name, "a=b")
    client_internals.put_part(client, bucket_name, "a=b", upload_id, 1, PART)
    client_internals.abort_upload(client, bucket_name, "a=b", upload_id)
    assert client_internals.open_uploads(client, bucket_name, "", "") == ([], "")
    with pytest.raises(ClientError, match="404"):
        moto.head_object(Bucket=bucket_name, Key="a=b")
