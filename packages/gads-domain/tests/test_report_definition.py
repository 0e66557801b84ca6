from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from gads_domain.errors import InvalidValueError
from gads_domain.report import DEFAULT_RESTATEMENT_DAYS, History, ReportDefinition, ReportKind, ReportSlice, slices

DAY = date(2024, 6, 1)
QUERY = "SELECT campaign.id, segments.date FROM campaign"
DAILY = ReportDefinition("campaign", QUERY)
SNAPSHOT = ReportDefinition("label", "SELECT label.id FROM label", kind=ReportKind.SNAPSHOT)
EVENT = ReportDefinition(
    "change_event",
    "SELECT change_event.change_date_time FROM change_event",
    kind=ReportKind.EVENT,
    date_field="change_event.change_date_time",
    row_limit=10_000,
)


def test_a_name_and_a_query_make_a_daily_report() -> None:
    assert ReportDefinition("campaign", QUERY, 2).schema_version == 2
    assert DAILY.kind is ReportKind.DAILY
    assert DAILY.restatement_days == DEFAULT_RESTATEMENT_DAYS
    assert DAILY.max_days_per_request is None
    assert DAILY.day_field == "segments.date"
    assert DAILY.supports("v1")


def test_each_kind_tells_its_day_by_another_field() -> None:
    assert SNAPSHOT.day_field is None
    assert EVENT.day_field == "change_event.change_date_time"


def test_a_snapshot_is_asked_for_one_day_and_never_again() -> None:
    asked = replace(SNAPSHOT, restatement_days=30, max_days_per_request=31)
    assert (asked.restatement_days, asked.max_days_per_request) == (0, 1)
    assert asked == SNAPSHOT


@pytest.mark.parametrize(
    ("definition", "change", "said"),
    [
        (DAILY, {"schema_version": 0}, "starts at 1"),
        (DAILY, {"restatement_days": 0}, "restatement_days"),
        (DAILY, {"max_days_per_request": 0}, "0 days"),
        (DAILY, {"date_field": "change_event.change_date_time"}, "no event"),
        (DAILY, {"row_limit": 10}, "no event"),
        (DAILY, {"grain": ("campaign",)}, "no field"),
        (DAILY, {"grain": ("campaign.id", "campaign.id")}, "named twice"),
        (DAILY, {"history": History("test", days=29)}, "history of 29 days"),
        (DAILY, {"first_api_version": "26"}, "not an API version"),
        (DAILY, {"first_api_version": "v10", "last_api_version": "v9"}, "reversed"),
        (SNAPSHOT, {"row_limit": 10}, "no event"),
        (SNAPSHOT, {"history": History("test")}, "history of 0 days"),
        (EVENT, {"date_field": None}, "date_field"),
        (EVENT, {"date_field": "change_date_time"}, "date_field"),
        (EVENT, {"row_limit": 0}, "row_limit"),
    ],
)
def test_what_contradicts_itself_is_refused(definition: ReportDefinition, change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        replace(definition, **change)  # type: ignore[arg-type]  # each row of the table fits its field


@pytest.mark.parametrize(
    ("first", "last", "supported"),
    [
        (None, None, "v8 v9 v10 v11"),
        ("v9", None, "v9 v10 v11"),
        (None, "v9", "v8 v9"),
        ("v9", "v10", "v9 v10"),
        ("v10", "v10", "v10"),
    ],
)
def test_versions_are_numbers_and_both_ends_belong(first: str | None, last: str | None, supported: str) -> None:
    definition = replace(DAILY, first_api_version=first, last_api_version=last)
    assert [version for version in ("v8", "v9", "v10", "v11") if definition.supports(version)] == supported.split()


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="not an API version"):
        DAILY.supports("26")


def test_slices_are_as_short_as_the_report_wants() -> None:
    days = [DAY + timedelta(days=n) for n in range(5)]
    clicks = replace(DAILY, max_days_per_request=1)
    assert [slice_.days for slice_ in slices("1", clicks, days, 31)] == [(day,) for day in days]
    assert [len(slice_.days) for slice_ in slices("1", replace(DAILY, max_days_per_request=3), days, 2)] == [
        2,
        2,
        1,
    ]
    assert [len(slice_.days) for slice_ in slices("1", DAILY, days, 31)] == [5]


def test_no_slice_is_longer_than_the_report_wants() -> None:
    clicks = replace(DAILY, max_days_per_request=2)
    assert ReportSlice("1", clicks, DAY, DAY + timedelta(days=1)).days
    with pytest.raises(InvalidValueError, match="may ask for 2 days"):
        ReportSlice("1", clicks, DAY, DAY + timedelta(days=2))
