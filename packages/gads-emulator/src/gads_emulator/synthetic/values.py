"""Values for attributes that nothing models: made from the resource's name, the path and the descriptor's type."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gads_emulator.resource_names import has_pattern, parameters_of, resource_name
from gads_emulator.schema import Field, Row, Schema, field_of

_WORDS = (
    "Aurora",
    "Birch",
    "Cedar",
    "Delta",
    "Ember",
    "Fjord",
    "Grove",
    "Heron",
    "Iris",
    "Juniper",
    "Kestrel",
    "Lärche",
)
_PLACEHOLDERS = ("UNSPECIFIED", "UNKNOWN")
_USUAL = ("ENABLED", "ELIGIBLE", "APPROVED", "REVIEWED")
_TEXTS = {
    "currency_code": "USD",
    "time_zone": "Europe/Berlin",
    "country_code": "US",
    "language_code": "en",
    "feed_label": "US",
    "mime_type": "text/html",
}
_DEPTH = 2


def missing_values(schema: Schema, paths: Iterable[str], row: Row) -> Row:
    """Return values for those of `paths` that `row` lacks, in the resources that the row has a name of.

    Of a oneof one member at most has values: the row's own, else one of those asked for. Metrics and segments are no
    attributes and get none.
    """
    found = _fields(schema, tuple(paths))
    members = _asked_members(found)
    made: Row = {}
    for field in found:
        name = row.get(f"{field.resource}.resource_name")
        if name is None or field.path in row:
            continue
        # What a resource says of itself is the same in whatever row it stands.
        key = str(name)
        if not _excluded(field, members, row, key):
            value = value_of(field, row, key)
            if value is not None:
                made[field.path] = value
    return made


def value_of(field: Field, row: Row, key: str) -> Any:
    """Return a value of the field's type, the same for the same key and path; None for what has none."""
    number = zlib.crc32(f"{key}/{field.path}".encode())
    last = field.path.rpartition(".")[2]
    if last == "labels" and field.repeated and field.kind == "str":
        return label_names(row)
    if field.kind == "message":
        one = _message(field.steps[-1], key, 0)
        return ((one,) if one else ()) if field.repeated else one
    value = _scalar(field, last, number, row)
    return (value,) if field.repeated else value


def label_names(row: Row) -> tuple[str, ...]:
    """Return the names of the labels that every labelled thing of the account has."""
    from gads_emulator.synthetic.campaigns import label_ids

    owner = str(row["customer.id"])
    return tuple(f"customers/{owner}/labels/{label}" for label in label_ids(owner)[:2])


def within(field: Field, value: int) -> int:
    """Return a whole number that the field can hold: the value itself, or what is left of it in 31 bits."""
    short = field.steps[-1].type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32)
    return value % (1 << 31) if short else value


def known_values(field: Field) -> tuple[str, ...]:
    """The names of an enum's values that say something."""
    names = tuple(name for name in field.enum.values_by_name if name not in _PLACEHOLDERS)
    return names or ("UNKNOWN",)


def _scalar(field: Field, last: str, number: int, row: Row) -> Any:
    if field.kind == "bool":
        return bool(number & 1)
    if field.kind == "enum":
        names = known_values(field)
        usual = next((name for name in _USUAL if name in names), None)
        return usual if usual is not None and "status" in last else names[number % len(names)]
    if field.kind == "int":
        return within(field, _whole(last, number))
    if field.kind == "float":
        return round((number % 1000) / 1000, 3)
    if field.steps[-1].type == FieldDescriptor.TYPE_BYTES:
        return number.to_bytes(4)
    return _text(field.path, last, number, row)


def _whole(last: str, number: int) -> int:
    if last == "id" or last.endswith("_id"):
        return 5_000_000_000 + number
    if last.endswith("_micros"):
        return (1 + number % 500) * 10_000
    if "hour" in last:
        return number % 24
    if "minute" in last:
        return number % 60
    return number % 100


def _text(path: str, last: str, number: int, row: Row) -> str:
    if last in _TEXTS:
        return str(row.get("customer.currency_code", "USD")) if last == "currency_code" else _TEXTS[last]
    if f"{last}.resource_name" in row and last != path.partition(".")[0]:
        return str(row[f"{last}.resource_name"])
    if last != path.partition(".")[0] and has_pattern(last):
        parts: dict[str, object] = dict.fromkeys(parameters_of(last), number % 1000000)
        parts["customer_id"] = row.get("customer.id", 0)
        return resource_name(last, parts)
    if last.endswith("customer"):
        return f"customers/{row.get('customer.id', 0)}"
    if last.endswith("date_time"):
        return f"2024-{1 + number % 12:02}-{1 + number % 28:02} {number % 24:02}:{number % 60:02}:00"
    if last.endswith("date"):
        return f"2024-{1 + number % 12:02}-{1 + number % 28:02}"
    if "url" in last.split("_") or "urls" in last.split("_"):
        return f"https://shop.example/{_WORDS[number % len(_WORDS)].lower()}/{number % 10_000}"
    if "email" in last:
        return f"{_WORDS[number % len(_WORDS)].lower()}@agency.example"
    return f"{_WORDS[number % len(_WORDS)]} {number % 10_000}"


def _message(descriptor: FieldDescriptor, key: str, depth: int) -> Any:
    """A message as JSON with its plain fields and, not too deep, its messages; one member of each oneof."""
    message = descriptor.message_type
    assert message is not None
    if message.full_name == "google.protobuf.FieldMask":
        return "name,status"
    if message.full_name.startswith("google.protobuf."):
        return None
    said: dict[str, Any] = {}
    taken: set[str] = set()
    for inner in message.fields:
        oneof = inner.containing_oneof
        if oneof is not None and oneof.name in taken:
            continue
        if inner.message_type is not None:
            value = _message(inner, f"{key}/{inner.name}", depth + 1) if depth < _DEPTH else None
        else:
            path = f"{descriptor.name}.{inner.name.rstrip('_')}"
            field = field_of(path, (inner,))
            value = (
                None
                if field.steps[-1].type == FieldDescriptor.TYPE_BYTES
                else _scalar(field, path.rpartition(".")[2], zlib.crc32(f"{key}/{path}".encode()), {})
            )
        if value is not None:
            said[inner.name] = [value] if inner.is_repeated else value
            if oneof is not None:
                taken.add(oneof.name)
    return said


_Members = dict[tuple[str, str], list[str]]
"""For each oneof, as the path of its message and its name: the paths of the members that are asked for."""


@lru_cache(maxsize=512)
def _fields(schema: Schema, paths: tuple[str, ...]) -> tuple[Field, ...]:
    return tuple(field for path in paths if (field := schema.field(path)) is not None)


@lru_cache(maxsize=512)
def _asked_members(fields: tuple[Field, ...]) -> _Members:
    members: _Members = {}
    for field in fields:
        for oneof, member in _memberships(field):
            asked = members.setdefault(oneof, [])
            if member not in asked:
                asked.append(member)
    for asked in members.values():
        asked.sort()
    return members


@lru_cache(maxsize=8192)
def _memberships(field: Field) -> tuple[tuple[tuple[str, str], str], ...]:
    parts = field.path.split(".")
    return tuple(
        ((".".join(parts[:depth]), step.containing_oneof.name), ".".join(parts[: depth + 1]))
        for depth, step in enumerate(field.steps)
        if step.containing_oneof is not None and len(step.containing_oneof.fields) > 1
    )


@lru_cache(maxsize=8192)
def _siblings(field: Field, within: str, name: str) -> frozenset[str]:
    return frozenset(
        f"{within}.{sibling.name.rstrip('_')}"
        for step in field.steps
        if step.containing_oneof is not None and step.containing_oneof.name == name
        for sibling in step.containing_oneof.fields
    )


def _excluded(field: Field, members: _Members, row: Row, key: str) -> bool:
    for oneof, member in _memberships(field):
        within, name = oneof
        siblings = _siblings(field, within, name)
        said = {found for path in row if (found := _member_of(path, within)) in siblings}
        if said and member not in said:
            return True
        asked = members[oneof]
        if not said and asked[zlib.crc32(f"{key}/{oneof}".encode()) % len(asked)] != member:
            return True
    return False


def _member_of(path: str, within: str) -> str:
    if not path.startswith(f"{within}."):
        return ""
    return f"{within}.{path[len(within) + 1 :].partition('.')[0]}"
