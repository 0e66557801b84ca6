"""The API's behaviour without a transport."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gads_emulator import ApiFailureError, Call, SyntheticAgency, SyntheticSettings
from gads_emulator.api import Api
from gads_emulator.api_versions import load_version

Ask = Callable[..., list[Any]]


def _ask(api: Api, agency: SyntheticAgency, query: str, customer: int = 0) -> list[Any]:
    version = load_version("v26")
    request = version.stream_request(customer_id=agency.client_ids[customer], query=query)
    metadata = {"login-customer-id": agency.login_customer_id}
    pages = api.answer(Call(version, "SearchStream", request, metadata))
    return [row for page in pages for row in version.stream_response.FromString(page).results]


def test_rows_whose_selected_metrics_are_zero_are_dropped_when_segmented(agency: SyntheticAgency) -> None:
    api = Api(agency)
    query = "SELECT ad_group.id, segments.hour, {} FROM ad_group WHERE segments.date = '2024-03-05'"
    clicks = _ask(api, agency, query.format("metrics.clicks"))
    both = _ask(api, agency, query.format("metrics.clicks, metrics.impressions"))
    assert 0 < len(clicks) < len(both)
    assert all(row.metrics.clicks for row in clicks)
    # Zero clicks beside impressions stay, and are set.
    quiet = [row for row in both if not row.metrics.clicks]
    assert quiet
    assert all(row.metrics.HasField("clicks") and row.metrics.impressions for row in quiet)


def test_campaigns_without_activity_are_dropped_only_when_segmented(agency: SyntheticAgency) -> None:
    api = Api(agency)
    outside = "SELECT campaign.id, metrics.clicks FROM campaign{}"
    assert _ask(api, agency, outside.format(" WHERE segments.date = '2030-01-01'")) == []
    assert len(_ask(api, agency, outside.format(""))) == agency.settings.campaigns


@pytest.mark.parametrize(
    ("customer", "hour", "today"),
    [
        (0, 3, "2024-03-04"),  # America/New_York is still in the day before
        (1, 3, "2024-03-05"),  # Europe/Berlin is not
    ],
)
def test_a_day_is_in_the_time_zone_of_the_account(
    agency: SyntheticAgency, customer: int, hour: int, today: str
) -> None:
    api = Api(agency, now=lambda: datetime(2024, 3, 5, hour, tzinfo=UTC))
    rows = _ask(
        api,
        agency,
        "SELECT segments.date, metrics.impressions FROM customer WHERE segments.date DURING TODAY",
        customer,
    )
    assert [row.segments.date for row in rows] == [today]


def test_a_cached_answer_is_not_used_on_the_next_day(agency: SyntheticAgency) -> None:
    moment = datetime(2024, 3, 5, 12, tzinfo=UTC)
    api = Api(agency, now=lambda: moment)
    query = "SELECT segments.date, metrics.impressions FROM customer WHERE segments.date DURING YESTERDAY"
    assert [row.segments.date for row in _ask(api, agency, query)] == ["2024-03-04"]
    moment = datetime(2024, 3, 6, 12, tzinfo=UTC)
    assert [row.segments.date for row in _ask(api, agency, query)] == ["2024-03-05"]


def test_a_customer_id_that_is_not_a_number_is_refused(agency: SyntheticAgency) -> None:
    version = load_version("v26")
    request = version.stream_request(customer_id="123-456-7890", query="SELECT customer.id FROM customer")
    with pytest.raises(ApiFailureError) as caught:
        list(Api(agency).answer(Call(version, "SearchStream", request, {})))
    assert caught.value.code == "INVALID_CUSTOMER_ID"


def test_click_view_needs_one_day_and_changes_need_a_limit(agency: SyntheticAgency) -> None:
    api = Api(agency)
    changes = "SELECT change_event.resource_name FROM change_event WHERE change_event.change_date_time"
    for query, code in (
        (
            "SELECT click_view.gclid FROM click_view WHERE segments.date BETWEEN '2024-01-01' AND '2024-01-02'",
            "EXPECTED_FILTER_ON_A_SINGLE_DAY",
        ),
        (f"{changes} DURING LAST_7_DAYS", "LIMIT_NOT_SPECIFIED"),
        (f"{changes} DURING LAST_7_DAYS LIMIT 10001", "INVALID_LIMIT_CLAUSE"),
        (f"{changes} >= '2024-01-01' LIMIT 1", "CHANGE_DATE_RANGE_INFINITE"),
    ):
        with pytest.raises(ApiFailureError) as caught:
            _ask(api, agency, query)
        assert caught.value.code == code
    one_day = "SELECT click_view.gclid FROM click_view WHERE segments.date = '2024-01-01'"
    rows = _ask(api, agency, one_day)
    assert len({row.click_view.gclid for row in rows}) == len(rows) > 0


def test_an_error_code_that_a_version_lacks_becomes_unknown() -> None:
    failure = ApiFailureError("query_error", "NOT_YET_KNOWN", "new").to_message(load_version("v23"), "id")
    assert failure.errors[0].error_code.query_error == 1


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            "SELECT segments.date, metrics.clicks FROM campaign WHERE segments.date BETWEEN '{}' AND '2024-06-01'",
            (date(2021, 5, 15), "date_range_error", "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED"),
        ),
        (
            "SELECT segments.date, click_view.gclid FROM click_view WHERE segments.date = '{}'",
            (date(2024, 3, 17), "click_view_error", "DATE_TOO_OLD"),
        ),
        (
            "SELECT change_event.change_date_time FROM change_event WHERE change_event.change_date_time BETWEEN '{}' "
            "AND '2024-06-01' LIMIT 9",
            (date(2024, 5, 16), "change_event_error", "START_DATE_TOO_OLD"),
        ),
    ],
)
def test_days_beyond_the_history_are_refused_unless_everything_is_kept(
    query: str, error: tuple[date, str, str]
) -> None:
    first_kept, group, code = error
    too_old = query.format(first_kept - timedelta(days=1))
    strict, generous = (
        SyntheticAgency(SyntheticSettings(accounts=1, keeps_everything=keeps)) for keeps in (False, True)
    )
    clock = datetime(2024, 6, 15, 18, tzinfo=UTC)
    _ask(Api(strict, now=lambda: clock), strict, query.format(first_kept))
    with pytest.raises(ApiFailureError) as caught:
        _ask(Api(strict, now=lambda: clock), strict, too_old)
    assert (caught.value.group, caught.value.code) == (group, code)
    _ask(Api(generous, now=lambda: clock), generous, too_old)


def test_figures_by_month_are_kept_longer_than_figures_by_day() -> None:
    agency = SyntheticAgency(SyntheticSettings(accounts=1))
    months = (
        "SELECT segments.month, metrics.clicks FROM campaign WHERE segments.date BETWEEN '2024-01-01' AND '2024-03-31'"
    )
    assert _ask(Api(agency, now=lambda: datetime(2034, 6, 15, tzinfo=UTC)), agency, months)
