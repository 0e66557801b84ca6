"""No byte of a secret in anything that is printed, logged, raised or stored."""

from __future__ import annotations

import json
import logging
import pickle
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_key, sample_run, seal
from gads_domain.adapters import sink_adapter
from gads_domain.errors import ConfigurationError, FailureReason, GadsError, StorageCredentialsError, StorageError
from gads_sink_s3.adapter import ADAPTER
from gads_sink_s3.client import UsualCredentials

SECRET = "SeCrEtKeyOfTheTest0123456789abcdefghijkl"
TOKEN = "SessionTokenOfTheTest0123456789"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, s3_environment: None, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    caplog.set_level(logging.DEBUG)


def assert_clean(*texts: str) -> None:
    for text in texts:
        assert SECRET not in text
        assert TOKEN not in text


def test_nothing_that_is_logged_shown_or_stored_holds_a_secret(
    secrets: None, sink_url: str, moto: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = ADAPTER.open_sink(sink_url, tmp_path)
    writer = sink.open_writer(sample_key(), sample_run())
    assert_clean(repr(sink), str(sink), repr(writer), repr(sink._bucket), repr(sink._bucket.location))
    writer.abort()
    metadata = seal(sink, sample_key(), sample_run())
    stored = sink.metadata_bytes(sample_key(), sample_run())
    described = "\n".join(sink.describe())
    assert_clean(repr(metadata), stored.decode(), described, caplog.text)
    assert caplog.text, "nothing was logged, so nothing was looked at"


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (lambda url: url.replace("s3://raw", "s3://absent-raw"), ConfigurationError),
        (lambda url: url.partition("?")[0] + "?endpoint=http://127.0.0.1:9&retries=0", StorageError),
    ],
    ids=["no bucket", "no server"],
)
def test_no_error_holds_a_secret(
    secrets: None,
    sink_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    broken: Callable[[str], str],
    kind: type[GadsError],
) -> None:
    sink = sink_adapter(sink_url).open_sink(broken(sink_url), tmp_path)
    for ask in (sink.check, lambda: sink.open_writer(sample_key(), sample_run()), lambda: list(sink.sealed())):
        with pytest.raises(kind) as raised:
            ask()
        whole = "".join(traceback.format_exception(raised.value))
        reason = str(FailureReason.of(raised.value))
        assert_clean(whole, reason, repr(raised.value), raised.value.hint, caplog.text)
        assert_clean(pickle.dumps(raised.value).decode("latin-1"))


def test_without_credentials_the_error_names_where_they_are_looked_for(
    s3_environment: None, monkeypatch: pytest.MonkeyPatch, sink_url: str, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    sink = sink_adapter(sink_url).open_sink(sink_url, tmp_path)
    with pytest.raises(StorageCredentialsError, match="no credentials") as raised:
        sink.check()
    assert "AWS_ACCESS_KEY_ID" in raised.value.hint


def test_credentials_come_from_the_environment_then_from_the_shared_file(
    s3_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared = tmp_path / "credentials"
    shared.write_text("[other]\naws_access_key_id = from-file\naws_secret_access_key = x\naws_session_token = t\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_PROFILE", "other")
    monkeypatch.setenv("MINIO_ACCESS_KEY", "from-minio")
    monkeypatch.setenv("MINIO_SECRET_KEY", "x")
    found = []
    for unset in ("AWS_ACCESS_KEY_ID", "MINIO_ACCESS_KEY", "AWS_PROFILE"):
        credentials = UsualCredentials({"AWS_EC2_METADATA_DISABLED": "true"}).retrieve()
        found.append((credentials.access_key, credentials.session_token))
        monkeypatch.delenv(unset)
    assert found == [("test-access-key", None), ("from-minio", None), ("from-file", "t")]


def test_credentials_come_from_the_role_of_the_machine_at_last(
    s3_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Role(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = {"AccessKeyId": "of-the-role", "SecretAccessKey": "x", "Token": "t"}
            body = json.dumps({**given, "Expiration": "2099-01-01T00:00:00Z"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with HTTPServer(("127.0.0.1", 0), Role) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/role")
        found = UsualCredentials({}).retrieve()
        server.shutdown()
    assert (found.access_key, found.session_token) == ("of-the-role", "t")
