"""A server, or a proxy in its place, that answers 200 to every PUT and keeps nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gads_domain.adapters import sink_adapter
from gads_domain.errors import StorageError

_NOTHING = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"


class _Forgetful(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, b"")

    def do_DELETE(self) -> None:
        self._answer(204, b"")

    def do_GET(self) -> None:
        self._answer(404, _NOTHING)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"0cc175b9c0f1b6a831c399e269772661"')
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("declared", ["", "&single_writer=true"])
def test_a_server_that_keeps_nothing_is_told_as_such(
    endpoint: str, declared: str, s3_environment: None, tmp_path: Path
) -> None:
    url = f"s3://bucket/raw?endpoint={endpoint}&region=us-east-1{declared}"
    with pytest.raises(StorageError, match="does not return what was written there") as caught:
        sink_adapter(url).open_sink(url, tmp_path).check()
    assert "keeps objects" in caught.value.hint
