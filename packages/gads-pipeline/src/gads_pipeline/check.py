"""What a check finds out about the configuration and what it points at; a fault never hides the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError, GadsError, LedgerError, QueryError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.sink import DescribableSink
from gads_gaql import compare_versions, load, parse, table_schema
from gads_pipeline.api_check import api_findings
from gads_pipeline.composition import (
    api_version_of,
    check_ledger,
    declared_checks,
    open_ledger_reader,
    open_sink,
    require_sink,
)
from gads_pipeline.deadlines import warnings
from gads_pipeline.findings import Finding, fault
from gads_reports.description import problems, versions

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_pipeline.configuration import Configuration, ReportSection


def findings(configuration: Configuration, *, offline: bool, most_accounts: int) -> Iterator[Finding]:
    """Check the reports, the sink, the ledger and, unless `offline`, the API; in that order.

    Of the accounts at most `most_accounts` are asked.
    """
    yield Finding("configuration", f"{configuration.path} is well formed")
    yield from _reports(configuration)
    yield from _sink(configuration)
    yield _tried("state", lambda: _ledger(configuration))
    yield from _by_ledger(configuration)
    for section in configuration.alerts:
        yield _tried(f"alerts {section.destination}", lambda: f"its URL is one of {section.open().service}")  # noqa: B023
    if not offline:
        yield from api_findings(configuration, most_accounts)


def version_findings(configuration: Configuration, api_versions: Sequence[str]) -> Iterator[Finding]:
    """Check the reports in each of `api_versions`, and what each step from one version to the next would break."""
    for version in api_versions:
        yield from _reports(configuration, version)
    for older, newer in pairwise(api_versions):
        for section in configuration.report_sections:
            yield from _step(configuration, section, older, newer)


def require_sound_reports(configuration: Configuration, names: Sequence[str]) -> None:
    """Raise `QueryError` if the API could only refuse one of the reports `names` (all for none)."""
    wanted = {f"report {section.name}" for section in configuration.sections(names)} | {"google_ads.api_version"}
    faults = [finding for finding in _reports(configuration) if not finding.ok and finding.subject in wanted]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        hint = faults[0].hint + "; `Pipeline.check` lists every fault"
        raise QueryError(f"{faults[0].subject}: {faults[0].message}{more}", hint=hint.removeprefix("; "))


def _step(configuration: Configuration, section: ReportSection, older: str, newer: str) -> Iterator[Finding]:
    subject = f"report {section.name}, {older} to {newer}"
    try:
        report = configuration.report(section)
        if not report.supports(older):
            return
        broken = compare_versions(parse(report.query), load(older), load(newer))
        if not broken and not report.supports(newer):
            return
    except GadsError as error:
        yield fault(subject, error)
        return
    for problem in broken:
        yield fault(subject, QueryError(str(problem), hint=problem.hint))
    if not broken:
        yield Finding(subject, "every column stays as it is")


def _reports(configuration: Configuration, version: str | None = None) -> Iterator[Finding]:
    try:
        catalogue = load(version or api_version_of(configuration))
    except GadsError as error:
        yield fault("google_ads.api_version", error)
        return
    for section in configuration.report_sections:
        subject = f"report {section.name}"
        try:
            report = configuration.report(section)
            if not report.supports(catalogue.version):
                raise ConfigurationError(
                    f"exists in {versions(report)} and not in {catalogue.version}",
                    hint="set google_ads.api_version to one of them, or remove the report",
                )
            query = parse(report.query)
            faults = [QueryError(str(problem), hint=problem.hint) for problem in problems(report, catalogue)]
            if not faults:
                schema = table_schema(query, catalogue)
                hint = "name columns that the query selects"
                declared = declared_checks(section).problems(schema) if section.checks.model_fields_set else []
                faults = [QueryError(text, hint=hint) for text in declared]
        except GadsError as error:
            yield fault(subject, error)
            continue
        yield from (fault(subject, error) for error in faults)
        if not faults:
            yield Finding(subject, f"{len(schema.columns)} columns of {query.resource} in {catalogue.version}")


def _sink(configuration: Configuration) -> Iterator[Finding]:
    try:
        with suppress(LedgerError):  # a fault of its own
            require_sink(configuration)
        sink = open_sink(configuration)
        sink.check()
        yield Finding("sink", f"{configuration.storage.sink} can be written")
        if isinstance(sink, DescribableSink):
            yield from (Finding("sink", line) for line in sink.describe())
    except GadsError as error:
        yield fault("sink", error)


def _ledger(configuration: Configuration) -> str:
    check_ledger(configuration)
    with open_ledger_reader(configuration) as ledger:
        if ledger.ledger_id() is None:
            return f"{configuration.storage.state} does not exist yet; the first run creates it"
        return f"{configuration.storage.state} is a ledger at position {ledger.position():,}"


def changed_columns(configuration: Configuration, ledger: StateReader) -> Iterator[Finding]:
    """A fault of each report whose columns are not those that the ledger has fixed for its schema version.

    A run would extract its days and reject them all.
    """
    for section in configuration.report_sections:
        try:
            report = configuration.report(section)
            columns = table_schema(parse(report.query), load(api_version_of(configuration)))
        except GadsError:
            continue  # a fault of its own
        fixed = ledger.schema_pin(GOOGLE_ADS, report.name, report.schema_version)
        if fixed is None or columns.fingerprint == fixed.schema.fingerprint:
            continue
        differences = "; ".join(fixed.schema.differences(columns))
        message = f"schema_version {report.schema_version} stands for other columns in the ledger: {differences}"
        raised = f"schema_version {report.schema_version + 1}"
        hint = f"give the report {raised}"
        if section.query is None and section.file is None:
            hint = f"give it a query or file of your own in [[reports]], with {raised}, or set api_version back"
        yield fault(f"report {report.name}", QueryError(message, hint=hint))


def _by_ledger(configuration: Configuration) -> Iterator[Finding]:
    try:
        with open_ledger_reader(configuration) as ledger:
            yield from changed_columns(configuration, ledger)
            yield from warnings(configuration, ledger, SystemClock().now())
    except GadsError:
        return  # what is wrong with ledger or reports is a fault of its own


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except GadsError as error:
        return fault(subject, error)
