from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import boto3
import pytest

from gads_testing.s3.fault_proxy import FaultProxy
from gads_testing.s3.servers import Server, radosgw, rclone

GIVEN = "GADS_TEST_S3_URL"
"""Names another server to hold to the same laws: a sink's URL, its credentials in AWS_*."""

BUCKET = "gads-raw"


@dataclass(frozen=True)
class Storage:
    """An empty place of one test alone on a server; it is also the backdoor of the laws."""

    endpoint: str
    bucket: str
    prefix: str
    parameters: tuple[tuple[str, str], ...]
    client: Any

    @property
    def url(self) -> str:
        return self.through(self.endpoint)

    def through(self, endpoint: str, **more: object) -> str:
        """Its URL by way of a proxy, or with other parameters."""
        return f"s3://{self.bucket}/{self.prefix}?" + urlencode(
            {**dict(self.parameters), "endpoint": endpoint, **{k: str(v) for k, v in more.items()}}
        )

    def names(self) -> list[str]:
        below = f"{self.prefix}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below)
        return [found["Key"].removeprefix(below) for page in pages for found in page.get("Contents", [])]

    def get(self, path: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{path}")["Body"].read()
        return body

    def put(self, path: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{path}", Body=data)

    def remove(self, path: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{path}")

    def uploads(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        return [upload["Key"] for upload in found.get("Uploads", [])]


def shared(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radosgw(shared(tmp_path_factory) / "radosgw") as server:
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        client.create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rclone") / "served"
    (folder / BUCKET).mkdir(parents=True)
    with rclone(folder) as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "real_server" in metafunc.fixturenames:
        servers = ["radosgw", "given"] if os.environ.get(GIVEN) else ["radosgw"]
        metafunc.parametrize("real_server", servers, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the server, and on a new machine for its packages."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="session")
def real_server(request: pytest.FixtureRequest) -> Server | None:
    """A server whose conditional PUT is honoured; None for the one that the environment names."""
    if request.param == "given":
        return None
    server: Server = request.getfixturevalue("radosgw_server")
    return server


def as_user_of(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)


@cache
def client_of(endpoint: str, region: str, user: str | None) -> Any:
    """Signs as whom the environment names, `user`; made once, since making one reads all that is known of S3."""
    return boto3.Session().client("s3", endpoint_url=endpoint, region_name=region)


def own_place(endpoint: str, bucket: str, above: str, parameters: dict[str, str]) -> Storage:
    client = client_of(endpoint, parameters.get("region", "us-east-1"), os.environ.get("AWS_ACCESS_KEY_ID"))
    prefix = f"{above}/{uuid.uuid4().hex[:12]}/raw".lstrip("/")
    kept = tuple((name, value) for name, value in parameters.items() if name != "endpoint")
    return Storage(endpoint, bucket, prefix, kept, client)


@pytest.fixture
def storage(real_server: Server | None, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if real_server is not None:
        as_user_of(real_server, monkeypatch)
        return own_place(real_server.endpoint, BUCKET, "", {})
    parts = urlsplit(os.environ[GIVEN])
    parameters = dict(parse_qsl(parts.query))
    return own_place(parameters["endpoint"], parts.netloc, parts.path.strip("/"), parameters)


@pytest.fixture
def careless_storage(rclone_server: Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """On a server that ignores conditions."""
    as_user_of(rclone_server, monkeypatch)
    return own_place(rclone_server.endpoint, BUCKET, "", {})


@pytest.fixture
def proxy(radosgw_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    as_user_of(radosgw_server, monkeypatch)
    with FaultProxy(radosgw_server.port) as proxy:
        yield proxy


@pytest.fixture
def behind_proxy(proxy: FaultProxy) -> Storage:
    """A place on radosgw; `through(proxy.endpoint)` reaches it by way of the proxy."""
    return own_place(f"http://127.0.0.1:{proxy.upstream}", BUCKET, "", {})
