"""S3 servers that tests share: each starts when the first test needs it and ends when no test uses it any more."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest

BUCKET = "gads-raw"

_START_SECONDS = 300.0  # the packages may have to be fetched first


@dataclass(frozen=True)
class Server:
    endpoint: str
    access_key: str
    secret_key: str
    guest_access_key: str = ""
    guest_secret_key: str = ""

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])


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
        """Its URL as a sink."""
        return self.through(self.endpoint)

    def through(self, endpoint: str, **more: object) -> str:
        """Its URL by way of a proxy, or with other parameters."""
        parameters = {
            **dict(self.parameters),
            "endpoint": endpoint,
            **{name: str(value) for name, value in more.items()},
        }
        return f"s3://{self.bucket}/{self.prefix}?{urlencode(parameters)}"

    def names(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.key(""))
        return [found["Key"].removeprefix(self.key("")) for page in pages for found in page.get("Contents", [])]

    def get(self, path: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=self.key(path))["Body"].read()
        return body

    def put(self, path: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self.key(path), Body=data)

    def remove(self, path: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self.key(path))

    def uploads(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.key(""))
        return [upload["Key"] for upload in found.get("Uploads", [])]

    def key(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path


def as_user(access_key: str, secret_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name this user, and nothing else that S3 clients read."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)


def own_place(endpoint: str, bucket: str = BUCKET, above: str = "", **parameters: str) -> Storage:
    """A place below `above` that no other test has, for the user whom the environment names."""
    client = _client_of(endpoint, parameters.get("region", "us-east-1"), os.environ.get("AWS_ACCESS_KEY_ID"))
    prefix = f"{above}/{uuid.uuid4().hex[:12]}/raw".lstrip("/")
    return Storage(endpoint, bucket, prefix, tuple(parameters.items()), client)


@cache
def _client_of(endpoint: str, region: str, user: str | None) -> Any:
    """Signs as `user`, whom the environment names; cached, since making a client reads all that is known of S3."""
    return boto3.Session().client("s3", endpoint_url=endpoint, region_name=region)


@contextmanager
def shared_radosgw(factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The radosgw of this run of pytest, whichever of its processes asks, with the bucket `BUCKET`."""
    base = factory.getbasetemp()
    state = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "radosgw"
    with radosgw(state) as server:
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        client.create_bucket(Bucket=BUCKET)
        # The first of these requests takes seconds, longer than the time-outs of the tests of faults.
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="first")
        client.abort_multipart_upload(Bucket=BUCKET, Key="first", UploadId=upload["UploadId"])
        client.put_object(Bucket=BUCKET, Key="first", Body=b"")
        client.delete_object(Bucket=BUCKET, Key="first")
        yield server


@contextmanager
def radosgw(state: Path, *options: str) -> Iterator[Server]:
    """Ceph's radosgw, shared by all processes that name the same `state` folder."""
    state.mkdir(parents=True, exist_ok=True)
    process = None
    with (state / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with (state / "start").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            if not (state / "ready.json").exists():
                process = _start_radosgw(state, *options)
        yield Server(**json.loads((state / "ready.json").read_text()))
        fcntl.flock(users, fcntl.LOCK_UN)  # not left to close(): a duplicate of the descriptor would hold on to it
    if process is not None:
        with suppress(subprocess.TimeoutExpired):  # others may use it for longer; it ends with the last of them
            process.wait(timeout=30)


def _start_radosgw(state: Path, *options: str) -> subprocess.Popen[bytes]:
    with (state / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gads_testing.s3.radosgw", str(state), *options], stdout=output, stderr=output
        )
    deadline = time.monotonic() + _START_SECONDS
    while not (state / "ready.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = (state / "output").read_text()[-3000:]
            raise RuntimeError(f"radosgw did not start; another server can be named by GADS_TEST_S3_URL.\n{said}")
        time.sleep(0.1)
    return process


@contextmanager
def rclone(folder: Path) -> Iterator[Server]:
    """`rclone serve s3` on a folder: a server that ignores conditions."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", "rclone-tests", "rclone-secret-0123456789")
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}"]
    options = ["--auth-key", f"{server.access_key},{server.secret_key}", "--vfs-cache-mode", "off", "--config", ""]
    with (folder.parent / "rclone.out").open("wb") as output:
        process = subprocess.Popen([*command, *options], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"rclone did not start: {(folder.parent / 'rclone.out').read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
