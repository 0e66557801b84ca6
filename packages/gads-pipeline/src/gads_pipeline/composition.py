"""Opens the ports that the configuration names: adapters by their URLs, the API by the client's files."""

from __future__ import annotations

import getpass
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import gads_extractor
from gads_domain.adapters import ledger_adapter, sink_adapter, warehouse_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.compaction import CompactableLedgerAdapter, Compaction
from gads_domain.errors import ConfigurationError
from gads_domain.ledger_copy import CopiedLedgerAdapter
from gads_domain.ports.activity import ActivityLedgerAdapter
from gads_domain.ports.sink import PrunableSink
from gads_domain.run import RunContext
from gads_domain.sink_presence import require_sink_of

if TYPE_CHECKING:
    from gads_consumer.consumer import Consumer
    from gads_domain.ports.activity import ActivityLedger, ActivityReader
    from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
    from gads_domain.ports.pins import PinLedger
    from gads_domain.ports.report_source import ReportSource
    from gads_domain.ports.sink import RawReader, RawSink
    from gads_domain.ports.validation import PartitionValidator
    from gads_domain.ports.warehouse import Warehouse
    from gads_domain.report import ReportDefinition
    from gads_extractor import GoogleAdsConnection
    from gads_extractor.connection import SearchStreams
    from gads_pipeline.configuration import Configuration, EmulatorSection, ReportSection
    from gads_validator.checks.declared import DeclaredChecks
    from gads_validator.checks.grain import DeclaredGrain


def check_ledger(configuration: Configuration) -> None:
    """Make sure that the ledger could be written, or made, and leave nothing behind; raises as its adapter does."""
    url = configuration.storage.state
    ledger_adapter(url).check(url, configuration.base)


def open_ledger_reader(configuration: Configuration) -> StateReader:
    """The ledger, read-only."""
    url = configuration.storage.state
    return ledger_adapter(url).open_reader(url, configuration.base)


def open_ledger_for_validator(configuration: Configuration) -> ValidatorLedger:
    """The ledger with the validator's authority."""
    url = configuration.storage.state
    return ledger_adapter(url).open_for_validator(url, configuration.base)


def open_ledger_for_control_plane(configuration: Configuration) -> ControlPlaneLedger:
    """The ledger with the control plane's authority."""
    url = configuration.storage.state
    return ledger_adapter(url).open_for_control_plane(url, configuration.base)


def compact_ledger(configuration: Configuration, dry_run: bool, say: Callable[[str], None]) -> Compaction:
    """Have the ledger's adapter compact it; raises `ConfigurationError` for one that cannot."""
    url = configuration.storage.state
    adapter = ledger_adapter(url)
    if not isinstance(adapter, CompactableLedgerAdapter):
        raise ConfigurationError(f"{url} cannot be compacted", hint="its adapter keeps no space that it does not use")
    return adapter.compact(url, configuration.base, dry_run=dry_run, say=say)


def open_prunable_sink(configuration: Configuration) -> PrunableSink:
    """The sink, for removing runs; raises `ConfigurationError` for one that cannot."""
    sink = open_sink(configuration)
    if not isinstance(sink, PrunableSink):
        raise ConfigurationError(
            f"{configuration.storage.sink} cannot remove a run; nothing was changed",
            hint="its adapter does not say how to remove what is sealed",
        )
    return sink


def open_pins(configuration: Configuration) -> PinLedger:
    """The ledger with the right to set and release pins alone."""
    url = configuration.storage.state
    return ledger_adapter(url).open_pins(url, configuration.base)


def open_activity(configuration: Configuration) -> ActivityLedger | None:
    """The ledger with the right to record activity alone; None if its adapter records none."""
    url = configuration.storage.state
    adapter = ledger_adapter(url)
    return adapter.open_activity(url, configuration.base) if isinstance(adapter, ActivityLedgerAdapter) else None


def open_activity_reader(configuration: Configuration) -> ActivityReader | None:
    """The ledger's activity, read-only; None if its adapter records none."""
    url = configuration.storage.state
    adapter = ledger_adapter(url)
    return adapter.open_activity_reader(url, configuration.base) if isinstance(adapter, ActivityLedgerAdapter) else None


def copied_ledger_adapter(configuration: Configuration) -> CopiedLedgerAdapter:
    """The ledger's adapter, which can copy it to a file and back; raises `ConfigurationError` for one that cannot."""
    adapter = ledger_adapter(configuration.storage.state)
    if not isinstance(adapter, CopiedLedgerAdapter):
        raise ConfigurationError(
            f"{configuration.storage.state} cannot be copied to a file", hint="back it up by its own server's means"
        )
    return adapter


def open_sink(configuration: Configuration) -> RawSink:
    """The sink, for writing."""
    url = configuration.storage.sink
    return sink_adapter(url).open_sink(url, configuration.base)


def open_sink_reader(configuration: Configuration) -> RawReader:
    """The sink, for reading alone."""
    url = configuration.storage.sink
    return sink_adapter(url).open_reader(url, configuration.base)


def require_sink(configuration: Configuration) -> None:
    """Make sure that the sink is the ledger's; raises `SinkLostError`, or what opening and reading them raises."""
    with open_ledger_reader(configuration) as ledger:
        require_sink_of(ledger, open_sink_reader(configuration))


@contextmanager
def open_consumer(configuration: Configuration) -> Iterator[Consumer]:
    """The read contract over this configuration's ledger and sink."""
    from gads_consumer.consumer import Consumer

    storage = configuration.storage
    with Consumer.open(
        state=storage.state,
        sink=storage.sink,
        base=configuration.base,
        freshness=configuration.limits,
    ) as consumer:
        yield consumer


@contextmanager
def open_warehouse(configuration: Configuration) -> Iterator[tuple[Warehouse, Consumer]]:
    """The warehouse as configured, and the consumer that feeds it."""
    with warehouse_of(configuration) as warehouse, open_consumer(configuration) as consumer:
        yield warehouse, consumer


def warehouse_of(configuration: Configuration) -> Warehouse:
    """The warehouse as configured, without what feeds it."""
    url = configuration.warehouse.url
    return warehouse_adapter(url).open_warehouse(url, configuration.base)


def new_run(command: str, ledger: StateReader) -> RunContext:
    """A new run with who started it, where and by which command; its id is later than every run of `ledger`.

    Raises `ClockSkewError` if the ledger is minutes ahead of this machine's clock.
    """
    return RunContext(RandomRunIds(SystemClock()).new_run_id(ledger.newest_run()), actor_name(), command)


def actor_name() -> str:
    """Who is acting, for the record: `GADS_ETL_ACTOR` if it is set, as a scheduler may do, or else `user@host`."""
    named = os.environ.get("GADS_ETL_ACTOR")
    if named:
        return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def declared_checks(section: ReportSection) -> DeclaredChecks:
    """The checks that the configuration declares for the rows of a report."""
    from gads_validator.checks.declared import DeclaredChecks

    checks = section.checks
    return DeclaredChecks(
        min_rows=checks.min_rows,
        not_null=checks.not_null,
        non_negative=checks.non_negative,
        unique=checks.unique,
    )


def declared_grain(report: ReportDefinition) -> DeclaredGrain:
    """The grain that a report declares, and the fields by which its resource's rows are unique."""
    from gads_gaql.catalogue import latest, load
    from gads_reports.description import resource
    from gads_validator.checks.grain import DeclaredGrain

    return DeclaredGrain(report.grain, report.schema_version, load(latest()).key_fields(resource(report)))


def validator_of(configuration: Configuration, reader: RawReader, ledger: ValidatorLedger) -> PartitionValidator:
    """The validator, with the checks and the grain that the configuration's reports declare."""
    from gads_validator.checks.declared import DeclaredChecks
    from gads_validator.validator import RawPartitionValidator

    sections = {section.name: section for section in configuration.report_sections}

    @cache
    def declared(name: str) -> DeclaredChecks:
        if name not in sections:
            return DeclaredChecks()
        grain = declared_grain(configuration.report(sections[name]))
        return replace(declared_checks(sections[name]), grain=grain)

    vanished_rows = configuration.validation.vanished_rows
    return RawPartitionValidator(reader, ledger, SystemClock(), declared=declared, vanished_rows=vanished_rows)


def api_version_of(configuration: Configuration) -> str:
    """The version of the API that is configured, or else the newest one known."""
    from gads_gaql.catalogue import latest

    return configuration.google_ads.api_version or latest()


@dataclass(frozen=True, slots=True)
class ApiFiles:
    """The files of the client's configuration and of the certificate authority, the same for every worker process."""

    client_file: Path | None
    certificate: Path | None


@contextmanager
def api_files(configuration: Configuration) -> Iterator[ApiFiles]:
    """The files that the configuration names. A configured emulator runs as long as the context is open."""
    section = configuration.google_ads
    with ExitStack() as opened:
        client_file = None if section.configuration is None else configuration.base / section.configuration
        certificate = None if section.ca_certificate is None else configuration.base / section.ca_certificate
        if section.emulator is not None:
            client_file, certificate = opened.enter_context(_running_emulator(section.emulator))
        if certificate is not None and not certificate.is_file():
            raise ConfigurationError(f"google_ads.ca_certificate: there is no {certificate}")
        yield ApiFiles(client_file, certificate)


@contextmanager
def _running_emulator(section: EmulatorSection) -> Iterator[tuple[Path, Path]]:
    """Serve a synthetic agency; yields the paths of its `google-ads.yaml` and of its CA certificate."""
    from gads_emulator import CA_NAME, EmulatorServer, SyntheticAgency, SyntheticSettings  # an extra

    settings = SyntheticSettings(
        seed=section.seed, accounts=section.accounts, campaigns=section.campaigns, keeps_everything=True
    )
    settings = replace(settings, first=section.since or settings.first, last=section.until or settings.last)
    with (
        tempfile.TemporaryDirectory(prefix="gads-emulator-") as folder,
        EmulatorServer(SyntheticAgency(settings)) as server,
    ):
        client_file = server.write_client_configuration(Path(folder))
        yield client_file, client_file.with_name(CA_NAME)


@contextmanager
def connected(configuration: Configuration, files: ApiFiles) -> Iterator[GoogleAdsConnection]:
    """A connection to the API by these files."""
    if files.certificate is not None:
        # gRPC reads it once, when the process opens its first channel.
        os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(files.certificate.absolute())
    with gads_extractor.GoogleAdsConnection.open(files.client_file, api_version_of(configuration)) as connection:
        yield connection


@contextmanager
def api_access(configuration: Configuration) -> Iterator[GoogleAdsConnection]:
    """A connection to the API as configured. A configured emulator runs as long as the context is open."""
    with api_files(configuration) as files, connected(configuration, files) as connection:
        yield connection


def report_source(configuration: Configuration, access: SearchStreams) -> ReportSource:
    """The extractor, with the retries and the timeout that the configuration says."""
    section = configuration.extraction
    retry = gads_extractor.RetryPolicy(attempts=section.max_attempts)
    return gads_extractor.GoogleAdsReportSource(access, retry=retry, idle_timeout=section.silence_seconds)
