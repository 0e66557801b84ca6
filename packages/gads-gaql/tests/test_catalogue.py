import gzip
import importlib.util
import time
from importlib import resources
from pathlib import Path
from types import ModuleType

import pytest

from gads_domain.errors import ConfigurationError, QueryError
from gads_domain.package_data import tables_of
from gads_gaql.catalogue import FieldCatalogue, column_name, latest, load, table_schema, versions
from gads_gaql.parser import parse


def _generator() -> ModuleType:
    path = Path(__file__).resolve().parent.parent / "generate" / "field_catalogue.py"
    spec = importlib.util.spec_from_file_location("field_catalogue_generator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


def test_every_version_that_the_client_carries_is_packaged_and_no_other() -> None:
    assert list(versions()) == GENERATOR.carried_versions()
    assert latest() == versions()[-1]


@pytest.mark.parametrize("version", versions())
def test_the_packaged_fields_are_those_of_the_descriptors(version: str) -> None:
    packed = (resources.files("gads_gaql") / "fields" / f"{version}.json.gz").read_bytes()
    assert gzip.decompress(packed) == gzip.decompress(GENERATOR.encode(GENERATOR.describe(version)))
    assert packed[4:8] == bytes(4), "the time in the gzip header is not zero"
    descriptors = (resources.files("gads_gaql") / "fields" / f"{version}.binpb.gz").read_bytes()
    assert gzip.decompress(descriptors) == GENERATOR.descriptor_set(version)


@pytest.mark.parametrize(
    ("path", "kind", "column"),
    [
        ("metrics.clicks", "int64", "int64"),
        ("segments.year", "int32", "int64"),
        ("metrics.cost_micros", "int64", "int64"),
        ("metrics.ctr", "double", "double"),
        ("campaign.name", "string", "string"),
        ("campaign.status", "enum", "string"),
        ("customer.manager", "bool", "bool"),
        ("segments.date", "string", "date32"),
        ("segments.week", "string", "string"),
        ("campaign.labels", "string", "list<string>"),
        ("campaign.frequency_caps", "message", "list<string>"),
        ("ad_group_ad.ad.responsive_search_ad.headlines", "message", "list<string>"),
        ("campaign.network_settings", "message", "string"),
        ("campaign_budget.type", "enum", "string"),
        ("ad_group.type", "enum", "string"),
    ],
)
@pytest.mark.parametrize("version", versions())
def test_kinds_and_column_types(version: str, path: str, kind: str, column: str) -> None:
    found = load(version).get(path)
    assert found is not None
    assert (found.kind, found.column_type) == (kind, column)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "campaign",
        "metrics",
        "campaign.",
        "campaign.nmae",
        "campaign_budget.type_",
        "campaign.name.x",
        "nothing.id",
        "ad_group_ad.ad.responsive_search_ad.headlines.text",
    ],
)
def test_what_no_query_can_select_is_not_there(path: str) -> None:
    assert load(latest()).get(path) is None


@pytest.mark.parametrize("version", versions())
def test_every_path_is_found_by_its_name_and_no_name_ends_in_an_underscore(version: str) -> None:
    catalogue = load(version)
    paths = list(catalogue.paths())
    assert len(paths) == len(set(paths)) > 7000
    for path in paths:
        found = catalogue.get(path)
        assert found is not None
        assert found.path == path
        assert not path.endswith("_")
        if found.enum is not None:
            assert "UNSPECIFIED" in catalogue.enum_values(found.enum)


def test_a_message_that_holds_itself_is_walked_to_an_end() -> None:
    catalogue = FieldCatalogue(
        {
            "version": "v1",
            "row": "Row",
            "messages": {"Row": {"tree": "message Tree"}, "Tree": {"id": "int64", "child": "message Tree"}},
            "enums": {},
        }
    )
    assert "tree.child.child.id" in list(catalogue.paths())
    assert catalogue.get("tree.child.child.child.id") is not None


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("metrics.click", "metrics.clicks"),
        ("campagn.nmae", "campaign.name"),
        ("campain", "campaign"),
        ("segment.date", "segments.date"),
        ("campaign_budget.type_", "campaign_budget.type"),
        ("ad_group_ad.ad.headlines", "ad_group_ad.ad.app_ad.headlines"),
        ("zzzzzzzz.qqqqqqq", None),
    ],
)
def test_the_nearest_name(wrong: str, right: str | None) -> None:
    assert load(latest()).closest(wrong) == right


def test_resources_leave_out_metrics_and_segments() -> None:
    found = load(latest()).resources()
    assert {"campaign", "customer", "click_view"} <= found
    assert not {"metrics", "segments"} & found


def test_an_unknown_version_names_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load("v1")
    assert latest() in caught.value.hint


@pytest.mark.parametrize("version", versions())
def test_loading_is_fast(version: str) -> None:
    load.cache_clear()
    best = 1.0
    for _ in range(5):
        load.cache_clear()
        before = time.process_time()
        load(version).get("campaign.id")
        best = min(best, time.process_time() - before)
    assert best < 0.1


def test_the_schema_follows_select() -> None:
    schema = table_schema(
        parse("SELECT segments.date, campaign.id, metrics.clicks, campaign.labels FROM campaign"), load(latest())
    )
    assert [(c.name, c.field, c.type) for c in schema.columns] == [
        ("segments_date", "segments.date", "date32"),
        ("campaign_id", "campaign.id", "int64"),
        ("metrics_clicks", "metrics.clicks", "int64"),
        ("campaign_labels", "campaign.labels", "list<string>"),
    ]
    assert schema.grain == ("segments_date", "campaign_id", "campaign_labels")
    assert column_name("metrics.cost_micros") == "metrics_cost_micros"


@pytest.mark.parametrize(
    ("version", "path", "hint"),
    [
        ("v26", "metrics.average_cpv", "metrics.trueview_average_cpv took its place in v22"),
        ("v23", "campaign.end_date", "campaign.end_date_time took its place in v23"),
        ("v26", "campaign_lifecycle_goal", "campaign_goal_config took its place in v25"),
        (
            "v26",
            "ad_group_ad.ad.discovery_carousel_ad.headline",
            "ad_group_ad.ad.demand_gen_carousel_ad.headline took its place in v17",
        ),
        (
            "v26",
            "change_event.old_resource.ad_group_bid_modifier.hotel_length_of_stay.min_nights",
            "change_event.old_resource.ad_group_bid_modifier.length_of_booking.min_days took its place in v26",
        ),
        ("v25", "ad_group_bid_modifier.hotel_check_in_days", "did you mean ad_group_bid_modifier.hotel_check_in_day?"),
    ],
)
def test_a_renamed_field_has_the_successor_that_google_documents(version: str, path: str, hint: str) -> None:
    assert load(version).suggestion(path) == hint


def test_every_successor_is_a_field_or_a_resource_of_the_newest_version() -> None:
    newest = load(latest())
    whole = [(path.split(".")[-1], path) for path in newest.paths()]
    parts = {name for name, _ in whole} | newest.resources() | set(newest.paths())
    renames = tables_of("gads_gaql", "fields/renamed.toml")["renamed"]
    names = [
        pair for one in renames for pair in zip(one["names"].split()[::2], one["names"].split()[1::2], strict=True)
    ]
    assert len(names) >= 20
    assert {new for _, new in names} <= parts
    assert not {old for old, _ in names} & parts
    assert all(one["source"].startswith("https://developers.google.com/") for one in renames)


def test_the_schema_of_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(QueryError, match=r"line 1, column 21: .*'metrics\.click'") as caught:
        table_schema(parse("SELECT campaign.id, metrics.click FROM campaign"), load(latest()))
    assert caught.value.hint == "did you mean metrics.clicks?"


def test_the_schema_of_a_field_selected_twice_is_refused() -> None:
    with pytest.raises(QueryError, match=r"line 1, column 21: .*second column campaign_id"):
        table_schema(parse("SELECT campaign.id, campaign.id FROM campaign"), load(latest()))


@pytest.mark.parametrize("version", versions())
def test_no_two_paths_make_the_same_column(version: str) -> None:
    paths = list(load(version).paths())
    assert len({column_name(path) for path in paths}) == len(paths)


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        ("customer", []),
        ("campaign", ["campaign.id"]),
        ("geographic_view", ["geographic_view.country_criterion_id", "geographic_view.location_type"]),
        ("keyword_view", ["ad_group.id", "ad_group_criterion.criterion_id"]),
        ("ad_group_ad", ["ad_group.id", "ad_group_ad.ad.id"]),
        ("campaign_audience_view", ["campaign.id", "campaign_criterion.criterion_id"]),
        ("search_term_view", ["campaign.id", "ad_group.id", "search_term_view.search_term"]),
        ("change_event", ["change_event.resource_name"]),
        ("no_resource", []),
    ],
)
def test_the_fields_by_which_rows_of_a_resource_are_unique(resource: str, fields: list[str]) -> None:
    assert list(load(latest()).key_fields(resource)) == fields


def test_every_key_field_is_a_field() -> None:
    catalogue = load(latest())
    assert all(catalogue.get(field) for name in catalogue.resources() for field in catalogue.key_fields(name))
