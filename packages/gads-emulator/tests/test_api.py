"""The API's behaviour without a transport."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gads_emulator import ApiFailureError, Call, SyntheticAgency
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
    query = "SELECT ad_group_ad.ad.id, segments.hour, {} FROM ad_group_ad WHERE segments.date = '2024-03-05'"
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
    for query, code in (
        (
            "SELECT click_view.gclid FROM click_view WHERE segments.date BETWEEN '2024-01-01' AND '2024-01-02'",
            "EXPECTED_FILTERS_ON_DATE_RANGE",
        ),
        ("SELECT change_event.resource_name FROM change_event", "LIMIT_NOT_SPECIFIED"),
        ("SELECT change_event.resource_name FROM change_event LIMIT 10001", "INVALID_LIMIT_CLAUSE"),
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
