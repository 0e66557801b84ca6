"""Where alerts arrive in tests: a webhook and a mail server on loopback, which take what is sent or refuse it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Webhook:
    """`url` is the apprise URL, whose path is a secret; `received` are the documents that were taken."""

    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False
    refused: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def texts(self) -> list[str]:
        return [f"{one['title']}\n{one['message']}" for one in self.received]


SECRET = "s3cr3t-t0ken"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Serve a webhook until the context ends."""
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.refuses:
                found.refused += 1
            else:
                found.received.append(json.loads(body))
            self.send_response(500 if found.refuses else 200)
            self.end_headers()
            found.arrived.set()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    found.url = f"json://127.0.0.1:{server.server_port}/hooks/{SECRET}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """`url` is the apprise URL of a mail server that takes everything."""

    url: str = ""
    received: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


class _MailServer(Controller):
    """On a port that the system chooses, which its own look at whether it answers does not expect."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # of a library without types


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Serve mail until the context ends."""
    found = Mailbox()
    controller = _MailServer(found, hostname="127.0.0.1", port=0)
    controller.start()
    found.url = f"mailto://127.0.0.1:{controller.port}?mode=insecure&from=etl@example.com&to=oncall@example.com"
    try:
        yield found
    finally:
        controller.stop()
