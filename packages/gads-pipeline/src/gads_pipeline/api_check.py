"""Whether the API does for a run what the run will ask of it: sign in, reach each account, accept each query."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gads_domain.account_days import report_days
from gads_domain.clock import SystemClock
from gads_domain.errors import AccountRefusedError, AccountUnavailableError, ConfigurationError, GadsError
from gads_gaql import day_query, render
from gads_orchestrator.budget import listing
from gads_pipeline.account_selection import SelectedAccounts, directory_of, select_accounts
from gads_pipeline.composition import (
    api_access,
    api_version_of,
    open_ledger_for_control_plane,
    open_ledger_reader,
)
from gads_pipeline.drawn_accounts import drawn_list, record_on_existing_ledger
from gads_pipeline.findings import Finding, fault
from gads_pipeline.work_request import planned_accounts

if TYPE_CHECKING:
    from gads_domain.account import Account
    from gads_domain.ports.report_source import OperationQuota
    from gads_domain.report import ReportDefinition
    from gads_extractor.connection import GoogleAdsConnection
    from gads_pipeline.configuration import Configuration

MOST_ACCOUNTS = 100
"""How many accounts are asked by default, each by one request."""

_SUBJECT = "google ads"


def api_findings(configuration: Configuration, most_accounts: int) -> Iterator[Finding]:
    """Sign in, reach up to `most_accounts` accounts as a run does, and have one of them validate each query.

    An account that the list refuses is not asked again, and neither is one that was asked for itself. Each request is
    counted against the budget, if there is a ledger, whatever is left of it. None is sent while the API asks for a
    rest.
    """
    try:
        with api_access(configuration) as access, ExitStack() as opened:
            yield from _probed(configuration, access, _quota(configuration, opened), most_accounts)
    except GadsError as error:
        yield fault(_SUBJECT, error)


def _quota(configuration: Configuration, opened: ExitStack) -> OperationQuota | None:
    with open_ledger_reader(configuration) as reader:
        if reader.ledger_id() is None:  # what only looks does not make one
            return None
    ledger = opened.enter_context(open_ledger_for_control_plane(configuration))
    return listing(ledger, configuration.quota.budget, SystemClock())


def _probed(
    configuration: Configuration, access: GoogleAdsConnection, quota: OperationQuota | None, most_accounts: int
) -> Iterator[Finding]:
    if quota is not None:
        quota.take()
    customers = access.check()
    no_list = not configuration.google_ads.customer_ids and configuration.accounts.root is None
    if no_list and access.login_customer_id is None:
        raise ConfigurationError(
            "google_ads.customer_ids is empty, and there is no manager account to list the accounts of",
            hint=f"the login reaches {', '.join(customers[:10]) or 'no account'}; set accounts.root to a manager",
        )
    selected = select_accounts(configuration, access, quota=quota)
    record_on_existing_ledger(configuration, drawn_list(configuration, selected, (), SystemClock().now()))
    signed_in = f"signed in; accounts that are directly accessible: {len(customers)}"
    yield Finding(_SUBJECT, f"{signed_in}; selected: {len(selected.accounts)}")

    # What is at level 0 was asked for itself.
    unasked = [one for one in selected.accounts.values() if one.level > 0 and one.reason_not_to_ask is None]
    asked, reports = unasked[:most_accounts], list(_supported(configuration))
    only = f"{len(asked)} of {len(unasked)}" if len(asked) < len(unasked) else f"{len(asked)}"
    total = len(asked) + len(reports)
    yield Finding(_SUBJECT, f"asking {only} accounts and validating {len(reports)} queries: at most {total} operations")
    directory = directory_of(configuration, access, quota)
    answers = {answer.customer_id: answer for answer in directory.named([one.customer_id for one in asked])}
    reached = yield from _accounts(selected, answers)
    if reached is not None:
        yield from _queries(access, quota, reached, reports)


def _supported(configuration: Configuration) -> Iterator[ReportDefinition]:
    """The reports that can be asked for; the others are faults of the configuration."""
    for section in configuration.report_sections:
        try:
            report = configuration.report(section)
        except GadsError:
            continue
        if report.supports(api_version_of(configuration)):
            yield report


def _accounts(selected: SelectedAccounts, answers: dict[str, Account]) -> Generator[Finding, None, Account | None]:
    """A fault for each account that is refused; returns an account that is not, with metrics if there is one."""
    reached = []
    for number, account in selected.accounts.items():
        answer = answers.get(number, account)
        refusal = answer.refusal or account.reason_not_to_ask
        if refusal is not None:
            kind = AccountUnavailableError if refusal.retryable else AccountRefusedError
            named = f"account {number} ({account.name})" if account.name else f"account {number}"
            yield fault(named, kind(refusal.message, hint=refusal.hint))
        elif number in answers or account.level == 0:
            reached.append(account)
    if reached:
        yield Finding("accounts", f"{len(reached)} answer")
    return min(reached, key=lambda account: account.manager, default=None)


def _queries(
    access: GoogleAdsConnection, quota: OperationQuota | None, account: Account, reports: Sequence[ReportDefinition]
) -> Iterator[Finding]:
    """Each query of the last day that a run would ask for; the API validates it and sends no rows."""
    number = account.customer_id
    ((planned, *_), _notes) = planned_accounts(SelectedAccounts({number: account}))
    for report in reports:
        day = report_days(report, planned.time_zone, SystemClock().now()).window.last
        try:
            query = render(day_query(report, day, day))
            if quota is not None:
                quota.take()
            access.validate(number, query)
        except GadsError as error:
            if error.scope.stops_the_run:
                raise
            yield fault(f"query {report.name}", error)
        else:
            yield Finding(f"query {report.name}", f"account {number} accepts it for {day}")
