"""The fields of an API version as `GoogleAdsFieldService` describes them, made from the packaged catalogue."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache
from typing import Any

from gads_domain.errors import QueryError
from gads_domain.package_data import tables_of
from gads_emulator.api_versions import ApiVersion
from gads_emulator.conditions import Test, compile_condition
from gads_emulator.failures import refusal
from gads_emulator.query_plan import refuse
from gads_emulator.schema import Field, Row, field_of
from gads_gaql.catalogue import FieldCatalogue, FieldType, load
from gads_gaql.conditions import condition_problems
from gads_gaql.parser import parse
from gads_gaql.selection import is_selectable
from gads_gaql.syntax import Query

_CATEGORIES = {"metrics": "METRIC", "segments": "SEGMENT"}
_SELECTED_WHOLE = ("change_event.old_resource", "change_event.new_resource")
_CLAUSE = re.compile(r"""('[^']*'|"[^"]*")|\b(WHERE|ORDER\s+BY|LIMIT|PARAMETERS)\b""", re.IGNORECASE)
_PREFIX = "googleAdsFields/"


def get_field(version: ApiVersion, resource_name: str) -> Any:
    """Return the `GoogleAdsField` of a name such as `googleAdsFields/campaign.id`. Raises `ApiFailureError`."""
    found = _by_name(version.name).get(resource_name.removeprefix(_PREFIX))
    if found is None or not resource_name.startswith(_PREFIX):
        raise refusal("RESOURCE_NAME_MALFORMED", resource_name)
    return _message(version, found, found.keys())


def search_fields(version: ApiVersion, text: str) -> list[Any]:
    """Return the `GoogleAdsField` messages of a query such as `SELECT name WHERE name LIKE 'campaign.%'`.

    The language is GAQL without FROM. Raises `ApiFailureError`.
    """
    query = _parse(text)
    columns = {reference.name: _column(version, reference.name) for reference in query.references()}
    for condition in query.conditions:
        column = columns[condition.field.name]
        kind = FieldType({"bool": "bool", "int": "int64"}.get(column.kind, "string"), column.repeated)
        refuse(condition_problems(condition, kind, load(version.name)), version.name, "query_error")
    tests: list[tuple[str, Test]] = [
        (c.field.name, compile_condition(columns[c.field.name], c, date.min)) for c in query.conditions
    ]
    rows = [row for row in _by_name(version.name).values() if all(test(row.get(name)) for name, test in tests)]
    for ordering in reversed(query.orderings):
        name = ordering.field.name
        rows.sort(key=lambda row, name=name: str(row.get(name, "")), reverse=ordering.descending)  # type: ignore[misc]  # mypy wants no default in a key
    names = ("resource_name", *query.field_names)
    return [_message(version, row, names) for row in rows[: query.limit]]


def _parse(text: str) -> Query:
    end = next((found.start() for found in _CLAUSE.finditer(text) if found[2]), len(text))
    text = f"{text[:end]} FROM google_ads_field {text[end:]}"
    try:
        return parse(text)
    except QueryError as error:
        raise refusal("UNEXPECTED_INPUT", message=error.message) from None


def _column(version: ApiVersion, name: str) -> Field:
    descriptor = version.field_resource.DESCRIPTOR.fields_by_name.get(name)
    if descriptor is None:
        raise refusal("UNRECOGNIZED_FIELD", name, names=f"'{name}'")
    return field_of(name, (descriptor,))


def _message(version: ApiVersion, row: Row, names: Iterable[str]) -> Any:
    return version.field_resource(**{name: row[name] for name in names if row.get(name) is not None})


@cache
def _by_name(version_name: str) -> dict[str, Row]:
    catalogue = load(version_name)
    rows = [*_resources(catalogue), *_fields(catalogue)]
    return {row["name"]: row for row in sorted(rows, key=lambda row: str(row["name"]))}


def _resources(catalogue: FieldCatalogue) -> Iterator[Row]:
    metrics = tuple(sorted(_leaves(catalogue, "metrics")))
    segments = tuple(sorted(_leaves(catalogue, "segments")))
    for resource in catalogue.resources():
        yield {
            "resource_name": _PREFIX + resource,
            "name": resource,
            "category": "RESOURCE",
            "data_type": "MESSAGE",
            "is_repeated": False,
            "selectable": False,
            "filterable": False,
            "sortable": False,
            "attribute_resources": joined_resources(catalogue, resource),
            "metrics": tuple(path for path in metrics if is_selectable(path, resource)),
            "segments": tuple(path for path in segments if is_selectable(path, resource)),
        }


def joined_resources(catalogue: FieldCatalogue, resource: str) -> tuple[str, ...]:
    """Return the resources that can be selected with a resource: those its attributes refer to, directly or not."""
    found: dict[str, None] = {"customer": None}
    waiting = [resource]
    while waiting:
        for path in catalogue.paths(waiting.pop()):
            name = path.rpartition(".")[2]
            kind = catalogue.get(path)
            if (
                path.count(".") == 1
                and kind is not None
                and (kind.kind, kind.repeated) == ("string", False)
                and name in catalogue.resources()
                and name not in found
            ):
                found[name] = None
                waiting.append(name)
    found.pop(resource, None)
    return tuple(sorted(found))


def _fields(catalogue: FieldCatalogue) -> Iterator[Row]:
    for root in (*sorted(catalogue.resources()), "metrics", "segments"):
        for path in _leaves(catalogue, root):
            kind = catalogue.get(path)
            assert kind is not None
            plain = kind.kind != "message"
            row: Row = {
                "resource_name": _PREFIX + path,
                "name": path,
                "category": _CATEGORIES.get(root, "ATTRIBUTE"),
                "data_type": _data_type(catalogue, kind),
                "is_repeated": kind.repeated,
                "selectable": True,
                "filterable": plain,
                "sortable": plain and not kind.repeated,
            }
            if kind.enum is not None:
                row["enum_values"] = catalogue.enum_values(kind.enum)
            if kind.enum is not None or kind.message is not None:
                row["type_url"] = f"google.ads.googleads.{catalogue.version}.{kind.enum or kind.message}"
            yield row


@lru_cache(maxsize=512)
def _leaves(catalogue: FieldCatalogue, root: str) -> tuple[str, ...]:
    """Return the selectable paths: values, repeated messages, and messages that are empty or selected whole."""
    paths = [path for path in catalogue.paths(root) if not path.startswith(tuple(f"{w}." for w in _SELECTED_WHOLE))]
    inner = {path.rpartition(".")[0] for path in paths}
    return tuple(path for path in paths if path not in inner)


def _data_type(catalogue: FieldCatalogue, kind: FieldType) -> str:
    last = kind.path.rpartition(".")[2]
    if kind.kind == "string" and (last == "resource_name" or last in catalogue.resources()):
        return "RESOURCE_NAME"
    if kind.is_date and not kind.path.endswith("date_time"):
        return "DATE"
    return str(tables_of("gads_emulator", "api.toml")["data_types"][kind.kind])
