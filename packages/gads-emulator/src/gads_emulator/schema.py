"""The fields of an API version by GAQL path, from its descriptors, and JSON rows read by them."""

import base64
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gads_domain.package_data import tables_of
from gads_emulator.api_versions import ApiVersion, load_version

Row: TypeAlias = dict[str, Any]
"""A flat row: GAQL path to value. Enums are names (or numbers without a known name), int64 are ints, repeated fields
are tuples, messages are JSON-like dicts. A missing path is unset."""

MASK = "google.protobuf.FieldMask"
_CAPITAL = re.compile("[A-Z]")
_KINDS = {
    getattr(FieldDescriptor, f"CPPTYPE_{name}"): kind
    for kind, names in tables_of("gads_emulator", "api.toml")["kinds"].items()
    for name in names
}


@dataclass(frozen=True)
class Field:
    """One GAQL path in one version. `steps` are the descriptors from the row down to the field."""

    path: str
    steps: tuple[FieldDescriptor, ...]
    kind: str
    """`int`, `float`, `bool`, `str`, `enum` or `message`."""
    repeated: bool

    @property
    def resource(self) -> str:
        """The path's first part: a resource, `metrics` or `segments`."""
        return self.path.partition(".")[0]

    @property
    def enum(self) -> EnumDescriptor:
        """The descriptor of the enum; only for fields of kind `enum`."""
        found: EnumDescriptor | None = self.steps[-1].enum_type
        assert found is not None
        return found

    @property
    def is_metric(self) -> bool:
        """Whether the field is a metric."""
        return self.resource == "metrics"


class Schema:
    """The fields of `GoogleAdsRow` in one version."""

    def __init__(self, version: ApiVersion) -> None:
        self.version = version
        self._row: Descriptor = version.row.DESCRIPTOR
        self._fields: dict[str, Field | None] = {}

    def field(self, path: str) -> Field | None:
        """Return the field of a path; None if the version has no such field or the path is a whole resource."""
        if path not in self._fields:
            self._fields[path] = self._find(path)
        return self._fields[path]

    def _find(self, path: str) -> Field | None:
        steps: list[FieldDescriptor] = []
        message: Descriptor | None = self._row
        for part in path.split("."):
            if message is None or (steps and steps[-1].is_repeated):
                return None
            found = message.fields_by_name.get(part)
            if found is None:
                return None
            steps.append(found)
            message = found.message_type
        if len(steps) < 2:
            return None
        return field_of(path, tuple(steps))

    def flatten(self, nested: dict[str, Any], unknown: Callable[[str], None]) -> Row:
        """Read a `GoogleAdsRow` as JSON (snake_case or camelCase; a reserved word with or without `_`).

        A field that this version does not have is dropped, and its path passed to `unknown`.
        Raises `ValueError` for a value that its field cannot hold.
        """
        return dict(_flatten(self._row, nested, "", unknown))


def mask_paths(value: Any) -> list[str]:
    """Return the paths of a field mask given as `name,amountMicros` or as `{"paths": [...]}`."""
    paths = value.split(",") if isinstance(value, str) else value["paths"]
    return [snake_case(path) for path in paths if path]


def snake_case(name: str) -> str:
    """Return a name of JSON, such as `adGroup`, as the API's own, such as `ad_group`."""
    return _CAPITAL.sub(lambda capital: f"_{capital[0].lower()}", name)


def field_of(path: str, steps: tuple[FieldDescriptor, ...]) -> Field:
    """Return the field of a path, given the descriptors from the row down to it."""
    return Field(path, steps, _KINDS[steps[-1].cpp_type], steps[-1].is_repeated)


@functools.cache
def load_schema(version_name: str) -> Schema:
    """Return the schema of a version, always the same object. Raises `KeyError` as `load_version` does."""
    return Schema(load_version(version_name))


@functools.cache
def _fields_by_json_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    spellings: dict[str, FieldDescriptor] = {}
    for field in message.fields:
        for name in (field.json_name, field.name, f"{field.name}_"):
            spellings[name] = field
    return spellings


def _flatten(
    message: Descriptor, nested: dict[str, Any], prefix: str, unknown: Callable[[str], None]
) -> Iterator[tuple[str, Any]]:
    spellings = _fields_by_json_name(message)
    for name, value in nested.items():
        field = spellings.get(name)
        if field is None:
            unknown(prefix + name)
            continue
        path = prefix + field.name
        if value is None:
            continue
        if field.is_repeated:
            if not isinstance(value, list):
                raise ValueError(f"{path}: {value!r} is not a list")
            yield path, tuple(_scalar(field, item, path) for item in value)
        elif field.message_type is not None:
            if field.message_type.full_name == MASK:
                value = {"paths": mask_paths(value)}
            if not isinstance(value, dict):
                raise ValueError(f"{path}: {value!r} is not an object")
            yield path, value
            yield from _flatten(field.message_type, value, path + ".", unknown)
        else:
            yield path, _scalar(field, value, path)


def _scalar(field: FieldDescriptor, value: Any, path: str) -> Any:
    kind = _KINDS[field.cpp_type]
    try:
        if kind == "int":
            return int(value)
        if kind == "float":
            return float(value)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return base64.b64decode(value, altchars=b"-_" if {"-", "_"} & set(value) else None, validate=True)
    except (TypeError, ValueError):
        if kind == "str":
            raise ValueError(f"{path}: {value!r} is not base64") from None
        raise ValueError(f"{path}: {value!r} is not a number") from None
    if (kind == "str" and not isinstance(value, str)) or (kind == "bool" and not isinstance(value, bool)):
        raise ValueError(f"{path}: {value!r} is not a {'text' if kind == 'str' else 'bool'}")
    return value
