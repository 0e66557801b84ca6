"""Values of attributes without a model, made from the resource's name, the path and the descriptor's type."""

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gads_emulator.schema import MASK, Field, Row, Schema, field_of
from gads_emulator.synthetic.campaigns import label_names
from gads_emulator.synthetic.descriptions import TABLES, has_pattern, parameters_of, resource_name

_NOUNS: list[str] = TABLES["words"]["nouns"]
_STATUSES: list[str] = TABLES["words"]["statuses"]
_TEXTS: dict[str, str] = TABLES["words"]["texts"]
_DEPTH = 2


def missing_values(schema: Schema, paths: Iterable[str], row: Row) -> Row:
    """Return values for those of `paths` that `row` lacks, for the resources whose names are in the row.

    Of a oneof at most one member has values: the row's own, else one of those requested. Metrics and segments get no
    values.
    """
    fields, requested = _requested(schema, tuple(paths))
    made: Row = {}
    for field in fields:
        name = row.get(f"{field.resource}.resource_name")
        if name is None or field.path in row:
            continue
        # The key is the resource's name alone, so that its attributes are the same in every row.
        if not _excluded(field, requested, row, str(name)):
            value = _value_of(field, row, str(name))
            if value is not None:
                made[field.path] = value
    return made


def _value_of(field: Field, row: Row, key: str) -> Any:
    number = zlib.crc32(f"{key}/{field.path}".encode())
    last = field.path.rpartition(".")[2]
    if last == "labels" and field.repeated and field.kind == "str":
        return tuple(label_names(row)[:2])
    if field.kind == "message":
        one = _message(field.steps[-1], key, 0)
        return ((one,) if one else ()) if field.repeated else one
    value = _scalar(field, last, number, row)
    return (value,) if field.repeated else value


def within(field: Field, value: int) -> int:
    """Return an integer that fits the field: the value itself, or its lowest 31 bits."""
    short = field.steps[-1].type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32)
    return value % (1 << 31) if short else value


def known_values(field: Field) -> tuple[str, ...]:
    """Return the names of an enum's values, without UNSPECIFIED and UNKNOWN."""
    names = tuple(name for name in field.enum.values_by_name if name not in ("UNSPECIFIED", "UNKNOWN"))
    return names or ("UNKNOWN",)


def _scalar(field: Field, last: str, number: int, row: Row) -> Any:
    if field.kind == "bool":
        return bool(number & 1)
    if field.kind == "enum":
        names = known_values(field)
        usual = next((name for name in _STATUSES if name in names), None)
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
    if last == "currency_code":
        return str(row.get("customer.currency_code", "USD"))
    if last in _TEXTS:
        return _TEXTS[last]
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
        return f"https://shop.example/{_NOUNS[number % len(_NOUNS)].lower()}/{number % 10_000}"
    if "email" in last:
        return f"{_NOUNS[number % len(_NOUNS)].lower()}@agency.example"
    return f"{_NOUNS[number % len(_NOUNS)]} {number % 10_000}"


def _message(descriptor: FieldDescriptor, key: str, depth: int) -> Any:
    """Return a message as JSON, with nested messages down to a depth; one member of each oneof."""
    message = descriptor.message_type
    assert message is not None
    if message.full_name == MASK:
        return "name,status"
    if message.full_name.startswith("google.protobuf."):
        return None
    values: dict[str, Any] = {}
    taken: set[str] = set()
    for inner in message.fields:
        oneof = inner.containing_oneof
        if (oneof is not None and oneof.name in taken) or inner.type == FieldDescriptor.TYPE_BYTES:
            continue
        if inner.message_type is not None:
            value = _message(inner, f"{key}/{inner.name}", depth + 1) if depth < _DEPTH else None
        else:
            last = inner.name
            path = f"{descriptor.name}.{last}"
            value = _scalar(field_of(path, (inner,)), last, zlib.crc32(f"{key}/{path}".encode()), {})
        if value is not None:
            values[inner.name] = [value] if inner.is_repeated else value
            if oneof is not None:
                taken.add(oneof.name)
    return values


_Oneof = tuple[str, str]
"""The path of a message, and the name of a oneof in it."""


@lru_cache(maxsize=512)
def _requested(schema: Schema, paths: tuple[str, ...]) -> tuple[list[Field], dict[_Oneof, list[str]]]:
    """Return the fields of paths, and for each oneof the members that are requested."""
    fields = [field for path in paths if (field := schema.field(path)) is not None]
    members: dict[_Oneof, set[str]] = {}
    for field in fields:
        for oneof, member, _ in _memberships(field):
            members.setdefault(oneof, set()).add(member)
    return fields, {oneof: sorted(requested) for oneof, requested in members.items()}


@lru_cache(maxsize=8192)
def _memberships(field: Field) -> list[tuple[_Oneof, str, frozenset[str]]]:
    """Return each oneof on the field's path, with the path of its member there and of all its members."""
    parts = field.path.split(".")
    found = []
    for depth, step in enumerate(field.steps):
        oneof = step.containing_oneof
        if oneof is not None and len(oneof.fields) > 1:
            message = ".".join(parts[:depth])
            siblings = frozenset(f"{message}.{sibling.name.rstrip('_')}" for sibling in oneof.fields)
            found.append(((message, oneof.name), f"{message}.{parts[depth]}", siblings))
    return found


def _excluded(field: Field, requested: dict[_Oneof, list[str]], row: Row, key: str) -> bool:
    """Return whether the row has another member of a oneof, or else another requested member is chosen."""
    for oneof, member, siblings in _memberships(field):
        start = f"{oneof[0]}."
        present = {
            found
            for path in row
            if path.startswith(start) and (found := start + path[len(start) :].partition(".")[0]) in siblings
        }
        if present and member not in present:
            return True
        members = requested[oneof]
        if not present and members[zlib.crc32(f"{key}/{oneof}".encode()) % len(members)] != member:
            return True
    return False
