"""The API versions that the installed client has, each imported when it is first used, and the methods they serve."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import threading
from dataclasses import dataclass
from typing import Any

from gads_emulator.tables import read_tables

_TABLES = read_tables("api.toml")
_NAME = re.compile(r"v\d+")
_loaded: dict[str, ApiVersion] = {}
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

    @property
    def failure_key(self) -> str:
        """The key of the failure in the trailing metadata, as this version's client expects it."""
        return f"google.ads.googleads.{self.name}.errors.googleadsfailure-bin"


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

    def request_class(self, version: ApiVersion) -> Any:
        """Return the class of the request in a version."""
        return getattr(version, self.request)

    def response_class(self, version: ApiVersion) -> Any:
        """Return the class of the response, or of each message of a stream, in a version."""
        return getattr(version, self.response)


METHODS = {table["name"]: Method(**table) for table in _TABLES["methods"]}
"""The methods that the emulator serves, by name; no two services have one of the same name."""


@functools.cache
def installed_versions() -> tuple[str, ...]:
    """Return the names of the versions that can be served, oldest first; imports none of them."""
    found = [module.name for module in pkgutil.iter_modules(importlib.import_module("google.ads.googleads").__path__)]
    return tuple(sorted((name for name in found if _NAME.fullmatch(name)), key=lambda name: int(name[1:])))


def load_version(name: str) -> ApiVersion:
    """Import the classes of version `name` (about a second the first time).

    Raises `KeyError` when the installed client does not have it.
    """
    known = _loaded.get(name)
    if known is not None:
        return known
    if name not in installed_versions():
        raise KeyError(name)
    with _loading:
        if name not in _loaded:
            _loaded[name] = _import(name)
    return _loaded[name]


@functools.cache
def error_codes(name: str) -> frozenset[str]:
    """Return every Google Ads error of version `name`, as `quota_error.RESOURCE_EXHAUSTED`; imports the version."""
    failure = load_version(name).failure.DESCRIPTOR
    groups = failure.fields_by_name["errors"].message_type.fields_by_name["error_code"].message_type.fields
    return frozenset(f"{group.name}.{code}" for group in groups for code in group.enum_type.values_by_name)


def _import(name: str) -> ApiVersion:
    base = f"google.ads.googleads.{name}"
    classes = {
        field: getattr(importlib.import_module(f"{base}.{module}"), class_name).pb()
        for module, fields in _TABLES["classes"].items()
        for field, class_name in fields.items()
    }
    return ApiVersion(name, **classes)
