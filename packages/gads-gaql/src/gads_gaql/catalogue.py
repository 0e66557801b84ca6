"""The fields that each API version has, their types and their columns: packaged data, from the API's own descriptors.

`generate/field_catalogue.py` wrote the data; nothing here needs the google-ads client, whose import takes seconds.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import resources

from gads_domain.errors import ConfigurationError, QueryError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.package_data import tables_of
from gads_domain.report import DAY_SEGMENT
from gads_gaql.syntax import PERIODS, Query

_FILE = re.compile(r"(v[1-9][0-9]*)\.json\.gz")
_INTEGERS = frozenset({"int32", "int64", "uint32", "uint64"})
_COLUMN_TYPES = {"double": "double", "float": "double", "bytes": "binary", "bool": "bool"}
_FIELD_OF_PART = {
    "query": "search_term",
    "unexpanded_final_url_fingerprint": "unexpanded_final_url",
    "expanded_final_url_fingerprint": "expanded_final_url",
    "is_targeting_location": "targeting_location",
    "base64_placement": "placement",
}
"""The parts of resource names that stand for a field of the resource with another name."""
_NOT_RESOURCES = frozenset({"metrics", "segments"})
_MAX_DEPTH = 16
"""Deeper than any path of the API; it keeps a message type that holds itself from being walked for ever."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a path holds.

    `kind` is a scalar type's protobuf name (`int64`, `int32`, `double`, `float`, `bool`, `string`, `bytes`), `enum` or
    `message`; `enum` and `message` name the type then, without the version. `path` is where it was found.
    """

    kind: str
    repeated: bool = False
    enum: str | None = None
    message: str | None = None
    path: str = ""

    @property
    def column_type(self) -> str:
        """The payload's column type, as `gads_domain.metadata.ColumnSpec.type` spells it.

        Enums are written by name; a whole message is written as canonical JSON text, hence `string`.
        """
        if self.path == DAY_SEGMENT:
            return "date32"
        element = "int64" if self.is_integer else _COLUMN_TYPES.get(self.kind, "string")
        return f"list<{element}>" if self.repeated else element

    @property
    def is_integer(self) -> bool:
        """Whether its values are whole numbers."""
        return self.kind in _INTEGERS

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.is_integer or self.kind in ("double", "float")

    @property
    def is_date(self) -> bool:
        """Whether it is a text with a date, or a date and a time, by its name."""
        is_text = self.kind == "string" and not self.repeated
        return is_text and (self.path in PERIODS or self.path.endswith(("date", "date_time")))

    def __str__(self) -> str:
        name = self.enum or self.message or ""
        return f"{'repeated ' if self.repeated else ''}{self.kind}{' ' if name else ''}{name}"


class FieldCatalogue:
    """Every path that a `GoogleAdsRow` of one API version may hold. Made by `load`; never changes."""

    def __init__(self, document: Mapping[str, object]) -> None:
        """Take what a packaged file says."""
        self.version = str(document["version"])
        """The API version, such as `v26`."""
        self._row = str(document["row"])
        self._messages: dict[str, dict[str, str]] = document["messages"]  # type: ignore[assignment]  # JSON, packaged
        self._enums: dict[str, list[str]] = document["enums"]  # type: ignore[assignment]  # JSON, packaged
        self._keys: dict[str, list[str]] = document.get("keys", {})  # type: ignore[assignment]  # JSON, packaged
        self._known: dict[str, FieldType] = {}

    @cached_property
    def _resources(self) -> frozenset[str]:
        return frozenset(self._messages[self._row]) - _NOT_RESOURCES

    def resources(self) -> frozenset[str]:
        """Every name that a path may start with, `metrics` and `segments` aside; FROM names one of them.

        Some of them, such as `ad`, may not stand in FROM, which no descriptor shows.
        """
        return self._resources

    def get(self, path: str) -> FieldType | None:
        """What `path` holds; None if there is no such path, or if no query can select it.

        None for the bare name of a resource, and for whatever lies inside a repeated message, which is selected
        whole or not at all.
        """
        found = self._known.get(path)
        if found is None and (found := self._find(path)) is not None:
            self._known[path] = found
        return found

    def _find(self, path: str) -> FieldType | None:
        names = path.split(".")
        message = self._row
        for depth, name in enumerate(names):
            text = self._messages[message].get(name)
            if text is None:
                return None
            found = _field_type(text, path)
            if depth == len(names) - 1:
                return found if depth else None
            if found.message is None or found.repeated:
                return None
            message = found.message
        return None

    def repeated_parent(self, path: str) -> str | None:
        """The repeated message that `path` reaches into, which is selected whole; None if it reaches into none."""
        names = path.split(".")
        for end in range(2, len(names)):
            parent = ".".join(names[:end])
            found = self.get(parent)
            if found is not None and found.repeated and found.message is not None:
                return parent
        return None

    def key_fields(self, resource: str) -> tuple[str, ...]:
        """The fields by which rows FROM `resource` are unique within an account, segments aside.

        They are the parts of its resource name, as the client's `<resource>_path` takes them, or the resource name
        itself where a part is no field of its own. Empty for what is there once, such as `customer`.
        """
        parts = self._keys.get(resource, [])
        found = [self._key_field(resource, part, parts) for part in parts]
        return tuple(dict.fromkeys(field or f"{resource}.resource_name" for field in found))

    def _key_field(self, resource: str, part: str, parts: list[str]) -> str | None:
        parent = part.removesuffix("_id")
        child = f"{'ad_group' if 'ad_group_id' in parts else 'campaign'}_{parent}"
        candidates = (
            *(f"{resource}.{_FIELD_OF_PART.get(part, part)}", f"{resource}.{parent}.id"),
            *(f"{child}.{part}", f"{child}.{parent}.id"),  # ad_group_criterion.criterion_id, ad_group_ad.ad.id
            f"{parent}.id",
        )
        return next((path for path in candidates if self.get(path) is not None), None)

    def enum_values(self, enum: str) -> tuple[str, ...]:
        """The names of an enum type's values, in the order of the API; empty if there is no such enum."""
        return tuple(self._enums.get(enum, ()))

    def paths(self, root: str | None = None) -> Iterator[str]:
        """Every path that `get` knows, below `root` if one is given. Messages come before what is inside them."""
        for name, text in self._messages[self._row].items():
            if root is None or name == root:
                message = _field_type(text, name).message
                if message is not None:
                    yield from self._below(message, name, 1)

    def _below(self, message: str, prefix: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            return
        for name, text in self._messages[message].items():
            path = f"{prefix}.{name}"
            yield path
            found = _field_type(text, path)
            if found.message is not None and not found.repeated:
                yield from self._below(found.message, path, depth + 1)

    def closest(self, path: str) -> str | None:
        """The path, or the resource if `path` has no dot, that is written most like `path`; None if none is near."""
        root, dot, _ = path.partition(".")
        if not dot:
            return _nearest(path, self._resources)
        if root not in self._messages[self._row]:
            better = _nearest(root, self._messages[self._row])
            if better is None:
                return None
            path = better + path[len(root) :]
            if self.get(path) is not None:
                return path
            root = better
        return _nearest(path, self.paths(root))

    def suggestion(self, path: str) -> str:
        """A hint that names the successor of `path` as Google documents it, or else what is written most like it.

        Empty if there is neither.
        """
        for version, old, new in _renamed():
            successor = f".{path}.".replace(f".{old}.", f".{new}.")[1:-1]
            if successor != path and (successor in self._resources or self.get(successor) is not None):
                return f"{successor} took its place in {version}"
        near = self.closest(path)
        return f"did you mean {near}?" if near else ""

    def value_suggestion(self, enum: str, value: str) -> str:
        """A hint that names the value of `enum` most like `value`; empty if none is near."""
        near = _nearest(value.upper(), self._enums.get(enum, ()))
        return f"did you mean {near}?" if near else ""


def column_name(path: str) -> str:
    """The payload's column for a GAQL path: `metrics.cost_micros` is `metrics_cost_micros`."""
    return path.replace(".", "_")


def table_schema(query: Query, catalogue: FieldCatalogue) -> TableSchema:
    """The columns of the query's rows, in the order of SELECT.

    Raises `QueryError` for a field that the API version does not have, and for one that is selected twice.
    """
    columns: dict[str, ColumnSpec] = {}
    for reference in query.fields:
        found = catalogue.get(reference.name)
        where = f"line {reference.line}, column {reference.column}"
        if found is None:
            message = f"{where}: {catalogue.version} has no field {reference.name!r}"
            raise QueryError(message, hint=catalogue.suggestion(reference.name))
        name = column_name(reference.name)
        if name in columns:
            raise QueryError(
                f"{where}: {reference.name} would be a second column {name}", hint="select each field once"
            )
        columns[name] = ColumnSpec(name, reference.name, found.column_type)
    return TableSchema(tuple(columns.values()))


@cache
def versions() -> tuple[str, ...]:
    """The API versions that fields are packaged for, ascending."""
    names = (_FILE.fullmatch(entry.name) for entry in (resources.files("gads_gaql") / "fields").iterdir())
    return tuple(sorted((match[1] for match in names if match), key=lambda version: int(version[1:])))


def latest() -> str:
    """The newest of `versions()`."""
    return versions()[-1]


@cache
def sunsets() -> Mapping[str, date]:
    """The day from which the API refuses each of `versions()`, as far as Google has said; `fields/sunsets.toml`."""
    return tables_of("gads_gaql", "fields/sunsets.toml")


@cache
def _renamed() -> tuple[tuple[str, str, str], ...]:
    """Each rename of `fields/renamed.toml`: the version, the old name and the new one."""
    found = ((one["version"], one["names"].split()) for one in tables_of("gads_gaql", "fields/renamed.toml")["renamed"])
    return tuple((version, *pair) for version, names in found for pair in zip(names[::2], names[1::2], strict=True))


@cache
def load(version: str) -> FieldCatalogue:
    """The fields of an API version; raises `ConfigurationError` for one that is not packaged."""
    return FieldCatalogue(json.loads(packaged(version, "json")))


def packaged(version: str, form: str) -> bytes:
    """The data of an API version, as `json` or `binpb`; raises `ConfigurationError` for one that is not packaged."""
    if version not in versions():
        raise ConfigurationError(
            f"API version {version!r} is not known", hint=f"known versions: {', '.join(versions())}"
        )
    return gzip.decompress((resources.files("gads_gaql") / "fields" / f"{version}.{form}.gz").read_bytes())


@cache
def _split(text: str) -> tuple[str, bool, str]:
    kind, _, name = text.partition(" ")
    return kind.removesuffix("[]"), kind.endswith("[]"), name


def _field_type(text: str, path: str) -> FieldType:
    kind, repeated, name = _split(text)
    return FieldType(
        kind, repeated, enum=name if kind == "enum" else None, message=name if kind == "message" else None, path=path
    )


def _nearest(name: str, among: Iterable[str]) -> str | None:
    found = get_close_matches(name, sorted(among), n=1, cutoff=0.6)
    return found[0] if found else None
