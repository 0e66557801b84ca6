"""What a check finds out about the configuration and what it points at; a fault never hides the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError, GadsError, QueryError
from gads_domain.ports.sink import DescribableSink
from gads_gaql import compare_versions, load, parse, table_schema
from gads_pipeline.account_selection import select_accounts
from gads_pipeline.composition import (
    api_access,
    api_version_of,
    check_ledger,
    declared_checks,
    open_ledger_reader,
    open_sink,
)
from gads_pipeline.drawn_accounts import drawn_list, record_on_existing_ledger
from gads_reports.description import problems, versions

if TYPE_CHECKING:
    from gads_pipeline.configuration import Configuration, ReportSection


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says about one subject: `message`, and the `error` if it is not well."""

    subject: str
    message: str
    error: GadsError | None = None

    @property
    def ok(self) -> bool:
        """Whether the subject is well."""
        return self.error is None

    @property
    def hint(self) -> str:
        """What to do about the error; empty without one."""
        return "" if self.error is None else self.error.hint


def findings(configuration: Configuration, *, offline: bool) -> Iterator[Finding]:
    """Check the reports, the sink, the ledger and, unless `offline`, the API; in that order."""
    yield Finding("configuration", f"{configuration.path} is well formed")
    yield from _reports(configuration)
    yield from _sink(configuration)
    yield _tried("state", lambda: _ledger(configuration))
    if not offline:
        yield _tried("google ads", lambda: _api(configuration))


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
        yield _fault(subject, error)
        return
    for problem in broken:
        yield _fault(subject, QueryError(str(problem), hint=problem.hint))
    if not broken:
        yield Finding(subject, "every column stays as it is")


def _reports(configuration: Configuration, version: str | None = None) -> Iterator[Finding]:
    try:
        catalogue = load(version or api_version_of(configuration))
    except GadsError as error:
        yield _fault("google_ads.api_version", error)
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
                faults = [QueryError(text, hint=hint) for text in declared_checks(section).problems(schema)]
        except GadsError as error:
            yield _fault(subject, error)
            continue
        yield from (_fault(subject, fault) for fault in faults)
        if not faults:
            yield Finding(subject, f"{len(schema.columns)} columns of {query.resource} in {catalogue.version}")


def _sink(configuration: Configuration) -> Iterator[Finding]:
    try:
        sink = open_sink(configuration)
        sink.check()
        yield Finding("sink", f"{configuration.storage.sink} can be written")
        if isinstance(sink, DescribableSink):
            yield from (Finding("sink", line) for line in sink.describe())
    except GadsError as error:
        yield _fault("sink", error)


def _ledger(configuration: Configuration) -> str:
    check_ledger(configuration)
    with open_ledger_reader(configuration) as ledger:
        if ledger.ledger_id() is None:
            return f"{configuration.storage.state} does not exist yet; the first run creates it"
        return f"{configuration.storage.state} is a ledger at position {ledger.position():,}"


def _api(configuration: Configuration) -> str:
    with api_access(configuration) as access:
        customers = access.check()
        signed_in = f"signed in; accounts that are directly accessible: {len(customers)}"
        if configuration.google_ads.customer_ids:
            return signed_in
        if configuration.accounts.root is None and access.login_customer_id is None:
            raise ConfigurationError(
                "google_ads.customer_ids is empty, and there is no manager account to list the accounts of",
                hint=f"the login reaches {', '.join(customers[:10]) or 'no account'}; set accounts.root to a manager",
            )
        selected = select_accounts(configuration, access)
    record_on_existing_ledger(configuration, drawn_list(configuration, selected, (), SystemClock().now()))
    return f"{signed_in}; selected: {len(selected.accounts)}"


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except GadsError as error:
        return _fault(subject, error)


def _fault(subject: str, error: GadsError) -> Finding:
    return Finding(subject, error.message, error)
