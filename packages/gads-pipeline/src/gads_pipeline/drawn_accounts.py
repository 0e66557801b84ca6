"""Puts on record which accounts were listed, and from which day on each report of each selected one is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from gads_domain.account import Account
from gads_domain.account_days import report_days, usable_zone
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.report import ReportDefinition
from gads_pipeline.composition import open_ledger_for_control_plane, open_ledger_reader

if TYPE_CHECKING:
    from gads_pipeline.account_selection import SelectedAccounts
    from gads_pipeline.configuration import Configuration
    from gads_pipeline.work_request import RunOptions


def drawn_list(
    configuration: Configuration,
    selected: SelectedAccounts | None,
    chosen: Sequence[str],
    now: datetime,
    asked: RunOptions | None = None,
) -> DrawnList | None:
    """The whole list that `selected` is of, whatever accounts were `chosen` from it; None if no whole list was drawn.

    Configured `customer_ids` are a whole list, even where the API was not asked (`selected` is None). A report is
    expected from the earliest of `run.backfill_since`, the first day that is `asked` for now, and its restatement
    window of now; not from days of which the API keeps nothing.
    """
    named = configuration.google_ads.customer_ids
    listed = {} if selected is None else {account.customer_id: account for account in selected.listed}
    if named:
        skipped = {} if selected is None else {n: why for n, why in selected.skipped.items() if n not in named}
        listed = {**listed, **{number: listed.get(number, Account(number)) for number in named}}
    elif selected is None or not selected.is_whole:
        return None
    else:
        skipped = dict(selected.skipped)
    first_days = {
        (number, report.name): _first_day(configuration, report, account, now, chosen, asked)
        for report in configuration.reports()
        for number, account in listed.items()
        if number not in skipped
    }
    accounts = tuple(_listed(account, listed, skipped.get(number, "")) for number, account in listed.items())
    return DrawnList(GOOGLE_ADS, now, accounts, first_days)


def record_on_existing_ledger(configuration: Configuration, drawn: DrawnList | None) -> None:
    """Put a list on record unless there is no ledger yet: what only looks does not make one."""
    if drawn is None:
        return
    with open_ledger_reader(configuration) as reader:
        exists = reader.ledger_id() is not None
    if exists:
        with open_ledger_for_control_plane(configuration) as ledger:
            ledger.record_list(drawn)


def _first_day(
    configuration: Configuration,
    report: ReportDefinition,
    account: Account,
    now: datetime,
    chosen: Sequence[str],
    asked: RunOptions | None,
) -> date:
    days = report_days(report, usable_zone(account.time_zone), now)
    if not report.kind.has_history:
        return days.window.first
    found = [days.window.first]
    if configuration.run.backfill_since is not None:
        found.append(max(configuration.run.backfill_since, days.first_kept))
    if (
        asked is not None
        and asked.since is not None
        and (not chosen or account.customer_id in chosen)
        and (not asked.reports or report.name in asked.reports)
    ):
        found.append(max(asked.since, days.first_kept))
    return min(found)


def _listed(account: Account, listed: Mapping[str, Account], skipped: str) -> ListedAccount:
    path: list[str] = []
    above = account.parent_id
    while above is not None and above not in path:
        path.insert(0, above)
        above = listed[above].parent_id if above in listed else None
    return ListedAccount(
        account.customer_id,
        account.name,
        account.currency,
        account.time_zone,
        tuple(path),
        account.status,
        not skipped,
        skipped,
    )
