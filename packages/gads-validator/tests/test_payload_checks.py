"""What a payload is measured and shaped by, at the sizes and the schemas where the code takes another way."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from gads_domain.metadata import ColumnSpec, TableSchema
from gads_validator.checks import payload
from gads_validator.checks.payload import check_schema, measure

SCHEMA = TableSchema((ColumnSpec("customer_id", "customer.id", "int64"), ColumnSpec("names", "names", "list<string>")))


@pytest.mark.parametrize("held", [100, 1000, 65_536, 200_000])
@pytest.mark.parametrize("beyond", [-1, 0, 1, 2])
def test_every_size_of_payload_is_measured_whole(monkeypatch: pytest.MonkeyPatch, held: int, beyond: int) -> None:
    monkeypatch.setattr(payload, "HELD_BYTES", held)
    for size in (0, 1, held + beyond, 65_536 + beyond, 3 * held):
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        stream = io.BytesIO(data)
        found = measure(stream)
        assert (found.size, found.sha256) == (size, hashlib.sha256(data).hexdigest())
        assert (found.source is stream) == (size > held), "what is larger is not held"
        assert found.source.read() == data


def test_no_more_is_read_at_once_than_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read(size)

    measure(Stream(bytes(payload.HELD_BYTES * 2)))
    assert asked
    assert all(size is not None and 0 <= size <= payload.HELD_BYTES for size in asked)


@pytest.mark.parametrize("nullable", [True, False])
@pytest.mark.parametrize(
    ("fields", "passed"),
    [
        ([("customer_id", pa.int64()), ("names", pa.list_(pa.field("element", pa.string())))], True),
        ([("customer_id", pa.int64()), ("names", pa.list_(pa.field("item", pa.string())))], True),
        ([("customer_id", pa.int32()), ("names", pa.list_(pa.string()))], False),
        ([("names", pa.list_(pa.string())), ("customer_id", pa.int64())], False),
        ([("customer_id", pa.int64()), ("name", pa.list_(pa.string()))], False),
        ([("customer_id", pa.int64())], False),
    ],
)
def test_a_payload_is_of_the_sealed_schema_by_names_and_types(
    workshop: Any, fields: Any, passed: bool, nullable: bool
) -> None:
    sealed = workshop.seal(1)
    metadata = replace(sealed, facts=replace(sealed.facts, schema=SCHEMA))
    stored = pa.schema([pa.field(name, kind, nullable) for name, kind in fields], {b"made": b"elsewhere"})
    result = check_schema(metadata, stored.empty_table())
    assert result.passed is passed
    assert passed or result.figures["found_fingerprint"] != SCHEMA.fingerprint
