"""A folder of rows, asked through the API's core."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from gads_domain.errors import ConfigurationError
from gads_emulator import Agency, ApiFailureError, Call, RecordedAgency, SyntheticAgency, SyntheticSettings
from gads_emulator.api import Api
from gads_emulator.api_versions import load_version

OWNER = "customers/1234567890"
Write = Callable[[str, list[dict[str, Any]]], Path]
Ask = Callable[..., list[Any]]


def _day(campaign_id: int, day: str, hour: int, **metrics: Any) -> dict[str, Any]:
    return {
        "campaign": {
            "id": str(campaign_id),
            "name": "Кампания",
            "resource_name": f"{OWNER}/campaigns/{campaign_id}",
            "labels": [f"{OWNER}/labels/1"],
            "target_spend": {},
        },
        "segments": {"date": day, "hour": hour},
        "metrics": metrics,
    }


@pytest.fixture
def campaigns(write: Write) -> None:
    write(
        "campaign",
        [
            _day(5_000_000_001, "2024-01-01", 1, clicks="2", impressions="10", ctr=0.2, cost_micros="300"),
            _day(5_000_000_001, "2024-01-01", 2, clicks="0", impressions="30", ctr=0.0, cost_micros="0"),
            _day(5_000_000_001, "2024-01-08", 1, clicks="1", impressions="10", ctr=0.1, cost_micros="150"),
            _day(5_000_000_002, "2024-01-01", 1, clicks="0", impressions="0", ctr=0.0, cost_micros="0"),
            _day(5_000_000_003, "2024-02-01", 1, clicks="7"),
        ],
    )


@pytest.mark.usefixtures("campaigns")
class TestSums:
    def test_rows_are_served_as_recorded(self, ask: Ask) -> None:
        rows = ask(
            "SELECT campaign.id, segments.date, segments.hour, metrics.clicks FROM campaign "
            "WHERE segments.date BETWEEN '2024-01-01' AND '2024-01-31'"
        )
        assert [row.metrics.clicks for row in rows] == [2, 0, 1, 0]

    def test_a_zero_is_set_and_an_absent_metric_is_not(self, ask: Ask) -> None:
        rows = ask("SELECT campaign.id, metrics.clicks, metrics.impressions FROM campaign ORDER BY campaign.id")
        assert [row.metrics.HasField("impressions") for row in rows] == [True, True, False]
        assert rows[1].metrics.HasField("clicks")
        assert rows[1].metrics.clicks == 0

    def test_hours_add_up_to_days_and_ratios_are_recomputed(self, ask: Ask) -> None:
        rows = ask(
            "SELECT campaign.id, segments.date, metrics.clicks, metrics.impressions, metrics.ctr, metrics.average_cpc "
            "FROM campaign WHERE segments.date = '2024-01-01' AND campaign.id = 5000000001"
        )
        (row,) = rows
        assert (row.metrics.clicks, row.metrics.impressions) == (2, 40)
        assert row.metrics.ctr == 2 / 40
        # The rows have no average_cpc, so there is nothing to be combined.
        assert not row.metrics.HasField("average_cpc")

    def test_a_cost_per_click_is_not_an_average_of_averages(self, write: Write, ask: Ask) -> None:
        day = "2024-03-01"
        rows = [
            _day(1, day, 1, clicks="1", impressions="1000", cost_micros="100", average_cpc=100.0),
            _day(1, day, 2, clicks="9", impressions="10", cost_micros="90", average_cpc=10.0),
        ]
        write("campaign", rows)
        (row,) = ask("SELECT metrics.average_cpc FROM campaign")
        assert row.metrics.average_cpc == 19.0

    def test_counts_are_summed_whatever_their_names_contain(self, write: Write, ask: Ask) -> None:
        counts = {
            "conversions_by_conversion_date": 1.5,
            "video_watch_time_duration_millis": "7",
            "view_through_conversions": "1",
        }
        write("campaign", [_day(1, "2024-03-01", hour, impressions="1", **counts) for hour in (1, 2)])
        (row,) = ask(f"SELECT {', '.join(f'metrics.{name}' for name in counts)} FROM campaign")
        assert row.metrics.conversions_by_conversion_date == 3
        assert row.metrics.video_watch_time_duration_millis == 14
        assert row.metrics.view_through_conversions == 2

    def test_a_count_of_people_is_not_summed(self, write: Write, ask: Ask) -> None:
        write("campaign", [_day(1, "2024-03-01", hour, unique_users=str(hour)) for hour in (5, 6)])
        (row,) = ask("SELECT metrics.unique_users FROM campaign")
        assert row.metrics.unique_users == 6

    def test_a_share_without_parts_is_weighted_by_impressions(self, write: Write, ask: Ask) -> None:
        shares = ((10, 0.5), (30, 0.9))
        rows = [_day(1, "2024-03-01", 1, impressions=str(n), search_impression_share=s) for n, s in shares]
        write("campaign", rows)
        (row,) = ask("SELECT metrics.search_impression_share FROM campaign")
        assert row.metrics.search_impression_share == pytest.approx(0.8)

    def test_weeks_and_months_follow_from_days(self, ask: Ask) -> None:
        rows = ask(
            "SELECT segments.week, segments.day_of_week, metrics.clicks FROM campaign "
            "WHERE segments.week >= '2024-01-01' AND segments.week <= '2024-01-08' AND campaign.id = 5000000001"
        )
        assert [(row.segments.week, row.metrics.clicks) for row in rows] == [("2024-01-01", 2), ("2024-01-08", 1)]
        assert {row.segments.day_of_week for row in rows} == {2}

    def test_metrics_are_filtered_after_summing(self, ask: Ask) -> None:
        rows = ask("SELECT campaign.id FROM campaign WHERE metrics.clicks >= 3")
        assert [row.campaign.id for row in rows] == [5_000_000_001, 5_000_000_003]

    def test_rows_of_different_resources_are_never_summed(self, ask: Ask) -> None:
        rows = ask("SELECT metrics.clicks FROM campaign PARAMETERS omit_unselected_resource_names = true")
        assert [row.metrics.clicks for row in rows] == [3, 0, 7]
        assert not any(row.HasField("campaign") for row in rows)

    def test_rows_are_ordered_and_limited(self, ask: Ask) -> None:
        query = "SELECT campaign.id, metrics.clicks, metrics.impressions FROM campaign ORDER BY {} LIMIT 2"
        first = ask(query.format("metrics.clicks DESC"))
        assert [row.metrics.clicks for row in first] == [7, 3]
        unset_first = ask(query.format("metrics.impressions, campaign.id"))
        assert [row.campaign.id for row in unset_first] == [5_000_000_003, 5_000_000_002]

    def test_summed_rows_keep_repeated_fields(self, ask: Ask) -> None:
        rows = ask("SELECT campaign.labels, metrics.clicks FROM campaign LIMIT 1")
        assert list(rows[0].campaign.labels) == [f"{OWNER}/labels/1"]

    def test_a_whole_message_can_be_selected(self, ask: Ask) -> None:
        rows = ask("SELECT campaign.target_spend FROM campaign LIMIT 1")
        assert rows[0].campaign.HasField("target_spend")


def test_the_owner_is_found_in_any_resource_name(write: Write, ask: Ask, folder: Path) -> None:
    write("ad_group", [{"ad_group": {"resource_name": "customers/77/adGroups/1", "type_": "SEARCH_STANDARD"}}])
    write("label", [{"customer": {"id": "1234567890"}, "label": {"name": "x"}}])
    assert list(RecordedAgency(folder).accounts) == ["1234567890", "77"]
    (row,) = ask("SELECT ad_group.type, customer.id FROM ad_group", "77")
    assert row.ad_group.type == 2
    assert row.customer.resource_name == "customers/77"
    assert ask("SELECT ad_group.type FROM ad_group") == []


def test_names_of_joined_resources_follow_from_the_row(write: Write, ask: Ask) -> None:
    write("ad_group", [{"ad_group": {"resource_name": f"{OWNER}/adGroups/1", "campaign": f"{OWNER}/campaigns/2"}}])
    (row,) = ask("SELECT campaign.name FROM ad_group")
    assert row.campaign.resource_name == f"{OWNER}/campaigns/2"
    assert not row.campaign.HasField("name")


def test_reserved_words_are_read_in_both_spellings(write: Write, ask: Ask) -> None:
    names = [
        {"ad_group": {"resource_name": f"{OWNER}/adGroups/{n}", key: "SEARCH_STANDARD"}}
        for n, key in ((1, "type_"), (2, "type"))
    ]
    write("ad_group", names)
    assert [row.ad_group.type for row in ask("SELECT ad_group.type FROM ad_group")] == [2, 2]


def test_fields_of_another_version_are_dropped_with_one_warning(
    write: Write, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"campaign": {"resource_name": f"{OWNER}/campaigns/1", "id": "1", "left_long_ago": 1}}
    write("campaign", [row, row])
    with caplog.at_level(logging.WARNING):
        assert ask("SELECT campaign.id FROM campaign")
    assert [record.getMessage() for record in caplog.records] == [
        "campaign.jsonl: v26 has no field campaign.left_long_ago; dropped"
    ]


def test_an_unknown_enum_number_is_served_as_it_is_and_an_unknown_name_as_unknown(write: Write, ask: Ask) -> None:
    rows = [
        {"campaign": {"resource_name": f"{OWNER}/campaigns/{n}", "status": status}}
        for n, status in ((1, 99), (2, "LATER"))
    ]
    write("campaign", rows)
    assert [row.campaign.status for row in ask("SELECT campaign.status FROM campaign")] == [99, 1]


def test_a_folder_without_accounts_files_still_lists_them(write: Write, ask: Ask) -> None:
    write("label", [{"customer": {"id": "1234567890", "currency_code": "EUR"}, "label": {"name": "x"}}])
    (row,) = ask("SELECT customer_client.id, customer_client.level FROM customer_client")
    assert (row.customer_client.id, row.customer_client.HasField("level")) == (1234567890, True)
    (row,) = ask("SELECT customer.currency_code FROM customer")
    assert row.customer.currency_code == "EUR"
    assert ask("SELECT campaign.id FROM campaign") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1"),
        ("[]\n", "line 1: not a JSON object"),
        ('{"customer": {"id": "1"}}\n{"campaign": {"id": "1"}}\n', "line 2: no customer in this row"),
        ("\udcff", "campaign.jsonl"),
    ],
)
def test_an_error_names_the_line_of_an_invalid_file(folder: Path, content: str, said: str) -> None:
    (folder / "campaign.jsonl").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError) as caught:
        RecordedAgency(folder)
    assert said in caught.value.message


def test_an_error_names_the_line_of_an_invalid_value(write: Write, ask: Ask) -> None:
    write("campaign", [{"customer": {"id": "1234567890"}, "campaign": {"id": "many"}}])
    with pytest.raises(ConfigurationError, match=r"line 1: campaign\.id: 'many' is not a number"):
        ask("SELECT campaign.id FROM campaign")


def test_an_empty_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no \.jsonl files"):
        RecordedAgency(folder)


class TestRowsOfOneResourceRecordedWithDifferentFields:
    """A resource has one state: what only some of its rows say belongs to all of them."""

    QUERY = (
        "SELECT campaign_budget.id, campaign_budget.name, campaign_budget.type, segments.date, metrics.clicks "
        "FROM campaign_budget WHERE segments.date BETWEEN '2024-01-01' AND '2024-01-02'"
    )

    @staticmethod
    def _budget(day: str, clicks: int, association: str, **attributes: Any) -> dict[str, Any]:
        name = f"{OWNER}/campaignBudgets/5"
        return {
            "campaign_budget": {"id": "5", "name": "Everyday", "resource_name": name, **attributes},
            "segments": {
                "date": day,
                "budget_campaign_association_status": {"campaign": f"{OWNER}/campaigns/1", "status": association},
            },
            "metrics": {"clicks": str(clicks)},
        }

    def test_no_two_rows_have_the_same_grain(self, write: Write, ask: Ask) -> None:
        write(
            "campaign_budget",
            [
                self._budget("2024-01-01", 4, "ENABLED", type_="STANDARD", amount_micros="1"),
                self._budget("2024-01-01", 3, "REMOVED"),
                self._budget("2024-01-01", 2, "UNKNOWN", amount_micros="9"),
                self._budget("2024-01-02", 1, "ENABLED"),
            ],
        )
        rows = ask(self.QUERY)
        assert [(row.segments.date, row.metrics.clicks) for row in rows] == [("2024-01-01", 9), ("2024-01-02", 1)]
        assert {row.campaign_budget.type for row in rows} == {2}

    def test_rows_with_different_attributes_are_not_summed(self, write: Write, ask: Ask) -> None:
        write(
            "campaign_budget",
            [
                self._budget("2024-01-01", 4, "ENABLED", type_="STANDARD"),
                self._budget("2024-01-01", 3, "ENABLED", type_="FIXED_CPA"),
            ],
        )
        assert [row.metrics.clicks for row in ask(self.QUERY)] == [4, 3]


def _client(above: str, number: str, level: int, **more: Any) -> dict[str, Any]:
    name = f"customers/{above}/customerClients/{number}"
    return {
        "customer": {"id": above},
        "customerClient": {"resourceName": name, "id": number, "level": level, **more},
    }


def test_recorded_clients_say_who_reaches_an_account(write: Write, folder: Path) -> None:
    top, north, south, both = "1000000001", "1000000002", "1000000003", "2000000001"
    rows = [_client(manager, manager, 0, manager=True) for manager in (top, north, south)]
    rows += [_client(top, north, 1, manager=True), _client(top, south, 1, manager=True), _client(top, both, 2)]
    rows += [
        _client(manager, both, 1, descriptiveName="Both", timeZone="Asia/Tokyo", status="ENABLED")
        for manager in (north, south)
    ]
    write("customer_client", rows)
    write("campaign", [{"customer": {"id": "3000000001"}, "campaign": {"id": "1"}}])
    agency = RecordedAgency(folder)
    assert agency.login_customer_id == top
    assert (agency.accounts[both].name, agency.accounts[both].time_zone) == ("Both", "Asia/Tokyo")
    version = load_version("v26")

    def reached(number: str, **metadata: str) -> bool:
        request = version.stream_request(customer_id=number, query="SELECT campaign.id FROM campaign")
        try:
            list(Api(agency).answer(Call(version, "SearchStream", request, metadata)))
        except ApiFailureError as error:
            return error.code != "USER_PERMISSION_DENIED"
        return True

    for login in (top, north, south, both):
        assert reached(both, **{"login-customer-id": login})
    assert not reached(both)
    assert not reached(north, **{"login-customer-id": south})
    assert not reached("3000000001", **{"login-customer-id": top})
    assert reached("3000000001")
    listed = Api(agency).answer(Call(version, "ListAccessibleCustomers", version.accessible_request(), {}))
    (answer,) = [version.accessible_response.FromString(page) for page in listed]
    assert list(answer.resource_names) == [f"customers/{top}", "customers/3000000001"]


def test_a_recorded_client_without_a_number_is_named(write: Write, folder: Path) -> None:
    write("customer_client", [{"customer": {"id": "1000000001"}, "customer_client": {"level": 1}}])
    with pytest.raises(ConfigurationError, match=r"customer_client\.jsonl, line 1: no customer_client\.id"):
        RecordedAgency(folder)


def test_rows_are_read_back_as_protobuf_writes_them_as_json(folder: Path) -> None:
    """int64 as text, bytes in base64, masks as text, camelCase in names of files, fields and masks."""
    version = load_version("v26")
    synthetic = SyntheticAgency(SyntheticSettings(accounts=1, campaigns=2, keeps_everything=True))
    customer = synthetic.client_ids[0]
    # Whole days that are over in every zone: the two agencies need not agree on what today is.
    first, last = (datetime.now(UTC).date() - timedelta(days=ago) for ago in (9, 3))
    moment = f"change_event.change_date_time BETWEEN '{first}' AND '{last} 23:59:59' LIMIT 100"
    queries = {
        "campaign": "campaign.id, campaign.labels, campaign.target_spend.cpc_bid_ceiling_micros, segments.date, "
        "segments.hour, metrics.cost_micros, metrics.ctr FROM campaign WHERE segments.date = '2024-03-04'",
        "asset": "asset.type, asset.image_asset.data, asset.image_asset.full_size.url FROM asset",
        "adGroupAd": "ad_group_ad.ad.responsive_search_ad.headlines, ad_group_ad.ad.final_urls FROM ad_group_ad",
        "changeEvent": f"change_event.changed_fields, change_event.new_resource, change_event.change_date_time "
        f"FROM change_event WHERE {moment}",
        "languageConstant": "language_constant.id, language_constant.name FROM language_constant",
        "geoTargetConstant": "geo_target_constant.id FROM geo_target_constant",
    }

    def asked(agency: Agency, query: str, **metadata: str) -> list[Any]:
        request = version.stream_request(customer_id=customer, query=f"SELECT {query}")
        pages = Api(agency).answer(Call(version, "SearchStream", request, metadata))
        return [row for page in pages for row in version.stream_response.FromString(page).results]

    login = {"login-customer-id": synthetic.login_customer_id}
    rows = {name: asked(synthetic, query, **login) for name, query in queries.items()}
    for name, found in rows.items():
        lines = [json.dumps(json.loads(MessageToJson(row))).replace("/", "\\/") for row in found]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    recorded = RecordedAgency(folder)
    assert set(recorded.accounts) == {customer}
    for name, query in queries.items():
        assert rows[name]
        assert asked(recorded, query) == rows[name], name


def test_constants_are_every_accounts(write: Write, ask: Ask, folder: Path) -> None:
    constants = [{"languageConstant": {"resourceName": "languageConstants/1000", "id": "1000"}}]
    write("languageConstant", constants)
    with pytest.raises(ConfigurationError, match="its rows belong to no account"):
        RecordedAgency(folder)
    write("customer", [{"customer": {"id": number}} for number in ("1234567890", "1234567891")])
    for number in ("1234567890", "1234567891"):
        (row,) = ask("SELECT language_constant.id FROM language_constant", number)
        assert row.language_constant.id == 1000


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"campaign": {"labels": "x"}}, "campaign.labels: 'x' is not a list"),
        ({"campaign": {"network_settings": "x"}}, "campaign.network_settings: 'x' is not an object"),
        ({"asset": {"image_asset": {"data": "?"}}}, "asset.image_asset.data: '[?]' is not base64"),
    ],
)
def test_a_value_of_another_shape_is_named(write: Write, ask: Ask, row: dict[str, Any], said: str) -> None:
    (resource,) = row
    write(resource, [{"customer": {"id": "1234567890"}, **row}])
    with pytest.raises(ConfigurationError, match=said):
        ask(f"SELECT {resource}.resource_name FROM {resource}")
