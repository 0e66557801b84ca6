"""The private descriptor writes what the API's own messages would."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from gads_emulator.api_versions import load_version
from gads_emulator.page_encoder import PageEncoder
from gads_emulator.schema import load_schema

PATHS: dict[str, Any] = {
    "campaign.id": st.integers(-(2**63), 2**63 - 1),
    "campaign.name": st.text(),
    "campaign.status": st.sampled_from(["ENABLED", "PAUSED"]),
    "campaign.labels": st.lists(st.text(), max_size=3).map(tuple),
    "campaign.optimization_score": st.floats(allow_nan=False, allow_infinity=False),
    "campaign.network_settings.target_google_search": st.booleans(),
    "campaign.frequency_caps": st.just(({"cap": 3, "key": {"level": "AD_GROUP"}},)),
    "ad_group.type": st.sampled_from(["SEARCH_STANDARD"]),
    "metrics.clicks": st.integers(0, 2**63 - 1),
    "metrics.interaction_event_types": st.lists(st.sampled_from(["CLICK", "ENGAGEMENT"]), max_size=2).map(tuple),
    "segments.date": st.dates().map(str),
    "segments.hour": st.integers(0, 23),
    "change_event.new_resource": st.just({"campaign": {"name": "x"}}),
}


@settings(deadline=None)
@given(st.data(), st.lists(st.sampled_from(sorted(PATHS)), min_size=1, unique=True))
def test_pages_are_the_bytes_of_full_messages(data: st.DataObject, paths: list[str]) -> None:
    schema = load_schema("v26")
    columns = [schema.field(path) for path in paths]
    rows = data.draw(st.lists(st.tuples(*(st.none() | PATHS[path] for path in paths)), min_size=1, max_size=4))
    encoded = PageEncoder([column for column in columns if column]).encode([list(row) for row in rows])
    response = load_version("v26").stream_response
    expected = response()
    for row in rows:
        nested: dict[str, Any] = {}
        for path, value in zip(paths, row, strict=True):
            if value is not None and value != ():
                _put(nested, path.split("."), value)
        json_format.ParseDict(nested, expected.results.add())
    assert response.FromString(encoded) == expected


def _put(nested: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        nested = nested.setdefault(part, {})
    nested[parts[-1]] = list(value) if isinstance(value, tuple) else value


def test_a_message_selected_whole_covers_what_is_inside() -> None:
    schema = load_schema("v26")
    columns = [
        schema.field(path) for path in ("campaign.network_settings", "campaign.network_settings.target_google_search")
    ]
    page = PageEncoder([column for column in columns if column]).encode([[{"target_google_search": True}, True]])
    (row,) = load_version("v26").stream_response.FromString(page).results
    assert row.campaign.network_settings.target_google_search
