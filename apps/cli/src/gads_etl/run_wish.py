"""What somebody asks of `gads-etl run`, and the requests that come of it: a day is a day of the account's zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from gads_domain.account_days import LAST_TO_END, DayRange, askable_days, last_complete_day, report_days
from gads_domain.errors import FailureReason, UsageError
from gads_domain.report import ReportDefinition
from gads_etl.account_zones import zones_of
from gads_etl.control_plane import named_accounts
from gads_orchestrator.plan import Account as PlannedAccount
from gads_orchestrator.plan import WorkRequest
from gads_orchestrator.selection import SelectRequested

if TYPE_CHECKING:
    from gads_domain.report import ReportSlice
    from gads_etl.account_selection import SelectedAccounts
    from gads_etl.configuration import Configuration


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was typed: days (both or neither), accounts and reports, none of which is all.

    Raises `UsageError` for days that cannot be meant.
    """

    since: date | None = None
    until: date | None = None
    customers: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    reprocess: bool = False
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if (self.since is None) != (self.until is None):
            raise UsageError(
                "which days?",
                hint="give --since YYYY-MM-DD and --until YYYY-MM-DD, both included, or neither for the days that each "
                "report still restates",
            )
        if self.since is not None and self.until is not None and self.until < self.since:
            raise UsageError(
                f"the days are reversed: {self.since} is after {self.until}", hint="give the earlier day as --since"
            )


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a wish comes to, and a line for each thing that was left out."""

    request: WorkRequest
    notes: tuple[str, ...] = ()


def needs_accounts(configuration: Configuration, options: RunOptions, now: datetime) -> bool:
    """Whether the API must be asked for the accounts before it can be said what to ask for.

    Not where accounts and days are given and the days are over in every zone on earth.
    """
    named = bool(configuration.google_ads.customer_ids) or (bool(options.customers) and configuration.accounts.is_empty)
    dated = options.until is not None and options.until <= last_complete_day(LAST_TO_END, now)
    return not (named and dated) or not all(
        report.kind.has_history for report in configuration.reports(options.reports)
    )


def scope_without_zones(configuration: Configuration, options: RunOptions, now: datetime) -> RunScope:
    """The scope of a wish that needs no accounts."""
    assert options.since is not None
    assert options.until is not None
    accounts = named_accounts(configuration.customers(options.customers))
    reports = configuration.reports(options.reports)
    days = DayRange(options.since, options.until)
    chosen = {(account.customer_id, report.name): days for account in accounts for report in reports}
    return RunScope(_request(configuration, options, accounts, reports, chosen, now))


def scope(configuration: Configuration, options: RunOptions, selected: SelectedAccounts, now: datetime) -> RunScope:
    """The days of each selected account and report, in the account's own zone.

    Without days in the wish, those that are over there and that the report restates; with them, those of them that
    are over. An account whose zone is not known is taken to be where a day ends last. Raises `UsageError` if nothing
    is left.
    """
    zones, notes = zones_of(selected)
    chosen: dict[tuple[str, str], DayRange] = {}
    cut: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    reports = configuration.reports(options.reports)
    for report in reports:
        for number, zone in zones.items():
            days = _days_of(report, zone, now, options)
            if days is not None:
                chosen[number, report.name] = days
            if why := _what_is_cut(report, options, days):
                names, numbers = cut.setdefault(why, ({}, {}))
                names[report.name] = numbers[number] = None
    notes += [f"left out: {why}: {_some(names)} of {_some(numbers)}" for why, (names, numbers) in cut.items()]
    notes += [f"warning: no account fits {pattern!r} of the accounts section" for pattern in selected.unmatched]
    if not chosen:
        raise UsageError("none of these days can be asked for yet", hint="; ".join(notes[:3]))
    accounts = [PlannedAccount(number, zone) for number, zone in zones.items()]
    return RunScope(_request(configuration, options, accounts, reports, chosen, now), tuple(notes))


def refusals(selected: SelectedAccounts, slice_: ReportSlice) -> FailureReason | None:
    """Why the API would surely refuse the slice: its account is gone or not shared, or a manager without metrics."""
    if (reason := selected.refused.get(slice_.customer_id)) is not None:
        return reason
    account = selected.accounts.get(slice_.customer_id)
    if account is not None and account.manager and "metrics." in slice_.report.query:
        return FailureReason(
            "api_permanent",
            "REQUESTED_METRICS_FOR_MANAGER: the account is a manager",
            retryable=False,
            hint="a manager has no metrics of its own; name the accounts below it, or leave customer_ids empty",
        )
    return None


def _days_of(report: ReportDefinition, zone: str, now: datetime, options: RunOptions) -> DayRange | None:
    if options.since is None:
        return report_days(report, zone, now).window
    assert options.until is not None
    return askable_days(report, zone, now, DayRange(options.since, options.until))


def _what_is_cut(report: ReportDefinition, options: RunOptions, days: DayRange | None) -> str | None:
    if options.since is None or options.until is None:
        return None
    whole = DayRange(options.since, options.until)
    if days == whole:
        return None
    if not report.kind.has_history:
        return f"{whole} but today, since a snapshot has no backfill"
    rest = whole if days is None else DayRange(days.last + timedelta(days=1), whole.last)
    return f"{rest}, not over yet in the account's zone"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _request(
    configuration: Configuration,
    options: RunOptions,
    accounts: Iterable[PlannedAccount],
    reports: Iterable[ReportDefinition],
    chosen: Mapping[tuple[str, str], DayRange],
    now: datetime,
) -> WorkRequest:
    return WorkRequest(
        tuple(accounts),
        tuple(reports),
        now,
        SelectRequested(options.reprocess, options.retry_failed),
        max_days_per_request=configuration.extraction.max_days_per_request,
        chosen=chosen,
    )
