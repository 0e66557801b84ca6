"""What `gads-etl check` finds out, one finding at a time; a fault never hides the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gads_domain.errors import ConfigurationError, GadsError, QueryError
from gads_etl.exit_codes import ExitCode, exit_code_of

if TYPE_CHECKING:
    from gads_etl.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what it was, whether it is well, what is wrong and what to do."""

    subject: str
    ok: bool
    message: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.OK


def findings(configuration: Configuration, *, offline: bool) -> Iterator[Finding]:
    """Look at the reports, the storage and, unless `offline`, the API; in that order."""
    yield Finding("configuration", True, f"{configuration.path} is well formed")
    yield from _reports(configuration)
    yield from _sink(configuration)
    yield _tried("state", lambda: _ledger(configuration))
    if not offline:
        yield _tried("google ads", lambda: _api(configuration))


def version_findings(configuration: Configuration, versions: Sequence[str]) -> Iterator[Finding]:
    """Look at the reports in each of `versions`, and at what each step from one version to the next would break."""
    from gads_gaql.catalogue import load
    from gads_gaql.parser import parse
    from gads_gaql.version_comparison import compare_versions

    for version in versions:
        yield from _reports(configuration, version)
    for older, newer in pairwise(versions):
        step = f"{older} to {newer}"
        for section in configuration.report_sections:
            try:
                report = configuration.report(section)
                if not report.supports(older):
                    continue
                broken = compare_versions(parse(report.query), load(older), load(newer))
                if not broken and not report.supports(newer):
                    continue
            except GadsError as error:
                yield Finding(f"report {section.name}, {step}", False, error.message, error.hint, exit_code_of(error))
                continue
            for problem in broken:
                yield Finding(f"report {section.name}, {step}", False, str(problem), problem.hint, ExitCode.USAGE)
            if not broken:
                yield Finding(f"report {section.name}, {step}", True, "every column stays as it is")


def require_sound_reports(configuration: Configuration, names: Sequence[str]) -> None:
    """Raise `QueryError` if a report that is asked for could only be refused by the API."""
    wanted = {f"report {section.name}" for section in configuration.sections(names)} | {"google_ads.api_version"}
    faults = [finding for finding in _reports(configuration) if not finding.ok and finding.subject in wanted]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        hint = faults[0].hint + "; gads-etl check --offline lists every fault"
        raise QueryError(f"{faults[0].subject}: {faults[0].message}{more}", hint=hint.removeprefix("; "))


def _reports(configuration: Configuration, version: str | None = None) -> Iterator[Finding]:
    from gads_etl.composition import api_version_of, declared_checks
    from gads_gaql.catalogue import load, table_schema
    from gads_gaql.parser import parse
    from gads_reports.description import problems, versions

    try:
        catalogue = load(version or api_version_of(configuration))
    except GadsError as error:
        yield Finding("google_ads.api_version", False, error.message, error.hint, exit_code_of(error))
        return
    for section in configuration.report_sections:
        subject = f"report {section.name}"
        try:
            report = configuration.report(section)
            if not report.supports(catalogue.version):
                hint = "set google_ads.api_version to one of them, or leave the report out"
                message = f"is there in {versions(report)} and not in {catalogue.version}"
                yield Finding(subject, False, message, hint, ExitCode.USAGE)
                continue
            query = parse(report.query)
            found = problems(report, catalogue)
            for problem in found:
                yield Finding(subject, False, str(problem), problem.hint, ExitCode.USAGE)
            if found:
                continue
            schema = table_schema(query, catalogue)
            faults = declared_checks(section).problems(schema)
            for fault in faults:
                yield Finding(subject, False, fault, "name columns that the query selects", ExitCode.USAGE)
            if not faults:
                yield Finding(
                    subject, True, f"{len(schema.columns)} columns of {query.resource} in {catalogue.version}"
                )
        except GadsError as error:
            yield Finding(subject, False, error.message, error.hint, exit_code_of(error))


def _sink(configuration: Configuration) -> Iterator[Finding]:
    from gads_domain.ports.sink import DescribableSink
    from gads_etl.composition import open_sink

    try:
        sink = open_sink(configuration)
        sink.check()
        yield Finding("sink", True, f"{configuration.storage.sink} can be written")
        if isinstance(sink, DescribableSink):
            for line in sink.describe():
                yield Finding("sink", True, line)
    except GadsError as error:
        yield Finding("sink", False, error.message, error.hint, exit_code_of(error))


def _ledger(configuration: Configuration) -> str:
    from gads_etl.composition import check_ledger, open_ledger_reader

    check_ledger(configuration)
    with open_ledger_reader(configuration) as ledger:
        if ledger.ledger_id() is None:
            return f"{configuration.storage.state} does not exist yet; the first run creates it"
        return f"{configuration.storage.state} is a ledger at position {ledger.position():,}"


def _api(configuration: Configuration) -> str:
    from gads_etl.account_selection import select_accounts
    from gads_etl.composition import api_access

    with api_access(configuration) as access:
        customers = access.check()
        signed_in = f"signed in; {len(customers)} accounts are directly accessible"
        if configuration.google_ads.customer_ids:
            return signed_in
        if configuration.accounts.root is None and access.login_customer_id is None:
            raise ConfigurationError(
                "google_ads.customer_ids is empty, and there is no manager to list the accounts of",
                hint=f"the login reaches {', '.join(customers[:10]) or 'no account'}; set accounts.root to a manager",
            )
        selected = select_accounts(configuration, access)
    return f"{signed_in}; {len(selected.accounts)} are selected"


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except GadsError as error:
        return Finding(subject, False, error.message, error.hint, exit_code_of(error))
