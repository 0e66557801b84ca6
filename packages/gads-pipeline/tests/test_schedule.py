from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from gads_domain.errors import ConfigurationError
from gads_domain.report import ReportDefinition, ReportKind
from gads_orchestrator.plan import Account, WorkRequest, zone_of
from gads_orchestrator.selection import Days, Reason, SelectDue
from gads_pipeline.configuration import Configuration
from gads_pipeline.control_plane_configuration import RetrySection, ScheduleSection
from gads_pipeline.schedule import last_firing, opened_by

DOCS = Path(__file__).parents[3] / "docs" / "operating.md"


@pytest.mark.parametrize(
    ("cron", "zone", "now", "expected"),
    [
        ("0 5 * * *", "UTC", "2024-06-10T05:00", "2024-06-10T05:00"),
        ("0 5 * * *", "UTC", "2024-06-10T04:59", "2024-06-09T05:00"),
        ("0 5 * * *", "Asia/Tokyo", "2024-06-10T04:59", "2024-06-09T20:00"),
        ("0 5 * * MON", "UTC", "2024-06-16T12:00", "2024-06-10T05:00"),
        # Berlin has no 02:30 on the 31st of March, and two of them on the 27th of October.
        ("30 2 * * *", "Europe/Berlin", "2024-03-31T12:00", "2024-03-31T01:00"),
        ("30 2 * * *", "Europe/Berlin", "2024-10-27T12:00", "2024-10-27T00:30"),
        ("30 2 * * *", "Europe/Berlin", "2024-10-27T00:45", "2024-10-27T00:30"),
        ("30 2 * * *", "Europe/Berlin", "2024-10-27T01:10", "2024-10-27T00:30"),
        ("30 2 * * *", "Europe/Berlin", "2024-10-27T01:40", "2024-10-27T00:30"),
        ("0 5 * * *", "Europe/Berlin", "2024-10-27T01:10", "2024-10-26T03:00"),
        ("*/15 * * * *", "Europe/Berlin", "2024-10-27T01:10", "2024-10-27T01:00"),
    ],
)
def test_the_last_firing_is_in_the_accounts_zone(cron: str, zone: str, now: str, expected: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert last_firing(cron, zone, moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def scheduled(*schedules: dict[str, object], **sections: object) -> Configuration:
    document = {
        "storage": {"sink": "file:raw", "state": "sqlite:s"},
        "reports": [{"name": "campaign"}, {"name": "ad_group"}],
        "schedules": list(schedules),
    }
    return Configuration.of({**document, **sections}, Path("gads.toml"))


def test_a_schedule_is_for_the_reports_that_it_names_or_for_the_rest() -> None:
    sections = scheduled({"cron": "0 5 * * *", "reports": ["campaign"]}, {"cron": "0 7 * * *"})
    assert (sections.cron_of("campaign"), sections.cron_of("ad_group")) == ("0 5 * * *", "0 7 * * *")
    assert scheduled().cron_of("campaign") is None
    with pytest.raises(ConfigurationError, match="two schedules are for all other reports"):
        scheduled({"cron": "0 5 * * *"}, {"cron": "0 6 * * *"})


@pytest.mark.parametrize("cron", ["", "0 5 * *", "61 5 * * *", "0 5 * * * *", "0 0 31 2 *"])
def test_what_is_no_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(ValidationError, match="cron"):
        ScheduleSection(cron=cron)


def test_a_new_day_waits_for_the_schedule_and_a_backfill_does_not() -> None:
    sections = scheduled({"cron": "0 5 * * *"})
    report = ReportDefinition("campaign", "SELECT", restatement_days=2)
    tokyo = Account("1", "Asia/Tokyo")
    yesterday = date(2024, 6, 9)

    def reason(hour: int, day: date) -> object:
        # 2024-06-10 in Tokyo begins at 15:00 UTC of the day before.
        now = datetime(2024, 6, 9, 15, tzinfo=UTC) + timedelta(hours=hour)
        request = WorkRequest((tokyo,), (report,), now, SelectDue(), date(2024, 6, 1), opened_at=opened_by(sections))
        return SelectDue().of_untouched(day, request.days_of(tokyo, report))

    assert reason(4, yesterday) is None
    assert reason(5, yesterday) is Reason.NEW
    assert reason(4, yesterday - timedelta(days=1)) is Reason.NEW
    assert reason(4, date(2024, 6, 1)) is Reason.BACKFILL


def test_a_snapshot_of_today_waits_for_todays_firing() -> None:
    today = date(2024, 6, 10)
    report = ReportDefinition("budget", "SELECT", kind=ReportKind.SNAPSHOT)
    assert report.restatement_days == 0

    def days(opened: datetime) -> Days:
        return Days(today, today, today, today, today, today, zone_of("UTC"), opened)

    before, after = datetime(2024, 6, 9, 5, tzinfo=UTC), datetime(2024, 6, 10, 5, tzinfo=UTC)
    assert SelectDue().of_untouched(today, days(before)) is None
    assert SelectDue().of_untouched(today, days(after)) is Reason.NEW


def test_the_settings_in_the_docs_are_settings() -> None:
    text = DOCS.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    sections = scheduled(**{"schedules": (), **tomllib.loads(text)})
    assert sections.run.workers == 4
    assert sections.retry.policy == RetrySection().policy.__class__(rules=sections.retry.policy.rules)
    assert sections.quota.budget.limit == 15_000
