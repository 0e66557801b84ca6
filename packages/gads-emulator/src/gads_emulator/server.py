"""The emulator as a running server: gRPC with TLS on a port of loopback, and a token endpoint beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from gads_domain.errors import ConfigurationError
from gads_emulator.agency import Agency
from gads_emulator.api import DEFAULT_CACHE_BYTES, Api, Policy, Selection
from gads_emulator.api_versions import installed_versions
from gads_emulator.certificates import GOOGLE_NAMES, Authority, process_authority
from gads_emulator.client_configuration import write_client_configuration
from gads_emulator.fault_plan import FaultPlan
from gads_emulator.faults import Faults
from gads_emulator.grpc_service import GoogleAdsHandler
from gads_emulator.http_server import FAULTS_PATH, TOKEN_PATH, HttpServer
from gads_emulator.rest_service import RestService

_WORKERS = 64
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a port that is taken must be an error, not shared
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
]


def _as_is(answer: Selection) -> Selection:
    return answer


class EmulatorServer:
    """A local Google Ads API. Use it as a context manager, or call `start` and `stop`; it can start again.

    `faults` is what goes wrong from the start; `server.faults.plan` may be replaced at any time. `wrap` gets the API's
    `Answer` and returns the one that is served, inside the faults. `now` is the API's clock (aware). `authority` is the
    certificate authority; all servers of a process share one unless told otherwise.
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
        wrap: Callable[[Selection], Selection] = _as_is,
        authority: Authority | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        self._agency = agency
        self._host = host
        self._wanted_port = port
        self._tls = tls
        self._authority = authority or process_authority()
        self._policy = policy or Policy()
        self._faults = Faults(faults, now)
        api = Api(agency, policy=self._policy, now=now, cache_bytes=cache_bytes)
        self._answer = self._faults.wrap(wrap(api.answer))
        self._wanted_http = {False: rest_port, True: rest_tls_port}
        self._server: grpc.Server | None = None
        self._http: dict[bool, HttpServer] = {}
        self._port = 0

    @property
    def port(self) -> int:
        """The port that is served; 0 before `start`."""
        return self._port

    @property
    def address(self) -> str:
        """What a client's `endpoint` must be."""
        return f"localhost:{self._port}"

    @property
    def rest_url(self) -> str:
        """Where REST is served without TLS, such as `http://127.0.0.1:4711`; empty unless started."""
        return f"http://{self._host}:{self._http[False].port}" if self._http else ""

    @property
    def rest_tls_url(self) -> str:
        """Where REST is served with TLS, such as `https://localhost:4712`; empty unless started."""
        return f"https://localhost:{self._http[True].port}" if self._http else ""

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint; empty unless started."""
        return self.rest_url + TOKEN_PATH if self._http else ""

    @property
    def faults_url(self) -> str:
        """Where other processes set the faults; empty unless started."""
        return self.rest_url + FAULTS_PATH if self._http else ""

    @property
    def faults(self) -> Faults:
        """What goes wrong: set its `plan`, or `clear()` it."""
        return self._faults

    @property
    def ca_pem(self) -> bytes:
        """The certificate that a client must trust."""
        return self._authority.ca_pem

    @property
    def agency(self) -> Agency:
        """Whose rows are served."""
        return self._agency

    def start(self) -> Self:
        """Serve; on return the port accepts calls. Raises `ConfigurationError` when the port is taken."""
        server = grpc.server(
            ThreadPoolExecutor(_WORKERS, thread_name_prefix="gads-emulator"),
            handlers=[GoogleAdsHandler(self._answer)],
            options=_OPTIONS,
        )
        where = f"{self._host}:{self._wanted_port}"
        try:
            self._port = (
                server.add_secure_port(where, self._credentials()) if self._tls else server.add_insecure_port(where)
            )
        except RuntimeError:
            raise ConfigurationError(
                f"{where} cannot be listened on", hint="choose another port; 0 takes a free one"
            ) from None
        rest = RestService(self._answer)
        try:
            for tls in (False, True):
                self._http[tls] = HttpServer(
                    self._host,
                    self._wanted_http[tls],
                    rest,
                    self._policy,
                    self._faults,
                    context=self._authority.tls_context() if tls else None,
                    google_context=self._authority.tls_context(*GOOGLE_NAMES),
                )
        except ConfigurationError:
            server.stop(None)
            for half in self._http.values():
                half.close()
            self._http.clear()
            raise
        server.start()
        for http in self._http.values():
            http.start()
        self._server = server
        self._faults.resume()
        return self

    def stop(self, grace: float | None = None) -> None:
        """Stop serving and free the ports; calls under way get `grace` seconds, then UNAVAILABLE."""
        self._faults.stop_waiting()
        if self._server is not None:
            self._server.stop(grace).wait()
            self._server = None
        for http in self._http.values():
            http.stop()
        self._http.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def write_client_configuration(self, directory: Path) -> Path:
        """Write what a client needs into `directory` and return the path of the `google-ads.yaml`.

        See `gads_emulator.client_configuration`. The server must have been started.
        """
        return write_client_configuration(
            directory,
            endpoint=self.address,
            token_url=self.token_url,
            ca_pem=self.ca_pem,
            login_customer_id=self._agency.login_customer_id,
            addresses={
                "grpc": self.address,
                "rest": self.rest_url,
                "rest_tls": self.rest_tls_url,
                "token_url": self.token_url,
                "faults_url": self.faults_url,
                "api_versions": list(installed_versions()),
                "customer_ids": [a.customer_id for a in self._agency.accounts.values() if not a.manager],
            },
        )

    def _credentials(self) -> grpc.ServerCredentials:
        authority = self._authority
        return grpc.ssl_server_credentials([(authority.private_key, authority.certificate_chain)])
