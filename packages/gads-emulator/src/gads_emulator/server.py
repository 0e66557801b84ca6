"""The running emulator: gRPC with TLS, REST over http and https, and an OAuth token endpoint, all on loopback."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import grpc

from gads_domain.errors import ConfigurationError
from gads_emulator.agency import Agency
from gads_emulator.api import DEFAULT_CACHE_BYTES, Api, Policy, Selection
from gads_emulator.certificates import Authority, process_authority
from gads_emulator.client_configuration import write_client_configuration
from gads_emulator.fault_plan import FaultPlan
from gads_emulator.faults import Faults
from gads_emulator.grpc_service import GoogleAdsHandler
from gads_emulator.http_server import FAULTS_PATH, TOKEN_PATH, HttpServer, port_taken
from gads_gaql.catalogue import versions

_WORKERS = 64
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a port that is taken must be an error, not shared
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
]


class EmulatorServer:
    """A local Google Ads API. Use it as a context manager, or call `start` and `stop`; it can be started again.

    `faults` is the first fault plan; `server.faults.plan` may be replaced at any time. `wrap` gets the API's
    `Selection` and returns the one that is served, inside the faults. `now` is the API's clock (aware). `authority` is
    the certificate authority; by default all servers of a process share one.
    """

    def __init__(
        self,
        agency: Agency,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: bool = True,
        rest_port: int = 0,
        rest_tls_port: int = 0,
        policy: Policy | None = None,
        faults: FaultPlan | None = None,
        wrap: Callable[[Selection], Selection] = lambda answer: answer,
        authority: Authority | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        self.agency = agency
        """The accounts and rows that are served."""
        self.faults = Faults(faults, now)
        """What goes wrong: set its `plan`, or `clear()` it."""
        self.port = 0
        """The port that gRPC is served on; 0 before `start`."""
        self._host = host
        self._wanted_port = port
        self._tls = tls
        self._authority = authority or process_authority()
        self._policy = policy or Policy()
        api = Api(agency, policy=self._policy, now=now, cache_bytes=cache_bytes)
        self._answer = self.faults.wrap(wrap(api.answer))
        self._wanted_http = {False: rest_port, True: rest_tls_port}
        self._server: grpc.Server | None = None
        self._http: dict[bool, HttpServer] = {}

    @property
    def address(self) -> str:
        """The `endpoint` of a client's configuration."""
        return f"localhost:{self.port}"

    @property
    def rest_url(self) -> str:
        """The address of REST without TLS, such as `http://127.0.0.1:4711`; empty unless started."""
        return f"http://{self._host}:{self._http[False].server_port}" if self._http else ""

    @property
    def rest_tls_url(self) -> str:
        """The address of REST with TLS, such as `https://localhost:4712`; empty unless started."""
        return f"https://localhost:{self._http[True].server_port}" if self._http else ""

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint; empty unless started."""
        return self.rest_url + TOKEN_PATH if self._http else ""

    @property
    def faults_url(self) -> str:
        """The address at which other processes set the faults; empty unless started."""
        return self.rest_url + FAULTS_PATH if self._http else ""

    @property
    def ca_pem(self) -> bytes:
        """The certificate that a client must trust."""
        return self._authority.ca_pem

    def start(self) -> Self:
        """Serve; on return every port accepts calls. Raises `ConfigurationError` when a port is taken."""
        server = grpc.server(
            ThreadPoolExecutor(_WORKERS, thread_name_prefix="gads-emulator"),
            handlers=[GoogleAdsHandler(self._answer)],
            options=_OPTIONS,
        )
        where = f"{self._host}:{self._wanted_port}"
        keys = [(self._authority.private_key, self._authority.certificate_chain)]
        try:
            self.port = (
                server.add_secure_port(where, grpc.ssl_server_credentials(keys))
                if self._tls
                else server.add_insecure_port(where)
            )
        except RuntimeError:
            raise port_taken(self._host, self._wanted_port) from None
        try:
            for tls in (False, True):
                at = self._host, self._wanted_http[tls]
                self._http[tls] = HttpServer(*at, self._answer, self._policy, self.faults, self._authority, tls)
        except ConfigurationError:
            server.stop(None)
            for half in self._http.values():
                half.server_close()
            self._http.clear()
            raise
        server.start()
        for http in self._http.values():
            http.start()
        self._server = server
        self.faults.resume()
        return self

    def stop(self, grace: float | None = None) -> None:
        """Stop serving and free the ports; running calls get `grace` seconds, then UNAVAILABLE."""
        self.faults.stop_waiting()
        if self._server is not None:
            self._server.stop(grace).wait()
            self._server = None
        for http in self._http.values():
            http.stop()
        self._http.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write_client_configuration(self, directory: Path) -> Path:
        """Write a client's files into `directory` and return the path of `google-ads.yaml`; call it after `start`."""
        return write_client_configuration(
            directory,
            ca_pem=self.ca_pem,
            login_customer_id=self.agency.login_customer_id,
            addresses={
                "grpc": self.address,
                "rest": self.rest_url,
                "rest_tls": self.rest_tls_url,
                "token_url": self.token_url,
                "faults_url": self.faults_url,
                "api_versions": list(versions()),
                "customer_ids": [a.customer_id for a in self.agency.accounts.values() if not a.manager],
            },
        )
