"""The fast decoder against a slow one on plain protobuf, which asks `HasField` at every step."""

from __future__ import annotations

import base64
import importlib
import json
import random
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gads_domain.errors import ConfigurationError, PermanentApiError, QueryError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_extractor.page_decoder import PageDecoder
from gads_gaql import catalogue
from gads_gaql.catalogue import column_name

VERSION = "v26"
DOUBLE, FLOAT, INT64, UINT64, INT32, BOOL, STRING, MESSAGE, BYTES, UINT32, ENUM = 1, 2, 3, 4, 5, 8, 9, 11, 12, 13, 14

TELLING = [
    "customer.id",
    "campaign.resource_name",
    "campaign.name",
    "campaign.status",
    "campaign.labels",
    "campaign.network_settings.target_google_search",
    "campaign.target_cpa.target_cpa_micros",
    "campaign.target_roas.target_roas",
    "campaign.frequency_caps",
    "campaign.optimization_goal_setting.optimization_goal_types",
    "ad_group_ad.ad.type",
    "ad_group_ad.ad.final_urls",
    "ad_group_ad.ad.responsive_search_ad.headlines",
    "ad_group_ad.ad.image_ad.data",
    "change_event.changed_fields",
    "segments.date",
    "segments.hour",
    "segments.device",
    "metrics.clicks",
    "metrics.cost_micros",
    "metrics.ctr",
]
"""Presence and none, enums, repeated values of each kind, oneof members, bytes, whole messages."""


@cache
def response_class(version: str = VERSION) -> Any:
    module = importlib.import_module(f"google.ads.googleads.{version}.services.types.google_ads_service")
    return module.SearchGoogleAdsStreamResponse.pb()


@cache
def every_path(version: str = VERSION) -> list[str]:
    return sorted(catalogue.load(version).paths())


def schema_of(fields: Sequence[str], version: str = VERSION) -> TableSchema:
    known = catalogue.load(version)
    return TableSchema(tuple(ColumnSpec(column_name(f), f, known.get(f).column_type) for f in fields))  # type: ignore[union-attr]  # every field here is known


def field_of(message: Any, name: str) -> Any:
    fields = message.DESCRIPTOR.fields_by_name
    return fields.get(name) or fields[f"{name}_"]


# The reference.


def reference(data: bytes, fields: Sequence[str], version: str = VERSION) -> list[dict[str, object]]:
    page = response_class(version).FromString(data)
    return [{column_name(f): value_at(row, f) for f in fields} for row in page.results]


def value_at(message: Any, path: str) -> object:
    *parents, last = path.split(".")
    for name in parents:
        field = field_of(message, name)
        if not message.HasField(field.name):
            return None
        message = getattr(message, field.name)
    field = field_of(message, last)
    value = getattr(message, field.name)
    if field.is_repeated:
        return [leaf(field, item) for item in value]
    present = (
        message.HasField(field.name)
        if field.has_presence
        else field.name in {set_field.name for set_field, _ in message.ListFields()}
    )
    if not present:
        return None
    return date.fromisoformat(value) if path == "segments.date" else leaf(field, value)


def leaf(field: Any, value: Any) -> object:
    if field.type == ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if field.type == MESSAGE:
        if field.message_type.name == "FieldMask":
            return ",".join(value.paths)
        return json.dumps(json_tree(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return value


def json_tree(message: Any) -> dict[str, object]:
    tree: dict[str, object] = {}
    for field, value in message.ListFields():
        items = [json_leaf(field, item) for item in (value if field.is_repeated else [value])]
        tree[field.name.rstrip("_")] = items if field.is_repeated else items[0]
    return tree


def json_leaf(field: Any, value: Any) -> object:
    if field.type == MESSAGE:
        return json_tree(value)
    if field.type == ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.type in (INT64, UINT64):
        return str(value)
    if field.type == BYTES:
        return base64.b64encode(value).decode()
    return value


# Pages to decode.

INTEGERS = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)])
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["", "ä", "日本語", "🎯", "a\x00b", '"\\']))
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    INT64: st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, -(2**63), 2**63 - 1])),
    UINT64: st.integers(0, 2**63 - 1),
    INT32: INTEGERS,
    UINT32: st.integers(0, 2**32 - 1),
    DOUBLE: st.floats(allow_nan=False),
    FLOAT: st.floats(allow_nan=False, width=32),
    BOOL: st.booleans(),
    STRING: TEXTS,
    BYTES: st.binary(max_size=8),
}
JSON_SCALARS = {**SCALARS, DOUBLE: st.floats(-1e9, 1e9), FLOAT: st.sampled_from([0.5, -2.0, 0.0])}


def scalar(field: Any, known: dict[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if field.type == ENUM:
        numbers = [value.number for value in field.enum_type.values]
        return st.one_of(st.sampled_from(numbers), st.sampled_from([987, -1, 2**31 - 1]))
    return known[field.type]


@st.composite
def filled(draw: st.DrawFn, message: Any, depth: int = 0) -> Any:
    """Put a few values into `message`."""
    if message.DESCRIPTOR.name == "FieldMask":
        message.paths.extend(draw(st.lists(st.sampled_from(["name", "a.b_c", "x_1"]), max_size=3)))
        return message
    fields = list(message.DESCRIPTOR.fields)
    if not fields:
        return message
    for field in draw(st.lists(st.sampled_from(fields), max_size=3, unique_by=lambda f: f.name)):
        if field.type == MESSAGE:
            if depth < 2:
                below = getattr(message, field.name)
                draw(filled(below.add() if field.is_repeated else below, depth + 1))
                if not field.is_repeated:
                    below.SetInParent()
        else:
            put(message, field, draw, JSON_SCALARS)
    return message


def put(message: Any, field: Any, draw: st.DrawFn, known: dict[int, st.SearchStrategy[Any]]) -> None:
    values = scalar(field, known)
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(values, max_size=3)))
    else:
        setattr(message, field.name, draw(values))


def put_path(row: Any, path: str, draw: st.DrawFn) -> None:
    """Set as much of `path` as is drawn: nothing, some of its parents, or the value itself."""
    names = path.split(".")
    reach = draw(st.sampled_from([len(names), len(names), *range(len(names))]))
    message = row
    for name in names[: min(reach, len(names) - 1)]:
        message = getattr(message, field_of(message, name).name)
        message.SetInParent()
    if reach < len(names):
        return
    field = field_of(message, names[-1])
    if path == "segments.date":
        message.date = draw(st.dates(date(1999, 1, 1), date(2099, 12, 31))).isoformat()
    elif field.type != MESSAGE:
        put(message, field, draw, SCALARS)
    elif field.is_repeated:
        for _ in range(draw(st.integers(0, 2))):
            draw(filled(getattr(message, field.name).add()))
    else:
        below = getattr(message, field.name)
        below.SetInParent()
        draw(filled(below))


UNKNOWN = bytes([0xF8, 0xFF, 0x3F, 0x05, 0xFA, 0xFF, 0x3F, 0x02, 0x41, 0x42])
"""Two fields of number 131071, one a varint, one a text: what a newer API might send."""


@st.composite
def pages(draw: st.DrawFn, fields: Sequence[str], version: str = VERSION) -> bytes:
    page = response_class(version)()
    for _ in range(draw(st.integers(0, 4))):
        row = page.results.add()
        for path in fields:
            put_path(row, path, draw)
        if draw(st.booleans()):
            row.MergeFromString(UNKNOWN)
    if draw(st.booleans()):
        page.request_id = "a-request"
        page.field_mask.paths.extend(fields)
    return bytes(page.SerializeToString()) + (UNKNOWN if draw(st.booleans()) else b"")


def check(data: bytes, fields: Sequence[str], version: str = VERSION) -> None:
    page = PageDecoder(version, schema_of(fields, version)).decode(data)
    assert page.rows.schema.names == [column_name(field) for field in fields]
    page.rows.validate(full=True)
    assert page.rows.to_pylist() == reference(data, fields, version)
    assert page.request_id == response_class(version).FromString(data).request_id


@given(data=pages(TELLING))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_telling_fields_equal_the_reference(data: bytes) -> None:
    check(data, TELLING)


@given(drawn=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_fields_of_the_api_equal_the_reference(drawn: st.DataObject) -> None:
    fields = drawn.draw(st.lists(st.sampled_from(every_path()), min_size=1, max_size=8, unique_by=column_name))
    check(drawn.draw(pages(fields)), fields)


@pytest.mark.campaign
@given(drawn=st.data())
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_fields_of_each_version_equal_the_reference(drawn: st.DataObject) -> None:
    version = drawn.draw(st.sampled_from(catalogue.versions()))
    paths = st.sampled_from(every_path(version))
    fields = drawn.draw(st.lists(paths, min_size=1, max_size=12, unique_by=column_name))
    check(drawn.draw(pages(fields, version)), fields, version)


@pytest.mark.parametrize("version", catalogue.versions())
def test_every_path_of_the_catalogue_is_known_and_decodes(version: str) -> None:
    """A page that sets each field of 120 random paths, one path a row, so that no oneof hides another."""
    chance = random.Random(version)
    fields = list({column_name(path): path for path in chance.sample(every_path(version), 120)}.values())
    page = response_class(version)()
    for path in fields:
        message = page.results.add()
        for name in path.split(".")[:-1]:
            message = getattr(message, field_of(message, name).name)
        touch(message, field_of(message, path.split(".")[-1]), path)
    check(page.SerializeToString(), fields, version)


def touch(message: Any, field: Any, path: str) -> None:
    value: Any = {BOOL: True, STRING: "ü", BYTES: b"\xff", DOUBLE: 0.1, FLOAT: 0.5}.get(field.type, 7)
    if path == "segments.date":
        value = "2024-02-29"
    if field.type == MESSAGE:
        below = getattr(message, field.name)
        (below.add() if field.is_repeated else below).SetInParent()
    elif field.is_repeated:
        getattr(message, field.name).extend([value, value])
    else:
        setattr(message, field.name, value)


def rows_of(page: Any, fields: Sequence[str]) -> list[dict[str, object]]:
    return PageDecoder(VERSION, schema_of(fields)).decode(page.SerializeToString()).rows.to_pylist()


def test_absent_and_zero_are_told_apart() -> None:
    page = response_class()()
    page.results.add().metrics.clicks = 0
    page.results.add().metrics.SetInParent()
    page.results.add()
    assert [row["metrics_clicks"] for row in rows_of(page, ["metrics.clicks"])] == [0, None, None]


def test_an_unknown_enum_number_is_its_text() -> None:
    page = response_class()()
    page.results.add().campaign.status = 987
    page.results.add().campaign.status = 2
    page.results.add().campaign.SetInParent()
    assert [row["campaign_status"] for row in rows_of(page, ["campaign.status"])] == ["987", "ENABLED", None]


def test_a_list_is_empty_below_a_message_and_null_without_one() -> None:
    page = response_class()()
    page.results.add().ad_group_ad.ad.SetInParent()
    page.results.add().ad_group_ad.SetInParent()
    page.results.add().ad_group_ad.ad.final_urls.append("https://ä.example")
    found = [row["ad_group_ad_ad_final_urls"] for row in rows_of(page, ["ad_group_ad.ad.final_urls"])]
    assert found == [[], None, ["https://ä.example"]]


def test_a_message_and_a_field_inside_it_can_be_selected_together() -> None:
    page = response_class()()
    settings_ = page.results.add().campaign.network_settings
    settings_.target_google_search = True
    fields = ["campaign.network_settings.target_google_search", "campaign.network_settings"]
    assert rows_of(page, fields) == [
        {
            "campaign_network_settings_target_google_search": True,
            "campaign_network_settings": '{"target_google_search":true}',
        }
    ]


def test_whole_messages_use_the_api_s_names() -> None:
    page = response_class()()
    entry = page.results.add().ad_group_ad.policy_summary.policy_topic_entries.add(topic="ALCOHOL")
    entry.type_ = 2
    (row,) = rows_of(page, ["ad_group_ad.policy_summary.policy_topic_entries"])
    texts = row["ad_group_ad_policy_summary_policy_topic_entries"]
    assert texts == ['{"topic":"ALCOHOL","type":"PROHIBITED"}']


def test_an_empty_page_has_the_columns() -> None:
    page = PageDecoder(VERSION, schema_of(TELLING)).decode(b"")
    assert page.rows.num_rows == 0
    assert page.rows.schema.names == [column_name(field) for field in TELLING]
    assert page.request_id == ""


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("segments.date", pa.date32()),
        ("segments.hour", pa.int64()),
        ("metrics.ctr", pa.float64()),
        ("campaign.status", pa.string()),
        ("ad_group_ad.ad.final_urls", pa.list_(pa.field("element", pa.string()))),
    ],
)
def test_columns_have_the_payload_s_types(field: str, kind: pa.DataType) -> None:
    assert PageDecoder(VERSION, schema_of([field])).decode(b"").rows.schema.field(0).type == kind


def damaged() -> Iterator[bytes]:
    page = response_class()()
    page.results.add().segments.date = "someday"
    yield page.SerializeToString()
    yield b"\x0a\x20abc"
    yield b"\xff" * 12


def nested_groups(depth: int, *, in_row: bool) -> bytes:
    """A field 15 that the API does not have, as groups in each other."""
    groups = b"\x7b" * depth + b"\x7c" * depth
    row = b"\x0a" + response_class()(request_id=groups.decode("latin-1")).SerializeToString()[1:]
    return row if in_row else groups


@pytest.mark.parametrize("in_row", [False, True], ids=["page", "row"])
def test_nesting_is_bounded_before_a_page_is_decoded(in_row: bool) -> None:
    decoder = PageDecoder(VERSION, schema_of(["campaign.name"]))
    with pytest.raises(PermanentApiError, match="cannot be decoded"):
        decoder.decode(nested_groups(200_000, in_row=in_row))
    assert decoder.decode(nested_groups(50, in_row=in_row)).rows.num_rows == in_row


@pytest.mark.parametrize("data", list(damaged()), ids=["date", "cut", "noise"])
def test_bytes_that_are_no_page_are_refused(data: bytes) -> None:
    with pytest.raises(PermanentApiError, match="cannot be decoded"):
        PageDecoder(VERSION, schema_of(["segments.date"])).decode(data)


def test_an_unknown_version_is_refused_before_any_call() -> None:
    with pytest.raises(ConfigurationError, match="'v1'"):
        PageDecoder("v1", schema_of(["segments.date"]))


@pytest.mark.parametrize("field", ["campaign.nam", "campaign.frequency_caps.cap", "nothing", "campaign.name.x"])
def test_an_unknown_field_is_refused(field: str) -> None:
    schema = TableSchema((ColumnSpec(column_name(field), field, "string"),))
    with pytest.raises(QueryError, match="has no field"):
        PageDecoder(VERSION, schema)
