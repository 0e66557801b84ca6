"""Every resource, attribute, segment and metric of the synthetic agency, asked through the API's core."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gads_emulator import ApiFailureError, Call, SyntheticAgency, SyntheticSettings
from gads_emulator.api import Api
from gads_emulator.api_versions import load_version
from gads_emulator.field_service import get_field, search_fields

TODAY = date(2024, 6, 15)
CONDITIONS = {
    "change_event": "change_event.change_date_time DURING LAST_30_DAYS LIMIT 10000",
    "change_status": "change_status.last_change_date_time DURING LAST_30_DAYS LIMIT 10000",
    "click_view": "segments.date = '2024-04-05'",
}
Ask = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def synthetic() -> SyntheticAgency:
    return SyntheticAgency(SyntheticSettings(accounts=1))


def make_ask(agency: SyntheticAgency, today: Callable[[], date] = lambda: TODAY) -> Ask:
    # Noon in the account's own zone, as near as it matters.
    api = Api(agency, now=lambda: datetime(today().year, today().month, today().day, 18, tzinfo=UTC))

    def ask(query: str, version_name: str = "v26") -> list[Any]:
        version = load_version(version_name)
        request = version.stream_request(customer_id=agency.client_ids[0], query=query)
        headers = {"login-customer-id": agency.login_customer_id}
        pages = api.answer(Call(version, "SearchStream", request, headers))
        return [row for page in pages for row in version.stream_response.FromString(page).results]

    return ask


@pytest.fixture(scope="module")
def ask(synthetic: SyntheticAgency) -> Ask:
    return make_ask(synthetic)


def _names(version: str, what: str) -> list[str]:
    return [field.name for field in search_fields(load_version(version), f"SELECT name WHERE {what}")]


@pytest.mark.parametrize(
    "version", ["v26", *(pytest.param(old, marks=pytest.mark.campaign) for old in ("v23", "v24", "v25"))]
)
def test_every_resource_has_rows_and_every_attribute_can_be_selected(ask: Ask, version: str) -> None:
    without_rows = []
    for resource in _names(version, "category = 'RESOURCE'"):
        paths = _names(version, f"category = 'ATTRIBUTE' AND name LIKE '{resource}.%'")
        condition = CONDITIONS.get(resource)
        rows = ask(f"SELECT {', '.join(paths)} FROM {resource}" + (f" WHERE {condition}" if condition else ""), version)
        names = {getattr(row, resource).resource_name for row in rows}
        if not rows or "" in names:
            without_rows.append(resource)
    assert without_rows == []


def test_every_attribute_alone_has_a_value(ask: Ask) -> None:
    """Of a oneof only the members that the thing is have one, so `campaign` is asked for what is no part of one."""
    version = load_version("v26")
    descriptor = version.row.DESCRIPTOR.fields_by_name["campaign"].message_type
    unset = []
    for field in descriptor.fields:
        if field.message_type is None and (field.containing_oneof is None or len(field.containing_oneof.fields) == 1):
            path = f"campaign.{field.name.rstrip('_')}"
            row = ask(f"SELECT {path} FROM campaign LIMIT 1")[0].campaign
            if not (
                len(getattr(row, field.name))
                if field.is_repeated
                else row.HasField(field.name)
                if field.has_presence
                else getattr(row, field.name)
            ):
                unset.append(path)
    assert unset == []


def test_of_a_oneof_one_member_is_set(ask: Ask) -> None:
    rows = ask(
        "SELECT ad_group_criterion.type, ad_group_criterion.keyword.text, ad_group_criterion.age_range.type, "
        "ad_group_criterion.gender.type, ad_group_criterion.user_list.user_list FROM ad_group_criterion"
    )
    expected = {"KEYWORD": "keyword", "AGE_RANGE": "age_range", "GENDER": "gender", "USER_LIST": "user_list"}
    seen = set()
    for row in rows:
        criterion = row.ad_group_criterion
        kind = type(criterion).DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[criterion.type].name
        assert criterion.WhichOneof("criterion") == expected.get(kind)
        seen.add(kind)
    assert seen >= expected.keys()


def test_an_attribute_is_the_same_wherever_it_is_read(ask: Ask) -> None:
    path = "campaign.tracking_url_template, campaign.id"
    own = {r.campaign.id: r.campaign.tracking_url_template for r in ask(f"SELECT {path} FROM campaign")}
    elsewhere = ask(f"SELECT {path}, ad_group.id FROM age_range_view")
    assert len(elsewhere) > len(own)
    assert all(own[row.campaign.id] == row.campaign.tracking_url_template for row in elsewhere)


def test_links_refer_to_resources_that_exist(ask: Ask) -> None:
    assets = {row.asset.id: row.asset.type for row in ask("SELECT asset.id, asset.type FROM asset")}
    links = ask("SELECT asset.id, asset.type, campaign_asset.asset, campaign_asset.field_type FROM campaign_asset")
    assert links
    assert all(assets[row.asset.id] == row.asset.type for row in links)
    assert all(row.campaign_asset.asset.endswith(f"/{row.asset.id}") for row in links)
    labels = {row.label.resource_name for row in ask("SELECT label.id FROM label")}
    linked = {row.label.resource_name for row in ask("SELECT label.id, campaign.id FROM campaign_label")}
    on_campaigns = {name for row in ask("SELECT campaign.labels FROM campaign") for name in row.campaign.labels}
    assert linked == on_campaigns <= labels


DAY = "segments.date = '2024-04-02'"
METRICS = "metrics.impressions, metrics.clicks, metrics.cost_micros, metrics.conversions"


CONVERSION_SEGMENTS = ("segments.conversion_", "segments.external_conversion_source")
NOT_THE_WHOLE = ("segments.click_type", "segments.keyword.")
NAMES = ("impressions", "clicks", "cost_micros", "conversions")


def _metrics(names: tuple[str, ...]) -> str:
    return ", ".join(f"metrics.{name}" for name in names)


def _sums(rows: list[Any], names: tuple[str, ...] = NAMES) -> tuple[float, ...]:
    return tuple(round(sum(getattr(row.metrics, name) for row in rows), 6) for name in names)


@pytest.mark.parametrize(
    "resource", ["campaign", "ad_group", "customer", "geographic_view", "search_term_view", "shopping_performance_view"]
)
def test_every_segment_adds_up_to_the_whole(ask: Ask, resource: str) -> None:
    names = ("impressions", "clicks", "cost_micros", "conversions", "all_conversions")
    whole = _sums(ask(f"SELECT {_metrics(names)} FROM {resource} WHERE {DAY}"), names)
    assert whole[0] > 0
    found = get_field(load_version("v26"), f"googleAdsFields/{resource}")
    for segment in (path for path in found.segments if not path.startswith(NOT_THE_WHOLE)):
        of = names[3:] if segment.startswith(CONVERSION_SEGMENTS) else names
        rows = ask(f"SELECT {segment}, {_metrics(of)} FROM {resource} WHERE {DAY}")
        assert _sums(rows, of) == whole[-len(of) :], segment
        assert len({row.SerializeToString() for row in rows}) == len(rows), segment


def test_every_metric_has_a_value_and_counts_add_up(ask: Ask) -> None:
    found = get_field(load_version("v26"), "googleAdsFields/campaign")
    names = [
        name
        for name in _names("v26", "category = 'METRIC' AND is_repeated = false AND data_type != 'MESSAGE'")
        if name in found.metrics
    ]
    whole = ask(f"SELECT {', '.join(names)} FROM campaign WHERE {DAY} LIMIT 1")[0]
    unset = [n for n in names if not _has(whole.metrics, n.removeprefix("metrics."))]
    assert unset == []
    parts = ask(
        f"SELECT segments.device, {', '.join(names)} FROM campaign "
        f"WHERE {DAY} AND campaign.resource_name = '{whole.campaign.resource_name}'"
    )
    for name in ("invalid_clicks", "all_conversions", "cross_device_conversions", "units_sold", "revenue_micros"):
        total = sum(getattr(row.metrics, name) for row in parts)
        assert getattr(whole.metrics, name) == pytest.approx(total), name


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT label.id, metrics.clicks FROM label", "PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE"),
        ("SELECT label.id, segments.date FROM label", "PROHIBITED_SEGMENT_IN_SELECT_OR_WHERE_CLAUSE"),
        ("SELECT metrics.cost_micros FROM conversion_action", "PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE"),
        ("SELECT segments.product_title FROM campaign", "PROHIBITED_SEGMENT_IN_SELECT_OR_WHERE_CLAUSE"),
        (
            "SELECT segments.conversion_action, metrics.conversions FROM campaign WHERE metrics.clicks > 0",
            "PROHIBITED_SEGMENT_WITH_METRIC_IN_SELECT_OR_WHERE_CLAUSE",
        ),
    ],
)
def test_what_cannot_be_selected_together_is_refused(ask: Ask, query: str, code: str) -> None:
    with pytest.raises(ApiFailureError) as caught:
        ask(query)
    assert (caught.value.group, caught.value.code) == ("query_error", code)


def _has(metrics: Any, name: str) -> bool:
    if "." in name:
        outer, inner = name.split(".")
        return _has(getattr(metrics, outer), inner)
    fields = metrics.DESCRIPTOR.fields_by_name
    field = fields.get(name) or fields[f"{name}_"]
    return not field.has_presence or bool(metrics.HasField(field.name))


def test_click_view_has_as_many_rows_as_the_ad_groups_have_clicks(ask: Ask) -> None:
    fields = "click_view.gclid, segments.device, segments.ad_network_type, metrics.clicks"
    clicks = ask(f"SELECT {fields} FROM click_view WHERE {DAY}")
    groups = ask(f"SELECT ad_group.id, metrics.clicks FROM ad_group WHERE {DAY}")
    assert len(clicks) == sum(row.metrics.clicks for row in groups) > 0
    assert len({row.click_view.gclid for row in clicks}) == len(clicks)


class TestChanges:
    EVENTS = (
        "SELECT change_event.change_date_time, change_event.changed_fields, change_event.new_resource, "
        "change_event.campaign FROM change_event WHERE {} LIMIT 10000"
    )

    def test_change_events_are_in_the_range_and_have_the_changed_fields(self, ask: Ask) -> None:
        rows = ask(self.EVENTS.format("change_event.change_date_time BETWEEN '2024-06-01' AND '2024-06-10'"))
        days = {row.change_event.change_date_time[:10] for row in rows}
        assert min(days) >= "2024-06-01"
        assert max(days) <= "2024-06-10"
        assert len(days) > 3
        for row in rows:
            assert list(row.change_event.changed_fields.paths) in (["status"], ["amount_micros"])
            assert row.change_event.new_resource.ListFields()

    def test_there_are_no_changes_after_today(self, ask: Ask) -> None:
        rows = ask(self.EVENTS.format("change_event.change_date_time BETWEEN '2024-06-14' AND '2024-06-20'"))
        assert max(row.change_event.change_date_time[:10] for row in rows) <= TODAY.isoformat()

    @pytest.mark.parametrize(
        ("resource", "where", "code"),
        [
            ("change_event", "change_event.change_date_time >= '2024-06-01'", "CHANGE_DATE_RANGE_INFINITE"),
            ("change_event", "change_event.change_date_time DURING LAST_7_DAYS LIMIT 10001", "INVALID_LIMIT_CLAUSE"),
            ("change_event", "change_event.change_date_time DURING LAST_7_DAYS", "LIMIT_NOT_SPECIFIED"),
            (
                "change_event",
                "change_event.change_date_time BETWEEN '2024-05-15' AND '2024-06-01' LIMIT 1",
                "START_DATE_TOO_OLD",
            ),
            (
                "change_status",
                "change_status.last_change_date_time BETWEEN '2024-06-10' AND '2024-06-01' LIMIT 1",
                "CHANGE_DATE_RANGE_NEGATIVE",
            ),
        ],
    )
    def test_invalid_ranges_of_changes_are_refused(self, ask: Ask, resource: str, where: str, code: str) -> None:
        limit = "" if "LIMIT" in where or code == "LIMIT_NOT_SPECIFIED" else " LIMIT 5"
        with pytest.raises(ApiFailureError) as caught:
            ask(f"SELECT {resource}.resource_name FROM {resource} WHERE {where}{limit}")
        assert (caught.value.group, caught.value.code) == (f"{resource}_error", code)

    def test_change_status_is_the_last_change_of_a_resource(self, ask: Ask) -> None:
        events = ask(
            "SELECT change_event.change_date_time, change_event.change_resource_name FROM change_event WHERE "
            "change_event.change_date_time BETWEEN '2024-05-20' AND '2024-06-15' "
            "ORDER BY change_event.change_date_time LIMIT 10000"
        )
        last = {e.change_event.change_resource_name: e.change_event.change_date_time for e in events}
        rows = ask(
            "SELECT change_status.last_change_date_time, change_status.campaign, change_status.ad_group, "
            "change_status.campaign_budget FROM change_status WHERE "
            "change_status.last_change_date_time BETWEEN '2024-05-20' AND '2024-06-15' LIMIT 10000"
        )
        said = {
            row.change_status.ad_group
            or row.change_status.campaign_budget
            or row.change_status.campaign: row.change_status.last_change_date_time
            for row in rows
        }
        assert said == last


class TestRestatement:
    def _of(self, age: int, day: date = date(2024, 5, 1)) -> Any:
        agency = SyntheticAgency(SyntheticSettings(accounts=1, restated_for=30))
        ask = make_ask(agency, lambda: day + timedelta(days=age))
        rows = ask(
            f"SELECT {METRICS}, metrics.conversions_value, metrics.ctr FROM customer WHERE segments.date = '{day}'"
        )
        return rows[0].metrics if rows else None

    def test_conversions_grow_with_age_and_then_are_final(self) -> None:
        seen = [self._of(age).conversions for age in (0, 1, 3, 7, 14, 29, 30, 60)]
        assert seen == sorted(seen)
        assert len(set(seen[:6])) == 6
        assert seen[-2] == seen[-1]
        assert seen[0] < seen[-1] / 2

    def test_other_metrics_are_fixed_after_three_days(self) -> None:
        clicks = [(m.impressions, m.clicks, m.cost_micros) for m in (self._of(age) for age in (0, 1, 2, 3, 4, 90))]
        assert clicks[0] < clicks[1] < clicks[3]
        assert clicks[3] == clicks[4] == clicks[5]

    def test_a_final_day_is_the_day_of_an_agency_that_restates_nothing(self) -> None:
        ask = make_ask(SyntheticAgency(SyntheticSettings(accounts=1)))
        plain = ask(
            f"SELECT {METRICS}, metrics.conversions_value, metrics.ctr FROM customer WHERE segments.date = '2024-05-01'"
        )
        assert self._of(60) == plain[0].metrics

    def test_tomorrow_has_no_rows(self) -> None:
        assert self._of(-1) is None

    def test_the_same_age_gives_the_same(self) -> None:
        assert self._of(5) == self._of(5)

    def test_a_server_restates_days_as_its_clock_advances(self) -> None:
        today = [date(2024, 5, 2)]
        ask = make_ask(SyntheticAgency(SyntheticSettings(accounts=1, restated_for=30)), lambda: today[0])
        query = "SELECT segments.date, metrics.conversions FROM customer WHERE segments.date = '2024-05-01'"
        before = ask(query)[0].metrics.conversions
        today[0] = date(2024, 5, 20)
        assert ask(query)[0].metrics.conversions > before

    def test_parts_still_add_up(self) -> None:
        ask = make_ask(SyntheticAgency(SyntheticSettings(accounts=1, restated_for=30)), lambda: date(2024, 5, 2))
        where = "WHERE segments.date BETWEEN '2024-04-28' AND '2024-05-02'"
        whole = _sums(ask(f"SELECT {METRICS} FROM customer {where}"))
        assert _sums(ask(f"SELECT segments.device, {METRICS} FROM campaign {where}")) == whole
        assert _sums(ask(f"SELECT segments.slot, {METRICS} FROM campaign {where}")) == whole
