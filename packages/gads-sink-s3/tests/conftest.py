from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

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
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


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
