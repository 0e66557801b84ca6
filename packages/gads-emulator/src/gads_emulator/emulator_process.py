"""The emulator as a process of its own, served until a signal ends it: what `gads-etl emulator serve` runs."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gads_domain.errors import ConfigurationError, UsageError
from gads_emulator.agency import Agency
from gads_emulator.api import DEFAULT_CACHE_BYTES
from gads_emulator.certificates import Authority
from gads_emulator.client_configuration import CA_NAME, CA_VARIABLE, CONFIGURATION_NAME
from gads_emulator.fault_plan import read_fault_plan
from gads_emulator.recorded_agency import RecordedAgency
from gads_emulator.server import EmulatorServer
from gads_emulator.synthetic.accounts import SyntheticSettings
from gads_emulator.synthetic.agency import SyntheticAgency

_GRACE_SECONDS = 1.0


@dataclass(frozen=True)
class ServeSettings:
    """What is served, and where. Raises `UsageError` unless exactly one of `data` and `synthetic` is set."""

    config_dir: Path
    """The folder for `google-ads.yaml`, `ca.pem`, `emulator.json` and `service-account.json`."""
    data: Path | None = None
    """A folder of `<resource>.jsonl`."""
    keeps_everything: bool = True
    """Whether days of any age are answered from `data`; a synthetic agency's own settings say so of it."""
    synthetic: SyntheticSettings | None = None
    host: str = "127.0.0.1"
    port: int = 0
    """The port of gRPC; 0 for a free one."""
    rest_port: int = 0
    """The port of REST, the token endpoint and the control of faults, over http; 0 for a free one."""
    rest_tls_port: int = 0
    """The same over https."""
    faults: Path | None = None
    """A fault plan (`gads_emulator.fault_plan`), `.toml` or JSON; None for no faults."""
    authority: Path | None = None
    """A file with a certificate authority to keep; made when it is missing. None for an authority of this process."""
    cache_bytes: int = DEFAULT_CACHE_BYTES
    """Bytes of encoded answers to keep; one answer may take a quarter of them."""
    signals: tuple[signal.Signals, ...] = field(default=(signal.SIGINT, signal.SIGTERM))

    def __post_init__(self) -> None:
        if (self.data is None) == (self.synthetic is None):
            raise UsageError(
                "the emulator serves a folder or a synthetic agency", hint="give either --data DIR or --synthetic"
            )


def serve(settings: ServeSettings, emit: Callable[[str], None] = print) -> None:
    """Serve until SIGINT or SIGTERM, then stop cleanly; call it from the main thread.

    A `google-ads.yaml` of an earlier emulator is removed first. When the emulator accepts calls it writes the client's
    files to `settings.config_dir`, `google-ads.yaml` last, and emits lines that say how to use them.
    Raises `ConfigurationError` for data, a port or a folder that cannot be used.
    """
    plan = read_fault_plan(settings.faults) if settings.faults is not None else None
    agency: Agency = SyntheticAgency(settings.synthetic)
    if settings.data is not None:
        if not settings.data.is_dir():
            raise ConfigurationError(f"{settings.data}: no such folder")
        agency = RecordedAgency(settings.data, keeps_everything=settings.keeps_everything)
    configuration = settings.config_dir.absolute() / CONFIGURATION_NAME
    ended = threading.Event()

    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in settings.signals}
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
                emit(line)
            ended.wait()
        finally:
            server.stop(_GRACE_SECONDS)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or settings.config_dir}: {error.strerror}") from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def how_to_use(server: EmulatorServer, configuration: Path) -> list[str]:
    """Return the lines that say how to reach a running emulator."""
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
            f"{path}: not a certificate authority", hint="remove the file to make a new one"
        ) from None
