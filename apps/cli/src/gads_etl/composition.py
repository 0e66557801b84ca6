"""The composition root: the one place where ports meet adapters."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import RandomRunIds, SystemClock
from gads_domain.errors import ConfigurationError
from gads_domain.run import RunContext

if TYPE_CHECKING:
    from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
    from gads_domain.ports.report_source import ReportSource
    from gads_domain.ports.sink import RawReader, RawSink
    from gads_domain.ports.validation import PartitionValidator
    from gads_etl.configuration import Configuration, ReportSection
    from gads_extractor.connection import GoogleAdsConnection
    from gads_extractor.report_source import SearchStreams
    from gads_validator.checks.declared import DeclaredChecks


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


def open_sink(configuration: Configuration) -> RawSink:
    """The sink, for writing."""
    url = configuration.storage.sink
    return sink_adapter(url).open_sink(url, configuration.base)


def open_sink_reader(configuration: Configuration) -> RawReader:
    """The sink, for reading alone."""
    url = configuration.storage.sink
    return sink_adapter(url).open_reader(url, configuration.base)


def new_run(command: str) -> RunContext:
    """The one `run_id` of this command, with who typed it and where."""
    return RunContext(RandomRunIds(SystemClock()).new_run_id(), actor_name(), command)


def actor_name() -> str:
    """Who is acting, for the record: `user@host`, or `GADS_ETL_ACTOR` where a scheduler acts for somebody."""
    named = os.environ.get("GADS_ETL_ACTOR")
    if named:
        return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def declared_checks(section: ReportSection) -> DeclaredChecks:
    """What the owner of a report demands of its rows."""
    from gads_validator.checks.declared import DeclaredChecks

    checks = section.checks
    return DeclaredChecks(
        min_rows=checks.min_rows,
        not_null=checks.not_null,
        non_negative=checks.non_negative,
        unique=checks.unique,
    )


def validator_of(configuration: Configuration, reader: RawReader, ledger: ValidatorLedger) -> PartitionValidator:
    """The validator, with the checks that the configuration's reports declare."""
    from gads_validator.validator import RawPartitionValidator

    declared = {section.name: declared_checks(section) for section in configuration.report_sections}
    return RawPartitionValidator(reader, ledger, SystemClock(), reports=declared)


def api_version_of(configuration: Configuration) -> str:
    """The version of the API that is configured, or else the newest one known."""
    from gads_gaql.catalogue import latest

    return configuration.google_ads.api_version or latest()


@dataclass(frozen=True, slots=True)
class ApiFiles:
    """Where the client's configuration and the certificate are, as every process of a command shall use them."""

    client_file: Path | None
    certificate: Path | None


@contextmanager
def api_files(configuration: Configuration) -> Iterator[ApiFiles]:
    """The files that the configuration names; a local emulator lives exactly as long, if one is configured."""
    section = configuration.google_ads
    with ExitStack() as opened:
        client_file = None if section.configuration is None else configuration.base / section.configuration
        certificate = None if section.ca_certificate is None else configuration.base / section.ca_certificate
        if section.emulator is not None:
            from gads_etl.embedded_emulator import running_emulator, settings_of

            client_file, certificate = opened.enter_context(running_emulator(settings_of(section.emulator)))
        if certificate is not None and not certificate.is_file():
            raise ConfigurationError(f"google_ads.ca_certificate: there is no {certificate}")
        yield ApiFiles(client_file, certificate)


@contextmanager
def connected(configuration: Configuration, files: ApiFiles) -> Iterator[GoogleAdsConnection]:
    """A connection by these files."""
    if files.certificate is not None:
        # gRPC reads it once, when the process opens its first channel.
        os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(files.certificate.absolute())
    from gads_extractor.connection import GoogleAdsConnection

    with GoogleAdsConnection.open(files.client_file, api_version_of(configuration)) as connection:
        yield connection


@contextmanager
def api_access(configuration: Configuration) -> Iterator[GoogleAdsConnection]:
    """A connection to the API as configured; a local emulator lives exactly as long, if one is configured."""
    with api_files(configuration) as files, connected(configuration, files) as connection:
        yield connection


def report_source(configuration: Configuration, access: SearchStreams) -> ReportSource:
    """The extractor, as patient as the configuration says."""
    from gads_extractor.call_retry import RetryPolicy
    from gads_extractor.report_source import GoogleAdsReportSource

    section = configuration.extraction
    return GoogleAdsReportSource(
        access, retry=RetryPolicy(attempts=section.max_attempts), idle_timeout=section.silence_seconds
    )
