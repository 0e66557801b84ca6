"""What is possible today and not much longer: days that leave the API's history, and the version of the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gads_domain.account_days import DayRange, report_days
from gads_domain.day_ranges import DayRanges, number_of, united, without
from gads_domain.gaps import Pair
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.state import StateFilter
from gads_gaql.catalogue import sunsets
from gads_pipeline.composition import api_version_of
from gads_pipeline.findings import Finding

if TYPE_CHECKING:
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
    by_report: dict[str, list[Expectation]] = {}
    for one in expectations.expected:
        by_report.setdefault(one.report, []).append(one)
    for report in configuration.reports():
        leaving = _leaving(report, by_report.get(report.name, ()), expectations, now)
        if not leaving:
            continue
        first = min(days[0].first for days in leaving.values())
        last = max(days[-1].last for days in leaving.values())
        accounts = tuple(sorted({customer_id for customer_id, _ in leaving}))
        taken = ledger.authoritative_days(StateFilter(GOOGLE_ADS, accounts, (report.name,), first, last)).days
        missing = {pair: rest for pair, days in leaving.items() if (rest := without(days, taken.get(pair, ())))}
        if missing:
            yield _lost(report, missing)


def _leaving(
    report: ReportDefinition, expected: Iterable[Expectation], expectations: Expectations, now: datetime
) -> dict[Pair, DayRanges]:
    """The days that are expected of the report and that the API soon has no more, by account."""
    found: dict[Pair, list[DayRange]] = {}
    for one in expected if report.kind.has_history else ():
        days = report_days(report, expectations.zone_of(one.customer_id), now)
        kept = (days.today - days.first_kept).days
        end = min(
            days.first_kept + min(LEAVING_DAYS, kept // 4) * _A_DAY, one.last_day or days.window.last, days.window.last
        )
        first = max(days.first_kept, one.first_day)
        if first < end:
            found.setdefault((one.customer_id, one.report), []).append(DayRange(first, end - _A_DAY))
    return {pair: united(days) for pair, days in found.items()}


def _lost(report: ReportDefinition, missing: Mapping[Pair, DayRanges]) -> Finding:
    first, last = min(days[0].first for days in missing.values()), max(days[-1].last for days in missing.values())
    accounts = sorted({customer_id for customer_id, _ in missing})
    named = ", ".join(accounts[:3]) + (f" and {len(accounts) - 3} more" if len(accounts) > 3 else "")
    number = sum(map(number_of, missing.values()))
    return Finding(
        f"report {report.name}",
        f"{number} days from {first} to {last} were never taken, and the API soon has them no more: {named}",
        warning=f"take them now: `Pipeline.backfill` from {first} to {last}",
    )
