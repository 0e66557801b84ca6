"""HTTP on loopback, with and without TLS: REST, the OAuth token endpoint and the control of faults."""

import json
import socket
import socketserver
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any, cast

from gads_domain.errors import ConfigurationError
from gads_emulator.api import Policy, Selection
from gads_emulator.certificates import GOOGLE_NAMES, Authority
from gads_emulator.failures import CutConnectionError
from gads_emulator.fault_plan import MAX_PLAN_BYTES, fault_plan_as_json, fault_plan_from
from gads_emulator.faults import Faults
from gads_emulator.request_body import MalformedRequestError, read_body
from gads_emulator.rest_service import RestResponse, respond
from gads_emulator.token_endpoint import give_token

FAULTS_PATH = "/_faults"
TOKEN_PATH = "/token"
_MAX_BODY = 16 * 1024 * 1024
_MAX_MESSAGE = 200
_LINGER_SECONDS = 1.0
"""How long a refused client may go on sending before the connection breaks."""


class HttpServer(ThreadingHTTPServer):
    """One listening port, for clients of the API, with or without TLS, and for those that use it as their proxy.

    Raises `ConfigurationError` when the port is taken.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self, host: str, port: int, answer: Selection, policy: Policy, faults: Faults, authority: Authority, tls: bool
    ) -> None:
        try:
            super().__init__((host, port), _Handler)
        except OSError:
            raise port_taken(host, port) from None
        self.answer, self.policy, self.faults = answer, policy, faults
        self.google_context = authority.tls_context(*GOOGLE_NAMES)
        if tls:
            # The handshake belongs to the connection's own thread, at its first read.
            context = authority.tls_context()
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._loop = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._loop.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self.shutdown()
        self.server_close()
        self._loop.join()

    def server_bind(self) -> None:
        """Bind without asking DNS for the host's name, which can take seconds when there is no network."""
        socketserver.TCPServer.server_bind(self)
        self.server_port = int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client may disconnect or distrust the certificate."""


def port_taken(host: str, port: int) -> ConfigurationError:
    """Return the error of a port that cannot be served."""
    return ConfigurationError(f"cannot listen on {host}:{port}", hint="choose another port, or 0 for a free one")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 300
    """Seconds without a byte after which a connection ends."""

    _started = False
    """Whether the headers of a chunked body have been sent."""

    def do_CONNECT(self) -> None:
        """Serve as the proxy of a client that uses Google's addresses, and answer in Google's place."""
        if self.path.partition(":")[0] not in GOOGLE_NAMES:
            self.close_connection = True
            self._reply(403, _error(403, f"The emulator serves only {', '.join(GOOGLE_NAMES)}."))
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        try:
            self.connection = cast(HttpServer, self.server).google_context.wrap_socket(
                self.connection, server_side=True
            )
        except OSError:
            self.close_connection = True  # the client does not trust the authority
            return
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", -1)
        self.close_connection = False

    def finish(self) -> None:
        """Close the connection, and the TLS inside a proxied one."""
        super().finish()
        if self.connection is not self.request:
            self.connection.close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that is malformed and close the connection; the fault is the client's, so never 5xx."""
        code = {501: 405, 505: 400}.get(code, int(code))
        self.request_version = self.protocol_version  # of a request line that was not read, it says HTTP/0.9
        self.close_connection = True
        self._reply(code, _error(code, (message or self.responses[code][0])[:_MAX_MESSAGE]))
        # What was sent and not read would reset the connection before the client has the answer.
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_SECONDS)
            left = _MAX_BODY
            while left > 0 and (read := self.connection.recv(65_536)):
                left -= len(read)

    def _serve(self) -> None:
        server, verb = cast(HttpServer, self.server), self.command
        self._started = False
        path = self.path.partition("?")[0]
        try:
            body = read_body(self.rfile, self.headers, MAX_PLAN_BYTES if path == FAULTS_PATH else _MAX_BODY)
        except MalformedRequestError as error:
            self.send_error(error.code, str(error))
            return
        if path == FAULTS_PATH:
            self._reply(*_control_faults(server.faults, verb, body))
            return
        if verb == "POST" and path.endswith(TOKEN_PATH):
            self._reply(*give_token(body, server.policy, server.faults.token_error))
            return
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            response = respond(server.answer, verb, path, headers, body)
            if response is None:
                self._reply(404, _error(404, f"The requested URL {path} was not found on this server."))
            else:
                self._send(response)
        except CutConnectionError as cut:
            self._cut(cut.message)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815  # the base class names them so

    def _send(self, response: RestResponse) -> None:
        if not response.streams:
            self._write(response.status, response.headers, b"".join(response.parts))
            return
        self._begin(response.status, response.headers)
        for part in chain(response.parts, [b""]):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.flush()

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._started = True
        self._head(status, {**headers, "transfer-encoding": "chunked"})

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _cut(self, message: bytes) -> None:
        """Break the connection within a chunk that is announced longer than it is."""
        with suppress(OSError):
            if not self._started:
                self._begin(200, {"content-type": "application/json; charset=UTF-8"})
            self.wfile.write(b"%x\r\n%b" % (len(message) * 2, message))
            self.wfile.flush()
        self.close_connection = True

    def _reply(self, status: int, body: Mapping[str, object]) -> None:
        self._write(status, {"content-type": "application/json"}, json.dumps(body).encode())

    def _write(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._head(status, {**headers, "content-length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Log nothing: the line would contain the token."""


def _control_faults(faults: Faults, verb: str, body: bytes) -> tuple[int, dict[str, object]]:
    """GET returns the plan and its counts, POST replaces it, DELETE clears it."""
    if verb == "POST":
        try:
            faults.plan = fault_plan_from(json.loads(body or b"{}"))
        except (ConfigurationError, ValueError, RecursionError) as error:
            return 400, _error(400, f"{error}")
    elif verb == "DELETE":
        faults.clear()
    return 200, {**fault_plan_as_json(faults.plan), "struck": list(faults.struck())}


def _error(code: int, message: str) -> dict[str, object]:
    status = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}.get(code, "FAILED_PRECONDITION")
    return {"error": {"code": code, "message": message, "status": status}}
