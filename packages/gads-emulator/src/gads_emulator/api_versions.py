"""The API versions that the installed client has, each imported when it is first used, and the methods they serve."""

import functools
import importlib
import pkgutil
import re
import threading
from dataclasses import dataclass
from typing import Any

from gads_domain.package_data import tables_of

_TABLES = tables_of("gads_emulator", "api.toml")
_NAME = re.compile(r"v\d+")
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """The protobuf classes of one version."""

    name: str
    row: Any
    search_request: Any
    search_response: Any
    stream_request: Any
    stream_response: Any
    accessible_request: Any
    accessible_response: Any
    field_request: Any
    field_resource: Any
    fields_request: Any
    fields_response: Any
    failure: Any
    quota_details: Any


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the API; `request` and `response` name fields of `ApiVersion`."""

    service: str
    name: str
    request: str
    response: str
    verb: str
    path: str
    """The path of REST after the version, as a regular expression that binds fields of the request."""
    streams: bool = False


METHODS = {table["name"]: Method(**table) for table in _TABLES["methods"]}
"""The methods that the emulator serves, by name; no two services have one of the same name."""


@functools.cache
def installed_versions() -> tuple[str, ...]:
    """Return the names of the versions that can be served, oldest first; imports none of them."""
    found = [module.name for module in pkgutil.iter_modules(importlib.import_module("google.ads.googleads").__path__)]
    return tuple(sorted((name for name in found if _NAME.fullmatch(name)), key=lambda name: int(name[1:])))


@functools.cache
def load_version(name: str) -> ApiVersion:
    """Import the classes of version `name` (about a second the first time).

    Raises `KeyError` when the installed client does not have it.
    """
    if name not in installed_versions():
        raise KeyError(name)
    with _loading:
        classes = {
            field: getattr(importlib.import_module(f"google.ads.googleads.{name}.{module}"), class_name).pb()
            for module, fields in _TABLES["classes"].items()
            for field, class_name in fields.items()
        }
    return ApiVersion(name, **classes)


@functools.cache
def error_codes(name: str) -> frozenset[str]:
    """Return every Google Ads error of version `name`, as `quota_error.RESOURCE_EXHAUSTED`; imports the version."""
    failure = load_version(name).failure.DESCRIPTOR
    groups = failure.fields_by_name["errors"].message_type.fields_by_name["error_code"].message_type.fields
    return frozenset(f"{group.name}.{code}" for group in groups for code in group.enum_type.values_by_name)
