"""What is possible today and not much longer: days that leave the API's history, and the version of the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gads_domain.account_days import LAST_TO_END, report_days
from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import PartitionStatus, StateFilter
from gads_gaql.catalogue import sunsets
from gads_pipeline.composition import api_version_of
from gads_pipeline.findings import Finding

if TYPE_CHECKING:
    from gads_domain.account_days import ReportDays
    from gads_domain.expectations import Expectation, Expectations
    from gads_domain.ports.ledger import StateReader
    from gads_domain.report import ReportDefinition
    from gads_pipeline.configuration import Configuration

SUNSET_DAYS = 60
"""How long before its end a version of the API is warned of."""
LEAVING_DAYS = 30
"""How long before they leave the API's history days are warned of; of a short history, a quarter of it."""

_A_DAY = timedelta(days=1)


def warnings(configuration: Configuration, ledger: StateReader, now: datetime) -> Iterator[Finding]:
    """Warnings of the configured version if it ends soon, and of each report with days that are lost if not taken."""
    version = api_version_of(configuration)
    ends = sunsets().get(version)
    if ends is not None and (left := (ends - now.date()).days) <= SUNSET_DAYS:
        when = f"in {left} days" if left > 0 else "already, or any day now"
        hint = "set google_ads.api_version to a newer one; `Pipeline.compare_api_versions` says what that changes"
        yield Finding("google_ads.api_version", f"{version} ends about {ends}, {when}", warning=hint)
    expectations = ledger.expectations(GOOGLE_ADS)
    for report in configuration.reports():
        keys = [key for one in expectations.expected for key in _leaving(one, report, expectations, now)]
        if not keys:
            continue
        days = [key.logical_date for key in keys]
        accounts = tuple(sorted({key.customer_id for key in keys}))
        wanted = StateFilter(GOOGLE_ADS, accounts, (report.name,), min(days), max(days))
        taken = {one.key for one in ledger.scheduling_states(wanted) if one.status is PartitionStatus.SUCCESS}
        missing = [key for key in keys if key not in taken]
        if missing:
            yield _lost(report, missing)


def _leaving(
    one: Expectation, report: ReportDefinition, expectations: Expectations, now: datetime
) -> Iterator[PartitionKey]:
    """The days that are expected of a report of an account and that the API soon has no more."""
    if one.report != report.name or not report.kind.has_history:
        return
    days = _days_of(one, report, expectations, now)
    kept = (days.today - days.first_kept).days
    last = min(
        days.first_kept + min(LEAVING_DAYS, kept // 4) * _A_DAY, one.last_day or days.window.last, days.window.last
    )
    day = max(days.first_kept, one.first_day)
    while day < last:
        yield PartitionKey(GOOGLE_ADS, one.customer_id, report.name, day)
        day += _A_DAY


def _days_of(one: Expectation, report: ReportDefinition, expectations: Expectations, now: datetime) -> ReportDays:
    account = expectations.account(one.customer_id)
    try:
        return report_days(report, (account and account.time_zone) or LAST_TO_END, now)
    except InvalidValueError:
        return report_days(report, LAST_TO_END, now)


def _lost(report: ReportDefinition, missing: list[PartitionKey]) -> Finding:
    first, last = min(key.logical_date for key in missing), max(key.logical_date for key in missing)
    accounts = sorted({key.customer_id for key in missing})
    named = ", ".join(accounts[:3]) + (f" and {len(accounts) - 3} more" if len(accounts) > 3 else "")
    return Finding(
        f"report {report.name}",
        f"{len(missing)} days from {first} to {last} were never taken, and the API soon has them no more: {named}",
        warning=f"take them now: `Pipeline.backfill` from {first} to {last}",
    )
