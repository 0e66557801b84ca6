"""Serves an application from a thread beside whatever the process does; says which address needs a token."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

from gads_domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp

TOKEN_VARIABLE = "GADS_HTTP_TOKEN"
"""The environment variable with the token that an address needs which others can reach."""

_SHORTEST_TOKEN = 16
_DEFAULT_PORT = 8080
_SECONDS_TO_START = 10.0
_SECONDS_TO_END = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `127.0.0.1:8080`, `[::1]:8080`, `localhost`, or `8080` alone, which is on loopback.

        Raises `UsageError` for anything else.
        """
        host, colon, port = text.rpartition(":")
        if text.endswith("]") or (not colon and not text.isdecimal()):
            host, port = text, str(_DEFAULT_PORT)
        if not text or not port.isdecimal() or int(port) > 65_535 or (colon and not host):
            raise UsageError(f"{text!r} is not an address", hint="write it as HOST:PORT, such as 127.0.0.1:8080")
        return cls(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def token_for(address: Address, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token of the environment that protects `address`; None if there is none and none is needed.

    Raises `UsageError` where others can reach the address and there is no token, and for one that can be guessed.
    """
    token = environment.get(TOKEN_VARIABLE, "").strip()
    if not token and not address.is_loopback:
        raise UsageError(
            f"{address} can be reached from other machines, and {TOKEN_VARIABLE} is not set",
            hint=f"set {TOKEN_VARIABLE} to a secret, for example `export {TOKEN_VARIABLE}=$(openssl rand -hex 24)`, "
            "or listen on 127.0.0.1",
        )
    if token and len(token) < _SHORTEST_TOKEN:
        raise UsageError(
            f"{TOKEN_VARIABLE} has {len(token)} characters and could be guessed",
            hint=f"use {_SHORTEST_TOKEN} or more, for example those of `openssl rand -hex 24`",
        )
    return token or None


class HttpServer:
    """Serves `app` at `address` from a thread, from `start` to `stop` or within a `with` statement.

    The thread ends with the process. `start` raises `UsageError` for an address that cannot be used.
    """

    def __init__(self, app: ASGIApp, address: Address) -> None:
        settings = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._address = address
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it answers, once it has started."""
        return f"http://{self._address}"

    def start(self) -> None:
        """Bind the address and begin to answer."""
        self._socket = _bound(self._address)
        self._address = Address(self._address.host, self._socket.getsockname()[1])
        self._thread.start()
        until = time.monotonic() + _SECONDS_TO_START
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.005)

    def stop(self) -> None:
        """End, giving requests that are being answered a second."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_SECONDS_TO_END)
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        assert self._socket is not None
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _bound(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise UsageError(
            f"cannot listen on {address}: {error.strerror or error}", hint="name another address or port"
        ) from None
    return bound
