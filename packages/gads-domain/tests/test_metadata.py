from __future__ import annotations

import copy
import hashlib
import json
import pickle
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gads_domain.errors import DamagedPartitionError, InvalidValueError, UnsupportedContractError
from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.metadata_codec import decode_known_seal, decode_metadata, decode_seal, encode_metadata, seal_sha256
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

DAY = ColumnSpec("segments_date", "segments.date", "date32")
CLICKS = ColumnSpec("metrics_clicks", "metrics.clicks", "int64")
SCHEMA = TableSchema((DAY, CLICKS))
FACTS = PartitionFacts(
    datetime(2024, 6, 2, tzinfo=UTC), "v26", "SELECT segments.date", 1, SCHEMA, 3, ("id",), "writer", "1"
)
METADATA = PartitionMetadata(
    PartitionKey("google_ads", "1", "campaign", date(2024, 6, 1)),
    RunId("20240602T040506789Z-7f3a9c21"),
    FACTS,
    "payload-0123456789abcdef.parquet",
    10,
    "0" * 64,
)


def test_a_schema_knows_its_grain() -> None:
    assert SCHEMA.grain == ("segments_date",)
    assert CLICKS.is_metric
    assert not DAY.is_metric


def test_the_fingerprint_is_of_names_and_types_in_order() -> None:
    assert SCHEMA.fingerprint == hashlib.sha256(b"segments_date\tdate32\nmetrics_clicks\tint64\n").hexdigest()
    assert TableSchema((CLICKS, DAY)).fingerprint != SCHEMA.fingerprint
    assert TableSchema((replace(DAY, field="other"), CLICKS)).fingerprint == SCHEMA.fingerprint


def test_a_schema_that_was_asked_is_still_its_columns_and_no_more() -> None:
    fresh, asked = TableSchema((DAY, CLICKS)), TableSchema((DAY, CLICKS))
    assert [asked.fingerprint, asked.grain, hash(asked)] == [fresh.fingerprint, fresh.grain, hash((fresh.columns,))]
    untouched = TableSchema((DAY, CLICKS))
    assert asked == untouched
    assert hash(asked) == hash(untouched)
    assert repr(asked) == repr(untouched)
    assert pickle.dumps(asked) == pickle.dumps(untouched)
    assert copy.copy(asked) == pickle.loads(pickle.dumps(asked)) == asked
    assert [field.name for field in fields(asked)] == ["columns"]
    narrower = replace(asked, columns=(CLICKS,))
    assert (narrower.fingerprint, narrower.grain) == (TableSchema((CLICKS,)).fingerprint, ())
    assert hash(narrower) != hash(asked)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((DAY, CLICKS), []),
        ((CLICKS, DAY), ["the same columns in another order"]),
        ((DAY,), ["metrics_clicks: int64 -> absent"]),
        ((DAY, CLICKS, ColumnSpec("x", "x", "bool")), ["x: absent -> bool"]),
        ((DAY, replace(CLICKS, type="double")), ["metrics_clicks: int64 -> double"]),
    ],
)
def test_differences_are_said_column_by_column(columns: tuple[ColumnSpec, ...], expected: list[str]) -> None:
    assert SCHEMA.differences(TableSchema(columns)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"payload_name": "../payload-0123456789abcdef.parquet"},
        {"payload_sha256": "0" * 63},
        {"payload_bytes": -1},
        {"contract_version": "1"},
        {"facts": replace(FACTS, record_count=-1)},
        {"facts": replace(FACTS, schema_version=0)},
        {"facts": replace(FACTS, extracted_at=datetime(2024, 6, 2))},  # noqa: DTZ001 -- what is refused
        {"facts": replace(FACTS, api_version="26")},
        {"facts": replace(FACTS, schema=TableSchema((DAY, DAY)))},
        {"facts": replace(FACTS, schema=TableSchema((replace(DAY, type="int32"),)))},
        {"facts": replace(FACTS, schema=TableSchema((replace(DAY, name="a\tb"),)))},
        {"facts": replace(FACTS, schema=TableSchema((replace(DAY, field="a..b"),)))},
        {"facts": replace(FACTS, day_field="segments.day")},
    ],
)
def test_what_no_seal_may_say_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        replace(METADATA, **change)


def test_text_that_is_not_unicode_is_refused_before_it_is_sealed() -> None:
    with pytest.raises(InvalidValueError):
        encode_metadata(replace(METADATA, facts=replace(FACTS, query="\ud800")))


def test_equal_metadata_give_equal_bytes() -> None:
    assert encode_metadata(METADATA) == encode_metadata(replace(METADATA))
    assert decode_metadata(encode_metadata(METADATA)) == METADATA


def test_another_major_version_is_not_damage() -> None:
    with pytest.raises(UnsupportedContractError) as caught:
        decode_metadata(encode_metadata(replace(METADATA, contract_version="2.0")))
    assert caught.value.hint
    later = replace(METADATA, contract_version="1.9")
    assert decode_metadata(encode_metadata(later)) == later


def test_the_seals_sum_is_read_from_sound_bytes_alone() -> None:
    data = encode_metadata(METADATA)
    assert seal_sha256(data).encode() in data
    with pytest.raises(DamagedPartitionError):
        seal_sha256(data.replace(b'"record_count":3', b'"record_count":4'))


def test_seals_of_one_schema_share_it() -> None:
    one, other = decode_seal(encode_metadata(METADATA)), decode_seal(encode_metadata(replace(METADATA)))
    assert one.metadata.facts.schema is other.metadata.facts.schema
    moved = replace(METADATA, facts=replace(FACTS, schema=TableSchema((replace(DAY, field="segments.day"), CLICKS))))
    assert decode_seal(encode_metadata(moved)).metadata == moved


def test_the_seal_comes_with_its_sum() -> None:
    data = encode_metadata(METADATA)
    seal = decode_seal(data)
    assert (seal.metadata, seal.sha256) == (METADATA, json.loads(data)["seal_sha256"])


@pytest.mark.parametrize("extra", [{}, {"aa": {"seal_sha256": "x"}}, {"zz": 1}, {"seal_sha255": [], "seal_sha257": {}}])
def test_the_sum_is_over_all_members_in_their_order_wherever_they_lie(extra: dict[str, Any]) -> None:
    def canonical(document: dict[str, Any]) -> bytes:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    body = json.loads(encode_metadata(METADATA)) | extra
    del body["seal_sha256"]
    seal = hashlib.sha256(canonical(body)).hexdigest()
    assert decode_seal(canonical(body | {"seal_sha256": seal})).metadata == METADATA
    first = f'{{"seal_sha256":"{seal}",'.encode() + canonical(body)[1:]
    last = canonical(body)[:-2] + f',"seal_sha256":"{seal}"}}\n'.encode()
    for displaced in (first, last):
        with pytest.raises(DamagedPartitionError):
            decode_seal(displaced)


def test_the_day_field_is_sealed_where_there_is_one() -> None:
    assert b"day_field" not in encode_metadata(METADATA)
    daily = replace(METADATA, facts=replace(FACTS, day_field="segments.date"))
    data = encode_metadata(daily)
    assert b'"day_field":"segments.date"' in data
    assert decode_metadata(data) == decode_known_seal(data, seal_sha256(data)) == daily


def test_a_seal_on_record_is_read_as_any_other_and_no_changed_byte_goes_unseen() -> None:
    data = encode_metadata(METADATA)
    known = seal_sha256(data)
    assert decode_known_seal(data, known) == METADATA
    for changed in (data[:-1], data + b" ", b"", data.replace(b"v26", b"v27"), data.replace(known.encode(), b"0" * 64)):
        with pytest.raises(DamagedPartitionError):
            decode_known_seal(changed, known)
    with pytest.raises(DamagedPartitionError):
        decode_known_seal(data, "0" * 64)
    another = encode_metadata(replace(METADATA, contract_version="2.0"))
    with pytest.raises(UnsupportedContractError):
        decode_known_seal(another, seal_sha256(another))
