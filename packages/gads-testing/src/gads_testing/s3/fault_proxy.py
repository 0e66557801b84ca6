"""A TCP proxy before an S3 server that loses, stalls, cuts and makes up answers, as it is told for each request."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import HTTPResponse
from types import TracebackType
from typing import Self

_RESET = struct.pack("ii", 1, 0)
_PIECE = 64 * 1024


class Fault(Enum):
    CUT_REQUEST = auto()
    """Half of the request arrives, then both sides are reset."""
    LOSE_REQUEST = auto()
    """Nothing arrives; the client is reset."""
    LOSE_ANSWER = auto()
    """The server does it all; the client is reset in place of the answer."""
    STALL_ANSWER = auto()
    """The server does it all; the client hears nothing."""
    STALL_REQUEST = auto()
    """Nothing arrives, and the client hears nothing."""
    HALF_ANSWER = auto()
    """The server does it all; half of the answer comes back, then a reset."""
    ERROR_500 = auto()
    """The server is not asked; the answer is 500 InternalError."""
    ERROR_503 = auto()
    """The server is not asked; the answer is 503 SlowDown."""
    ERROR_AFTER = auto()
    """The server does it all; the answer is 500 all the same."""
    GARBAGE = auto()
    """The server does it all; the answer is 502 with a page of HTML."""


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    number: int
    """How many requests of this method and target came before."""

    @property
    def is_seal(self) -> bool:
        return self.method == "PUT" and self.target.endswith("/metadata.json")

    @property
    def is_payload(self) -> bool:
        return self.method == "PUT" and ".parquet" in self.target


Plan = Callable[[Request], Fault | None]


def _peace(request: Request) -> None:
    return None


@dataclass
class FaultProxy:
    """Listens on `port` of the loopback; `plan` says what befalls each request."""

    upstream: int
    plan: Plan = _peace
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would leave accept() waiting
        self._listener.close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as incoming:
            try:
                while self._exchange(client, incoming):
                    pass
            except OSError:
                return

    def _exchange(self, client: socket.socket, incoming: object) -> bool:
        head, body = _read_request(incoming)
        if not head:
            return False
        request = self._note(head)
        fault = self.plan(request)
        if fault is Fault.CUT_REQUEST:
            with socket.create_connection(("127.0.0.1", self.upstream)) as server:
                server.sendall(head + body[: len(body) // 2])
                _reset(server)
        if fault in {Fault.CUT_REQUEST, Fault.LOSE_REQUEST}:
            return _reset(client)
        if fault is Fault.STALL_REQUEST:
            return self._stall(client)
        if fault is Fault.ERROR_500:
            return _answer(client, 500, _xml("InternalError"))
        if fault is Fault.ERROR_503:
            return _answer(client, 503, _xml("SlowDown"))
        status, headers, answer = self._forward(request.method, head + body)
        if fault is Fault.LOSE_ANSWER:
            return _reset(client)
        if fault is Fault.STALL_ANSWER:
            return self._stall(client)
        if fault is Fault.ERROR_AFTER:
            return _answer(client, 500, _xml("InternalError"))
        if fault is Fault.GARBAGE:
            return _answer(client, 502, b"<html><body>Bad Gateway<br></body></html>", "text/html")
        whole = _head(status, headers) + answer
        if fault is Fault.HALF_ANSWER:
            client.sendall(whole[: len(whole) - max(1, len(answer) // 2)])
            return _reset(client)
        client.sendall(whole)
        return True

    def _note(self, head: bytes) -> Request:
        first, *rest = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.lower().split(": ", 1) for line in rest if line)
        with self._lock:
            before = sum(r.method == method and r.target == target for r in self.requests)
            request = Request(method, target, headers, before)
            self.requests.append(request)
        return request

    def _forward(self, method: str, request: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with socket.create_connection(("127.0.0.1", self.upstream)) as server:
            server.sendall(request)
            response = HTTPResponse(server, method=method)
            response.begin()
            body = response.read()
            kept = [h for h in response.getheaders() if h[0].lower() not in {"transfer-encoding", "content-length"}]
            length = [] if response.status == 204 else [("Content-Length", str(len(body)))]
            return response.status, [*kept, *length], body

    def _stall(self, client: socket.socket) -> bool:
        client.settimeout(60)
        client.recv(1)  # returns when the client has had enough
        return False


def _read_request(incoming: object) -> tuple[bytes, bytes]:
    read_line = incoming.readline  # type: ignore[attr-defined]  # a BufferedReader of a socket
    head = b""
    length = 0
    while line := read_line():
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            return head, incoming.read(length)  # type: ignore[attr-defined]  # likewise
    return b"", b""


def _reset(client: socket.socket) -> bool:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.shutdown(socket.SHUT_RD)
    return False


def _answer(client: socket.socket, status: int, body: bytes, kind: str = "application/xml") -> bool:
    client.sendall(_head(status, [("Content-Type", kind), ("Content-Length", str(len(body)))]) + body)
    return True


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fault", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _xml(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>made up</Message></Error>".encode()
