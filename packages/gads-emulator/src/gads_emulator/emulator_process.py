"""`gads-etl emulator serve` without its command line: settings in, a served agency until a signal comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from gads_domain.errors import ConfigurationError, UsageError
from gads_emulator.agency import Agency
from gads_emulator.api import DEFAULT_CACHE_BYTES
from gads_emulator.certificates import Authority
from gads_emulator.client_configuration import CA_NAME, CA_VARIABLE, CONFIGURATION_NAME
from gads_emulator.fault_plan import read_fault_plan
from gads_emulator.recorded_agency import RecordedAgency
from gads_emulator.server import EmulatorServer
from gads_emulator.synthetic.accounts import SyntheticSettings

_GRACE_SECONDS = 1.0


@dataclass(frozen=True)
class ServeSettings:
    """What to serve, and where. Exactly one of `data` and `synthetic` is set; otherwise `UsageError` is raised."""

    config_dir: Path
    """Gets `google-ads.yaml`, `ca.pem` and `service-account.json` when the emulator is ready."""
    data: Path | None = None
    """A folder of `<resource>.jsonl`."""
    synthetic: SyntheticSettings | None = None
    host: str = "127.0.0.1"
    port: int = 0
    """Of gRPC; 0 takes a free port."""
    rest_port: int = 0
    """Of REST, the token endpoint and the control of faults, over http; 0 takes a free port."""
    rest_tls_port: int = 0
    """Of the same over https."""
    faults: Path | None = None
    """A fault plan (`gads_emulator.fault_plan`), `.toml` or JSON; None lets everything go well."""
    authority: Path | None = None
    """A file with a certificate authority to use again; made when it is not there. None makes a new one."""
    cache_bytes: int = DEFAULT_CACHE_BYTES
    """How much of encoded answers to keep; one answer may take a quarter of it."""
    signals: tuple[signal.Signals, ...] = field(default=(signal.SIGINT, signal.SIGTERM))

    def __post_init__(self) -> None:
        if (self.data is None) == (self.synthetic is None):
            raise UsageError(
                "the emulator serves either a folder or a synthetic agency", hint="give --data DIR or --synthetic"
            )

    def make_agency(self) -> Agency:
        """Read the folder, or make the synthetic agency. Raises `ConfigurationError`."""
        if self.data is not None:
            if not self.data.is_dir():
                raise ConfigurationError(f"{self.data}: no such folder")
            return RecordedAgency(self.data)
        from gads_emulator.synthetic.agency import SyntheticAgency

        return SyntheticAgency(self.synthetic)


def serve(settings: ServeSettings, say: Callable[[str], None] = print) -> None:
    """Serve until SIGINT or SIGTERM, then stop cleanly; call it from the main thread.

    When calls are accepted the client's configuration is in `settings.config_dir` (its `google-ads.yaml` appears last,
    one of an earlier emulator having been taken away first) and `say` has been given the lines that tell how to use it.
    Raises `ConfigurationError` for data, a port or a folder that cannot be used.
    """
    plan = read_fault_plan(settings.faults) if settings.faults is not None else None
    agency = settings.make_agency()
    configuration = settings.config_dir.absolute() / CONFIGURATION_NAME
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    previous = {number: signal.signal(number, end) for number in settings.signals}
    try:
        configuration.unlink(missing_ok=True)
        server = EmulatorServer(
            agency,
            port=settings.port,
            rest_port=settings.rest_port,
            rest_tls_port=settings.rest_tls_port,
            faults=plan,
            host=settings.host,
            authority=_authority(settings.authority),
            cache_bytes=settings.cache_bytes,
        ).start()
        try:
            server.write_client_configuration(settings.config_dir)
            for line in how_to_use(server, configuration):
                say(line)
            ended.wait()
        finally:
            server.stop(_GRACE_SECONDS)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or settings.config_dir}: {error.strerror}") from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def how_to_use(server: EmulatorServer, configuration: Path) -> list[str]:
    """Return the lines that tell a person how to reach a running emulator."""
    accounts = server.agency.accounts.values()
    clients = [account.customer_id for account in accounts if not account.manager]
    shown = ", ".join(clients[:5]) + (f" … ({len(clients)} accounts)" if len(clients) > 5 else "")
    return [
        f"Google Ads API at {server.address} (gRPC, TLS)",
        f"accounts: {shown}",
        f"REST at {server.rest_url} and {server.rest_tls_url}",
        f"OAuth tokens from {server.token_url}, faults set at {server.faults_url}",
        "For the official client:",
        f"  export {CA_VARIABLE}={configuration.with_name(CA_NAME)}",
        f"  GoogleAdsClient.load_from_storage({str(configuration)!r})",
        "Stop with Ctrl-C.",
    ]


def _authority(path: Path | None) -> Authority | None:
    if path is None:
        return None
    try:
        if not path.exists():
            Authority().save(path)
        return Authority.load(path)
    except ValueError:
        raise ConfigurationError(
            f"{path}: not a certificate authority", hint="remove the file; a new one is made"
        ) from None
