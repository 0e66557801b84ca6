"""What is asked of a run, and the request for a plan that comes of it: a day is a day of the account's zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from gads_domain.account_days import (
    LAST_TO_END,
    DayRange,
    askable_days,
    last_complete_day,
    report_days,
    require_possible_days,
    zone_named,
)
from gads_domain.clock import SystemClock
from gads_domain.errors import GadsError, UsageError
from gads_domain.report import ReportDefinition
from gads_orchestrator.plan import Account, WorkRequest, always_open
from gads_orchestrator.selection import ALL_BY_POLICY, Reason, SelectDue, SelectRequested
from gads_pipeline.schedule import opened_by

if TYPE_CHECKING:
    from gads_domain.expectations import Expectations
    from gads_pipeline.account_selection import SelectedAccounts
    from gads_pipeline.configuration import Configuration


def require_order(since: date | None, until: date | None) -> None:
    """Raise `UsageError` if the days are reversed, or one is before 2000 or after tomorrow."""
    require_possible_days(SystemClock().now(), since, until)
    if since is not None and until is not None and until < since:
        raise UsageError(f"the days are reversed: {since} is after {until}", hint="give the earlier day as `since`")


def require_days(since: date | None, until: date | None) -> tuple[date, date]:
    """Both days; raises `UsageError` if one is missing or they are reversed."""
    if since is None or until is None:
        raise UsageError("which days?", hint="give `since` and `until`, both included")
    require_order(since, until)
    return since, until


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The days, accounts and reports of a run; no accounts or reports means all.

    `reprocess` extracts partitions that are success again, `retry_failed` those that are failed; `force` requests also
    accounts that the account list does not select. `trust` takes it that what is sealed is there and sound. Raises
    `UsageError` for days that are reversed or cannot be.
    """

    since: date | None = None
    until: date | None = None
    customers: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    reprocess: bool = False
    retry_failed: bool = False
    force: bool = False
    trust: bool = False

    def __post_init__(self) -> None:
        require_order(self.since, self.until)

    def require_both_days_or_none(self) -> None:
        """Raise `UsageError` if one day is given without the other."""
        if (self.since is None) != (self.until is None):
            raise UsageError(
                "which days?",
                hint="give `since` and `until`, both included, or neither for the days that each report still restates",
            )

    @property
    def days(self) -> DayRange | None:
        """The days; None for those that each report still restates."""
        return None if self.since is None or self.until is None else DayRange(self.since, self.until)


def needs_accounts(
    configuration: Configuration, options: RunOptions, now: datetime, expectations: Expectations
) -> bool:
    """Whether the API has to list the accounts before a plan can be made.

    Not if accounts and days are given, the days are over in every time zone, and the list on record, which is of
    `expectations`, selects the accounts.
    """
    known = {account.customer_id for account in expectations.selected}
    chosen = bool(options.customers) and configuration.accounts.is_empty
    named = bool(configuration.google_ads.customer_ids) or (
        chosen and (options.force or known.issuperset(options.customers))
    )
    dated = options.until is not None and options.until <= last_complete_day(LAST_TO_END, now)
    historic = all(report.kind.has_history for report in configuration.reports(options.reports))
    return not (named and dated and historic)


def planned_accounts(selected: SelectedAccounts) -> tuple[tuple[Account, ...], tuple[str, ...]]:
    """The selected accounts with the time zones of their days, and a warning for each zone that is unknown here.

    An account whose zone is unknown, or not told by the API, is taken to be in the zone where a day ends last: its days
    are extracted some hours later than they could be, and no other account waits.
    """
    accounts, notes = [], []
    for number, account in selected.accounts.items():
        zone = account.time_zone or LAST_TO_END
        try:
            zone_named(zone)
        except GadsError as error:
            why = f"{error.message}; its days are extracted when they are over in every zone"
            notes.append(f"warning: account {number}: {why}")
            zone = LAST_TO_END
        accounts.append(Account(number, zone))
    notes += [f"warning: no account matches {pattern!r} of the accounts section" for pattern in selected.unmatched]
    return tuple(accounts), tuple(notes)


def requested(
    configuration: Configuration, options: RunOptions, selected: SelectedAccounts | None, now: datetime
) -> tuple[WorkRequest, tuple[str, ...]]:
    """The request for what a run is asked for, account by account in its own days, and notes.

    Without days in the options these are the days that are over and that the report still restates; with days, those of
    them that are over. `selected` is None where the zones do not matter: see `needs_accounts`. Raises `UsageError` if
    no day is left.
    """
    accounts, notes = _accounts(configuration, options, selected)
    reports = configuration.reports(options.reports)
    chosen: dict[tuple[str, str], DayRange] = {}
    cut: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for report in reports:
        for account in accounts:
            days = _days_of(report, account.time_zone, now, options.days)
            if days is not None:
                chosen[account.customer_id, report.name] = days
            if why := _what_is_cut(report, options.days, days):
                names, numbers = cut.setdefault(why, ({}, {}))
                names[report.name] = numbers[account.customer_id] = None
    skipped = (f"skipped: {why}: {_some(names)} of {_some(numbers)}" for why, (names, numbers) in cut.items())
    notes = (*notes, *skipped, *_beyond_history(reports, accounts, now, options.days, chosen))
    if not chosen:
        raise UsageError("none of these days can be requested", hint="; ".join(notes[:3]))
    selection = SelectRequested(options.reprocess, options.retry_failed)
    most = configuration.extraction.max_days_per_request
    return WorkRequest(accounts, reports, now, selection, max_days_per_request=most, chosen=chosen), notes


def days_meant(request: WorkRequest, days: DayRange | None) -> dict[tuple[str, str], DayRange]:
    """The days that a run or a backfill is about, of each account and report; None means what is still restated.

    Days that are not over yet are among them; of a snapshot report there is only today.
    """
    found = {}
    for report in request.reports:
        for account in request.accounts:
            meant = days if report.kind.has_history else None
            meant = meant or _days_of(report, account.time_zone, request.now, days)
            if meant is not None:
                found[account.customer_id, report.name] = meant
    return found


def backfill_request(
    configuration: Configuration, options: RunOptions, selected: SelectedAccounts | None, now: datetime
) -> tuple[WorkRequest, tuple[str, ...]]:
    """The request for every day of the options that was never attempted or is due for a retry, and notes."""
    accounts, notes = _accounts(configuration, options, selected)
    reasons = frozenset(Reason) - {Reason.RESTATEMENT, Reason.REQUESTED}
    request = due_request(configuration, accounts, options.reports, now, options.since, options.until, reasons)
    kept: dict[tuple[str, str], DayRange] = {}
    for report in request.reports:
        for account in accounts:
            days = _days_of(report, account.time_zone, now, options.days)
            if days is not None:
                kept[account.customer_id, report.name] = days
    beyond = _beyond_history(request.reports, accounts, now, options.days, kept)
    if beyond and not kept:
        raise UsageError("none of these days can be requested", hint="; ".join(beyond[:3]))
    return replace(request, opened_at=always_open), (*notes, *beyond)


def due_request(
    configuration: Configuration,
    accounts: Sequence[Account],
    reports: Sequence[str],
    now: datetime,
    since: date | None = None,
    until: date | None = None,
    reasons: frozenset[Reason] = ALL_BY_POLICY,
) -> WorkRequest:
    """The request for what is due by schedule and policy, from `since` on or as far back as reports are restated."""
    return WorkRequest(
        tuple(accounts),
        configuration.reports(reports),
        now,
        SelectDue(configuration.retry.policy, reasons),
        since,
        until,
        configuration.extraction.max_days_per_request,
        opened_by(configuration),
    )


def _accounts(
    configuration: Configuration, options: RunOptions, selected: SelectedAccounts | None
) -> tuple[tuple[Account, ...], tuple[str, ...]]:
    if selected is not None:
        return planned_accounts(selected)
    # Every day is over in every zone, so that any zone will do.
    return tuple(Account(number, LAST_TO_END) for number in configuration.customers(options.customers)), ()


def _days_of(report: ReportDefinition, zone: str, now: datetime, wanted: DayRange | None) -> DayRange | None:
    return report_days(report, zone, now).window if wanted is None else askable_days(report, zone, now, wanted)


def notes_on_history(request: WorkRequest) -> tuple[str, ...]:
    """A note for the days from `since` on that the API no longer has, which are not planned."""
    last = request.until or request.now.date()
    wanted = None if request.since is None or request.since > last else DayRange(request.since, last)
    return _beyond_history(request.reports, request.accounts, request.now, wanted, {})


def _beyond_history(
    reports: Sequence[ReportDefinition],
    accounts: Sequence[Account],
    now: datetime,
    wanted: DayRange | None,
    chosen: dict[tuple[str, str], DayRange],
) -> tuple[str, ...]:
    """A note for each first day that is kept of some of the days `wanted`; takes from `chosen` what lies before it."""
    found: dict[tuple[date, str], tuple[dict[str, None], dict[str, None]]] = {}
    for report in reports:
        if wanted is None or report.history is None:
            continue
        for account in accounts:
            first = report_days(report, account.time_zone, now).first_kept
            if wanted.first < first:
                names, numbers = found.setdefault((first, str(report.history)), ({}, {}))
                names[report.name] = numbers[account.customer_id] = None
                days = chosen.pop((account.customer_id, report.name), None)
                if days is not None and days.last >= first:
                    chosen[account.customer_id, report.name] = DayRange(max(days.first, first), days.last)
    return tuple(_beyond(wanted, first, kept, *some) for (first, kept), some in found.items() if wanted is not None)


def _beyond(wanted: DayRange, first: date, kept: str, names: Iterable[str], numbers: Iterable[str]) -> str:
    rest = DayRange(wanted.first, min(wanted.last, first - timedelta(days=1)))
    days = (rest.last - rest.first).days + 1
    return (
        f"skipped: {rest} ({days} day{'s' if days > 1 else ''}), which the API no longer has: it keeps {kept}, from "
        f'{first} on (google_ads.history = "unlimited" is for an API that keeps everything): '
        f"{_some(names)} of {_some(numbers)}"
    )


def _what_is_cut(report: ReportDefinition, wanted: DayRange | None, days: DayRange | None) -> str | None:
    if wanted is None or days == wanted:
        return None
    if not report.kind.has_history:
        return f"{wanted} except today, since a snapshot report has no backfill"
    rest = wanted if days is None else DayRange(days.last + timedelta(days=1), wanted.last)
    return f"{rest}, not over yet in the account's time zone"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
