"""Holds the code to contracts/raw-partition/v1, and the contract to the code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gads_domain.errors import DamagedPartitionError, GadsError, UnsupportedContractError
from gads_domain.metadata import (
    COLUMN_TYPES,
    CONTRACT_VERSION,
    ColumnSpec,
    PartitionFacts,
    PartitionMetadata,
    TableSchema,
)
from gads_domain.metadata_codec import decode_metadata, encode_metadata, seal_sha256
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

CONTRACT = Path(__file__).parents[2] / "contracts" / "raw-partition" / "v1"
VALID = sorted((CONTRACT / "examples" / "valid").glob("*.json"))
LATER = sorted((CONTRACT / "examples" / "later-minor").glob("*.json"))

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine fails no test of values."""
INVALID = sorted((CONTRACT / "examples" / "invalid").glob("*.json"))
SCHEMA: dict[str, Any] = json.loads((CONTRACT / "metadata.schema.json").read_bytes())
VALIDATOR = Draft202012Validator(SCHEMA)


def name_of(path: Path) -> str:
    return path.stem


def fits(data: bytes) -> bool:
    return VALIDATOR.is_valid(json.loads(data.decode("utf-8-sig")))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_there_are_examples_of_each_kind() -> None:
    assert len(VALID) >= 4
    assert len(LATER) >= 1
    assert len(INVALID) >= 30


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_example_fits_the_schema_and_survives_the_code(path: Path) -> None:
    data = path.read_bytes()
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(data))] == []
    metadata = decode_metadata(data)
    assert encode_metadata(metadata) == data
    assert seal_sha256(data) == json.loads(data)["seal_sha256"]


@pytest.mark.parametrize("path", LATER, ids=name_of)
def test_a_later_minor_is_read_and_its_additions_are_under_the_seal(path: Path) -> None:
    data = path.read_bytes()
    assert fits(data)
    metadata = decode_metadata(data)
    assert metadata.contract_version.split(".")[0] == CONTRACT_VERSION.split(".")[0]
    addition = set(json.loads(data)) - set(SCHEMA["properties"])
    assert addition
    for name in addition:
        with pytest.raises(DamagedPartitionError):
            decode_metadata(data.replace(f'"{name}"'.encode(), f'"{name}_"'.encode()))


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_example_is_refused_by_the_code(path: Path) -> None:
    expected = UnsupportedContractError if path.stem == "schema-another-major" else DamagedPartitionError
    with pytest.raises(expected) as caught:
        decode_metadata(path.read_bytes())
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("path", [path for path in INVALID if path.stem.startswith("schema-")], ids=name_of)
def test_an_example_that_breaks_the_schema_does_so_in_one_place(path: Path) -> None:
    errors = list(VALIDATOR.iter_errors(json.loads(path.read_bytes())))
    assert len(errors) == 1, [error.message for error in errors]


@pytest.mark.parametrize("path", [path for path in INVALID if path.stem.startswith("code-")], ids=name_of)
def test_an_example_that_breaks_another_law_fits_the_schema(path: Path) -> None:
    data = path.read_bytes()
    if path.stem in {"code-truncated", "code-empty"}:
        with pytest.raises(ValueError, match=r"line 1"):
            json.loads(data)
    else:
        assert fits(data)


def test_every_invalid_example_is_explained() -> None:
    listed = re.findall(
        r"^\| `([a-z0-9-]+\.json)` \|", (CONTRACT / "examples/invalid/README.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == [path.name for path in INVALID]


def test_schema_and_code_know_the_same_members() -> None:
    written = json.loads((CONTRACT / "examples/valid/day-field.json").read_bytes())
    assert set(SCHEMA["properties"]) == {*SCHEMA["required"], "day_field"} == set(written)
    for name in ("schema", "writer"):
        assert set(SCHEMA["properties"][name]["required"]) == set(written[name])
    column = SCHEMA["properties"]["schema"]["properties"]["columns"]["items"]
    assert set(column["required"]) == set(written["schema"]["columns"][0])
    assert set(column["properties"]["type"]["enum"]) == COLUMN_TYPES


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SHA256 = st.text("0123456789abcdef", min_size=64, max_size=64)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)
FIELDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z][a-z0-9_]{0,8}){0,3}", fullmatch=True)
KEYS = st.builds(PartitionKey, NAMES, st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True), NAMES, st.dates())
RUNS = st.builds(
    RunId.compose,
    st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- the zone is its neighbour
    st.binary(min_size=4, max_size=4),
)
SCHEMAS = st.lists(
    st.builds(
        ColumnSpec, st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), FIELDS, st.sampled_from(sorted(COLUMN_TYPES))
    ),
    unique_by=lambda column: column.name,
    max_size=5,
).map(lambda columns: TableSchema(tuple(columns)))
FACTS = st.builds(
    PartitionFacts,
    extracted_at=st.datetimes(timezones=st.just(UTC)),
    api_version=st.from_regex(r"v[0-9]+", fullmatch=True),
    query=TEXT,
    schema_version=st.integers(1, 2**63),
    schema=SCHEMAS,
    record_count=st.integers(0, 2**63),
    request_ids=st.lists(TEXT, max_size=3).map(tuple),
    writer_name=TEXT,
    writer_version=TEXT,
)
METADATA = st.builds(
    PartitionMetadata,
    key=KEYS,
    run_id=RUNS,
    facts=FACTS.flatmap(
        lambda facts: st.sampled_from([None, *(column.field for column in facts.schema.columns)]).map(
            lambda field: replace(facts, day_field=field)
        )
    ),
    payload_name=st.from_regex(r"payload-[0-9a-f]{16}\.parquet", fullmatch=True),
    payload_bytes=st.integers(0, 2**63),
    payload_sha256=SHA256,
)


@UNHURRIED
@given(METADATA)
def test_whatever_can_be_sealed_fits_the_schema_and_round_trips(metadata: PartitionMetadata) -> None:
    data = encode_metadata(metadata)
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(data))] == []
    assert decode_metadata(data) == metadata
    assert encode_metadata(decode_metadata(data)) == data
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1


@UNHURRIED
@given(
    st.one_of(
        st.binary(),
        TEXT.map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.floats() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_is_no_seal_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedPartitionError):
        decode_metadata(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b'{"a":' + b"9" * 10_000 + b"}"])
def test_what_a_parser_chokes_on_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedPartitionError):
        decode_metadata(data)


def replacements(byte: int) -> set[int]:
    flipped = {byte ^ (1 << bit) for bit in range(8)}
    return (flipped | {ord(char) for char in '0 9afAe".,{}[]\\\n\t'} | {0x00, 0x7F, 0x80, 0xFF}) - {byte}


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_no_single_changed_byte_goes_unseen(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for position, original in enumerate(data):
        for other in replacements(original):
            data[position] = other
            with pytest.raises(GadsError):
                decode_metadata(bytes(data))
        data[position] = original


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_no_byte_added_or_taken_away_goes_unseen(path: Path) -> None:
    data = path.read_bytes()
    for position in range(len(data) + 1):
        changed = [data[:position] + extra + data[position:] for extra in (b" ", b"0", b"\n", b'"', b"\0")]
        for other in [*changed, data[:position], data[:position] + data[position + 1 :]]:
            if other != data:
                with pytest.raises(DamagedPartitionError):
                    decode_metadata(other)


def test_the_date_of_a_valid_example_is_what_its_text_says() -> None:
    metadata = decode_metadata((CONTRACT / "examples/valid/one-day.json").read_bytes())
    assert metadata.key == PartitionKey("google_ads", "1234567890", "campaign", date(2024, 6, 1))
    assert metadata.facts.extracted_at == datetime(2024, 6, 2, 4, 6, 7, 891011, tzinfo=UTC)
    assert metadata.run_id == RunId("20240602T040506789Z-7f3a9c21")
