"""When the schedule of a report last fired in an account's zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronsim import CronSim

from gads_orchestrator.plan import Account, zone_of

if TYPE_CHECKING:
    from gads_domain.report import ReportDefinition
    from gads_pipeline.configuration import Configuration

_LONGER_THAN_ANY_REPEAT = timedelta(hours=2)

NEVER = datetime(1, 1, 2, tzinfo=UTC)
"""Stands for a schedule that has not fired in years: it starts nothing."""


def last_firing(cron: str, zone: str, now: datetime) -> datetime:
    """The newest moment at or before `now` at which `cron` fires in `zone`, in UTC.

    What would fire in an hour that the clock skips fires right after it; in an hour that the clock repeats it fires
    once, as with cron itself.
    """
    local = now.astimezone(zone_of(zone))
    # Searching backwards excludes its start. While an hour is repeated, what fired in its first pass shows a later time
    # on the clock than it is now.
    start = local + (_LONGER_THAN_ANY_REPEAT if local.fold else timedelta(seconds=1))
    fired = (found.astimezone(UTC) for found in CronSim(cron, start, reverse=True))
    return next((moment for moment in fired if moment <= now), NEVER)


def opened_by(configuration: Configuration) -> Callable[[Account, ReportDefinition, datetime], datetime | None]:
    """The last firing of a report's schedule, computed once for each zone and moment."""
    known: dict[tuple[str, str, datetime], datetime] = {}

    def opened_at(account: Account, report: ReportDefinition, now: datetime) -> datetime | None:
        cron = configuration.cron_of(report.name)
        if cron is None:
            return None
        asked = (cron, account.time_zone, now)
        if asked not in known:
            known.clear() if len(known) > 1000 else None
            known[asked] = last_firing(cron, account.time_zone, now)
        return known[asked]

    return opened_at
