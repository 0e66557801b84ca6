from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from gads_testing.s3.fault_proxy import FaultProxy
from gads_testing.s3.servers import BUCKET, Server, Storage, as_user, own_place, rclone, shared_radosgw

GIVEN = "GADS_TEST_S3_URL"
"""Names another server to hold to the same laws: a sink's URL, its credentials in AWS_*."""

ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key-0123456789"


class OneAtATime:
    """moto keeps no promise between threads: two conditional PUTs may both win. One request at a time, it does."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            return list(self._app(environ, start_response))


class QuietHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, OneAtATime(), threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


_numbers = count(1)


@pytest.fixture
def s3_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(ACCESS_KEY, SECRET_KEY, monkeypatch)


@pytest.fixture(scope="session")
def moto_client(moto_endpoint: str) -> Any:
    """Made once, since making one reads all that is known of S3."""
    return boto3.Session().client(
        "s3",
        endpoint_url=moto_endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@pytest.fixture
def moto(moto_client: Any, s3_environment: None) -> Any:
    return moto_client


@pytest.fixture
def bucket_name(moto: Any) -> str:
    """An empty bucket of this test alone."""
    name = f"raw-{next(_numbers)}"
    moto.create_bucket(Bucket=name)
    return name


@pytest.fixture
def sink_url(moto_endpoint: str, bucket_name: str) -> str:
    return f"s3://{bucket_name}/deep/raw?endpoint={moto_endpoint}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "real_server" in metafunc.fixturenames:
        servers = ["radosgw", "given"] if os.environ.get(GIVEN) else ["radosgw"]
        metafunc.parametrize("real_server", servers, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that needs a server waits for it, and on a new machine for its packages."""
    for item in items:
        needed = {"radosgw_server", "rclone_server", "real_server"} & set(getattr(item, "fixturenames", ()))
        if needed and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with shared_radosgw(tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rclone") / "served"
    (folder / BUCKET).mkdir(parents=True)
    with rclone(folder) as server:
        yield server


@pytest.fixture(scope="session")
def real_server(request: pytest.FixtureRequest) -> Server | None:
    """A server whose conditional PUT is honoured; None for the one that the environment names."""
    if request.param == "given":
        return None
    server: Server = request.getfixturevalue("radosgw_server")
    return server


@pytest.fixture
def storage(real_server: Server | None, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if real_server is not None:
        as_user(real_server.access_key, real_server.secret_key, monkeypatch)
        return own_place(real_server.endpoint)
    parts = urlsplit(os.environ[GIVEN])
    parameters = dict(parse_qsl(parts.query))
    return own_place(bucket=parts.netloc, above=parts.path.strip("/"), **parameters)


@pytest.fixture
def careless_storage(rclone_server: Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """On a server that ignores conditions."""
    as_user(rclone_server.access_key, rclone_server.secret_key, monkeypatch)
    return own_place(rclone_server.endpoint)


@pytest.fixture
def proxy(radosgw_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    as_user(radosgw_server.access_key, radosgw_server.secret_key, monkeypatch)
    with FaultProxy(radosgw_server.port) as proxy:
        yield proxy


@pytest.fixture
def behind_proxy(proxy: FaultProxy) -> Storage:
    """A place on radosgw; `through(proxy.endpoint)` reaches it by way of the proxy."""
    return own_place(f"http://127.0.0.1:{proxy.upstream}")
